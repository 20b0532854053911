package forecast

import (
	"math"
	"slices"
)

// Sample is a value that counts as much as its weight says.
type Sample struct{ Value, Weight float64 }

// WeightedQuantile returns the smallest value v such that the samples at or below v carry at least the share q of the
// whole weight. There is no interpolation: the answer is always one of the values. It changes the order of the samples.
//
// Samples whose value is NaN or whose weight is not positive and finite do not count. Without any other the answer is NaN,
// as it is for a q that is NaN. A q under 0 counts as 0 (the smallest value), one over 1 as 1 (the largest). One sample,
// or equal values, give that value.
//
// It selects instead of sorting: each round splits what is left about a pivot and goes on with the side that holds the
// quantile.
func WeightedQuantile(samples []Sample, q float64) float64 {
	samples = slices.DeleteFunc(samples, func(s Sample) bool {
		return math.IsNaN(s.Value) || !(s.Weight > 0) || math.IsInf(s.Weight, 1)
	})
	if len(samples) == 0 || math.IsNaN(q) {
		return math.NaN()
	}
	total := 0.0
	for _, s := range samples {
		total += s.Weight
	}
	needed := min(max(q, 0), 1) * total
	for len(samples) > 1 {
		pivot := medianOfThree(samples[0].Value, samples[len(samples)/2].Value, samples[len(samples)-1].Value)
		less, equal, lessWeight, equalWeight := partition(samples, pivot)
		switch {
		case less > 0 && lessWeight >= needed:
			samples = samples[:less]
		case lessWeight+equalWeight >= needed || equal == len(samples):
			return pivot
		default:
			needed -= lessWeight + equalWeight
			samples = samples[equal:]
		}
	}
	return samples[0].Value
}

// partition brings the samples under the pivot to the front and those equal to it behind them, up to index equal.
func partition(samples []Sample, pivot float64) (less, equal int, lessWeight, equalWeight float64) {
	for i, s := range samples {
		switch {
		case s.Value < pivot:
			samples[i], samples[equal] = samples[equal], samples[less]
			samples[less] = s
			less++
			equal++
			lessWeight += s.Weight
		case s.Value == pivot:
			samples[i], samples[equal] = samples[equal], s
			equal++
			equalWeight += s.Weight
		}
	}
	return less, equal, lessWeight, equalWeight
}

func medianOfThree(a, b, c float64) float64 { return max(min(a, b), min(max(a, b), c)) }
