package forecast

import (
	"math"
	"time"
)

// past is a series as it was known at one time, without holes.
type past struct {
	start time.Time
	step  time.Duration
	// values are all known, finite and not negative.
	values []float64
	// measured tells which values were measured; the others are filled in and never scored.
	measured []bool
}

// dayLength is what a day is taken for; days with a change of clocks are not known here.
const dayLength = 24 * time.Hour

// tooOld is the age above which a last measurement says nothing about what comes.
const tooOld = 7 * dayLength

// newPast prepares a series as it was known at the time o.Now: values after it are dropped, corrupt ones are missing,
// missing ones at the beginning are dropped, and holes are filled. It is empty if nothing usable is left, or if the last
// measurement is more than a week old.
func newPast(s Series, o Options) past {
	if len(s.Values) == 0 || s.Step <= 0 || s.Step > dayLength {
		return past{}
	}
	s, _ = Clean(s, o.Limit)
	until := len(s.Values)
	if !o.Now.IsZero() {
		if o.Now.Sub(s.End()) > tooOld || o.Now.Before(s.Start) {
			return past{}
		}
		until = int(o.Now.Sub(s.Start) / s.Step)
	}
	known := s.Values[:min(until, len(s.Values))]
	first, last := span(known)
	if first < 0 || time.Duration(until-last-1)*s.Step > tooOld {
		return past{}
	}
	n := until - first
	p := past{start: s.TimeAt(first), step: s.Step, values: make([]float64, n), measured: make([]bool, n)}
	for i, v := range known[first:] {
		if !math.IsNaN(float64(v)) {
			p.values[i], p.measured[i] = float64(v), true
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

// fill closes holes: up to three hours by a straight line, longer ones by the value of a week before, of a day before, or
// the last value before the hole, whichever is there. The first value is known.
func (p past) fill() {
	short := int(3 * time.Hour / p.step)
	week, day := stepsOf(7*dayLength, p.step), stepsOf(dayLength, p.step)
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
			case j >= week:
				p.values[j] = p.values[j-week]
			case j >= day:
				p.values[j] = p.values[j-day]
			default:
				p.values[j] = before
			}
		}
		i = end
	}
}

// stepsOf returns how many steps a time has, rounded and at least 1.
func stepsOf(d, step time.Duration) int { return max(1, int((d+step/2)/step)) }

func (p past) len() int { return len(p.values) }

func (p past) end() time.Time { return p.start.Add(time.Duration(len(p.values)) * p.step) }

// largest returns the largest measured value of the last steps.
func (p past) largest(steps int) float64 {
	largest := 0.0
	for i := max(0, p.len()-steps); i < p.len(); i++ {
		if p.measured[i] {
			largest = max(largest, p.values[i])
		}
	}
	return largest
}

// smallest returns the smallest measured value. The first one is measured.
func (p past) smallest() float64 {
	smallest := p.values[0]
	for i, v := range p.values {
		if p.measured[i] {
			smallest = min(smallest, v)
		}
	}
	return smallest
}
