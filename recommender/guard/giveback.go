package guard

import "fmt"

// giveBack holds the request of running pods close to the target: what a pod gives back may be gone when it is needed again.
// Under manual approval running pods get the target itself, because a number that follows the hour would ask a person for approval
// every hour.
//
// Memory is not given back at all: a running pod's request is its target, as sizing proposes it. A step or a threshold that holds
// the target has to hold both.
//
// Example: target 1000m, next hour 400m, maxGiveBack 25 % → 750m.
func giveBack(d *draft) {
	back := share(d.in.Policy.MaxGiveBack, 1)
	d.each(func(_ *size, a *amount) {
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
		if least := roundUp(a.name, scale(a.target, 1-back)); a.inPlace < least {
			d.set(a, move{a.target, least}, "give-back", fmt.Sprintf("running pods give back at most %s", percent(back)))
		}
	})
}
