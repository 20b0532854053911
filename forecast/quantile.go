package forecast

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Sample is a value that counts as much as its weight says.
type Sample struct{ Value, Weight float64 }

// WeightedQuantile returns the smallest value v such that the samples at or below v carry at least the share q of the
// whole weight. There is no interpolation: the answer is always one of the values. It sorts samples in place.
//
// Samples whose value is NaN or whose weight is not positive and finite do not count. Without any other the answer is NaN,
// as it is for a q that is NaN. A q under 0 counts as 0 (the smallest value), one over 1 as 1 (the largest). One sample,
// or equal values, give that value.
func WeightedQuantile(samples []Sample, q float64) float64 {
	samples = slices.DeleteFunc(samples, func(s Sample) bool {
		return math.IsNaN(s.Value) || !(s.Weight > 0) || math.IsInf(s.Weight, 1)
	})
	if len(samples) == 0 || math.IsNaN(q) {
		return math.NaN()
	}
	slices.SortFunc(samples, func(a, b Sample) int { return cmp.Compare(a.Value, b.Value) })
	total := 0.0
	for _, s := range samples {
		total += s.Weight
	}
	below, needed := 0.0, min(max(q, 0), 1)*total
	for _, s := range samples {
		if below += s.Weight; below >= needed {
			return s.Value
		}
	}
	return samples[len(samples)-1].Value
}

// DecayWeight returns 2^(−age/halfLife): 1 for a measurement of now, a half for one that is one half-life old. Measurements
// of the future, from a clock that runs ahead, weigh 1.
func DecayWeight(age, halfLife time.Duration) float64 {
	return math.Exp2(-max(0, float64(age)/float64(halfLife)))
}

// DecayedQuantile returns the quantile q of s in which old values count less: the value of the interval that starts at t
// weighs DecayWeight(now − t, halfLife). See WeightedQuantile for how the quantile is taken.
//
// Missing (NaN) and corrupt values (negative, infinite, over Implausible) do not count. The answer is NaN if no value is
// left, and if halfLife is not positive. Constant series give the constant.
func DecayedQuantile(s Series, q float64, halfLife time.Duration, now time.Time) float64 {
	if halfLife <= 0 {
		return math.NaN()
	}
	samples := make([]Sample, 0, len(s.Values))
	for i, v := range s.Values {
		if x := float64(v); !math.IsNaN(x) && !isCorrupt(x, Implausible) {
			samples = append(samples, Sample{Value: x, Weight: DecayWeight(now.Sub(s.TimeAt(i)), halfLife)})
		}
	}
	return WeightedQuantile(samples, q)
}
