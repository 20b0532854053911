package shop

import (
	"hash/fnv"
	"math"
	"time"
)

// Mebibyte in bytes, the unit in which the shop's memory is written.
const Mebibyte = 1 << 20

// Flat is the same all the time.
func Flat(value float64) Curve { return func(time.Time) float64 { return value } }

// Diurnal swings between low at 03:00 and high at 15:00 UTC, a fifth less on Saturday and Sunday.
func Diurnal(low, high float64) Curve {
	return func(t time.Time) float64 {
		hour := float64(t.UTC().Sub(t.UTC().Truncate(24*time.Hour))) / float64(time.Hour)
		value := low + (high-low)*(1-math.Cos((hour-3)/24*2*math.Pi))/2
		if day := t.UTC().Weekday(); day == time.Saturday || day == time.Sunday {
			value *= 0.8
		}
		return value
	}
}

// Weekly is idle but for some hours from Sunday 22:00 UTC on.
func Weekly(idle, busy float64, hours int) Curve {
	return func(t time.Time) float64 {
		u := t.UTC()
		sinceSunday := time.Duration(u.Weekday())*24*time.Hour + u.Sub(u.Truncate(24*time.Hour))
		start := 22 * time.Hour
		if since := (sinceSunday - start + 7*24*time.Hour) % (7 * 24 * time.Hour); since < time.Duration(hours)*time.Hour {
			return busy
		}
		return idle
	}
}

// Leak grows steadily from start at the given time, by perDay every day.
func Leak(since time.Time, start, perDay float64) Curve {
	return func(t time.Time) float64 {
		return start + perDay*max(0, t.Sub(since).Hours()/24)
	}
}

// Bursty is low, with bursts of ten minutes at random but always the same times, on average every few hours.
func Bursty(low, burst float64, everyHours int) Curve {
	return func(t time.Time) float64 {
		slot := t.Unix() / 600
		if noise(slot)%uint64(everyHours*6) == 0 {
			return burst
		}
		return low
	}
}

// Noisy multiplies a curve by up to 1 ± share, differently each minute but always the same.
func Noisy(curve Curve, share float64) Curve {
	return func(t time.Time) float64 {
		unit := float64(noise(t.Unix()/60)%10_000)/10_000*2 - 1
		return curve(t) * (1 + share*unit)
	}
}

// noise is a fixed pseudo-random number for a slot of time.
func noise(slot int64) uint64 {
	hash := fnv.New64a()
	var bytes [8]byte
	for i := range bytes {
		bytes[i] = byte(slot >> (8 * i))
	}
	_, _ = hash.Write(bytes[:]) // never fails
	sum := hash.Sum64()
	return sum ^ sum>>29
}
