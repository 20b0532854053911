package sizing

import (
	"math"
	"slices"
	"time"

	"github.com/loadline-dev/loadline/forecast"
)

// Measurements above these are corrupt.
const (
	// MaxCores is a million cores.
	MaxCores = 1e6
	// MaxBytes is a petabyte.
	MaxBytes = 1e15

	maxPods = 1e6
	// maxThrottled allows for the rounding of two rates: the share itself ends at 1.
	maxThrottled = 2
)

// valuesPerHour is how many 5-minute values an hour has.
const valuesPerHour = 12

// corruption counts corrupt measurements.
type corruption struct{ cpu, memory int }

// cleanContainer returns the container without corrupt measurements.
func cleanContainer(c ContainerInput) (ContainerInput, corruption) {
	var found corruption
	var hottest int
	c.CPUTotal, found.cpu = cleanUsage(c.CPUTotal, MaxCores)
	c.CPUHottest, hottest = cleanUsage(c.CPUHottest, MaxCores)
	found.cpu += hottest
	c.MemoryHottest, found.memory = cleanUsage(c.MemoryHottest, MaxBytes)
	c.Throttled, _ = cleanUsage(c.Throttled, maxThrottled)
	return c, found
}

func cleanUsage(u forecast.Usage, limit float64) (forecast.Usage, int) {
	mean, inMean := cleanSeries(u.HourlyMean, limit)
	highest, inMax := cleanSeries(u.HourlyMax, limit)
	recent, inRecent := cleanSeries(u.Recent, limit)
	return forecast.Usage{HourlyMean: mean, HourlyMax: highest, Recent: recent}, inMean + inMax + inRecent
}

// cleanSeries also empties a series whose step is not positive, because its values have no time.
func cleanSeries(s forecast.Series, limit float64) (forecast.Series, int) {
	if s.Step <= 0 {
		return forecast.Series{Start: s.Start}, len(s.Values)
	}
	return forecast.Clean(s, limit)
}

// knownHours counts the hours with a measurement. Where there is no hourly history yet, the 5-minute values count.
func knownHours(u forecast.Usage) int {
	recent := time.Duration(u.Recent.Known()) * u.Recent.Step
	return max(u.KnownHours(), int(recent/time.Hour))
}

// peak returns the largest measurement, and false if there is none.
func peak(u forecast.Usage) (float64, bool) {
	largest, found := 0.0, false
	for _, s := range []forecast.Series{u.HourlyMean, u.HourlyMax, u.Recent} {
		if v, ok := s.Max(); ok {
			largest, found = max(largest, v), true
		}
	}
	return largest, found
}

// podCount returns how many pods ran at a time, at least 1, or NaN if that is not known.
type podCount func(t time.Time) float64

// countPods reads the 5-minute values, and the hourly means where there is none.
func countPods(pods forecast.Usage) podCount {
	return func(t time.Time) float64 {
		n := pods.Recent.At(t)
		if math.IsNaN(n) {
			n = pods.HourlyMean.At(t)
		}
		return max(1, n) // NaN stays NaN.
	}
}

func onePod(time.Time) float64 { return 1 }

// weighted turns a usage into samples per pod whose weight is their length in hours, halved for each HalfLife of age.
//
// The last day is there in 5-minute values. An older hour is only known by its mean and maximum: it counts as one 5-minute
// value at the maximum, and eleven at what then remains for the mean, (12·mean − max) ÷ 11.
func weighted(u forecast.Usage, pods podCount, now time.Time) []forecast.Sample {
	samples := make([]forecast.Sample, 0, 2*u.HourlyMax.Len()+u.Recent.Len())
	add := func(v float64, t time.Time, hours float64) {
		if v /= pods(t); !math.IsNaN(v) {
			weight := hours * forecast.DecayWeight(now.Sub(t), HalfLife)
			samples = append(samples, forecast.Sample{Value: v, Weight: weight})
		}
	}
	since := recentSince(u)
	for i, v := range u.HourlyMax.Values {
		t := u.HourlyMax.TimeAt(i)
		if !since.IsZero() && !t.Before(since) {
			break
		}
		highest, mean := float64(v), u.HourlyMean.At(t)
		if math.IsNaN(highest) || math.IsNaN(mean) {
			highest, mean = known(highest, mean), known(highest, mean)
		}
		rest := (valuesPerHour*mean - highest) / (valuesPerHour - 1)
		add(highest, t, 1.0/valuesPerHour)
		add(min(max(rest, 0), highest), t, 1-1.0/valuesPerHour)
	}
	for i, v := range u.Recent.Values {
		if t := u.Recent.TimeAt(i); !since.IsZero() && !t.Before(since) {
			add(float64(v), t, u.Recent.Step.Hours())
		}
	}
	return samples
}

// recentSince returns the time from which on 5-minute values are used: the start of the first whole hour of the hourly
// history at or after the first known 5-minute value. The zero time means that there is none.
func recentSince(u forecast.Usage) time.Time {
	for i, v := range u.Recent.Values {
		if math.IsNaN(float64(v)) {
			continue
		}
		first := u.Recent.TimeAt(i)
		hourly := u.HourlyMax
		if hourly.Len() == 0 || first.Before(hourly.Start) || !first.Before(hourly.End()) {
			return first
		}
		return hourly.Since(first).Start
	}
	return time.Time{}
}

// known returns the one that is not NaN, or NaN.
func known(a, b float64) float64 {
	if math.IsNaN(a) {
		return b
	}
	return a
}

// lastKnown returns the latest measurement, or NaN.
func lastKnown(s forecast.Series) float64 {
	for _, v := range slices.Backward(s.Values) {
		if x := float64(v); !math.IsNaN(x) {
			return x
		}
	}
	return math.NaN()
}
