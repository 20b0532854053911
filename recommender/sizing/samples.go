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

// latestHours returns what was measured from the start of the latest hours on, which are as many as have a measurement: hours
// without one do not count, so that a gap takes nothing away. 0 means all; so does a history that has fewer.
func latestHours(u forecast.Usage, hours int) forecast.Usage {
	for i, v := range slices.Backward(u.HourlyMax.Values) {
		if v != v { // NaN
			continue
		}
		if hours--; hours == 0 {
			from := u.HourlyMax.TimeAt(i)
			return forecast.Usage{HourlyMean: u.HourlyMean.Since(from), HourlyMax: u.HourlyMax.Since(from), Recent: u.Recent}
		}
	}
	return u
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
