package plan_test

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/updater/plan"
)

// simulation is a cluster, and an updater's memory of what it did to it. Its API server and nodes give every answer that they have,
// and its caches lag behind by most of a minute.
type simulation struct {
	now   time.Time
	truth plan.Snapshot
	// cached is what the updater sees since lagsSince; nil while caches are up to date.
	cached    *plan.Snapshot
	lagsSince time.Time
	// budget with what the updater remembers, which a restart leaves with times to the second and without pods.
	budget plan.Budget
	// notBefore and refused are the updater's memory as well.
	notBefore, refused map[types.UID]time.Time
	// done is what really happened, in order: what an auditor would find.
	done []plan.Spent
	// perfect: whatever is asked for is done.
	perfect bool
	born    int
}

// mostLag is less than the minute for which a plan remembers which pods it evicted.
const mostLag = 50 * time.Second

// newSimulation is a cluster in which budgets bind: most workloads would have all their pods evicted at once.
func newSimulation(t *rapid.T) *simulation {
	s := &simulation{now: now, truth: drawSnapshot(t), notBefore: map[types.UID]time.Time{}, refused: map[types.UID]time.Time{}}
	s.truth.Gate.Open, s.truth.KillSwitch, s.truth.Breaker = true, "", ""
	s.budget = plan.Budget{
		EvictionsPerMinute:        rapid.IntRange(1, 5).Draw(t, "evictionsPerMinute"),
		NamespaceEvictionsPerHour: rapid.IntRange(2, 12).Draw(t, "namespaceEvictionsPerHour"),
		ResizesPerMinute:          rapid.IntRange(1, 5).Draw(t, "resizesPerMinute"),
	}
	for i := range s.truth.Workloads {
		w := &s.truth.Workloads[i]
		w.Disruption.MinReplicas, w.Disruption.EvictionsPerHour = rapid.Int32Range(1, 3).Draw(t, "minReplicas"), rapid.Int32Range(2, 6).Draw(t, "evictionsPerHour")
		for len(w.Pods) < 5 {
			w.Pods = append(w.Pods, drawPod(t, fmt.Sprintf("%s-more-%d", w.Name, len(w.Pods))))
		}
		w.Replicas = int32(len(w.Pods)) //nolint:gosec // a handful
		w.Values.Replicas = new(rapid.Int32Range(1, 9).Draw(t, "replicas"))
		if rapid.Bool().Draw(t, "evicts") {
			w.Kind, w.Custom, w.Updater = "Deployment", false, v1alpha1.UpdaterEvict
			for j := range s.truth.Autoscalers {
				if a := &s.truth.Autoscalers[j]; a.Name == w.Autoscaler {
					a.Target = w.Key
				}
			}
			w.Disruption.MaxUnavailable = intstr.FromString(rapid.SampledFrom([]string{"60%", "100%"}).Draw(t, "unavailable"))
			w.Mode, w.Hold = v1alpha1.ModeAuto, nil
			s.drift(w, 25)
		}
	}
	return s
}

// copied is a snapshot that later changes of the cluster do not reach.
func copied(s plan.Snapshot) plan.Snapshot {
	s.Workloads, s.Autoscalers = slices.Clone(s.Workloads), slices.Clone(s.Autoscalers)
	for i := range s.Workloads {
		s.Workloads[i].Pods = slices.Clone(s.Workloads[i].Pods)
		for j := range s.Workloads[i].Pods {
			s.Workloads[i].Pods[j].DisruptionBudgets = slices.Clone(s.Workloads[i].Pods[j].DisruptionBudgets)
		}
	}
	return s
}

// view is what the updater gathers: what the caches show, and what it remembers of refusals. The gate is never cached.
func (s *simulation) view() plan.Snapshot {
	seen := copied(s.truth)
	if s.cached != nil {
		seen = copied(*s.cached)
		seen.Gate, seen.KillSwitch = s.truth.Gate, s.truth.KillSwitch
		seen.Breaker, seen.Cures, seen.GivesBack = s.truth.Breaker, s.truth.Cures, s.truth.GivesBack
	}
	for i := range seen.Workloads {
		for j := range seen.Workloads[i].Pods {
			p := &seen.Workloads[i].Pods[j]
			p.NotBefore = s.notBefore[p.UID]
			if at, ok := s.refused[p.UID]; ok && s.now.Sub(at) < 5*time.Minute {
				p.ResizeRefused = "no"
			}
		}
	}
	return seen
}

// pass lets time pass. Caches catch up in time.
func (s *simulation) pass(d time.Duration) {
	s.now = s.now.Add(d)
	if s.cached != nil && s.now.Sub(s.lagsSince) >= mostLag {
		s.cached = nil
	}
}

func (s *simulation) workload(key plan.Key) *plan.Workload {
	return &s.truth.Workloads[slices.IndexFunc(s.truth.Workloads, func(w plan.Workload) bool { return w.Key == key })]
}

// anyPod is some pod and its workload, or nil.
func (s *simulation) anyPod(t *rapid.T) (*plan.Workload, *plan.Pod) {
	w := &s.truth.Workloads[rapid.IntRange(0, len(s.truth.Workloads)-1).Draw(t, "workload")]
	if len(w.Pods) == 0 {
		return w, nil
	}
	return w, &w.Pods[rapid.IntRange(0, len(w.Pods)-1).Draw(t, "pod")]
}

// ask carries out an action, or answers something else, and notes what an updater notes.
func (s *simulation) ask(t *rapid.T, a plan.Action) {
	answers := []string{"done", "done", "done", "done", "refused", "lost", "done, and the answer lost"}
	answer := "done"
	if !s.perfect {
		answer = rapid.SampledFrom(answers).Draw(t, "answer")
	}
	w := s.workload(a.Workload)
	at := slices.IndexFunc(w.Pods, func(p plan.Pod) bool { return p.UID == a.UID })
	spent := a.Costs(s.now)
	switch {
	case a.Kind == plan.Minimum:
		if changed := autoscalerOf(s.truth, a).Min != a.From; answer == "done" && !changed {
			setMinimum(s.truth, a)
		}
		return
	case a.Kind == plan.Scale && (w.Replicas != a.From || answer == "refused"):
		return // changed, or not permitted
	case a.Kind == plan.Scale && answer == "lost":
		s.budget.Spent = append(s.budget.Spent, spent...)
		return
	case a.Kind == plan.Scale:
		s.scale(w, a.To)
	case at < 0:
		return // gone
	case a.Kind == plan.Evict && !s.mayDisrupt(w.Pods[at]), answer == "refused" && a.Kind == plan.Evict:
		s.notBefore[a.UID] = s.now.Add(15 * time.Second)
		return
	case answer == "lost":
		s.budget.Spent = append(s.budget.Spent, spent...)
		s.notBefore[a.UID] = s.now.Add(15 * time.Second)
		return
	case answer == "refused":
		s.refused[a.UID] = s.now
		return
	case a.Kind == plan.Resize:
		s.resize(t, &w.Pods[at], a)
	default:
		s.evict(w, at)
	}
	s.budget.Spent = append(s.budget.Spent, spent...)
	s.done = append(s.done, spent...)
}

// mayDisrupt is what the API server says about PodDisruptionBudgets.
func (s *simulation) mayDisrupt(p plan.Pod) bool {
	switch len(p.DisruptionBudgets) {
	case 0:
		return true
	case 1:
		return p.DisruptionBudgets[0].Allowed > 0
	default:
		return false
	}
}

// allow changes by how much a PodDisruptionBudget may be disrupted, as every pod shows it that it selects.
func (s *simulation) allow(namespace string, budgets []plan.DisruptionBudget, change int32) {
	for i := range s.truth.Workloads {
		w := &s.truth.Workloads[i]
		for j := range w.Pods {
			for k := range w.Pods[j].DisruptionBudgets {
				b := &w.Pods[j].DisruptionBudgets[k]
				if w.Namespace == namespace && slices.ContainsFunc(budgets, func(o plan.DisruptionBudget) bool { return o.Name == b.Name }) {
					b.Allowed = max(0, b.Allowed+change)
				}
			}
		}
	}
}

func (s *simulation) evict(w *plan.Workload, at int) {
	gone := w.Pods[at]
	w.Pods = slices.Delete(slices.Clone(w.Pods), at, at+1)
	w.Pods = append(w.Pods, s.successor(w, gone))
	s.allow(w.Namespace, gone.DisruptionBudgets, -1)
}

// successor comes from admission with the sizes of new pods, and is not ready yet.
func (s *simulation) successor(w *plan.Workload, of plan.Pod) plan.Pod {
	s.born++
	present := maps.Clone(of.Original)
	maps.Copy(present, apply.Desired(w.Values, of.Original, apply.ForNewPod))
	name := fmt.Sprintf("%s-new-%d", w.Name, s.born)
	return plan.Pod{
		Name: name, UID: types.UID("uid-" + name), ResizeSupported: of.ResizeSupported, InjectedRevision: w.Revision, Change: s.now,
		Original: of.Original, Present: present, Actual: present, DisruptionBudgets: of.DisruptionBudgets, Fixed: of.Fixed, Pinned: of.Pinned,
	}
}

// drift gives the pods of a workload so many percent of what they should have, as if it had become another one.
func (s *simulation) drift(w *plan.Workload, percent int64) {
	target := w.Values.Containers[0].Target
	have := map[string]apply.Resources{"app": {Requests: apply.Amounts{
		CPUMillis: max(1, target.CPUMillis*percent/100), MemoryBytes: max(apply.MiB, target.MemoryBytes*percent/100),
	}}}
	for i := range w.Pods {
		p := &w.Pods[i]
		p.Original, p.Present, p.Actual, p.Resize, p.InjectedRevision = have, have, have, plan.ResizeStatus{}, ""
		p.Change, p.Mark = time.Time{}, nil
	}
}

func (s *simulation) settleAll() {
	for i := range s.truth.Workloads {
		s.settle(&s.truth.Workloads[i])
	}
}

// settle makes the pods of a workload ready.
func (s *simulation) settle(w *plan.Workload) {
	for i := range w.Pods {
		if p := &w.Pods[i]; !p.Terminating && (!p.Ready || !p.Running) {
			p.Ready, p.Running, p.Unschedulable, p.Stranded = true, true, false, false
			s.allow(w.Namespace, p.DisruptionBudgets, 1)
		}
	}
}

func (s *simulation) resize(t *rapid.T, p *plan.Pod, a plan.Action) {
	present := maps.Clone(p.Present)
	maps.Copy(present, a.Containers)
	p.Present, p.Resize, p.Change, p.Mark = present, plan.ResizeStatus{}, s.now, a.Mark
	state := plan.ResizeNone
	if !s.perfect {
		state = rapid.SampledFrom([]plan.ResizeState{
			plan.ResizeNone, plan.ResizeNone, plan.ResizeInProgress, plan.ResizeDeferred, plan.ResizeInfeasible, plan.ResizeError,
		}).Draw(t, "node")
	}
	if state == plan.ResizeNone {
		p.Actual = present
		return
	}
	p.Resize = plan.ResizeStatus{State: state, Since: s.now}
	p.RoomOn = rapid.SampledFrom([]string{"", "node-1", "node-2"}).Draw(t, "room")
}

func (s *simulation) scale(w *plan.Workload, to int32) {
	for len(w.Pods) > 0 && len(w.Pods) < int(to) {
		w.Pods = append(w.Pods, s.successor(w, w.Pods[0]))
	}
	w.Pods = slices.Clone(w.Pods[:min(len(w.Pods), int(to))])
	w.Replicas = to
}

// restart replaces the updater: its caches are new, and it remembers what is on record.
func (s *simulation) restart() {
	s.cached, s.notBefore, s.refused = nil, map[types.UID]time.Time{}, map[types.UID]time.Time{}
	for i := range s.budget.Spent {
		spent := &s.budget.Spent[i]
		spent.At, spent.PodUID = spent.At.Truncate(time.Second).Add(time.Second-1), ""
	}
}
