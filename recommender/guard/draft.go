package guard

import (
	"fmt"
	"time"

	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

// draft is a decision in the making. Rules change it only through its methods, which keep the hard bounds and record a
// reason for every change, so neither depends on the order of the rules.
type draft struct {
	in       Input
	sizes    []*size
	replicas int32
	// autoscalerMin is what the minimum of an autoscaler is raised to; 0 leaves it.
	autoscalerMin int32
	// template is what every container of the workload asks for by itself.
	template map[string]apply.Resources
	// node is the one of the workload's nodes on which it fits best; without a name if none is known.
	node     Node
	trail    []Reason
	findings []sizing.Finding
}

// size is the draft of one container.
type size struct {
	container Container
	proposal  sizing.ContainerProposal
	cpu       *amount
	memory    *amount
}

// amount is the draft of one resource of one container, in millicores or bytes. Amounts of 0 mean no opinion.
type amount struct {
	container string
	// name is "cpu" or "memory".
	name   string
	policy sizing.ResourcePolicy
	// target and inPlace are the requests so far.
	target, inPlace int64
	// peak is the most that one pod used, oomFloor the least after an out-of-memory kill, observed the larger of both in
	// whole MiB. All are 0 for CPU.
	peak, oomFloor, observed int64
	// used is the most CPU that one pod uses at present; 0 for memory, and where it is not known.
	used int64
	// floor and ceiling are hard: no rule leaves them. A ceiling of 0 is none. The sentences say where they come from.
	floor, ceiling       int64
	floorWhy, ceilingWhy string
	// written is the part of the ceiling that people wrote: the policy and LimitRanges. 0 is none.
	written int64
	// ranges bound the limit beside a request; see apply.ResourceBound.LimitFor.
	ranges []apply.ResourceBound
	// atLeast is what target and inPlace may not fall under for the time being. Ceiling and floor win over it.
	atLeast move
	// good is what a rollback gives back, and goodLimit the limit; zero without one.
	good      move
	goodLimit int64
	// askedLimit is a limit of the template that a person has lately raised; 0 without one.
	askedLimit int64
	// pinned means that no rule moves the amount any more.
	pinned bool
	// held means that no budget takes away what is in force.
	held bool
	// keepLimit means that the limit must not go down.
	keepLimit bool
	// unready tells why the amount may be shown but not applied; empty if it may be applied.
	unready string
	// hours of history behind the proposal, or runs of a batch workload.
	hours int
	runs  []time.Time
	inForce
	// before is what was decided last; without a decision, what the template asks for.
	before move
	// beforeLimit is the limit that was decided last.
	beforeLimit apply.Limit
	// last tells when the target last moved.
	last movedAt
}

// inForce is what pods get at present.
type inForce struct {
	// sized tells that these numbers are ours and not the template's.
	sized bool
	// request of new and of running pods.
	request move
	// limit of new pods; 0 is none. rule is the limit policy in force, if sized.
	limit int64
	rule  apply.Limit
}

// move is a target and its in-place companion.
type move struct{ target, inPlace int64 }

// each calls rule for every container and resource.
func (d *draft) each(rule func(*size, *amount)) {
	for _, s := range d.sizes {
		rule(s, s.cpu)
		rule(s, s.memory)
	}
}

// set moves an amount to the nearest legal place and records why. An amount without opinion or pinned does not move.
func (d *draft) set(a *amount, to move, rule, why string) {
	if a.pinned || a.target == 0 {
		return
	}
	to = a.clamp(to)
	if from := (move{a.target, a.inPlace}); from == to {
		return
	}
	text := fmt.Sprintf("%s target %s → %s", a.name, a.format(a.target), a.format(to.target))
	if a.target == to.target {
		text = fmt.Sprintf("%s in place %s → %s", a.name, a.format(a.inPlace), a.format(to.inPlace))
	}
	a.target, a.inPlace = to.target, to.inPlace
	d.because(a.container, rule, text+": "+why)
}

// pin sets an amount for good.
func (d *draft) pin(a *amount, to move, rule, why string) {
	if a.pinned {
		return
	}
	a.target, a.inPlace = to.target, to.inPlace
	a.pinned, a.keepLimit, a.unready = true, true, ""
	d.because(a.container, rule, fmt.Sprintf("%s stays at %s: %s", a.name, a.format(to.target), why))
}

// drop takes back any opinion on an amount.
func (d *draft) drop(a *amount, rule, why string) {
	if a.pinned || a.target == 0 {
		return
	}
	d.because(a.container, rule, fmt.Sprintf("no %s request: %s", a.name, why))
	a.target, a.inPlace, a.unready = 0, 0, ""
}

// forget takes back any opinion on an amount for good, even a pinned one.
func (d *draft) forget(a *amount, rule, why string) {
	a.pinned = false
	d.drop(a, rule, why)
	a.pinned = true
}

// holdBack keeps what is in force: the request stays where we put it. Where the template rules, a container that was
// killed for lack of memory is raised out of it and nothing else is, so holdBack then returns false.
func (d *draft) holdBack(a *amount, rule, why string) (held bool) {
	if a.pinned {
		return true
	}
	killed := a.oomFloor > a.request.target
	if !a.sized && !killed {
		return false
	}
	to := move{
		max(a.request.target, a.observed, a.good.target, a.atLeast.target), max(a.request.inPlace, a.observed, a.good.inPlace, a.atLeast.inPlace),
	}
	if killed {
		why += "; an out-of-memory kill demands it all the same"
	}
	d.pin(a, to, rule, why)
	return true
}

// raiseOnly forbids the amount to fall under what is in force.
func (d *draft) raiseOnly(a *amount, rule, why string) {
	if a.target == 0 || a.pinned {
		return
	}
	a.atLeast = move{max(a.atLeast.target, a.request.target), max(a.atLeast.inPlace, a.request.inPlace)}
	a.keepLimit = true
	d.set(a, move{a.target, a.inPlace}, rule, why)
}

// because records a reason.
func (d *draft) because(container, rule, text string) {
	d.trail = append(d.trail, Reason{Rule: rule, Container: container, Text: text})
}

// clamp puts a move inside the bounds. What was observed wins over what a person or a node allows, and that over what
// caution asks for at the moment.
func (a *amount) clamp(to move) move {
	bound := func(v, atLeast int64) int64 {
		v = max(v, atLeast)
		if a.ceiling > 0 {
			v = min(v, a.ceiling)
		}
		return max(v, a.floor)
	}
	return move{bound(to.target, a.atLeast.target), bound(to.inPlace, a.atLeast.inPlace)}
}

func (a *amount) format(v int64) string {
	switch {
	case v == 0:
		return "none"
	case a.name == cpuName:
		return apply.FormatCPU(v)
	}
	return apply.FormatMemory(v)
}
