package forecast

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// quantileBySorting is the definition: the first value, in order, up to which the share q of the weight lies.
func quantileBySorting(samples []Sample, q float64) float64 {
	if math.IsNaN(q) {
		return math.NaN()
	}
	slices.SortFunc(samples, func(a, b Sample) int { return cmp.Compare(a.Value, b.Value) })
	total := 0.0
	for _, s := range samples {
		total += s.Weight
	}
	below := 0.0
	for _, s := range samples {
		if below += s.Weight; below >= min(max(q, 0), 1)*total {
			return s.Value
		}
	}
	return math.NaN()
}

func TestAWeightedQuantileIsWhatSortingFinds(t *testing.T) {
	anySample := rapid.Custom(func(t *rapid.T) Sample {
		return Sample{
			// Few values, so that many are equal; weights that add up exactly in every order.
			Value:  float64(rapid.IntRange(0, 20).Draw(t, "value")),
			Weight: float64(rapid.IntRange(1, 8).Draw(t, "weight")) / 8,
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		samples := rapid.SliceOfN(anySample, 0, 200).Draw(t, "samples")
		q := rapid.OneOf(rapid.Float64Range(0, 1), rapid.SampledFrom([]float64{0, 0.5, 1, -1, 2, math.NaN()})).Draw(t, "quantile")
		want := quantileBySorting(slices.Clone(samples), q)
		if got := WeightedQuantile(slices.Clone(samples), q); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Fatalf("got %v, sorting gives %v", got, want)
		}
		broken := []Sample{{Value: math.NaN(), Weight: 1}, {Value: 99, Weight: 0}, {Value: -99, Weight: -1}, {Value: 99, Weight: math.Inf(1)}, {Value: 99, Weight: math.NaN()}}
		if got := WeightedQuantile(append(broken, samples...), q); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Fatalf("got %v with samples that do not count, %v without them", got, want)
		}
	})
}
