package guard

import (
	"fmt"
	"time"
)

// movedAt is when a target last moved.
type movedAt struct{ raised, lowered time.Time }

func (m movedAt) latest() time.Time {
	if m.raised.After(m.lowered) {
		return m.raised
	}
	return m.lowered
}

// cooldown keeps the target that was decided last until enough time has passed since it moved in any direction. Two moves at
// the same instant are never made, even without a cooldown: a second look at the same input decides the same.
//
// Example: lowered at 10:00, down cooldown 3 h → at 11:00 the target stays.
func cooldown(d *draft) {
	d.each(func(_ *size, a *amount) {
		last := a.last.latest()
		if last.IsZero() || a.before.target == 0 || a.target == a.before.target {
			return
		}
		wait := d.in.Behavior.Down.Cooldown
		if a.target > a.before.target {
			wait = d.in.Behavior.Up.Cooldown
		}
		if d.in.Now.After(last) && !d.in.Now.Before(last.Add(wait)) {
			return
		}
		d.set(a, move{a.before.target, a.inPlace}, "cooldown",
			fmt.Sprintf("it moved %s ago, the next move waits until %s are over", d.in.Now.Sub(last).Round(time.Second), wait))
	})
}
