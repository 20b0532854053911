package recommender

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/loadline-dev/loadline/internal/testkit"
)

// forecastAt returns the forecast of the container app at a time, with 14 days of history before it.
func forecastAt(l *life, f *Forecaster, now time.Time) DemandForecast {
	l.now = now
	l.usage()
	return f.Forecasts(l.in, now)["app"]
}

func TestAForecastIsMadeOnceAnHour(t *testing.T) {
	l, f := checkout(t, 14*day), &Forecaster{}
	first := forecastAt(l, f, noon)
	l.uses(14*day, testkit.Flat(7), testkit.Flat(mebibyte)) // A history of the same length whose whole hours are the same.
	if diff := cmp.Diff(first, f.Forecasts(l.in, noon.Add(55*time.Minute))["app"], cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("within the hour the forecast changed (-before +after):\n%s", diff)
	}
	later := forecastAt(l, f, noon.Add(time.Hour))
	if !later.CPU.Start.Equal(noon.Add(time.Hour)) {
		t.Errorf("an hour later the forecast starts at %s", later.CPU.Start)
	}
}

func TestAForecastFollowsItsHistoryWhateverIsKept(t *testing.T) {
	l, f := checkout(t, 14*day), &Forecaster{}
	forecastAt(l, f, noon)
	l.uses(14*day, testkit.Daily(2, 6), testkit.Flat(mebibyte))
	for hours := 1; hours <= 26; hours++ {
		forecastAt(l, f, noon.Add(time.Duration(hours)*time.Hour))
	}
	got := f.Forecasts(l.in, l.now)["app"].CPU
	want := (&Forecaster{}).Forecasts(l.in, l.now)["app"].CPU
	if peak := got.Mean[0]; peak < want.Mean[0]/1.2 || peak > want.Mean[0]*1.2 {
		t.Errorf("a day after the demand grew tenfold %.2f cores are expected, a fresh look expects %.2f", peak, want.Mean[0])
	}
}

func TestNothingIsKeptOfWhatIsForgotten(t *testing.T) {
	l, f := checkout(t, 14*day), &Forecaster{}
	forecastAt(l, f, noon)
	f.Forget(l.in.Target)
	l.uses(14*day, testkit.Flat(7), testkit.Flat(mebibyte))
	if got := f.Forecasts(l.in, noon)["app"].CPU.Mean[0]; got < 20 {
		t.Errorf("%.2f cores are expected, 3 pods use 7 each", got)
	}
}

func TestAContainerWithoutHistoryHasNoForecast(t *testing.T) {
	l := checkout(t, 14*day)
	l.in.Containers = append(l.in.Containers, testkit.Container("new", "1", "1Gi"))
	if _, ok := (&Forecaster{}).Forecasts(l.in, noon)["new"]; ok {
		t.Error("a container that was never seen has a forecast")
	}
}
