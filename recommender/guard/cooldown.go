package guard

import (
	"fmt"
	"time"
)

// inPlaceDwell is how long the CPU request of running pods stays after it moved before it is lowered. The bound that it
// follows is for an hour.
const inPlaceDwell = time.Hour

// A target that was raised stays raisedStays cooldowns before it is lowered, but a week at most, which is also the longest cooldown
// that the API allows: what needed it may come again on the same day of the week, and 56 of the default 3 h are a week.
const (
	raisedStays = 56
	week        = 7 * 24 * time.Hour
)

// movedAt is when a target last moved, and the request of running pods.
type movedAt struct{ raised, lowered, inPlace time.Time }

func (m movedAt) latest() time.Time {
	if m.raised.After(m.lowered) {
		return m.raised
	}
	return m.lowered
}

// cooldown keeps the target that was decided last until enough time has passed since it moved in any direction. Two moves at
// the same instant are never made, even without a cooldown: a second look at the same input decides the same.
//
// The CPU request of running pods has a tempo of its own: it is raised at any time and lowered an hour after it moved.
//
// Example: lowered at 10:00, down cooldown 3 h → at 11:00 the target stays, and may be lowered further at 13:00; had it been raised
// at 10:00, not for a week. Running pods may be lowered at 11:00 in either case.
func cooldown(d *draft) {
	d.each(func(_ *size, a *amount) {
		d.dwell(a)
		last := a.last.latest()
		if last.IsZero() || a.before.target == 0 || a.target == a.before.target {
			return
		}
		wait := d.in.Behavior.Down.Cooldown
		switch {
		case a.target > a.before.target:
			wait = d.in.Behavior.Up.Cooldown
		case !a.last.lowered.After(a.last.raised):
			wait = min(min(wait, week)*raisedStays, week)
		}
		if d.in.Now.After(last) && !d.in.Now.Before(last.Add(wait)) {
			return
		}
		d.set(a, move{a.before.target, a.inPlace}, "cooldown",
			fmt.Sprintf("it moved %s ago, the next move waits until %s are over", d.in.Now.Sub(last).Round(time.Second), wait))
	})
}

// dwell keeps the request of running pods for an hour before it is lowered. Example: raised at 10:00 → not lowered until 11:00.
func (d *draft) dwell(a *amount) {
	moved := a.last.inPlace
	if a.name != cpuName || moved.IsZero() || a.before.inPlace == 0 || a.inPlace >= a.before.inPlace {
		return
	}
	if age := d.in.Now.Sub(moved); age < inPlaceDwell {
		d.set(a, move{a.target, a.before.inPlace}, "cooldown",
			fmt.Sprintf("it moved %s ago, running pods are lowered after %s", age.Round(time.Second), inPlaceDwell))
	}
}
