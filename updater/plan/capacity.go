package plan

import (
	"cmp"
	"slices"

	"github.com/loadline-dev/loadline/apply"
)

// SkipCapacity is why more pods of a workload wait.
const SkipCapacity SkipReason = "Capacity"

// scarce says which of the candidates that ask for more pods have to wait, because the nodes have no room for all and workloads of a
// higher priority ask for it too. Who fits goes; who does not fit goes as well where nobody more important waits: the
// scheduler and whoever adds nodes have to see what is needed.
//
// A workload is waiting for room while it asks for more pods in this plan, or has pods that no node has taken. With capacity that
// is not known, nobody waits.
func scarce(s Snapshot, candidates []candidate) map[Key]*Refused {
	if s.Free == nil {
		return nil
	}
	raises := slices.DeleteFunc(slices.Clone(candidates), func(c candidate) bool { return c.Kind != Scale || !c.Raise })
	slices.SortStableFunc(raises, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(rank(a.workload.Priority), rank(b.workload.Priority)), mostUrgentFirst(a, b))
	})
	foremost := lowest
	for _, w := range s.Workloads {
		if slices.ContainsFunc(w.Pods, func(p Pod) bool { return p.Unscheduled && !p.Terminating }) {
			foremost = min(foremost, rank(w.Priority))
		}
	}
	free, waiting := *s.Free, map[Key]*Refused{}
	for _, c := range raises {
		place, need := rank(c.workload.Priority), podsNeed(c)
		fits := need.CPUMillis <= max(free.CPUMillis, 0) && need.MemoryBytes <= max(free.MemoryBytes, 0)
		if !fits && foremost < place {
			waiting[c.Workload] = refuse(SkipCapacity, "%d more pods need %s and %s; the nodes have %s and %s, and workloads of a higher priority need more pods",
				c.To-c.From, apply.FormatCPU(need.CPUMillis), apply.FormatMemory(need.MemoryBytes),
				apply.FormatCPU(max(free.CPUMillis, 0)), apply.FormatMemory(max(free.MemoryBytes, 0)))
			continue
		}
		foremost = min(foremost, place)
		free.CPUMillis -= need.CPUMillis
		free.MemoryBytes -= need.MemoryBytes
	}
	return waiting
}

// lowest is a place behind every priority.
const lowest = 1 << 10

// podsNeed is what the pods ask for that a raise adds: what a new pod of the workload gets, for each. Init containers count,
// which errs on the side of too much; a workload without pods counts as nothing.
func podsNeed(c candidate) apply.Amounts {
	var one apply.Amounts
	if pods := c.workload.Pods; len(pods) > 0 {
		resources := apply.Desired(c.workload.Values, pods[0].Original, apply.ForNewPod)
		for name, original := range pods[0].Original {
			if _, sized := resources[name]; !sized {
				resources[name] = original
			}
		}
		for _, r := range resources {
			one.CPUMillis += r.Requests.CPUMillis
			one.MemoryBytes += r.Requests.MemoryBytes
		}
	}
	more := int64(c.To - c.From)
	return apply.Amounts{CPUMillis: one.CPUMillis * more, MemoryBytes: one.MemoryBytes * more}
}
