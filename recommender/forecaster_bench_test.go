package recommender

import (
	"math"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/loadline-dev/loadline/forecast"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

// monthOfHours is what a store keeps of a busy service at an hour of its past: 28 days with a daily wave, quieter weekends
// and some noise.
func monthOfHours(hour int) forecast.Usage {
	const kept = 28 * 24
	highest, mean := make([]float32, kept), make([]float32, kept)
	for i := range highest {
		at := hour + i
		noise := float64(uint32(at)*2654435761>>8) / (1 << 24)
		level := 1 + 0.6*math.Sin(2*math.Pi*float64(at%24-9)/24)
		if at/24%7 >= 5 {
			level /= 2
		}
		highest[i] = float32(level * (1 + 0.3*noise))
		mean[i] = highest[i] * 0.8
	}
	start := noon.Truncate(24 * time.Hour).Add(time.Duration(hour) * time.Hour)
	series := func(values []float32) forecast.Series {
		return forecast.Series{Start: start, Step: time.Hour, Values: values}
	}
	return forecast.Usage{HourlyMax: series(highest), HourlyMean: series(mean)}
}

// twoDays are the terms as they are shipped.
func twoDays() terms {
	return terms{horizon: 48 * time.Hour, lifetime: day, level: sizing.InPlaceLevel}
}

// hourly returns what was learned of a month, and what there is to update it with five hours later.
func hourly() (*fitted, forecast.Usage, time.Time) {
	before, after := monthOfHours(0), monthOfHours(5)
	first := (*fitted)(nil).update(before, twoDays(), before.HourlyMax.End())
	return first, after, after.HourlyMax.End()
}

// reportProcessor adds the processor time of all threads since a time to the results: what else runs on the machine hardly
// changes it.
func reportProcessor(b *testing.B, since time.Duration) {
	b.Helper()
	b.ReportMetric(float64(processorTime(b)-since)/float64(b.N), "cpu-ns/op")
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkHourlyUpdate is all that a warm hour costs for one container: its forecast and the bound of the hour.
func BenchmarkHourlyUpdate(b *testing.B) {
	known, usage, now := hourly()
	b.ReportAllocs()
	start := processorTime(b)
	for b.Loop() {
		known.update(usage, twoDays(), now)
	}
	reportProcessor(b, start)
}

// BenchmarkRefit is what a day costs for one container: both are learned anew, back-tests included, and an update follows.
func BenchmarkRefit(b *testing.B) {
	usage := monthOfHours(0)
	b.ReportAllocs()
	start := processorTime(b)
	for b.Loop() {
		(*fitted)(nil).update(usage, twoDays(), usage.HourlyMax.End())
	}
	reportProcessor(b, start)
}

// TestAnHourlyUpdateLeavesLittleGarbage holds what 20,000 containers do to the heap each hour, also where there are two forecasts to
// make, because demand has been lower for some days.
func TestAnHourlyUpdateLeavesLittleGarbage(t *testing.T) {
	const rounds, most = 20, 64 << 10
	for _, daysOff := range []int{0, 5} {
		known, usage, now := hourly()
		highest := usage.HourlyMax.Values
		for i := len(highest) - 24*daysOff; i < len(highest); i++ {
			highest[i] *= 0.3
		}
		least := uint64(math.MaxUint64)
		for range 5 { // Goroutines of tests before may still allocate: the best of five counts.
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range rounds {
				known.update(usage, twoDays(), now)
			}
			runtime.ReadMemStats(&after)
			least = min(least, (after.TotalAlloc-before.TotalAlloc)/rounds)
		}
		if least > most {
			t.Errorf("an update after %d days off allocates %d bytes; want at most %d", daysOff, least, most)
		}
	}
}
