package sizing

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/forecast"
)

func anySamples(t *rapid.T) []forecast.Sample {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) forecast.Sample {
		return forecast.Sample{
			// Few values, so that many are equal; weights that add up exactly in every order.
			Value:  float64(rapid.IntRange(0, 20).Draw(t, "value")),
			Weight: float64(rapid.IntRange(1, 8).Draw(t, "weight")) / 8,
		}
	}), 1, 200).Draw(t, "samples")
}

func TestTheQuantileAboveALeastIsTheQuantile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		samples := anySamples(t)
		q := rapid.OneOf(rapid.Float64Range(0, 1), rapid.SampledFrom([]float64{0, 0.5, 1, -1, 2, math.NaN()})).Draw(t, "quantile")
		want := forecast.WeightedQuantile(slices.Clone(samples), q)
		least := rapid.Float64Range(-1, 21).Draw(t, "least")
		if got := quantileAbove(slices.Clone(samples), q, least); got != want && want > least || got == got && got <= least {
			t.Fatalf("above %v: got %v, the quantile is %v", least, got, want)
		}
	})
}

func TestAnAgeBeyondMeasureLeavesNoSamples(t *testing.T) {
	old := usage(1)
	old.HourlyMax.Start, old.HourlyMean.Start = now.AddDate(-90, 0, 0), now.AddDate(-90, 0, 0)
	old.Recent = forecast.Series{}
	if samples := weighted(nil, old, nil, now); len(samples) != 0 {
		t.Errorf("%d samples of the last century", len(samples))
	}
}
