package forecast

import (
	"math"
	"slices"
)

// level predicts one constant: the median of the history in which a value that is one short season older counts half. It
// is also the forecast where there is too little history for any other model: one value is enough. A median does not
// follow a single spike.
type level struct{}

const levelName = "decayed-quantile"

func (level) name() string { return levelName }

func (level) least(seasons) int { return 1 }

func (level) fit(t *training) []predictor {
	return slices.Repeat([]predictor{level{}}, len(t.origins))
}

func (level) predict(h *history, n int, out []float64) {
	median := decayedMedian(h.values[:n], float64(h.short))
	for i := range out {
		out[i] = median
	}
}

// decayedMedian returns the median of values in which one that is halfLife steps older counts half. One value is enough.
// Constant history gives that constant. A median does not follow a single spike.
func decayedMedian(values []float64, halfLife float64) float64 {
	// After 12 half-lives a value weighs 1/4096: the rest is left out for speed.
	recent := values[max(0, len(values)-int(12*halfLife)-1):]
	samples := make([]Sample, len(recent))
	for i, v := range recent {
		samples[i] = Sample{Value: v, Weight: math.Exp2(-float64(len(recent)-1-i) / halfLife)}
	}
	return WeightedQuantile(samples, 0.5)
}
