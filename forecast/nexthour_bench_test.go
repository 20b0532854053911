package forecast

import (
	"math"
	"testing"
	"time"
)

// busyMonth is 28 days of a service with a daily wave, quieter weekends and some noise.
func busyMonth() Usage {
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	highest, mean := make([]float32, 28*24), make([]float32, 28*24)
	noise := uint32(1)
	for i := range highest {
		noise = noise*1664525 + 1013904223
		level := 1 + 0.6*math.Sin(2*math.Pi*float64(i%24-9)/24)
		if i/24%7 >= 5 {
			level /= 2
		}
		highest[i] = float32(level * (1 + 0.3*float64(noise>>8)/(1<<24)))
		mean[i] = highest[i] * 0.8
	}
	series := func(values []float32) Series { return Series{Start: start, Step: time.Hour, Values: values} }
	return Usage{HourlyMax: series(highest), HourlyMean: series(mean)}
}

func BenchmarkFitNextHour28Days(b *testing.B) {
	u := busyMonth()
	b.ReportAllocs()
	for b.Loop() {
		FitNextHour(u, 0.9, 0, u.HourlyMax.End())
	}
}

func BenchmarkNextHourBound28Days(b *testing.B) {
	u := busyMonth()
	fit := FitNextHour(u, 0.9, 0, u.HourlyMax.End())
	b.ReportAllocs()
	for b.Loop() {
		fit.Bound(u, u.HourlyMax.End())
	}
}
