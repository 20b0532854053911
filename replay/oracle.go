package replay

// oracle knows the next hour: at every full hour it requests the most that will be used in it. Nobody who has to leave no
// demand unmet can request less and change as seldom. Where decisions are made less often than that, or not on the hour, it looks
// as far ahead as its next decision.
type oracle struct {
	trace *trace
	// every is the number of steps between decisions.
	every int
	// until is the step up to which the last decision is good.
	until int
}

func newOracle(every int) factory {
	return func(t *trace, from int) policy { return &oracle{trace: t, every: every, until: from} }
}

func (o *oracle) want(i int, p pod) Amounts {
	if i < o.until {
		return p.have
	}
	left := stepsPerHour - (o.trace.lead+i)%stepsPerHour
	o.until = min(i+(left+o.every-1)/o.every*o.every, o.trace.len())
	out := Amounts{CPUMillis: wholeMillis(largest(o.trace.workload.CPU[i:o.until]))}
	if o.trace.hasMemory {
		out.MemoryBytes = wholeMiB(largest(o.trace.workload.Memory[i:o.until]))
	}
	return out
}

func (o *oracle) killed(int, int64) {}
