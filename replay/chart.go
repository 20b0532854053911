package replay

// chartist draws a workload's chart while it is replayed.
type chartist struct {
	chart        *Chart
	scored, span int
	cpu, memory  lines
}

// newChartist cuts the scored time into at most the given number of spans; 0 draws nothing.
func newChartist(t *trace, scored, points int) chartist {
	if points <= 0 || scored >= t.len() {
		return chartist{}
	}
	span := (t.len() - scored + points - 1) / points
	n := (t.len() - scored + span - 1) / span
	c := &Chart{
		Start: t.at(scored), SpanSeconds: span * int(Step.Seconds()),
		CPUUsed: make([]float32, n), CPURequested: make([]float32, n),
	}
	if t.hasMemory {
		c.MemoryUsed, c.MemoryRequested = make([]float32, n), make([]float32, n)
	}
	return chartist{
		chart: c, scored: scored, span: span,
		cpu: lines{c.CPUUsed, c.CPURequested}, memory: lines{c.MemoryUsed, c.MemoryRequested},
	}
}

func (c chartist) add(i int, cores, bytes float64, have Amounts) {
	if c.chart == nil {
		return
	}
	at, first := (i-c.scored)/c.span, (i-c.scored)%c.span == 0
	c.cpu.add(at, first, float32(cores), float32(have.CPUMillis)/1000)
	if c.memory.used != nil {
		c.memory.add(at, first, float32(bytes), float32(have.MemoryBytes))
	}
}

// lines are the two of one resource.
type lines struct{ used, requested []float32 }

// add keeps the largest use and the smallest request of a span.
func (l lines) add(at int, first bool, use, request float32) {
	if use > l.used[at] {
		l.used[at] = use
	}
	if first || request < l.requested[at] {
		l.requested[at] = request
	}
}
