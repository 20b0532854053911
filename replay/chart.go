package replay

import (
	"math"
	"slices"
)

// chartist draws a workload's chart while it is replayed.
type chartist struct {
	chart        *Chart
	scored, span int
}

// newChartist cuts the scored time into at most the given number of spans, and draws what is used; 0 draws nothing.
func newChartist(t *trace, scored, points int) chartist {
	if points <= 0 || scored >= t.len() {
		return chartist{}
	}
	span := (t.len() - scored + points - 1) / points
	c := &Chart{
		Start: t.at(scored), SpanSeconds: span * seconds(Step), CPUUsed: merged(t.workload.CPU[scored:], span, highest),
	}
	nothing := slices.Repeat(Line{float32(math.NaN())}, len(c.CPUUsed))
	c.CPURequested = nothing
	if t.hasMemory {
		c.MemoryUsed, c.MemoryRequested = merged(t.workload.Memory[scored:], span, highest), slices.Clone(nothing)
	}
	return chartist{chart: c, scored: scored, span: span}
}

// add draws the request of step i.
func (c chartist) add(i int, have Amounts) {
	if c.chart == nil {
		return
	}
	at := (i - c.scored) / c.span
	c.chart.CPURequested.lower(at, float32(have.CPUMillis)/1000)
	if c.chart.MemoryRequested != nil {
		c.chart.MemoryRequested.lower(at, float32(have.MemoryBytes))
	}
}

// lower keeps the smallest request of a span.
func (l Line) lower(at int, request float32) {
	if !(l[at] <= request) {
		l[at] = request
	}
}

// merged takes every n values together.
func merged(values []float32, n int, together func(a, b float32) float32) Line {
	var out Line
	for part := range slices.Chunk(values, max(n, 1)) {
		one := part[0]
		for _, v := range part[1:] {
			one = together(one, v)
		}
		out = append(out, one)
	}
	return out
}

// highest and lowest of two values; one that is missing does not count.
func highest(a, b float32) float32 {
	if a >= b || b != b {
		return a
	}
	return b
}

func lowest(a, b float32) float32 {
	if a <= b || b != b {
		return a
	}
	return b
}
