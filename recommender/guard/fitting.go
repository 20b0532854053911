package guard

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

// fitting is one resource of the pods of one tempo on its way into a budget.
type fitting struct {
	*draft
	budget  Budget
	name    string
	tempo   apply.Tempo
	amounts []*amount
	// wanted is what the rules decided.
	wanted []int64
}

// value is the amount that pods of the tempo get.
func (f fitting) value(a *amount) *int64 {
	if f.tempo == apply.ForNewPod {
		return &a.target
	}
	return &a.inPlace
}

// choose returns the tempo's part of a move.
func (f fitting) choose(m move) int64 {
	if f.tempo == apply.ForNewPod {
		return m.target
	}
	return m.inPlace
}

func (f fitting) set(values []int64) {
	for i, a := range f.amounts {
		*f.value(a) = values[i]
	}
}

// fit makes one resource of the pods of one tempo fit into a budget.
func (d *draft) fit(b Budget, name string, tempo apply.Tempo) {
	f := fitting{draft: d, budget: b, name: name, tempo: tempo}
	d.each(func(_ *size, a *amount) {
		if a.name == name && a.target > 0 {
			f.amounts, f.wanted = append(f.amounts, a), append(f.wanted, *f.value(a))
		}
	})
	if len(f.amounts) == 0 || !f.over() {
		return
	}
	// From what was decided before, so that a container that was cut once is not cut again and again; else a raise is made smaller
	// down to what is in force, and then everything that may be lowered down to the floors.
	decided := func(a *amount) int64 { return max(f.choose(a.before), f.least(a)) }
	if !f.shrink(decided) && !f.shrink(f.unraised) && !f.shrink(f.least) {
		if f.asksForMore() {
			f.giveUp()
			return
		}
		f.stay()
	}
	f.keepTrifles()
	f.tell()
}

// unraised is what is in force, or the floor where that is higher.
func (f fitting) unraised(a *amount) int64 { return max(f.choose(a.request), a.floor, 1) }

// least is as low as the budget may push an amount.
func (f fitting) least(a *amount) int64 {
	if f.budget.OnlyRaises || f.budget.Soft || f.keeps(a) {
		return f.unraised(a)
	}
	if f.tempo == apply.ForRunningPod { // As pressure does, no budget takes from a running pod what it uses.
		return max(a.floor, min(a.used, f.choose(a.request)), 1)
	}
	return max(a.floor, 1)
}

// keeps reports whether the budget takes nothing from what is in force of this amount.
func (f fitting) keeps(a *amount) bool { return (a.pinned || a.held) && !f.budget.Refuses }

// asksForMore reports whether a person has to decide, because what does not fit is needed or may not be had.
func (f fitting) asksForMore() bool {
	switch {
	case f.budget.Soft, f.budget.OnlyNewPods, f.tempo == apply.ForRunningPod:
		return false
	case f.budget.OnlyRaises: // What is in force is no news to the node, a floor over it is.
		return slices.ContainsFunc(f.amounts, func(a *amount) bool { return max(a.floor, 1) > f.choose(a.request) })
	}
	return true
}

// stay raises nothing, takes from running pods what may be taken, and says that new ones are over the budget all the same.
func (f fitting) stay() {
	low := f.unraised
	if f.tempo == apply.ForRunningPod {
		low = f.least
	}
	for i, a := range f.amounts {
		*f.value(a) = min(low(a), f.wanted[i])
	}
	if f.budget.Soft || f.tempo != apply.ForNewPod {
		return
	}
	f.findings = append(f.findings, sizing.Finding{
		Type: cmp.Or(f.budget.Finding, FindingDoesNotFit), Severity: "warning",
		Message: fmt.Sprintf("Its %s is not lowered to fit, so another pod may find no room: %s.", f.name, f.budget.Why),
	})
}

// tell records what was cut.
func (f fitting) tell() {
	what := "target"
	if f.tempo == apply.ForRunningPod {
		what = "in place"
	}
	for i, a := range f.amounts {
		got, wanted := *f.value(a), f.wanted[i]
		if got == wanted {
			continue
		}
		f.because(a.container, f.budget.Rule, fmt.Sprintf("%s %s %s → %s: %s", f.name, what, a.format(wanted), a.format(got), f.budget.Why))
		if f.budget.Finding != "" && f.tempo == apply.ForNewPod && got < wanted {
			f.findings = append(f.findings, sizing.Finding{
				Type: f.budget.Finding, Severity: "warning", Container: a.container,
				Message: fmt.Sprintf("The container gets %s of %s instead of %s: %s.", a.format(got), f.name, a.format(wanted), f.budget.Why),
			})
		}
	}
}

// over reports whether the pod is over the budget.
func (f fitting) over() bool {
	pod := apply.PodResources(f.members(apply.Desired(f.values(), f.template, f.tempo)))
	requests, limits := pick(f.name, f.budget.Requests), pick(f.name, f.budget.Limits)
	return (requests > 0 && pick(f.name, pod.Requests) > requests) || (limits > 0 && pick(f.name, pod.Limits) > limits)
}

// shrink goes the largest share of the way from low to wanted that is not over the budget, in thousandths, and hands out what
// then remains in the order of the containers. It is false, and nothing is changed, if not even low fits.
func (f fitting) shrink(low func(*amount) int64) bool {
	const whole = 1000
	from := make([]int64, len(f.amounts))
	for i, a := range f.amounts {
		from[i] = min(low(a), f.wanted[i])
	}
	if f.set(from); f.over() {
		f.set(f.wanted)
		return false
	}
	f.largest(0, whole, func(share int64) {
		for i, a := range f.amounts {
			way := f.wanted[i] - from[i]
			*f.value(a) = from[i] + way/whole*share + way%whole*share/whole
		}
	})
	for i, a := range f.amounts {
		f.largest(*f.value(a), f.wanted[i], func(v int64) { *f.value(a) = v })
	}
	return true
}

// largest sets the largest number from a lowest, which fits, up to a highest that is not over the budget.
func (f fitting) largest(fits, highest int64, set func(int64)) {
	exceeds := highest + 1
	for exceeds-fits > 1 {
		middle := fits + (exceeds-fits)/2
		if set(middle); f.over() {
			exceeds = middle
		} else {
			fits = middle
		}
	}
	set(fits)
}

// keepTrifles keeps what was decided before where that fits too and is nearly the same.
func (f fitting) keepTrifles() {
	var found, before []int64
	for _, a := range f.amounts {
		was, is := f.choose(a.before), *f.value(a)
		if was != is && (was < f.least(a) || !f.trifle(was, is)) {
			return
		}
		found, before = append(found, is), append(before, was)
	}
	if f.set(before); f.over() {
		f.set(found)
	}
}

// giveUp leaves a resource as it is in force, or as the template has it where that is over the budget as well. The template takes
// nothing that has to be kept, and no memory that was seen in use.
func (f fitting) giveUp() {
	need, stays := int64(0), slices.ContainsFunc(f.amounts, func(a *amount) bool {
		return a.sized && (f.budget.OnlyRaises || f.keeps(a) || pick(f.name, f.template[a.container].Requests) < a.observed)
	})
	for _, a := range f.amounts {
		need += max(a.floor, 1)
		f.leave(a, f.budget.Rule, f.budget.Why)
	}
	if !stays && f.over() {
		for _, a := range f.amounts {
			f.forget(a, f.budget.Rule, f.budget.Why)
		}
	}
	if !stays && f.over() { // Then what is in force is at least known to be as good.
		for _, a := range f.amounts {
			f.leave(a, f.budget.Rule, f.budget.Why)
		}
	}
	kind := f.budget.Finding
	if kind == "" {
		kind = FindingDoesNotFit
	}
	f.findings = append(f.findings, sizing.Finding{
		Type: kind, Severity: "critical",
		Message: fmt.Sprintf("Its containers need at least %s of %s together and do not get it: %s; the %s is left as it is.",
			f.amounts[0].format(need), f.name, f.budget.Why, f.name),
	})
}
