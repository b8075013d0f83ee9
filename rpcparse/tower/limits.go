package tower

// Limits of the endpoint mapper's interface. They bound what one answer can make
// us store or loop over.
const (
	// MaxFloors: a tower with more SHOULD be rejected (MS-RPCE 3.1.3.5.3).
	MaxFloors = 6
	// MaxOctets is the range of tower_length (MS-RPCE 2.2.1.2.2), in bytes.
	MaxOctets = 2000
	// MaxTowers is the range of max_towers and max_ents (MS-RPCE 2.2.1.2.4, 2.2.1.2.5).
	MaxTowers = 500
	// MaxAnnotation is ept_max_annotation_size (C706 appendix O), in bytes with the NUL.
	MaxAnnotation = 64
)
