package advice

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/loadline-dev/loadline/forecast"
)

const (
	// windowLength of the parts in which a model is shown the forecast. Half a day tells night from day.
	windowLength = 12 * time.Hour
	// maxWindows that one workload's prompt shows: a week of one container, or two days of three.
	maxWindows = 14
	// maxSignals is how many signals a policy may name.
	maxSignals   = 5
	maxNameRunes = 63
)

// ForecastWindows summarises forecasts of containers, in their order, by half days in UTC, with the ids W1, W2, …. Where that
// makes more than 14 windows, those with the highest peaks stay: the tops are what an announcement has to be compared with.
// Steps without a finite mean are left out.
func ForecastWindows(containers []string, forecasts []forecast.Forecast) []ForecastWindow {
	var windows []ForecastWindow
	for i, container := range containers[:min(len(containers), len(forecasts))] {
		windows = append(windows, windowsOf(Clean(container, maxNameRunes), forecasts[i])...)
	}
	if len(windows) > maxWindows {
		peaks := make([]float64, len(windows))
		for i, w := range windows {
			peaks[i] = w.UpperPeak95
		}
		slices.Sort(peaks)
		least, kept := peaks[len(peaks)-maxWindows], 0
		windows = slices.DeleteFunc(windows, func(w ForecastWindow) bool {
			if w.UpperPeak95 < least || kept == maxWindows {
				return true
			}
			kept++
			return false
		})
	}
	for i := range windows {
		windows[i].ID = fmt.Sprintf("W%d", i+1)
	}
	return windows
}

func windowsOf(container string, f forecast.Forecast) []ForecastWindow {
	if f.Step <= 0 {
		return nil
	}
	upper := upperQuantile(f)
	var windows []ForecastWindow
	steps := 0
	for i, mean := range f.Mean {
		if math.IsNaN(mean) || math.IsInf(mean, 0) {
			continue
		}
		at := f.Start.Add(time.Duration(i) * f.Step)
		start := at.UTC().Truncate(windowLength)
		if len(windows) == 0 || !windows[len(windows)-1].Start.Equal(start) {
			windows, steps = append(windows, ForecastWindow{
				Start: start, End: start.Add(windowLength), Container: container, PeakAt: at, PeakCores: mean,
			}), 0
		}
		w := &windows[len(windows)-1]
		if mean > w.PeakCores {
			w.PeakCores, w.PeakAt = mean, at
		}
		steps++
		w.MeanCores += (mean - w.MeanCores) / float64(steps)
		w.UpperPeak95 = max(w.UpperPeak95, mean)
		if i < len(upper) && !math.IsNaN(upper[i]) && !math.IsInf(upper[i], 0) {
			w.UpperPeak95 = max(w.UpperPeak95, upper[i])
		}
	}
	return windows
}

// upperQuantile returns the values of the highest quantile up to the 95th, or nil.
func upperQuantile(f forecast.Forecast) []float64 {
	const level = 0.95
	var best forecast.Quantile
	for _, q := range f.Quantiles {
		if q.Level <= level && q.Level >= best.Level {
			best = q
		}
	}
	return best.Values
}

// SummarizeSignal tells in a few numbers what a signal of any step did: the n-th signal gets the id Sn. It returns false if the
// last 24 hours hold no finite value.
func SummarizeSignal(n int, name string, values forecast.Series, now time.Time) (Signal, bool) {
	s := Signal{ID: fmt.Sprintf("S%d", n), Name: Clean(name, maxNameRunes)}
	day := 24 * time.Hour
	mean, known := meanOf(values, now.Add(-day), now, func(at time.Time, v float64) {
		s.Latest = v
		if s.PeakAt.IsZero() || v > s.Peak {
			s.Peak, s.PeakAt = v, at
		}
	})
	if !known {
		return Signal{}, false
	}
	s.Mean = mean
	for _, back := range []time.Duration{7 * day, day} {
		before, known := meanOf(values, now.Add(-back-day), now.Add(-back), func(time.Time, float64) {})
		if known && before > 0 && mean >= 0 {
			s.TrendPercent = int32(min(math.Round(100*mean/before), 10_000))
			break
		}
	}
	return s, true
}

// meanOf returns the mean of the finite values that start in [from, until), each of which see gets, and false if there is none.
func meanOf(values forecast.Series, from, until time.Time, see func(time.Time, float64)) (float64, bool) {
	mean, n := 0.0, 0.0
	for i, value := range values.Values {
		at, v := values.TimeAt(i), float64(value)
		if at.Before(from) || !at.Before(until) || math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		see(at, v)
		n++
		mean += (v - mean) / n
	}
	return mean, n > 0
}
