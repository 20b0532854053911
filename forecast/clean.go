package forecast

import (
	"math"
	"time"
)

// Implausible is the value above which Clean and Predict take any measurement for corrupt where the caller names no limit
// of its own. It is a petabyte in bytes.
const Implausible = 1e15

// Clean returns a copy of s in which corrupt values are missing, and how many there were.
//
// Corrupt is what demand cannot be: negative, infinite, or larger than limit. A limit that is not positive means
// Implausible. NaN is missing already and not counted. A series without corrupt values is returned as it is, sharing its
// values with s.
func Clean(s Series, limit float64) (Series, int) {
	if !(limit > 0) {
		limit = Implausible
	}
	corrupt := 0
	for _, v := range s.Values {
		if isCorrupt(float64(v), limit) {
			corrupt++
		}
	}
	if corrupt == 0 {
		return s, 0
	}
	values := make([]float32, len(s.Values))
	for i, v := range s.Values {
		values[i] = v
		if isCorrupt(float64(v), limit) {
			values[i] = float32(math.NaN())
		}
	}
	return Series{Start: s.Start, Step: s.Step, Values: values}, corrupt
}

func isCorrupt(v, limit float64) bool { return v < 0 || v > limit }

// past is a history without holes, which is what models work on.
type past struct {
	start time.Time
	step  time.Duration
	// values are all known, finite and not negative.
	values []float64
	// measured tells which values were measured; the others are filled in and never scored.
	measured []bool
	// day is the number of steps in a day.
	day int
}

// newPast prepares a series as it was known at the time now: values after it are dropped, corrupt ones are missing, missing
// ones at the beginning are dropped, and holes are filled. It is empty if nothing usable is left, or if the last
// measurement is more than a week old.
func newPast(s Series, o Options) past {
	const tooOld = 7 * 24 * time.Hour
	if len(s.Values) == 0 || s.Step <= 0 || s.Step > 24*time.Hour {
		return past{}
	}
	s, _ = Clean(s, o.Limit)
	until := len(s.Values)
	if !o.Now.IsZero() {
		age := o.Now.Sub(s.End())
		if age > tooOld || o.Now.Before(s.Start) {
			return past{}
		}
		until = int(o.Now.Sub(s.Start) / s.Step)
	}
	known := s.Values[:min(until, len(s.Values))]
	first, last := span(known)
	if first < 0 || time.Duration(until-last-1)*s.Step > tooOld {
		return past{}
	}
	p := past{
		start: s.TimeAt(first), step: s.Step, day: int(24 * time.Hour / s.Step),
		values: make([]float64, until-first), measured: make([]bool, until-first),
	}
	for i := range p.values {
		p.values[i] = math.NaN()
		if first+i < len(known) && !math.IsNaN(float64(known[first+i])) {
			p.values[i], p.measured[i] = float64(known[first+i]), true
		}
	}
	p.fill()
	return p
}

// span returns the indices of the first and last known value, or -1 if there is none.
func span(values []float32) (first, last int) {
	first, last = -1, -1
	for i, v := range values {
		if math.IsNaN(float64(v)) {
			continue
		}
		if first < 0 {
			first = i
		}
		last = i
	}
	return first, last
}

// fill closes holes: up to three hours by a straight line, longer ones by the value of the day before, and where there is
// none, by the last value before the hole. The first value is known.
func (p past) fill() {
	short := int(3 * time.Hour / p.step)
	for i := 1; i < len(p.values); i++ {
		if p.measured[i] {
			continue
		}
		end := i
		for end < len(p.values) && !p.measured[end] {
			end++
		}
		before, steps := p.values[i-1], float64(end-i+1)
		for j := i; j < end; j++ {
			switch {
			case end < len(p.values) && end-i <= short:
				p.values[j] = before + (p.values[end]-before)*float64(j-i+1)/steps
			case j >= p.day:
				p.values[j] = p.values[j-p.day]
			default:
				p.values[j] = before
			}
		}
		i = end
	}
}

func (p past) len() int { return len(p.values) }

func (p past) end() time.Time { return p.start.Add(time.Duration(len(p.values)) * p.step) }
