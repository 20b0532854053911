package forecast

import (
	"math"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// window returns the part of a series from one step on until another.
func window(s Series, from, until int) Series {
	return Series{Start: s.TimeAt(from), Step: s.Step, Values: s.Values[from:until]}
}

func TestAnUpdateIsAsGoodAsANewFit(t *testing.T) {
	updated, refitted := 0.0, 0.0
	for seed := range uint64(5) {
		s := shop(31, 0.15, seed)
		fitted := Fit(window(s, 0, 28*24), Options{})
		for hour := 1; hour <= 24; hour++ {
			newer := window(s, hour, 28*24+hour)
			truth := s.Values[28*24+hour:]
			updated += relativeMiss(fitted.Predict(newer, time.Time{}), truth)
			refitted += relativeMiss(Predict(newer, Options{}), truth)
		}
	}
	if updated > 1.03*refitted {
		t.Errorf("the error of updates is %.3f times that of new fits", updated/refitted)
	}
}

func TestAnUpdateStartsWhereTheNewSeriesEnds(t *testing.T) {
	s := shop(29, 0.1, 1)
	f := Fit(window(s, 0, 28*24), Options{}).Predict(window(s, 5, 28*24+5), time.Time{})
	if want := s.TimeAt(28*24 + 5); !f.Start.Equal(want) {
		t.Errorf("starts at %v, want %v", f.Start, want)
	}
}

func TestASeriesThatDoesNotFitIsFittedAnew(t *testing.T) {
	hourly := shop(28, 0.1, 1)
	fitted := Fit(hourly, Options{})
	for name, other := range map[string]Series{
		"other steps":      wave(2016, 5*time.Minute, 24*time.Hour, 0.1),
		"much less of it":  window(hourly, 0, 5*24),
		"next to nothing":  window(hourly, 0, 1),
		"nothing":          {},
		"only faulty data": {Start: monday, Step: time.Hour, Values: []float32{-1, float32(math.NaN())}},
	} {
		if diff := cmp.Diff(Predict(other, Options{}), fitted.Predict(other, time.Time{}), cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestAFitOfNothingPredictsOnceThereIsSomething(t *testing.T) {
	s := shop(2, 0.1, 1)
	f := Fit(Series{}, Options{}).Predict(s, time.Time{})
	if diff := cmp.Diff(Predict(s, Options{}), f, cmpopts.EquateNaNs()); diff != "" {
		t.Error(diff)
	}
}

func TestOneFittedServesManyAtOnce(t *testing.T) {
	s := shop(28, 0.1, 1)
	fitted := Fit(s, Options{})
	want := fitted.Predict(s, time.Time{})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 5 {
				got := fitted.Predict(s, time.Time{})
				if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
					t.Error(diff)
				}
				got.Mean[0], got.Weights[0].Share, got.Quantiles[0].Values[0] = -1, -1, -1
			}
		})
	}
	group.Wait()
}

func TestTwoSidedIntervalsCoverWhatTheySay(t *testing.T) {
	inside, count := 0.0, 0.0
	for seed := range uint64(40) {
		days := 21 + int(seed%7)
		s := shop(days+2, 0.2, seed)
		f := Predict(window(s, 0, days*24), Options{Levels: []float64{0.025, 0.975}})
		for h, y := range s.Values[days*24:] {
			if v := float64(y); v >= f.Quantiles[0].Values[h] && v <= f.Quantiles[1].Values[h] {
				inside++
			}
			count++
		}
	}
	if share := inside / count; share < 0.93 || share > 0.98 {
		t.Errorf("%.3f of what came was inside", share)
	}
}

func TestAHorizonLongerThanTheBacktestIsPredictedToItsEnd(t *testing.T) {
	s := shop(35, 0.1, 1)
	f := Predict(window(s, 0, 28*24), Options{Horizon: 168})
	if got := relativeMiss(f, s.Values[28*24:]); got > 0.15 {
		t.Errorf("error %.3f over a week", got)
	}
}
