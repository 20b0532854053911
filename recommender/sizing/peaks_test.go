package sizing

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/forecast"
)

// peaky is use of 0.39 cores, for 5 % of the time 0.5, and for 1 % more.
func peaky(most float64) []forecast.Sample {
	return []forecast.Sample{{Value: most, Weight: 1}, {Value: 0.39, Weight: 94}, {Value: 0.5, Weight: 5}}
}

func TestARarePeakIsCoveredWhereThatCostsLittle(t *testing.T) {
	for _, c := range []struct {
		name       string
		most, want float64
	}{
		{"a tenth more for 1 % of the time is little", 0.55, 0.55},
		{"an eighth more is much", 0.5625, 0.5},
		{"a peak that towers over the rest is nobody's size", 50, 0.5},
	} {
		if got := covering(peaky(c.most), 0.95).cores; got != c.want {
			t.Errorf("%s: covered %v, want %v", c.name, got, c.want)
		}
	}
}

func TestTheTrailSaysWhichQuantileIsCovered(t *testing.T) {
	hours := slices.Repeat([]float32{0.8}, 50)
	hours[7] = 0.84
	got := propose(t, input(with(func(c *ContainerInput) { c.CPUTotal = usage(hours...) })))
	checkMillis(t, "target", got.Target.CPUMillis, 483) // 0.84 ÷ 2 × 1.15.
	checkTrail(t, got.Trail, "CPU: p100 of the last 14 days, recent days weighing more (half-life 24 h), is 0.420 cores per pod, "+
		"little more than the 0.400 of p95; plus 15 % margin: 483m.")
	if want := "a pod uses 420m of CPU (p100), plus 15 %"; got.Summary != want {
		t.Errorf("summary %q, want %q", got.Summary, want)
	}
}

// costOf is the rule by its definition.
func costOf(samples []forecast.Sample, cores, q float64) float64 {
	over, total := 0.0, 0.0
	for _, s := range samples {
		total += s.Weight
		if s.Value > cores {
			over += s.Weight
		}
	}
	return math.Log(cores) + restWorth*over/total/(1-q)
}

func TestNothingThatMayBeCoveredCostsLess(t *testing.T) {
	anySample := rapid.Custom(func(t *rapid.T) forecast.Sample {
		return forecast.Sample{
			Value:  float64(rapid.IntRange(0, 40).Draw(t, "value")) / 8,
			Weight: float64(rapid.IntRange(1, 8).Draw(t, "weight")) / 8,
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		samples := rapid.SliceOfN(anySample, 0, 100).Draw(t, "samples")
		q := rapid.Float64Range(0.5, 0.999).Draw(t, "quantile")
		got := covering(slices.Clone(samples), q)
		least := forecast.WeightedQuantile(slices.Clone(samples), q)
		if math.IsNaN(least) || least == 0 {
			if got.rarer() || got.level != q {
				t.Fatalf("%+v from %v", got, samples)
			}
			return
		}
		if got.least != least || got.cores < least || got.cores > 1.65*least || got.level < q || got.level > 1 {
			t.Fatalf("p%v is %v, covered %+v", 100*q, least, got)
		}
		for _, s := range samples {
			if s.Value >= least && costOf(samples, s.Value, q) < costOf(samples, got.cores, q)-1e-9 {
				t.Fatalf("%v costs less than %+v", s.Value, got)
			}
		}
	})
}
