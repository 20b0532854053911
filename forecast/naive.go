package forecast

import "slices"

// seasonalNaive predicts that each step repeats the one a short season before:
//
//	ŷ(n+h) = y(n+h−k·m) with the smallest k that reaches back into the history
//
// Source: the benchmark of every forecasting competition; Hyndman and Athanasopoulos, "Forecasting: Principles and Practice".
//
// Minimum length: one short season. It takes no logarithm: zeros stay zeros, and tiny values what they are.
type seasonalNaive struct{}

func (seasonalNaive) name() string { return "seasonal-naive" }

func (seasonalNaive) least(s seasons) int { return s.short }

func (seasonalNaive) fit(t *training) []predictor {
	return slices.Repeat([]predictor{seasonalNaive{}}, len(t.origins))
}

func (seasonalNaive) predict(h *history, n int, out []float64) {
	last := h.values[n-h.short : n]
	for i := range out {
		out[i] = last[i%h.short]
	}
}
