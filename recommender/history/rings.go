package history

import (
	"math"
	"time"

	"github.com/loadline-dev/loadline/forecast"
)

// rings hold several measurements of one thing in a single block of memory. The first ones are kept by the hour and by the
// slot, the others by the slot only:
//
//	| mean by hour | maximum by hour | by slot | … | by slot | …
//
// The value of slot s is at s modulo the ring's length, so nothing moves when time goes on.
type rings struct {
	hourly int
	// next is the end of what was written. Slots from there on are unknown, whatever the block holds.
	next   slot
	values []float32
}

// blockLen is the number of values of a measurement that is kept by the hour too.
const blockLen = 2*keptHours + int(recentSlots)

// newRings returns rings for hourly measurements and recent ones after them, all unknown.
func newRings(hourly, recent int) *rings {
	r := &rings{hourly: hourly, next: never, values: make([]float32, hourly*blockLen+recent*int(recentSlots))}
	for i := range r.values {
		r.values[i] = unknown()
	}
	return r
}

func unknown() float32 { return float32(math.NaN()) }

func known(v float32) bool { return !math.IsNaN(float64(v)) }

// measurements returns how many there are.
func (r *rings) measurements() int {
	return r.hourly + (len(r.values)-r.hourly*blockLen)/int(recentSlots)
}

// recent returns the ring of measurement m by slot.
func (r *rings) recent(m int) []float32 {
	start := r.hourly*blockLen + (m-r.hourly)*int(recentSlots)
	if m < r.hourly {
		start = m*blockLen + 2*keptHours
	}
	return r.values[start : start+int(recentSlots)]
}

// byHour returns the rings of measurement m by hour.
func (r *rings) byHour(m int) (mean, maximum []float32) {
	start := m * blockLen
	return r.values[start : start+keptHours], r.values[start+keptHours : start+2*keptHours]
}

// merge takes in the values of a span: one slice per measurement, each as long as the span, or nil. A known value replaces
// a smaller or unknown one. Slots that the rings no longer hold are left out.
func (r *rings) merge(s span, measurements [][]float32) {
	for part := range s.hours {
		r.advance(part.to)
		for m, values := range measurements {
			if values == nil {
				continue
			}
			ring := r.recent(m)
			for at := max(part.from, r.next-recentSlots); at < part.to; at++ {
				into := &ring[at%recentSlots]
				*into = larger(*into, values[at-s.from])
			}
		}
		r.summarize(part.from.hour())
	}
}

// advance makes room up to slot to: what is older than the rings are long is dropped.
func (r *rings) advance(to slot) {
	if to <= r.next {
		return
	}
	if r.next == never {
		r.next = to
		return
	}
	for m := range r.measurements() {
		ring := r.recent(m)
		for at := max(r.next, to-recentSlots); at < to; at++ {
			ring[at%recentSlots] = unknown()
		}
	}
	for m := range r.hourly {
		mean, maximum := r.byHour(m)
		for h := max((r.next-1).hour()+1, (to-1).hour()-keptHours+1); h <= (to - 1).hour(); h++ {
			mean[h%keptHours], maximum[h%keptHours] = unknown(), unknown()
		}
	}
	r.next = to
}

// summarize computes one hour from its slots. The mean is over the slots that are known.
func (r *rings) summarize(hour slot) {
	from := hour * hourSlots
	if from < r.next-recentSlots {
		return // The hour's slots are no longer all held, so it is final.
	}
	for m := range r.hourly {
		ring := r.recent(m)
		total, n, largest := 0.0, 0, unknown()
		for at := from; at < min(from+hourSlots, r.next); at++ {
			v := ring[at%recentSlots]
			if !known(v) {
				continue
			}
			total += float64(v)
			n++
			largest = larger(largest, v)
		}
		if n > 0 {
			mean, maximum := r.byHour(m)
			mean[hour%keptHours], maximum[hour%keptHours] = float32(total/float64(n)), largest
		}
	}
}

// view copies measurement m for a workload that was first seen in slot from and read until slot until.
func (r *rings) view(m int, from, until slot) forecast.Usage {
	var u forecast.Usage
	start := max(from, until-recentSlots)
	u.Recent = forecast.Series{Start: start.time(), Step: step, Values: make([]float32, until-start)}
	ring := r.recent(m)
	for i := range u.Recent.Values {
		u.Recent.Values[i] = r.at(ring, start+slot(i), r.next)
	}
	if m >= r.hourly {
		return u
	}
	first := max(from.hour(), (until-1).hour()-keptHours+1)
	count := max(0, until.hour()-first) // until.hour() is the running hour: it is not whole.
	u.HourlyMean = forecast.Series{Start: (first * hourSlots).time(), Step: time.Hour, Values: make([]float32, count)}
	u.HourlyMax = forecast.Series{Start: (first * hourSlots).time(), Step: time.Hour, Values: make([]float32, count)}
	mean, maximum := r.byHour(m)
	end := (r.next - 1).hour() + 1
	for i := range count {
		u.HourlyMean.Values[i] = r.at(mean, first+i, end)
		u.HourlyMax.Values[i] = r.at(maximum, first+i, end)
	}
	return u
}

// at returns the value at index i of a ring that is written up to end.
func (*rings) at(ring []float32, i, end slot) float32 {
	if i >= end || i < end-slot(len(ring)) {
		return unknown()
	}
	return ring[i%slot(len(ring))]
}
