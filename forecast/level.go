package forecast

import "math"

// Level predicts one constant: the median of the history in which a value that is HalfLife older counts half.
//
// One value is enough. Constant history gives that constant. A median does not follow a single spike.
type Level struct {
	// HalfLife in steps.
	HalfLife float64
}

// Name returns "decayed-quantile".
func (m Level) Name() string { return "decayed-quantile" }

// MinLen is 1.
func (m Level) MinLen() int { return 1 }

// Predict returns the decayed median for every step.
func (m Level) Predict(history []float64, steps int) []float64 {
	// After 12 half-lives a value weighs 1/4096: the rest is left out for speed.
	recent := history[max(0, len(history)-int(12*m.HalfLife)-1):]
	samples := make([]Sample, len(recent))
	for i, v := range recent {
		samples[i] = Sample{Value: v, Weight: math.Exp2(-float64(len(recent)-1-i) / m.HalfLife)}
	}
	level := WeightedQuantile(samples, 0.5)
	result := make([]float64, steps)
	for h := range result {
		result[h] = level
	}
	return result
}
