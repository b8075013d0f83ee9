package backend

// Silent reports whether dc is unreachable because nothing at all comes from its
// host, on any port: not even a refusal.
func (dc *DC) Silent() bool {
	if dc.State() != Unreachable {
		return false
	}
	dc.mu.Lock()
	defer dc.mu.Unlock()
	return dc.silence.reported || dc.silence.attempts >= dc.health.fall
}
