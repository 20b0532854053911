package forecast

import "math"

// levelName is what a forecast from too little history names instead of a model.
const levelName = "decayed-median"

// decayedMedian is the forecast where there is too little history for any model:
//
//	ŷ(n+h) = the median of y(1) … y(n), where y(t) weighs 2^(−(n−t) ÷ halfLife)
//
// The half-life is a number of steps, and the answer in the unit of the values, which have no holes. One value is enough. It is
// one of the values (the smallest that carries half of the weight together with those under it), so that constant history gives that
// constant, zeros give zero, and a single spike changes nothing. It is the weighted median of WeightedQuantile.
func decayedMedian(values []float64, halfLife float64) float64 {
	// After 12 half-lives a value weighs 1/4096: the rest is left out for speed.
	recent := values[max(0, len(values)-int(12*halfLife)-1):]
	samples := make([]Sample, len(recent))
	for i, v := range recent {
		samples[i] = Sample{Value: v, Weight: math.Exp2(-float64(len(recent)-1-i) / halfLife)}
	}
	return WeightedQuantile(samples, 0.5)
}
