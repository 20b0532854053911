package recommender

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/recommender/guard"
)

// FindingUnschedulable says that pods found no node with the sizes that were recommended.
const FindingUnschedulable = "Unschedulable"

// How long sizes that found no node are not tried again: a day the first time, twice as long each time after, eight days at most.
const (
	unschedulableHold      = 24 * time.Hour
	maxUnschedulableDouble = 3
)

// Waiting is a pod that has found no node for a while, with sizes of ours.
type Waiting struct {
	Since time.Time
	// Revision that it was admitted with.
	Revision string
	// CPU and Memory say what the scheduler found missing.
	CPU, Memory bool
	// Requests of the pod as a whole.
	Requests apply.Amounts
}

// waitsForNode reads from the pod's status whether it has found no node since before a time, for lack of CPU or memory. The scheduler
// says so there; anybody could forge an Event.
func waitsForNode(pod *corev1.Pod, before time.Time) (Waiting, bool) {
	for _, c := range pod.Status.Conditions {
		if c.Type != corev1.PodScheduled || c.Status != corev1.ConditionFalse || c.Reason != corev1.PodReasonUnschedulable || pod.DeletionTimestamp != nil {
			continue
		}
		w := Waiting{
			// The condition's own time moves whenever its message does; the pod has waited since it was created.
			Since: pod.CreationTimestamp.UTC(), Revision: pod.Annotations[v1alpha1.AnnotationRevision],
			CPU: strings.Contains(c.Message, "Insufficient cpu"), Memory: strings.Contains(c.Message, "Insufficient memory"),
			Requests: apply.PodResources(apply.Members(pod.Spec)).Requests,
		}
		return w, w.Revision != "" && (w.CPU || w.Memory) && w.Since.Before(before)
	}
	return Waiting{}, false
}

// Reach is the most that a pod may ask for because more found no node.
type Reach struct {
	// Requests of the pod as a whole; 0 is no bound.
	Requests apply.Amounts
	// Since is when the last pod began to wait, Until how long the bound holds, Times how often it was needed.
	Since, Until time.Time
	Times        int32
}

// reach returns the bound that is in force: that of the memory, or a new one if a pod waits with the sizes in force and asks
// for more than its template. What the scheduler misses is lowered to what the emptiest node has left, though not under what
// the template asks for: where that finds no node either, it is not our doing. While a bound holds, it only gets tighter.
func (p pass) reach() *Reach {
	known, next := p.mem.Reach, p.learnt()
	holds := known != nil && p.now.Before(known.Until)
	switch {
	case next.Since.IsZero() && known != nil && !holds:
		return &Reach{Times: known.Times, Since: known.Since, Until: known.Until} // How often is remembered, the bound is over.
	case next.Since.IsZero():
		return known
	case holds:
		tighter := apply.Amounts{
			CPUMillis:   smaller(next.Requests.CPUMillis, known.Requests.CPUMillis),
			MemoryBytes: smaller(next.Requests.MemoryBytes, known.Requests.MemoryBytes),
		}
		if tighter == known.Requests {
			return known
		}
		return &Reach{Requests: tighter, Since: next.Since, Until: known.Until, Times: known.Times}
	case known != nil:
		next.Times = known.Times
	}
	next.Until = p.now.Add(unschedulableHold << min(next.Times, maxUnschedulableDouble))
	next.Times++
	return &next
}

// learnt is what the pods that wait now say, without an end. Since is zero if they say nothing. A pod that waits with sizes of the
// past says something only if its successor would ask for as much or more, and none does while another runs with as much: the
// size finds nodes then, and the cluster is full. Of a DaemonSet nothing is free and nothing placed: a pod that waits has one node to go to.
func (p pass) learnt() Reach {
	var next Reach
	if p.mem.Applicable == nil {
		return next
	}
	template, successor := p.podWith(nil).Requests, p.podWith(&p.mem.Applicable.Values).Requests
	for _, w := range p.in.Waiting {
		past, room := w.Revision != p.mem.Applicable.Revision, p.in.emptiest(w.Requests)
		says := func(name func(apply.Amounts) int64) bool {
			asks := name(w.Requests)
			return asks > name(template) && asks > name(p.in.Placed) && (!past || name(successor) >= asks)
		}
		if w.CPU && says(cpuOf) {
			next.Requests.CPUMillis, next.Since = max(template.CPUMillis, room.CPUMillis, 1), w.Since
		}
		if w.Memory && says(memoryOf) {
			next.Requests.MemoryBytes, next.Since = max(template.MemoryBytes, room.MemoryBytes, 1), w.Since
		}
	}
	return next
}

func cpuOf(a apply.Amounts) int64    { return a.CPUMillis }
func memoryOf(a apply.Amounts) int64 { return a.MemoryBytes }

// crowded tells of a pod that finds no node with our sizes although others run with as much.
func (p pass) crowded() []v1alpha1.Finding {
	template := p.podWith(nil).Requests
	for _, w := range p.in.Waiting {
		for _, r := range []struct {
			missed bool
			name   string
			of     func(apply.Amounts) int64
		}{{w.CPU, "CPU", cpuOf}, {w.Memory, "memory", memoryOf}} {
			if asks := r.of(w.Requests); r.missed && asks > r.of(template) && asks <= r.of(p.in.Placed) {
				return []v1alpha1.Finding{{
					Type: FindingUnschedulable, Severity: v1alpha1.SeverityWarning,
					Message: fmt.Sprintf("A pod has found no node since %s for lack of %s. Its size is kept, because another pod of the workload "+
						"runs with as much: make room, or set a lower maximum in the policy.", w.Since.Format(time.RFC3339), r.name),
				}}
			}
		}
	}
	return nil
}

// smaller returns the smaller bound, where 0 is none.
func smaller(a, b int64) int64 {
	if a == 0 || (b > 0 && b < a) {
		return b
	}
	return a
}

// emptiest is what the node has left that comes closest to what a pod asks for, in the resource of which it has the smaller share.
func (in Input) emptiest(asks apply.Amounts) apply.Amounts {
	var best apply.Amounts
	most := -1.0
	for _, n := range in.Free {
		part := min(float64(n.Room.CPUMillis)/float64(max(asks.CPUMillis, 1)), float64(n.Room.MemoryBytes)/float64(max(asks.MemoryBytes, 1)))
		if part > most {
			best, most = n.Room, part
		}
	}
	return best
}

// budget bounds new pods, while the bound holds. It is never less than what a pod of the workload runs with already: it is there to
// let a pod start, and not to take from a workload what it has.
func (r *Reach) budget(now time.Time, placed apply.Amounts) []guard.Budget {
	if r == nil || r.Requests == (apply.Amounts{}) || !now.Before(r.Until) {
		return nil
	}
	b := guard.Budget{
		Rule: "unschedulable", Finding: FindingUnschedulable, OnlyNewPods: true,
		Why: fmt.Sprintf("a pod found no node with more since %s; it is tried again after %s", r.Since.Format(time.RFC3339), r.Until.Format(time.RFC3339)),
	}
	if r.Requests.CPUMillis > 0 {
		b.Requests.CPUMillis = max(r.Requests.CPUMillis, placed.CPUMillis)
	}
	if r.Requests.MemoryBytes > 0 {
		b.Requests.MemoryBytes = max(r.Requests.MemoryBytes, placed.MemoryBytes)
	}
	return []guard.Budget{b}
}

func (r *Reach) status() *v1alpha1.UnschedulableMemory {
	if r == nil {
		return nil
	}
	return &v1alpha1.UnschedulableMemory{
		Requests: claimedAmounts(r.Requests), Since: metav1.Time{Time: r.Since}, Until: metav1.Time{Time: r.Until}, Times: r.Times,
	}
}

func reachOf(m *v1alpha1.UnschedulableMemory) *Reach {
	if m == nil {
		return nil
	}
	return &Reach{
		Requests: apply.Amounts{CPUMillis: millis(m.Requests.CPU), MemoryBytes: bytes(m.Requests.Memory)},
		Since:    m.Since.UTC(), Until: m.Until.UTC(), Times: m.Times,
	}
}
