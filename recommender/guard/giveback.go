package guard

import (
	"fmt"
	"time"
)

// giveBack holds the request of running pods close to the target: what a pod gives back may be gone when it is needed again.
// Under manual approval running pods get the target itself, because a number that follows the hour would ask a person for approval
// every hour.
//
// Memory is not given back at all: a running pod's request is its target, as sizing proposes it. A step or a threshold that holds
// the target has to hold both.
//
// Nothing is given back for a day after a raise waited for more than an hour: where the room is gone, giving it back was a
// mistake.
//
// Nor is anything where the CPU limit is the request: elsewhere a pod may use more than it requests until it is raised, there it is throttled.
//
// Example: target 1000m, next hour 400m, maxGiveBack 25 % → 750m.
func giveBack(d *draft) {
	d.each(func(s *size, a *amount) {
		if d.in.Manual {
			d.set(a, move{a.target, a.target}, "give-back", "under manual approval running pods get the target")
			return
		}
		if a.name == memoryName {
			if a.inPlace != a.target {
				d.set(a, move{a.target, a.target}, "give-back", "memory of running pods follows the target")
			}
			return
		}
		back, why := share(d.in.Policy.MaxGiveBack, 1), ""
		if until := d.giveBackLockedUntil(s.container); d.in.Now.Before(until) {
			back, why = 0, ": a raise was not to be had for more than an hour"
		}
		if d.capped(a) {
			back, why = 0, ": the limit is the request, and a lower one would hold the pod back at once"
		}
		if least := roundUp(a.name, scale(a.target, 1-back)); a.inPlace < least {
			d.set(a, move{a.target, least}, "give-back", fmt.Sprintf("running pods give back at most %s%s", percent(back), why))
		}
	})
}

// How long a raise may be pending before nothing is given back, and for how long then.
const (
	pendingTooLong = time.Hour
	giveBackLock   = 24 * time.Hour
	// lockRenewal is how often the lock is renewed while the raise is pending: not with every decision, because it is stored.
	lockRenewal = time.Hour
)

// giveBackLockedUntil returns until when nothing is given back; a day from now while a raise is pending for too long.
func (d *draft) giveBackLockedUntil(c Container) time.Time {
	until := d.in.Memory.Containers[c.Name].GiveBackLockedUntil
	since := c.RaisePendingSince
	if since.IsZero() || d.in.Now.Sub(since) <= pendingTooLong || until.After(d.in.Now.Add(giveBackLock-lockRenewal)) {
		return until
	}
	return d.in.Now.Add(giveBackLock)
}
