package plan

import (
	"maps"
	"slices"
	"time"

	"github.com/loadline-dev/loadline/apply"
)

// exempt says what is done although the gate is closed or the circuit breaker is open.
type exempt struct {
	// cures: see there.
	cures bool
	// givesBack: what Loadline took from a running pod is given back in place.
	givesBack bool
}

// exemptions are those of a cluster in which something is closed. The kill switch knows none.
func exemptions(s Snapshot) exempt {
	if s.KillSwitch != "" {
		return exempt{}
	}
	return exempt{
		cures:     s.Cures && s.Gate.Open && s.Breaker != "",
		givesBack: (s.Gate.Open || s.Gate.Ready) && (s.Breaker == "" || s.GivesBack),
	}
}

// exempted is what is done to a pod although nothing else may be, or why not even that is.
func (p *planner) exempted(w Workload, pod Pod) (Action, *Refused) {
	closed := refuse(SkipClosed, "%s", p.result.Closed)
	w.Stale = true // which lowers nothing
	drifts := drifted(w, pod)
	if p.exempt == (exempt{}) || len(drifts) == 0 {
		return Action{}, closed
	}
	action, refused := p.choose(w, pod, drifts)
	switch {
	case refused != nil && refused.Passing():
		return Action{}, refused
	case refused != nil:
		return Action{}, closed
	case p.exempt.cures && cures(p.now, w, pod, action):
		return action, nil
	}
	part, found := p.giveBack(candidate{Action: action, workload: w, pod: pod})
	if !found || !p.exempt.givesBack {
		return Action{}, closed
	}
	return part.Action, nil
}

// cures reports whether the action raises, in place, the memory limit of a container that was killed for lack of memory; or replaces a
// pod that is down for lack of memory, of a workload that has nothing to lose, because none of its pods is ready.
func cures(now time.Time, w Workload, p Pod, a Action) bool {
	if a.Kind == Evict {
		return downForMemory(now, w, p) && !slices.ContainsFunc(w.Pods, func(p Pod) bool { return p.Ready })
	}
	return a.Kind == Resize && slices.ContainsFunc(p.Troubles, func(t Trouble) bool {
		to, resized := a.Containers[t.Container]
		return t.What == TroubleOOM && resized && to.Limits.MemoryBytes > p.Present[t.Container].Limits.MemoryBytes
	})
}

// spendResize takes a resize out of the budget of those that give back, if it does nothing else, or out of the other. Where that is
// empty, what it gives back is done at least.
func (p *planner) spendResize(c candidate) (Action, *Refused) {
	part, found := p.giveBack(c)
	if found && maps.Equal(part.Containers, c.Containers) {
		return part.Action, p.account.giveBack()
	}
	refused := p.account.resize()
	if refused == nil || !found || !p.exempt.givesBack {
		return c.Action, refused
	}
	return part.Action, p.account.giveBack()
}

// giveBack is the part of a resize that gives a pod no more than what it had before Loadline lowered it, and false if there is none.
// Without Loadline the pod would have had it all the time: nobody else may count on it.
func (p *planner) giveBack(c candidate) (candidate, bool) {
	returned := map[string]apply.Resources{}
	for name, want := range c.Containers {
		have := c.pod.Present[name]
		want = atMost(restrict(want, have, Fixed{}, true), apply.AtLeast(have, c.pod.had(name)))
		if want != have {
			returned[name] = want
		}
	}
	if c.Kind != Resize || len(returned) == 0 || apply.WouldChangeQOS(c.pod.Present, returned) {
		return c, false
	}
	c.Containers, c.Lowers, c.GivesBack, c.Mark = returned, false, true, p.mark(c.workload, c.pod, returned)
	return c, true
}

// had is the most that a container of the pod had before Loadline lowered it, at admission or later.
func (p Pod) had(container string) apply.Resources {
	had := p.Original[container]
	if p.Mark != nil {
		if before, lowered := p.Mark.Had[container]; lowered {
			had = apply.AtLeast(had, before)
		}
	}
	return had
}

// hadBefore is the most that each container had before it was lowered in place, once the pod is resized.
func (p Pod) hadBefore(changed map[string]apply.Resources) map[string]apply.Resources {
	var had map[string]apply.Resources
	if p.Mark != nil {
		had = maps.Clone(p.Mark.Had)
	}
	for name, to := range changed {
		have := p.Present[name]
		if !have.Lowers(to) {
			continue
		}
		if had == nil {
			had = map[string]apply.Resources{}
		}
		if before, lowered := had[name]; lowered {
			have = apply.AtLeast(have, before)
		}
		had[name] = have
	}
	return had
}

// atMost is the smaller of both in everything. No limit is the largest limit.
func atMost(a, b apply.Resources) apply.Resources {
	limit := func(a, b int64) int64 {
		if a == 0 || b == 0 {
			return max(a, b)
		}
		return min(a, b)
	}
	return apply.Resources{
		Requests: apply.Amounts{CPUMillis: min(a.Requests.CPUMillis, b.Requests.CPUMillis), MemoryBytes: min(a.Requests.MemoryBytes, b.Requests.MemoryBytes)},
		Limits:   apply.Amounts{CPUMillis: limit(a.Limits.CPUMillis, b.Limits.CPUMillis), MemoryBytes: limit(a.Limits.MemoryBytes, b.Limits.MemoryBytes)},
	}
}
