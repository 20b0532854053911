package replay

// current leaves everything as it is.
type current struct{}

func newCurrent(*trace, int) policy { return current{} }

func (current) want(_ int, p pod) Amounts { return p.have }

func (current) killed(int, int64) {}

// initial is what every policy starts from: what is requested today, and where that is not known the most that was used so
// far, as a careful person would request it who looked at a graph.
func initial(t *trace, before int) Amounts {
	have := t.workload.Current
	if have.CPUMillis <= 0 {
		have.CPUMillis = wholeMillis(largest(t.workload.CPU[:before]))
	}
	if have.MemoryBytes <= 0 && t.hasMemory {
		have.MemoryBytes = wholeMiB(largest(t.workload.Memory[:before]))
	}
	return have
}
