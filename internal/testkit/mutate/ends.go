package mutate

// end returns the mutation that has an end do something between two PDUs, or in the middle of one.
func end(do Action) func(*mutation) bool {
	return func(m *mutation) bool {
		if m.IntN(2) == 0 {
			split(m)
		}
		side := []Side{Client, Server}[m.IntN(2)]
		m.place(Step{Side: side, Do: do})
		return true
	}
}
