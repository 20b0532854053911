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
// the template asks for: where that finds no node either, it is not our doing.
func (p pass) reach() *Reach {
	known, next := p.mem.Reach, p.learnt()
	if next.Since.IsZero() {
		if known != nil && !p.now.Before(known.Until) {
			return &Reach{Times: known.Times, Since: known.Since, Until: known.Until} // How often is remembered, the bound is over.
		}
		return known
	}
	if known != nil {
		next.Times = known.Times
		if p.now.Before(known.Until) {
			next.Requests.CPUMillis = smaller(next.Requests.CPUMillis, known.Requests.CPUMillis)
			next.Requests.MemoryBytes = smaller(next.Requests.MemoryBytes, known.Requests.MemoryBytes)
		}
	}
	next.Until = p.now.Add(unschedulableHold << min(next.Times, maxUnschedulableDouble))
	next.Times++
	return &next
}

// learnt is what the pods that wait now say, without an end. Since is zero if they say nothing. A pod that waits with sizes of the
// past says something only if its successor would ask for as much or more.
func (p pass) learnt() Reach {
	var next Reach
	if p.mem.Applicable == nil {
		return next
	}
	template, successor := p.podWith(nil).Requests, p.podWith(&p.mem.Applicable.Values).Requests
	for _, w := range p.in.Waiting {
		past := w.Revision != p.mem.Applicable.Revision
		if w.CPU && w.Requests.CPUMillis > template.CPUMillis && (!past || successor.CPUMillis >= w.Requests.CPUMillis) {
			next.Requests.CPUMillis, next.Since = max(template.CPUMillis, p.in.emptiest().CPUMillis, 1), w.Since
		}
		if w.Memory && w.Requests.MemoryBytes > template.MemoryBytes && (!past || successor.MemoryBytes >= w.Requests.MemoryBytes) {
			next.Requests.MemoryBytes, next.Since = max(template.MemoryBytes, p.in.emptiest().MemoryBytes, 1), w.Since
		}
	}
	return next
}

// smaller returns the smaller bound, where 0 is none.
func smaller(a, b int64) int64 {
	if a == 0 || (b > 0 && b < a) {
		return b
	}
	return a
}

// emptiest is what the node with the most free memory, and of those the most free CPU, has left.
func (in Input) emptiest() apply.Amounts {
	if len(in.Free) == 0 {
		return apply.Amounts{}
	}
	return in.Free[0].Room
}

// budget is nil where the bound is over.
func (r *Reach) budget(now time.Time) []guard.Budget {
	if r == nil || r.Requests == (apply.Amounts{}) || !now.Before(r.Until) {
		return nil
	}
	return []guard.Budget{{
		Rule: "unschedulable", Finding: FindingUnschedulable, Requests: r.Requests,
		Why: fmt.Sprintf("a pod found no node with more since %s; it is tried again after %s", r.Since.Format(time.RFC3339), r.Until.Format(time.RFC3339)),
	}}
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
