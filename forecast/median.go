package forecast

import (
	"math"
	"slices"
)

// cycleMedian predicts the usual shape of a cycle of P steps, which is the long season, or the short one where there is no long one:
//
//	log ŷ(n+h) = μ₀ + s(h) + 0.9ʰ·g
//	s(h) = median over c of log y(n+h−(c+1)·P) − μ_c, for h = 1 … P and again from there
//	g    = mean of log y(t) − μ₀ − s(t−n+P) over the last six values
//
// where μ_c is the mean of the logarithms of cycle c before the end, the last one being c = 0: the shape is the median of the cycles,
// on the level of the last one, and a gap to it closes by a tenth with every step.
//
// Source: Loadline's own; it is classical decomposition with medians, so that a single odd cycle of three leaves no trace.
//
// Minimum length: two short seasons, of which up to seven are used. From one and a half long seasons on the cycle is the long one, of
// which up to three are used.
type cycleMedian struct{}

func (cycleMedian) name() string { return "cycle-median" }

func (cycleMedian) least(s seasons) int { return 2 * s.short }

func (cycleMedian) fit(t *training) []predictor {
	return slices.Repeat([]predictor{cycleMedian{}}, len(t.origins))
}

const (
	mostCycles = 7
	gapSteps   = 6
	gapDecay   = 0.9
)

func (cycleMedian) predict(h *history, n int, out []float64) {
	period, cycles := h.short, min(n/h.short, mostCycles)
	if h.hasLong(n) {
		period, cycles = h.long, min(n/h.long, 3)
	}
	var means, places [mostCycles]float64
	for c := range cycles {
		for _, v := range h.logs[n-(c+1)*period : n-c*period] {
			means[c] += v / float64(period)
		}
	}
	shape := h.take(period)
	defer h.give(period)
	for i := range shape {
		for c := range cycles {
			places[c] = h.logs[n-(c+1)*period+i] - means[c]
		}
		shape[i] = middle(places[:cycles])
	}
	gap, recent := 0.0, min(gapSteps, period)
	for i := 1; i <= recent; i++ {
		gap += (h.logs[n-i] - means[0] - shape[period-i]) / float64(recent)
	}
	for i := range out {
		gap *= gapDecay
		out[i] = math.Exp(means[0] + shape[i%period] + gap)
	}
}

// middleOf returns the median as middle does, and leaves values alone. The scratch memory is as long as they are.
func middleOf(values, scratch []float64) float64 { return middle(scratch[:copy(scratch, values)]) }

// middle returns the median, of an even number the mean of the two in the middle. It reorders values.
func middle(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
