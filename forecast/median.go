package forecast

import (
	"math"
	"slices"
)

// cycleMedian predicts the usual shape of a week, or of a day where there is no week: at each place of the cycle the median
// of the last cycles after each one's mean was taken off, plus the mean of the last cycle, plus a gap that closes by a
// tenth with every step and starts as the mean deviation of the last six values; all in logarithms.
//
// The last three weeks are used, or the last seven days; two cycles are enough. A single odd cycle leaves no trace. Zeros
// count as 1 % of the mean. Constant history gives that constant.
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
