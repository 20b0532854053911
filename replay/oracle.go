package replay

// oracle knows the next hour: at every full hour it requests the most that will be used in it. Nobody who has to leave no
// demand unmet can request less and change as seldom.
type oracle struct {
	trace *trace
	from  int
}

func newOracle(t *trace, from int) policy { return &oracle{trace: t, from: from} }

func (o *oracle) want(i int, p pod) Amounts {
	hour := (o.trace.lead + i) / stepsPerHour
	if i > o.from && (o.trace.lead+i)%stepsPerHour != 0 {
		return p.have
	}
	until := min((hour+1)*stepsPerHour-o.trace.lead, o.trace.len())
	out := Amounts{CPUMillis: wholeMillis(largest(o.trace.workload.CPU[i:until]))}
	if o.trace.hasMemory {
		out.MemoryBytes = wholeMiB(largest(o.trace.workload.Memory[i:until]))
	}
	return out
}

func (o *oracle) killed(int, int64) {}
