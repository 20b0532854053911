package testkit

import (
	"math"
	"time"

	"github.com/loadline-dev/loadline/forecast"
)

// Curve is a measurement over time.
type Curve func(t time.Time) float64

// Flat is the same at all times.
func Flat(value float64) Curve { return func(time.Time) float64 { return value } }

// Daily swings between low at 03:00 UTC and high at 15:00 UTC, every day.
func Daily(low, high float64) Curve {
	return func(t time.Time) float64 {
		hour := float64(t.Unix()%86400) / 3600
		return low + (high-low)*(1-math.Cos((hour-3)/24*2*math.Pi))/2
	}
}

// Rising starts at value and grows by perDay from the given time on, like a leak.
func Rising(value, perDay float64, from time.Time) Curve {
	return func(t time.Time) float64 { return value + perDay*max(t.Sub(from).Hours()/24, 0) }
}

// Usage measures a curve for the given time until now: hourly, and every five minutes of the last day.
func Usage(now time.Time, span time.Duration, curve Curve) forecast.Usage {
	until := now.Truncate(5 * time.Minute)
	hourly := series(until.Truncate(time.Hour), span, time.Hour, curve)
	return forecast.Usage{HourlyMean: hourly, HourlyMax: hourly, Recent: series(until, min(span, 24*time.Hour), 5*time.Minute, curve)}
}

func series(until time.Time, span, step time.Duration, curve Curve) forecast.Series {
	s := forecast.Series{Start: until.Add(-span.Truncate(step)), Step: step}
	for t := s.Start; t.Before(until); t = t.Add(step) {
		s.Values = append(s.Values, float32(curve(t)))
	}
	return s
}
