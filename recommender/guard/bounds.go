package guard

import (
	"fmt"
	"strings"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

// bound computes the hard bounds of a request: the policy, the LimitRanges for containers, and the node. A minimum yields to
// the ceiling; what was observed does not, and ceiling has to refuse where it contradicts. Where the policy and a LimitRange
// contradict, no value fits, and admissible has the last word.
func (d *draft) bound(a *amount) {
	a.atMost(a.policy.Max, "the policy allows at most %s")
	a.atLeastOf(legal(a.policy.Min), "the policy asks for at least %s")
	for _, b := range d.in.LimitBounds {
		if b.OfPod {
			continue
		}
		bound := a.boundOf(b)
		a.ranges = append(a.ranges, bound)
		a.atMost(bound.Max, "LimitRange "+b.Name+" allows a container at most %s")
		a.atLeastOf(legal(bound.Min), "LimitRange "+b.Name+" asks for at least %s")
		if a.policy.Limit == string(v1alpha1.LimitKeep) {
			a.atLeastOf(legal(bound.RequestFor(a.of(d.template[a.container].Limits))),
				fmt.Sprintf("LimitRange %s allows a limit of %g times the request, which is %%s at least", b.Name, bound.Ratio))
		}
	}
	a.written = a.ceiling
	d.boundByNode(a)
	if a.name == memoryName && a.ceiling > 0 {
		// Down to whole MiB: rounding up later must not leave the bound.
		a.ceiling = max(a.ceiling/apply.MiB*apply.MiB, apply.MiB)
	}
	if a.ceiling > 0 {
		a.floor = min(a.floor, a.ceiling)
	}
	a.ceilingWhy = strings.Replace(a.ceilingWhy, "%s", a.format(a.ceiling), 1)
	a.floorWhy = strings.Replace(a.floorWhy, "%s", a.format(a.floor), 1)
	if a.observed >= a.floor && a.observed > 0 {
		a.floor, a.floorWhy = a.observed, "one pod was seen to use "+a.format(a.observed)
		if a.oomFloor > a.peak {
			a.floorWhy = "an out-of-memory kill demands at least " + a.format(a.observed)
		}
	}
}

// boundByNode holds raises at what the largest node has; where each node has to run a pod, the smallest. What is in force stays, however small the nodes are that can be seen at
// present: the large one may be cordoned for an hour, and the pods on it go on running.
//
// Example: 12 cores in force, the largest node that is left has 4 → 12 cores.
func (d *draft) boundByNode(a *amount) {
	room := a.of(d.node.Room)
	if present := max(a.request.target, a.request.inPlace); room > 0 && room < present {
		a.atMost(present, "it is not raised over %s, because the "+d.whichNode()+" node has "+a.format(room)+" for it ("+d.node.Name+")")
		return
	}
	a.atMost(room, "the "+d.whichNode()+" node has %s for it ("+d.node.Name+")")
}

// whichNode says which of the nodes bounds a pod.
func (d *draft) whichNode() string {
	if d.in.OnEveryNode {
		return "smallest"
	}
	return "largest"
}

// atMost lowers the ceiling; 0 is no bound. In the sentence, %s is where the ceiling goes.
func (a *amount) atMost(v int64, why string) {
	if v > 0 && (a.ceiling == 0 || v < a.ceiling) {
		a.ceiling, a.ceilingWhy = v, why
	}
}

// atLeastOf raises the floor. In the sentence, %s is where the floor goes.
func (a *amount) atLeastOf(v int64, why string) {
	if v = roundUp(a.name, v); v > a.floor {
		a.floor, a.floorWhy = v, why
	}
}

// of returns the amount's resource out of both.
func (a *amount) of(v apply.Amounts) int64 { return pick(a.name, v) }

func pick(name string, v apply.Amounts) int64 {
	if name == cpuName {
		return v.CPUMillis
	}
	return v.MemoryBytes
}

func (a *amount) boundOf(b apply.LimitBound) apply.ResourceBound {
	if a.name == cpuName {
		return b.CPU
	}
	return b.Memory
}

// mostLimit is the largest limit that the policy, LimitRanges and the node allow beside the target. The node takes nothing from a
// limit that we put in force, and the smallest of many nothing from any: on the others a pod may use more than it asked for.
func (d *draft) mostLimit(a *amount) int64 {
	most := int64(maxAmount)
	if a.written > 0 {
		most = a.written
	}
	if room := a.of(d.node.Room); room > 0 && !d.in.OnEveryNode {
		if a.sized {
			room = max(room, a.limit)
		}
		most = min(most, max(room, a.request.target, a.request.inPlace))
	}
	for _, b := range a.ranges {
		if v := b.LimitFor(a.target); v > 0 {
			most = min(most, v)
		}
	}
	return most
}

// needsLimit says that a container without this limit is refused, or is given one by its namespace.
func (d *draft) needsLimit(a *amount) bool {
	for _, b := range a.ranges {
		if b.NeedsLimit() {
			return true
		}
	}
	if a.name == cpuName {
		return d.in.CPULimitRequired
	}
	return d.in.MemoryLimitRequired
}

// bestNode returns the node on which what is proposed fits. Where it fits on none it is the node that cuts the memory least,
// then the CPU: a pod that has its CPU on one node and its memory on another fits nowhere.
func (d *draft) bestNode() Node {
	var wanted []apply.Member
	for _, c := range d.in.Containers {
		m := d.member(c, d.template[c.Name])
		if p := proposalFor(d.in.Proposal, c.Name); !c.Excluded {
			m.Resources.Requests = apply.Amounts{
				CPUMillis:   max(legal(p.Target.CPUMillis), legal(p.InPlace.CPUMillis)),
				MemoryBytes: max(legal(p.Target.MemoryBytes), legal(p.InPlace.MemoryBytes), legal(c.PeakMemoryBytes), legal(c.OOMFloorBytes)),
			}
		}
		wanted = append(wanted, m)
	}
	need := apply.PodResources(wanted).Requests
	var best Node
	for _, n := range d.in.Nodes {
		if best == (Node{}) || fitsBetter(n, best, need) {
			best = n
		}
	}
	return best
}

func fitsBetter(a, b Node, need apply.Amounts) bool {
	memoryA, memoryB := min(a.Room.MemoryBytes, need.MemoryBytes), min(b.Room.MemoryBytes, need.MemoryBytes)
	cpuA, cpuB := min(a.Room.CPUMillis, need.CPUMillis), min(b.Room.CPUMillis, need.CPUMillis)
	switch {
	case memoryA != memoryB:
		return memoryA > memoryB
	case cpuA != cpuB:
		return cpuA > cpuB
	case a.Room.MemoryBytes != b.Room.MemoryBytes:
		return a.Room.MemoryBytes > b.Room.MemoryBytes
	case a.Room.CPUMillis != b.Room.CPUMillis:
		return a.Room.CPUMillis > b.Room.CPUMillis
	}
	return a.Name < b.Name
}
