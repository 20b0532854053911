package svg

import (
	"math"
	"strconv"
	"time"
)

// scale maps the values along one axis to 0 … 1.
type scale struct {
	lo, hi float64
	log    bool
	ticks  []tick
}

type tick struct {
	value float64
	text  string
}

// newScale returns a scale that has room for all finite values, with about n ticks on round values. Without any finite
// value it goes from 0 to 1.
func newScale(axis Axis, values []float64, n int) scale {
	lo, hi := span(axis, values)
	switch {
	case lo > hi && axis.Unit == Time:
		return scale{lo: 0, hi: 1}
	case lo > hi:
		return newLinearScale(axis.Unit, 0, 1, n)
	case axis.Unit == Time:
		return newTimeScale(lo, hi, n)
	case axis.Log:
		return newLogScale(axis.Unit, max(lo, hi/1e4), hi)
	}
	if axis.FromZero || hi-lo <= 1e-9*max(math.Abs(lo), math.Abs(hi)) {
		lo, hi = min(lo, 0), max(hi, 0)
	}
	if hi-lo <= smallest {
		lo, hi = 0, 1
	}
	return newLinearScale(axis.Unit, lo, hi, n)
}

// span returns the smallest and the largest value that an axis can show; lo > hi if there is none.
func span(axis Axis, values []float64) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if finite(v) && (!axis.Log || v > smallest) {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	return lo, hi
}

// smallest is what a chart still tells from 0.
const smallest = 1e-12

func newLinearScale(unit Unit, lo, hi float64, n int) scale {
	w := newWriting(unit, max(math.Abs(lo), math.Abs(hi)))
	step := niceStep((hi - lo) / w.size / float64(n))
	first, last := math.Floor(lo/w.size/step+1e-9), math.Ceil(hi/w.size/step-1e-9)
	s := scale{lo: first * step * w.size, hi: last * step * w.size}
	for i := range int(last-first) + 1 {
		v := (first + float64(i)) * step
		s.ticks = append(s.ticks, tick{value: v * w.size, text: w.text(v, step)})
	}
	return s
}

// niceStep returns the smallest of 1, 2 and 5 times a power of ten that is at least v.
func niceStep(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, factor := range [...]float64{1, 2, 5} {
		if factor*power >= v*(1-1e-9) {
			return factor * power
		}
	}
	return 10 * power
}

// newLogScale has ticks at the powers of ten, and between them at 2 and 5 times as much if there are few.
func newLogScale(unit Unit, lo, hi float64) scale {
	w := newWriting(unit, hi)
	lo, hi = lo/w.size, hi/w.size
	factors := []float64{1, 2, 5}
	if hi/lo > 200 {
		factors = []float64{1}
	}
	s := scale{log: true}
	for exponent := math.Floor(math.Log10(lo)); exponent <= math.Ceil(math.Log10(hi)); exponent++ {
		for _, factor := range factors {
			v := factor * math.Pow(10, exponent)
			s.ticks = append(s.ticks, tick{value: v * w.size, text: w.text(v, v)})
		}
	}
	first, last := 0, len(s.ticks)-1
	for first+1 < last && s.ticks[first+1].value <= lo*w.size*(1+1e-9) {
		first++
	}
	for last-1 > first && s.ticks[last-1].value >= hi*w.size*(1-1e-9) {
		last--
	}
	s.ticks = s.ticks[first : last+1]
	s.lo, s.hi = s.ticks[0].value, s.ticks[len(s.ticks)-1].value
	return s
}

// newTimeScale ends where the values do. Ticks are at round times of the day, at midnights, or at Mondays.
func newTimeScale(lo, hi float64, n int) scale {
	if hi-lo < 60 {
		lo, hi = lo-30, lo+30
	}
	const minute, hour, day = 60, 3600, 86400
	step := 28.0 * day
	for step < (hi-lo)/float64(n) {
		step *= 2
	}
	for _, s := range [...]float64{
		minute, 5 * minute, 15 * minute, 30 * minute, hour, 3 * hour, 6 * hour, 12 * hour, day, 2 * day, 7 * day, 14 * day,
	} {
		if s >= (hi-lo)/float64(n) {
			step = s
			break
		}
	}
	offset := 0.0
	if step >= 7*day {
		offset = 4 * day // The first Monday of 1970 was the 5th of January.
	}
	s := scale{lo: lo, hi: hi}
	for i := math.Ceil((lo - offset) / step); i*step+offset <= hi; i++ {
		at := i*step + offset
		s.ticks = append(s.ticks, tick{value: at, text: timeText(at, step)})
	}
	return s
}

func timeText(seconds, step float64) string {
	t := time.Unix(int64(seconds), 0).UTC()
	switch {
	case step > 14*24*3600:
		return t.Format("2006-01-02")
	case step >= 24*3600 || t.Hour() == 0 && t.Minute() == 0:
		return t.Format("2 Jan")
	default:
		return t.Format("15:04")
	}
}

// at returns where a value lies, 0 at the beginning of the axis and 1 at its end.
func (s scale) at(v float64) float64 {
	if s.log {
		return math.Log(max(v, s.lo)/s.lo) / math.Log(s.hi/s.lo)
	}
	return (v - s.lo) / (s.hi - s.lo)
}

// widest returns the number of characters of the longest tick.
func (s scale) widest() int {
	widest := 1
	for _, t := range s.ticks {
		widest = max(widest, len([]rune(t.text)))
	}
	return widest
}

// writing says how values of a unit are written: divided by size, with the suffix.
type writing struct {
	size   float64
	suffix string
}

func newWriting(unit Unit, largest float64) writing {
	switch unit {
	case Percent:
		return writing{size: 0.01, suffix: "\u00a0%"}
	case Bytes:
		w := writing{size: 1, suffix: "\u00a0B"}
		for _, suffix := range [...]string{"\u00a0KiB", "\u00a0MiB", "\u00a0GiB", "\u00a0TiB"} {
			if largest < 1024*w.size {
				break
			}
			w = writing{size: 1024 * w.size, suffix: suffix}
		}
		return w
	default:
		return writing{size: 1}
	}
}

// text writes a value with the digits that tell it from one that differs by step.
func (w writing) text(v, step float64) string {
	if a := math.Abs(v); a >= 1e7 || a > 0 && a < 1e-6 {
		return strconv.FormatFloat(v, 'g', 3, 64) + w.suffix
	}
	decimals := max(0, int(-math.Floor(math.Log10(step)+1e-9)))
	return strconv.FormatFloat(v, 'f', decimals, 64) + w.suffix
}
