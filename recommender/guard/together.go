package guard

import (
	"fmt"
	"maps"
	"slices"

	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

// Findings about pods that do not fit.
const (
	// FindingDoesNotFit says that what a pod needs is more than its node, a LimitRange or a quota has for it.
	FindingDoesNotFit = "PodDoesNotFit"
	// FindingLimitRange says that a LimitRange refuses every size that could be decided.
	FindingLimitRange = "LimitRangeRefuses"
)

// together holds all containers of a pod inside what one pod may have: containers that fit alone may not fit together. It runs
// after all rules and wins over those that only ask for caution, though not over the memory that was observed. Nothing but a bound
// that a person wrote takes what is in force from an amount that is pinned, or held by a window or a rollback.
//
// What was decided before stays as far as it fits. Else the raises are made smaller, all by the same share, and then everything
// that may be lowered, down to the floors. Where not even that fits, the resource is left as it is, and a finding asks a person.
//
// Example: a node with 8 cores, two containers that have 2 and want 6 each → 4 each.
func (d *draft) together() {
	for _, b := range d.budgets() {
		for _, name := range []string{cpuName, memoryName} {
			d.fit(b, name, apply.ForNewPod)
			if !b.OnlyNewPods {
				d.fit(b, name, apply.ForRunningPod)
			}
		}
	}
}

// budgets are those of the input, the node's, and those of LimitRanges for pods.
func (d *draft) budgets() []Budget {
	all := d.in.Budgets
	if d.node.Room != (apply.Amounts{}) {
		why := fmt.Sprintf("the %s node, %s, has %s and %s for the pod", d.whichNode(), d.node.Name,
			apply.FormatCPU(d.node.Room.CPUMillis), apply.FormatMemory(d.node.Room.MemoryBytes))
		all = append(slices.Clip(all), Budget{Rule: "ceiling", Why: why, Requests: d.node.Room, OnlyRaises: true})
	}
	for _, b := range d.in.LimitBounds {
		if !b.OfPod {
			continue
		}
		most := apply.Amounts{CPUMillis: b.CPU.Max, MemoryBytes: b.Memory.Max}
		all = append(slices.Clip(all), Budget{
			Rule: "limit-range", Why: "LimitRange " + b.Name + " bounds the pod as a whole", Requests: most, Limits: most, Refuses: true,
		})
	}
	return all
}

// leave puts an amount back to what is in force, and takes back any opinion where the template rules.
func (d *draft) leave(a *amount, rule, why string) {
	a.pinned = false
	if a.sized {
		d.pin(a, a.request, rule, why)
		return
	}
	d.forget(a, rule, why)
}

// member is a container with what it has.
func (*draft) member(c Container, has apply.Resources) apply.Member {
	return apply.Member{Name: c.Name, Resources: has, Init: c.Init, Sidecar: c.Sidecar}
}

// members lists the containers of the pod with the sizes that are given, in the order in which they start.
func (d *draft) members(sized map[string]apply.Resources) []apply.Member {
	var first, then []apply.Member
	for _, c := range d.in.Containers {
		has, ok := sized[c.Name]
		if !ok {
			has = d.template[c.Name]
		}
		if m := d.member(c, has); c.Init || c.Sidecar {
			first = append(first, m)
		} else {
			then = append(then, m)
		}
	}
	return append(first, then...)
}

// admissible returns values that no LimitRange refuses. Rules and budgets fit what can be fitted; what is refused all the same
// is left as it is in force, then as the template has it.
func (d *draft) admissible() apply.Values {
	values := d.values()
	for range 2 * (len(d.sizes) + 1) {
		refusal, refused := apply.Refused(d.in.LimitBounds, d.members(nil), apply.Desired(values, d.template, apply.ForNewPod))
		if !refused {
			return d.resizable(values)
		}
		changed := false
		d.each(func(_ *size, a *amount) {
			if !a.refusedBy(refusal) {
				return
			}
			if a.sized && (a.target != a.request.target || a.inPlace != a.request.inPlace) {
				d.leave(a, "limit-range", refusal.Text)
			} else {
				d.forget(a, "limit-range", refusal.Text)
			}
			changed = true
		})
		if !changed { // It is the owner's own doing.
			return values
		}
		d.findings = append(d.findings, sizing.Finding{
			Type: FindingLimitRange, Severity: "warning", Container: refusal.Container,
			Message: fmt.Sprintf("No size of its %s fits: %s. It is left as it is; widen the LimitRange or the policy.", refusal.Resource, refusal.Text),
		})
		values = d.values()
	}
	return values
}

// refusedBy reports whether the amount is sized and a refusal is about it.
func (a *amount) refusedBy(r apply.Refusal) bool {
	return a.target > 0 && a.name == string(r.Resource) && (r.Container == "" || a.container == r.Container)
}

// resizable gives running pods what new ones get where a LimitRange refuses what they were to have: the API server refuses a resize as a
// whole. A pod that keeps a larger memory limit than new ones get may be refused all the same, which only its updater can see.
//
// Example: a limit of at most 2 times the request, target 400m with a limit of 800m, in place 300m → 400m.
func (d *draft) resizable(values apply.Values) apply.Values {
	for range 2 * len(d.sizes) {
		running := apply.Desired(values, d.template, apply.ForNewPod)
		pod := maps.Clone(d.template)
		maps.Copy(pod, running)
		resized, err := apply.Resize(values, d.template, pod)
		if err != nil { // No pod like this is resized.
			return values
		}
		for name := range running {
			running[name] = resized[name]
		}
		refusal, refused := apply.Refused(d.in.LimitBounds, d.members(nil), running)
		changed := false
		d.each(func(_ *size, a *amount) {
			if refused && a.refusedBy(refusal) && a.inPlace != a.target {
				d.because(a.container, "limit-range", fmt.Sprintf("%s in place %s → %s: %s", a.name, a.format(a.inPlace), a.format(a.target), refusal.Text))
				a.inPlace, changed = a.target, true
			}
		})
		if !changed {
			return values
		}
		values = d.values()
	}
	return values
}
