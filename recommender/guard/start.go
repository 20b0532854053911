package guard

import (
	"maps"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

// Names of the resources.
const (
	cpuName    = "cpu"
	memoryName = "memory"
)

// newDraft starts from the proposal. A resource without a proposal stays as it is in force: a history that got lost must
// not take back what was decided with it.
func newDraft(in Input) *draft {
	d := &draft{in: in, template: make(map[string]apply.Resources, len(in.Containers))}
	for _, c := range in.Containers {
		d.template[c.Name] = resources(c.Current).Defaulted()
	}
	d.node = d.bestNode()
	forNew := d.inForce()
	for _, c := range in.Containers {
		if !c.Excluded {
			d.sizes = append(d.sizes, d.newSize(c, forNew[c.Name].Limits))
		}
	}
	return d
}

// newSize gathers what the rules have to know about one container, whose new pods have these limits.
//
// The requests in force are those that were decided, and not what apply.Desired makes of them: that may be a step less, and a
// number that is held must not change by being looked at.
func (d *draft) newSize(c Container, limits apply.Amounts) *size {
	in := d.in
	s := &size{container: c, proposal: proposalFor(in.Proposal, c.Name)}
	ours, before := container(in.Applicable, c.Name), container(in.Previous, c.Name)
	target, inPlace := apply.Round(ours.Target), apply.Round(ours.InPlace)
	memory, template := in.Memory.Containers[c.Name], apply.Round(d.template[c.Name].Requests)
	s.cpu = &amount{
		container: c.Name, name: cpuName, policy: in.Policy.CPU, hours: s.proposal.CPUHours, runs: s.proposal.Runs,
		inForce: inForce{
			sized:   ours.Target.CPUMillis > 0,
			request: beforeOr(target.CPUMillis, inPlace.CPUMillis, template.CPUMillis),
			limit:   limits.CPUMillis, rule: ours.CPULimit,
		},
		before:      beforeOr(before.Target.CPUMillis, before.InPlace.CPUMillis, template.CPUMillis),
		beforeLimit: before.CPULimit,
		last:        movedAt{memory.CPURaised, memory.CPULowered, memory.CPUInPlaceMoved},
		used:        roundUp(cpuName, legal(s.proposal.UsedMillis)),
	}
	s.memory = &amount{
		container: c.Name, name: memoryName, policy: in.Policy.Memory, hours: s.proposal.MemoryHours, runs: s.proposal.Runs,
		peak: legal(c.PeakMemoryBytes), oomFloor: legal(c.OOMFloorBytes),
		inForce: inForce{
			sized:   ours.Target.MemoryBytes > 0,
			request: beforeOr(target.MemoryBytes, inPlace.MemoryBytes, template.MemoryBytes),
			limit:   limits.MemoryBytes, rule: ours.MemoryLimit,
		},
		before:      beforeOr(before.Target.MemoryBytes, before.InPlace.MemoryBytes, template.MemoryBytes),
		beforeLimit: before.MemoryLimit,
		last:        movedAt{raised: memory.MemoryRaised, lowered: memory.MemoryLowered},
	}
	s.memory.observed = roundUp(memoryName, max(s.memory.peak, s.memory.oomFloor))
	if apply.QOSClass(d.template) == "Guaranteed" || in.Policy.Memory.Limit == string(v1alpha1.LimitEqual) {
		// The request is the limit: a peak of three weeks ago would be a kill.
		s.memory.observed = max(s.memory.observed, roundUp(memoryName, legal(s.proposal.Peak.MemoryBytes)))
	}
	d.bound(s.cpu)
	d.bound(s.memory)
	d.propose(s.cpu, s.proposal.Target.CPUMillis, s.proposal.InPlace.CPUMillis)
	d.propose(s.memory, s.proposal.Target.MemoryBytes, s.proposal.InPlace.MemoryBytes)
	return s
}

// inForce returns what new pods get at present: the template, changed by Applicable.
func (d *draft) inForce() map[string]apply.Resources {
	out := maps.Clone(d.template)
	if d.in.Applicable != nil {
		maps.Copy(out, apply.Desired(*d.in.Applicable, d.template, apply.ForNewPod))
	}
	return out
}

// propose takes a proposed amount over, or what is in force where there is no usable one.
func (d *draft) propose(a *amount, target, inPlace int64) {
	if target > 0 && target <= maxAmount && inPlace >= 0 && inPlace <= maxAmount {
		a.target = roundUp(a.name, target)
		a.inPlace = a.target
		if inPlace > 0 {
			a.inPlace = roundUp(a.name, inPlace)
		}
		return
	}
	if target != 0 {
		d.because(a.container, "proposal", "the proposed "+a.name+" is not a usable number and was ignored")
	}
	d.holdBack(a, "proposal", "there is no new number")
}

// legal returns v if it is a usable amount, else 0.
func legal(v int64) int64 {
	if v < 0 || v > maxAmount {
		return 0
	}
	return v
}

func roundUp(name string, v int64) int64 {
	if name == cpuName {
		return apply.Round(apply.Amounts{CPUMillis: v}).CPUMillis
	}
	return apply.Round(apply.Amounts{MemoryBytes: v}).MemoryBytes
}

func beforeOr(target, inPlace, template int64) move {
	switch {
	case target > 0 && inPlace > 0:
		return move{target, inPlace}
	case target > 0:
		return move{target, target}
	}
	return move{template, template}
}

func container(v *apply.Values, name string) apply.Container {
	if v == nil {
		return apply.Container{}
	}
	c, _ := v.Container(name)
	return c
}

func proposalFor(p sizing.Proposal, name string) sizing.ContainerProposal {
	for _, c := range p.Containers {
		if c.Name == name {
			return c
		}
	}
	return sizing.ContainerProposal{Name: name}
}

func resources(r sizing.Resources) apply.Resources {
	return apply.Resources{Requests: apply.Amounts(r.Requests), Limits: apply.Amounts(r.Limits)}
}
