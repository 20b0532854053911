package guard

import "github.com/loadline-dev/loadline/apply"

// Rollback gives back what a change that did harm took away.
type Rollback struct {
	// Good are the sizes under which no harm was seen.
	Good apply.Values
	// Reason says what happened, and until when it holds.
	Reason string
}

// rollback recommends nothing below what was good last, while a rollback holds. What is needed more than that passes, so that
// a hold never keeps a workload from the memory that a kill demands; under manual approval only what was observed does, because nobody has approved more.
//
// Example: good 1000m and 1000Mi, proposal 300m and 1200Mi → 1000m and 1200Mi.
func rollback(d *draft) {
	if d.in.Rollback == nil {
		return
	}
	for _, s := range d.sizes {
		good := container(&d.in.Rollback.Good, s.container.Name)
		d.giveBackAtLeast(s.cpu, move{good.Target.CPUMillis, good.InPlace.CPUMillis}, good.CPULimit.Value)
		d.giveBackAtLeast(s.memory, move{good.Target.MemoryBytes, good.InPlace.MemoryBytes}, good.MemoryLimit.Value)
	}
}

func (d *draft) giveBackAtLeast(a *amount, good move, limit int64) {
	if good.target <= 0 || good.target > maxAmount || good.inPlace < 0 || good.inPlace > maxAmount || a.target == 0 {
		return
	}
	a.good, a.goodLimit = good, legal(limit)
	a.atLeast = move{max(a.atLeast.target, good.target), max(a.atLeast.inPlace, good.inPlace)}
	a.keepLimit, a.held = true, true
	pinned := a.pinned
	a.pinned = false // What is in force, and was pinned, did the harm.
	to := move{a.target, a.inPlace}
	if d.in.Manual {
		to = move{}
	}
	d.set(a, to, "rollback", d.in.Rollback.Reason)
	a.pinned = pinned || d.in.Manual
}

// giveBackReplicas recommends no fewer pods than were good last.
func (d *draft) giveBackReplicas() {
	if d.in.Rollback == nil || d.in.Rollback.Good.Replicas == nil || d.replicas == 0 {
		return
	}
	d.replicas = max(d.replicas, *d.in.Rollback.Good.Replicas)
}
