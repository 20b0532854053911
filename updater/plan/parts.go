package plan

import (
	"slices"

	"github.com/loadline-dev/loadline/apply"
)

// nextPart is the part of a resize to ask for after a quota, a LimitRange or a policy refused more of it; nil if there is none. The API
// server refuses a resize as a whole, so that what keeps a container from being killed would wait for a lowering that nobody needs.
//
// The parts are, where they differ: everything, what grows, the memory of that, the CPU of that. Which one was refused last is told by
// the mark on the pod, so a restart forgets nothing.
func nextPart(w Workload, p Pod) map[string]apply.Resources {
	mends := func(d apply.Drift) bool { return isUp(d) && p.canMend(d) }
	if !p.RefusedByNamespace || p.Mark == nil || p.Mark.Revision != w.Revision ||
		!slices.ContainsFunc(apply.Drifted(w.Values, p.Original, p.Present, apply.ForRunningPod), mends) {
		return nil
	}
	reachable, err := apply.Resize(w.Values, p.Original, p.Present)
	if err != nil {
		return nil
	}
	refused := false
	for _, part := range p.parts(reachable) {
		switch digest := Digest(p.asked(part)); {
		case digest == p.Mark.Asked:
			refused = true
		case refused && len(part) > 0 && !apply.WouldChangeQOS(p.Present, part):
			return part
		}
	}
	return nil
}

// refusedToLower reports whether the resize that was refused last would have taken something from the pod.
func refusedToLower(w Workload, p Pod) bool {
	return p.ResizeRefused != "" && p.Mark != nil && p.Mark.Revision == w.Revision && p.Mark.Lowers
}

// parts of a resize to what is reachable, each smaller than, or equal to, one before it.
func (p Pod) parts(reachable map[string]apply.Resources) []map[string]apply.Resources {
	grows := p.changes(reachable, true)
	only := func(fixed Fixed) map[string]apply.Resources {
		part := map[string]apply.Resources{}
		for name, want := range grows {
			if have := p.Present[name]; restrict(want, have, fixed, true) != have {
				part[name] = restrict(want, have, fixed, true)
			}
		}
		return part
	}
	return []map[string]apply.Resources{p.changes(reachable, false), grows, only(Fixed{CPU: true}), only(Fixed{Memory: true})}
}
