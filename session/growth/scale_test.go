//go:build !race

package growth

// scale divides the company of the simulation.
const scale = 1
