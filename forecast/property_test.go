package forecast

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// anything draws a series as an unreliable source may deliver it: missing, infinite, negative, huge, and sane values.
func anything(t *rapid.T) Series {
	value := rapid.OneOf(
		rapid.Float32Range(0, 10),
		rapid.Float32Range(0, 10),
		rapid.Float32(),
		rapid.SampledFrom([]float32{
			0, -1, 1e-40, 1e14, math.MaxFloat32,
			float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)),
		}),
	)
	// A block that repeats gives histories long enough for every model.
	block := rapid.SliceOfN(value, 0, 60).Draw(t, "block")
	times := rapid.IntRange(1, 12).Draw(t, "times")
	step := rapid.SampledFrom([]time.Duration{time.Hour, 6 * time.Hour, 24 * time.Hour, 7 * time.Minute, 0}).Draw(t, "step")
	return Series{Start: monday, Step: step, Values: slices.Repeat(block, times)}
}

// sane draws demand without faults.
func sane(t *rapid.T) Series {
	values := rapid.SliceOfN(rapid.Float32Range(0.001, 100), 1, 400).Draw(t, "values")
	return Series{Start: monday, Step: time.Hour, Values: values}
}

func TestAForecastIsSoundWhateverTheHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anything(t)
		before := slices.Clone(s.Values)
		horizon := rapid.IntRange(1, 60).Draw(t, "horizon")
		f := Predict(s, Options{Horizon: horizon, Levels: []float64{0.95, 0.5, 0.85, 0.025}})
		if !slices.EqualFunc(s.Values, before, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
			t.Fatal("the history was written to")
		}
		if f.Empty() {
			return
		}
		checkSound(t, f, horizon)
		clean, _ := Clean(s, 0)
		largest, _ := clean.Max()
		for _, q := range f.Quantiles {
			for h, v := range q.Values {
				if v > max(f.Mean[h], largest*capOverSeason) {
					t.Fatalf("p%v of step %d is %v, but no more than %v was ever seen", q.Level, h, v, largest)
				}
			}
		}
	})
}

func checkSound(t *rapid.T, f Forecast, horizon int) {
	t.Helper()
	if len(f.Mean) != horizon || len(f.Quantiles) != 4 {
		t.Fatalf("got %d steps and %d quantiles", len(f.Mean), len(f.Quantiles))
	}
	for h, v := range f.Quantiles[0].Values {
		if !(v >= 0) || v > f.Mean[h] {
			t.Fatalf("step %d: p%v is %v over the mean %v", h, f.Quantiles[0].Level, v, f.Mean[h])
		}
	}
	lower := f.Mean
	for _, q := range f.Quantiles[1:] {
		if q.Coverage < 0 || q.Coverage > 1 {
			t.Fatalf("coverage %v", q.Coverage)
		}
		for h, v := range q.Values {
			if math.IsNaN(v) || math.IsInf(v, 0) || v < lower[h] || f.Mean[h] < 0 {
				t.Fatalf("step %d: p%v is %v over %v, mean %v", h, q.Level, v, lower[h], f.Mean[h])
			}
		}
		lower = q.Values
	}
	total := 0.0
	for _, w := range f.Weights {
		total += w.Share
	}
	if math.Abs(total-1) > 1e-9 {
		t.Fatalf("weights %v", f.Weights)
	}
}

func TestTheSameHistoryGivesTheSameForecast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anything(t)
		if diff := cmp.Diff(Predict(s, Options{}), Predict(s, Options{}), cmpopts.EquateNaNs()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestTheFutureIsNotLookedAt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := sane(t)
		known := rapid.IntRange(1, s.Len()).Draw(t, "known")
		past := Series{Start: s.Start, Step: s.Step, Values: s.Values[:known]}
		want := Predict(past, Options{})
		got := Predict(s, Options{Now: past.End().Add(25 * time.Minute)})
		if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestTwiceTheDemandGivesTwiceTheForecast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := sane(t)
		factor := rapid.SampledFrom([]float64{0.25, 2, 1024}).Draw(t, "factor") // Powers of two are exact.
		scaled := Series{Start: s.Start, Step: s.Step}
		for _, v := range s.Values {
			scaled.Values = append(scaled.Values, v*float32(factor))
		}
		want := Scale(Predict(s, Options{}), s.Start, s.End().AddDate(1, 0, 0), factor)
		if factor < 1 {
			want = Scale(Predict(s, Options{}), s.End(), s.End().AddDate(1, 0, 0), factor)
		}
		got := Predict(scaled, Options{})
		if diff := cmp.Diff(want, got, cmpopts.EquateNaNs(), cmpopts.EquateApprox(1e-9, 0)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestScalingChangesTheWindowAndNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := Predict(sane(t), Options{})
		before := Scale(f, monday, monday, 1) // A copy.
		from := f.Start.Add(time.Duration(rapid.IntRange(-100, 4000).Draw(t, "from")) * time.Minute)
		until := from.Add(time.Duration(rapid.IntRange(0, 4000).Draw(t, "length")) * time.Minute)
		got := Scale(f, from, until, 3)
		if diff := cmp.Diff(before, f, cmpopts.EquateNaNs()); diff != "" {
			t.Fatalf("the forecast itself was changed:\n%s", diff)
		}
		for h, v := range got.Mean {
			start := f.Start.Add(time.Duration(h) * f.Step)
			want := f.Mean[h]
			if from.Before(until) && start.Before(until) && start.Add(f.Step).After(from) {
				want *= 3
			}
			if v != want {
				t.Fatalf("step %d: got %v, want %v", h, v, want)
			}
		}
	})
}

func TestTheSeriesSinceATimeOfAnotherCenturyIsEmptyOrWhole(t *testing.T) {
	s := Series{Start: time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC), Step: time.Hour, Values: []float32{1, 2}}
	if rest := s.Since(s.Start.AddDate(900, 0, 0)); rest.Len() != 0 {
		t.Errorf("%d values are left", rest.Len())
	}
	if all := s.Since(s.Start.AddDate(-900, 0, 0)); all.Len() != 2 {
		t.Errorf("%d values are left, want both", all.Len())
	}
}
