package history

import "time"

const (
	// step is the resolution of every query.
	step = 5 * time.Minute
	// hourSlots is the number of slots in an hour.
	hourSlots = slot(time.Hour / step)
	// recentSlots are kept by the slot: 24 hours.
	recentSlots = 24 * hourSlots
	// keptHours are kept by the hour: 28 days.
	keptHours = 28 * 24
	// keptSlots is the same in slots.
	keptSlots = keptHours * hourSlots
	// never is a slot before all others.
	never = slot(-1)
)

// slot counts the steps since 1970. Slot s is the interval [s·5min, (s+1)·5min).
type slot int64

// slotAt returns the slot that contains t, which is also the end of the last slot that is complete at t.
func slotAt(t time.Time) slot { return slot(t.Unix() / int64(step/time.Second)) }

// slotsIn returns the number of whole slots in d.
func slotsIn(d time.Duration) slot { return slot(d / step) }

func (s slot) time() time.Time { return time.Unix(int64(s)*int64(step/time.Second), 0).UTC() }

// hour returns the hour that contains s, counted since 1970.
func (s slot) hour() slot { return s / hourSlots }

// span is the half-open interval of slots [from, to).
type span struct{ from, to slot }

func (s span) len() int { return int(s.to - s.from) }

// hours yields the parts of a span that lie within one hour, in order.
func (s span) hours(yield func(span) bool) {
	for from := s.from; from < s.to; {
		to := min((from.hour()+1)*hourSlots, s.to)
		if !yield(span{from, to}) {
			return
		}
		from = to
	}
}
