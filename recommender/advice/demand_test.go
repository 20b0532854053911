package advice_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/forecast"
	"github.com/loadline-dev/loadline/recommender/advice"
)

func flat(hours int) forecast.Forecast {
	f := forecast.Forecast{Start: now, Step: time.Hour, Quantiles: []forecast.Quantile{{Level: 0.95}}}
	for range hours {
		f.Mean = append(f.Mean, 1)
		f.Quantiles[0].Values = append(f.Quantiles[0].Values, 2)
	}
	return f
}

func demand(percent int32, start, end time.Time) advice.Adjustment {
	return advice.Adjustment{Kind: advice.Demand, Percent: percent, Start: start, End: end, Reason: "sale"}
}

func TestApplyRaisesTheStepsThatAWindowTouches(t *testing.T) {
	plain := flat(6)
	got := advice.Apply(plain, advice.Advice{Accepted: []advice.Adjustment{
		demand(300, at(1), at(3)),
		demand(200, at(2), at(4).Add(time.Minute)), // Overlaps: the larger counts, and one minute touches hour 4.
		demand(50, at(0), at(6)),                   // Never accepted by Check; changes nothing.
		{Kind: advice.Hold, Percent: 900, Start: at(0), End: at(6)},
	}})
	if diff := cmp.Diff([]float64{1, 3, 3, 2, 2, 1}, got.Mean); diff != "" {
		t.Errorf("mean (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]float64{2, 6, 6, 4, 4, 2}, got.Quantiles[0].Values); diff != "" {
		t.Errorf("upper quantile (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(flat(6), plain); diff != "" {
		t.Errorf("the plain forecast was written to:\n%s", diff)
	}
}

func TestApplyNeverLowersAForecast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a advice.Advice
		for range rapid.IntRange(0, 5).Draw(t, "adjustments") {
			a.Accepted = append(a.Accepted, demand(rapid.Int32Range(-500, 500).Draw(t, "percent"),
				at(rapid.IntRange(-10, 60).Draw(t, "start")), at(rapid.IntRange(-10, 60).Draw(t, "end"))))
		}
		for i, v := range advice.Apply(flat(48), a).Mean {
			if v < 1 || v > 5 {
				t.Fatalf("hour %d: %v", i, v)
			}
		}
	})
}

func TestDemandPercentLooksAsFarAsTheLeadTime(t *testing.T) {
	a := advice.Advice{Accepted: []advice.Adjustment{demand(300, at(2), at(4)), demand(150, at(1), at(2))}}
	for _, test := range []struct {
		name string
		now  time.Time
		lead time.Duration
		want int32
	}{
		{"long before", at(0), 30 * time.Minute, 100},
		{"within the lead time", at(0), 90 * time.Minute, 150},
		{"the largest ahead counts", at(0), 3 * time.Hour, 300},
		{"inside", at(3), 0, 300},
		{"at its start, without lead time", at(2), 0, 300},
		{"at its end, which is not part of it", at(4), time.Hour, 100},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, reason := advice.DemandPercent(a, test.now, test.lead)
			if got != test.want || (reason == "") != (got == 100) {
				t.Errorf("DemandPercent = %d, %q, want %d", got, reason, test.want)
			}
		})
	}
}
