package plan_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/updater/plan"
)

func TestWhateverTheClusterIsLikeAPlanKeepsEveryPromise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		snapshot, budget := drawSnapshot(t), drawBudget(t)
		result := plan.Plan(now, snapshot, budget)

		checkStops(t, snapshot, result)
		checkActions(t, now, snapshot, result)
		checkTrial(t, now, snapshot, result)
		checkBudgets(t, now, snapshot, budget, result)

		shuffled := shuffle(t, snapshot)
		if diff := cmp.Diff(result, plan.Plan(now, shuffled, budget), cmpopts.IgnoreUnexported(plan.Action{})); diff != "" {
			t.Fatalf("the order of the input matters:\n%s", diff)
		}
	})
}

func TestCarriedOutAgainAndAgainPlansComeToRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		snapshot := drawSnapshot(t)
		snapshot.Gate.Open, snapshot.KillSwitch, snapshot.Breaker = true, "", ""
		at := now
		for round := 0; ; round++ {
			actions := plan.Plan(at, snapshot, plenty).Actions
			if len(actions) == 0 {
				return
			}
			if round == 30 {
				t.Fatalf("still acting after %d rounds: %+v", round, actions)
			}
			for _, action := range actions {
				carryOut(snapshot, action)
			}
			at = at.Add(2 * time.Hour)
		}
	})
}

// carryOut does to the snapshot what Kubernetes and admission do to the cluster.
func carryOut(s plan.Snapshot, a plan.Action) {
	w := &s.Workloads[slices.IndexFunc(s.Workloads, func(w plan.Workload) bool { return w.Key == a.Workload })]
	switch a.Kind {
	case plan.Scale:
		w.Replicas = a.To
		return
	case plan.Minimum:
		setMinimum(s, a)
		return
	}
	p := &w.Pods[slices.IndexFunc(w.Pods, func(p plan.Pod) bool { return p.UID == a.UID })]
	present := maps.Clone(p.Present)
	if a.Kind == plan.Resize {
		maps.Copy(present, a.Containers)
		p.Present, p.Actual, p.Resize = present, present, plan.ResizeStatus{}
		return
	}
	present = maps.Clone(p.Original)
	maps.Copy(present, apply.Desired(w.Values, p.Original, apply.ForNewPod))
	*p = plan.Pod{
		Name: p.Name, UID: p.UID + "+", Running: true, Ready: true, ResizeSupported: p.ResizeSupported, InjectedRevision: w.Revision,
		Original: p.Original, Present: present, Actual: present, DisruptionBudgets: p.DisruptionBudgets, Fixed: p.Fixed,
	}
}

// windowMinutes is how long each window of the drawn policies is open.
const windowMinutes = 20

// insideWindow reports whether a drawn window is open: each begins at the same minute of every hour.
func insideWindow(now time.Time, w plan.Workload) bool {
	for _, window := range w.Disruption.Windows {
		start := map[string]int{"0 * * * *": 0, "30 * * * *": 30}[window.Start]
		return (now.Minute()-start+60)%60 < windowMinutes
	}
	return true
}

// serves reports whether the pod is more than one that no node takes, or that is down because it was killed for lack of memory.
func serves(w plan.Workload, p plan.Pod) bool {
	return !p.Unschedulable && (p.Ready || len(p.Troubles) == 0 || !willBeKilled(w, p))
}

// willBeKilled reports whether the pod has less memory than what was killed.
func willBeKilled(w plan.Workload, p plan.Pod) bool {
	return max(p.Actual["app"].Limits.MemoryBytes, p.Actual["app"].Requests.MemoryBytes) < w.OOMFloorBytes["app"]
}

// autoscalerOf is the one that the action is about.
func autoscalerOf(s plan.Snapshot, a plan.Action) *plan.Autoscaler {
	return &s.Autoscalers[slices.IndexFunc(s.Autoscalers, func(h plan.Autoscaler) bool { return h.Name == a.Autoscaler })]
}

// setMinimum does what the API server does to an autoscaler.
func setMinimum(s plan.Snapshot, a plan.Action) {
	h := autoscalerOf(s, a)
	h.Min, h.Original, h.Raised = a.To, 0, 0
	if a.Raise {
		h.Original, h.Raised = a.Before, a.To
	}
}

// checkStops: while the gate is closed, the kill switch pulled or the breaker open, nothing is done, or only what cures or gives back.
func checkStops(t *rapid.T, s plan.Snapshot, result plan.Result) {
	closed := !s.Gate.Open || s.KillSwitch != ""
	for _, a := range result.Actions {
		if a.Kind == plan.Minimum && !a.Raise && s.KillSwitch == "" {
			continue // It goes back for who opted out.
		}
		if !closed && s.Breaker == "" {
			continue
		}
		w := s.Workloads[slices.IndexFunc(s.Workloads, func(w plan.Workload) bool { return w.Key == a.Workload })]
		mayGiveBack := s.KillSwitch == "" && (s.Gate.Open || s.Gate.Ready) && (s.Breaker == "" || s.GivesBack)
		if a.Kind == plan.Scale {
			if !mayGiveBack || !a.Raise || a.To > w.Declared {
				t.Fatalf("while closed, sets a number that the manifest of %d pods does not ask for: %+v", w.Declared, a)
			}
			continue
		}
		p := w.Pods[max(0, slices.IndexFunc(w.Pods, func(p plan.Pod) bool { return p.UID == a.UID }))]
		if mayGiveBack && a.GivesBack {
			checkGivesBack(t, p, a)
			continue
		}
		if closed || !s.Cures {
			t.Fatalf("acts while closed: %+v", a)
		}
		if a.Kind == plan.Evict {
			if len(p.Troubles) == 0 || slices.ContainsFunc(w.Pods, func(p plan.Pod) bool { return p.Ready }) {
				t.Fatalf("%s is evicted while the breaker is open, and takes something from somebody: %+v", a.Pod, p)
			}
			continue
		}
		if a.Kind != plan.Resize || len(p.Troubles) == 0 || a.Containers["app"].Limits.MemoryBytes <= p.Present["app"].Limits.MemoryBytes {
			t.Fatalf("%s of %s while the breaker is open for everything but cures: %+v", a.Kind, a.Pod, p)
		}
		for name, to := range a.Containers {
			if from := p.Present[name]; to.Requests.CPUMillis < from.Requests.CPUMillis || to.Requests.MemoryBytes < from.Requests.MemoryBytes {
				t.Fatalf("the cure lowers %+v to %+v", from, to)
			}
		}
	}
}

// checkGivesBack: a pod gets no more than what it had before it was lowered, and loses nothing.
func checkGivesBack(t *rapid.T, p plan.Pod, a plan.Action) {
	for name, to := range a.Containers {
		from, most := p.Present[name], p.Original[name]
		if p.Mark != nil {
			if had, lowered := p.Mark.Had[name]; lowered {
				most = apply.AtLeast(most, had)
			}
		}
		if from.Lowers(to) || a.Kind != plan.Resize {
			t.Fatalf("%s takes something away to give back: %+v → %+v", a.Kind, from, to)
		}
		if most = apply.AtLeast(most, from); most != apply.AtLeast(most, to) {
			t.Fatalf("gives %+v to a pod that had %+v at most", to, most)
		}
	}
}

// checkTrial: until a pod was watched for long enough, no more are lowered or disturbed than may try a revision. Pods that will be killed
// for lack of memory do not count.
func checkTrial(t *rapid.T, now time.Time, s plan.Snapshot, result plan.Result) {
	for _, w := range s.Workloads {
		watched := slices.ContainsFunc(w.Pods, func(p plan.Pod) bool { return !p.Change.IsZero() && now.Sub(p.Change) >= w.Disruption.Observe })
		if w.Disruption.CanaryPods == 0 || watched {
			continue
		}
		var trying int32
		for _, a := range result.Actions {
			if a.Workload != w.Key || a.Kind != plan.Resize && a.Kind != plan.Evict {
				continue
			}
			p := w.Pods[slices.IndexFunc(w.Pods, func(p plan.Pod) bool { return p.UID == a.UID })]
			if a.Kind == plan.Resize && a.Lowers || a.Kind == plan.Evict && (!a.Raise || !p.Unschedulable && !willBeKilled(w, p)) {
				trying++
			}
		}
		if trying > w.Disruption.CanaryPods {
			t.Fatalf("%s: %d pods try a revision, at most %d may: %+v", w.Key, trying, w.Disruption.CanaryPods, result.Actions)
		}
	}
}

// askedInVain reports whether the pod did not change when it was asked to. Such pods are asked last, whatever for.
func askedInVain(w plan.Workload, pod types.UID) bool {
	return slices.ContainsFunc(w.Pods, func(p plan.Pod) bool {
		return p.UID == pod && (p.Denied || p.InVain(w.Revision) > 0 || !p.NoResizeBefore.IsZero())
	})
}

func checkActions(t *rapid.T, now time.Time, s plan.Snapshot, result plan.Result) {
	seen := map[types.UID]bool{}
	for i, a := range result.Actions {
		w := s.Workloads[slices.IndexFunc(s.Workloads, func(w plan.Workload) bool { return w.Key == a.Workload })]
		if forbids := w.Mode != v1alpha1.ModeAuto || w.Hold != nil || w.Revision == ""; forbids && (a.Kind != plan.Minimum || a.Raise) {
			t.Fatalf("acts on a workload that forbids it: %+v", a)
		}
		more := a.Kind == plan.Minimum || a.Kind == plan.Scale && a.Raise
		if harmed := w.Harm != "" || now.Before(w.Unstuck.Until()); harmed && !more {
			t.Fatalf("does more than to add pods where sizes did harm, or did not stay: %+v", a)
		}
		if i > 0 && a.Raise && !result.Actions[i-1].Raise && !askedInVain(w, a.UID) {
			t.Fatalf("action %d lowers before action %d raises", i-1, i)
		}
		if a.Reason == "" {
			t.Fatalf("acts without a reason: %+v", a)
		}
		switch a.Kind {
		case plan.Scale:
			checkScale(t, now, w, a)
			continue
		case plan.Minimum:
			checkMinimum(t, w, *autoscalerOf(s, a), a)
			continue
		}
		if seen[a.UID] {
			t.Fatalf("acts twice on pod %s", a.UID)
		}
		seen[a.UID] = true
		p := w.Pods[slices.IndexFunc(w.Pods, func(p plan.Pod) bool { return p.UID == a.UID })]
		switch a.Kind {
		case plan.Resize:
			checkResize(t, w, p, a)
		case plan.Evict:
			checkEviction(t, now, w, p)
		}
	}
}

// checkScale: the number of pods moves towards what is recommended, and not beyond it.
func checkScale(t *rapid.T, now time.Time, w plan.Workload, a plan.Action) {
	if w.Autoscaler != "" || a.To < a.From && !insideWindow(now, w) {
		t.Fatalf("scales against an autoscaler, or down outside a window: %+v", a)
	}
	target := *w.Values.Replicas
	if a.From != w.Replicas || a.To == a.From || a.To < min(a.From, target) || a.To > max(a.From, target) || a.Raise != (a.To > a.From) {
		t.Fatalf("scales from %d to %d, where %d pods are asked for and %d are recommended", a.From, a.To, w.Replicas, target)
	}
	if w.Stale && a.To < a.From {
		t.Fatalf("lowers the number of pods on stale sizes: %+v", a)
	}
}

// checkMinimum: a minimum goes up to what is wanted, or back to what it was, and nobody is overruled.
func checkMinimum(t *rapid.T, w plan.Workload, h plan.Autoscaler, a plan.Action) {
	ours := h.Raised == 0 || h.Min == h.Raised
	switch {
	case a.Raise && (h.KeptBy != "" || !ours || !w.ScaleReplicas || a.To != *w.Values.AutoscalerMin || a.To <= h.Min):
		t.Fatalf("raises a minimum that it must not: %+v of %+v", a, h)
	case a.Raise && a.Before != h.Min && a.Before != h.Original:
		t.Fatalf("does not know what to put back: %+v of %+v", a, h)
	case !a.Raise && (h.Raised == 0 || ours && a.To != h.Original || !ours && a.To != h.Min):
		t.Fatalf("puts back what was not there: %+v of %+v", a, h)
	}
}

func checkResize(t *rapid.T, w plan.Workload, p plan.Pod, a plan.Action) {
	if w.Updater == v1alpha1.UpdaterEvict || !p.ResizeSupported || p.ResizeRefused != "" && !p.RefusedByNamespace {
		t.Fatalf("resizes a pod that cannot or must not be: %+v", p)
	}
	if apply.WouldChangeQOS(p.Present, a.Containers) {
		t.Fatalf("resize %+v → %+v changes the QoS class", p.Present, a.Containers)
	}
	for name, to := range a.Containers {
		from := p.Present[name]
		if to.Limits.MemoryBytes < from.Limits.MemoryBytes {
			t.Fatalf("resize lowers the memory limit from %d to %d", from.Limits.MemoryBytes, to.Limits.MemoryBytes)
		}
		lowers := to.Requests.MemoryBytes < from.Requests.MemoryBytes || to.Requests.CPUMillis < from.Requests.CPUMillis
		if w.Stale && lowers {
			t.Fatalf("resize lowers on stale sizes: %+v → %+v", from, to)
		}
		if p.Fixed[name].CPU && to.Requests.CPUMillis != from.Requests.CPUMillis {
			t.Fatalf("resize moves the fixed CPU of %s", name)
		}
	}
}

func checkEviction(t *rapid.T, now time.Time, w plan.Workload, p plan.Pod) {
	if serves(w, p) && (w.RolloutInProgress || !insideWindow(now, w)) {
		t.Fatalf("evicts a pod that serves during a rollout or outside a window: %+v of %+v", p, w.Key)
	}
	if w.NoEviction != "" {
		t.Fatalf("evicts a pod whose successor would not come: %+v of %+v", p, w.Key)
	}
	resizable := p.ResizeSupported && p.ResizeRefused == "" && slices.ContainsFunc(
		apply.Drifted(w.Values, p.Original, p.Present, apply.ForRunningPod), func(d apply.Drift) bool { return d.InPlace })
	if w.Updater != v1alpha1.UpdaterEvict && resizable && len(p.Fixed) == 0 && !w.Stale {
		t.Fatalf("evicts a pod that can be resized: %+v", p)
	}
	if w.Updater == v1alpha1.UpdaterInPlace || w.Kind == "DaemonSet" || p.Pinned != "" || len(p.DisruptionBudgets) > 1 && !p.Unschedulable {
		t.Fatalf("evicts a pod that must not be: %+v of %+v", p, w.Key)
	}
}

func checkBudgets(t *rapid.T, now time.Time, s plan.Snapshot, b plan.Budget, result plan.Result) {
	count := map[string]int{}
	// A pod that a lower number takes away counts like one that is evicted, except against the workload's own budget.
	add := func(spent plan.Spent) {
		age, goes := now.Sub(spent.At), spent.Kind == plan.Evict || spent.Kind == plan.Lower
		if spent.Kind == plan.Resize && age < time.Minute {
			count["resizes"]++
		}
		if spent.Kind == plan.GiveBack && age < time.Minute {
			count["resizes that give back"]++
		}
		if goes && age < time.Minute {
			count["pods that go"]++
		}
		if goes && age < time.Hour {
			count["namespace "+spent.Workload.Namespace]++
		}
		if spent.Kind == plan.Evict && age < time.Hour {
			count["workload "+spent.Workload.String()]++
		}
	}
	for _, spent := range b.Spent {
		add(spent)
	}
	before := maps.Clone(count)
	atMost := func(name string, limit int) {
		// What was overspent before is not this plan's doing.
		if count[name] > max(limit, before[name]) {
			t.Fatalf("%s: %d, at most %d", name, count[name], limit)
		}
	}
	evicted := map[types.UID]bool{}
	for _, a := range result.Actions {
		if a.Kind == plan.Scale && a.To < a.From && b.Trial {
			t.Fatalf("lowers the number of pods in a trial of the circuit breaker: %+v", a)
		}
		if a.Kind == plan.Minimum {
			continue // The autoscaler decides how many pods go.
		}
		for range a.From - a.To { // none unless the number of pods is lowered
			add(plan.Spent{At: now, Kind: plan.Lower, Workload: a.Workload})
		}
		kind := a.Kind
		if a.GivesBack {
			kind = plan.GiveBack
		}
		if a.Kind != plan.Scale {
			add(plan.Spent{At: now, Kind: kind, Workload: a.Workload})
		}
		if a.Kind == plan.Evict {
			evicted[a.UID] = true
		}
	}
	atMost("resizes", b.ResizesPerMinute)
	atMost("resizes that give back", 10*b.ResizesPerMinute)
	atMost("pods that go", b.EvictionsPerMinute)
	disruptions, allowed := map[string]int{}, map[string]int{}
	for _, w := range s.Workloads {
		atMost("namespace "+w.Namespace, b.NamespaceEvictionsPerHour)
		atMost("workload "+w.String(), int(w.Disruption.EvictionsPerHour))
		ready, gone, readyGone := 0, 0, 0
		for _, p := range w.Pods {
			if p.Ready && !p.Terminating && !evicted[p.UID] {
				ready++
			}
			if !evicted[p.UID] || !serves(w, p) {
				continue // What serves nobody is not missed.
			}
			gone++
			if p.Ready {
				readyGone = 1
			}
			for _, pdb := range p.DisruptionBudgets {
				disruptions[w.Namespace+"/"+pdb.Name]++
				allowed[w.Namespace+"/"+pdb.Name] = int(pdb.Allowed)
			}
		}
		if gone > 0 && ready < 1 {
			t.Fatalf("%s: no ready pod is left after %d evictions", w.Key, gone)
		}
		if least := int(w.Disruption.MinReplicas); gone > 0 && ready+readyGone < least {
			t.Fatalf("%s: the last of %d evictions left %d ready pods, and %d had to be there before it", w.Key, gone, ready, least)
		}
		var percent int
		if _, err := fmt.Sscanf(w.Disruption.MaxUnavailable.StrVal, "%d%%", &percent); err != nil {
			t.Fatal(err)
		}
		if most := max(1, int(w.Replicas)*percent/100); gone > 0 && int(w.Replicas)-ready > most {
			t.Fatalf("%s: %d of %d pods unavailable, at most %d", w.Key, int(w.Replicas)-ready, w.Replicas, most)
		}
	}
	for name, n := range disruptions {
		if n > allowed[name] {
			t.Fatalf("PodDisruptionBudget %s: %d disruptions, %d allowed", name, n, allowed[name])
		}
	}
}

func drawSnapshot(t *rapid.T) plan.Snapshot {
	s := plan.Snapshot{
		Gate:       plan.Gate{Open: !rarely(t, "gate"), Ready: rapid.Bool().Draw(t, "ready"), Reason: "probe failed"},
		KillSwitch: rapid.SampledFrom([]string{"", "", "", "", "", "stop"}).Draw(t, "killSwitch"),
	}
	if rapid.IntRange(0, 4).Draw(t, "breaker") == 3 {
		s.Breaker, s.Cures, s.GivesBack = "the circuit breaker is open", rapid.Bool().Draw(t, "cures"), rapid.Bool().Draw(t, "givesBack")
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "workloads") {
		s.Workloads = append(s.Workloads, drawWorkload(t, i))
		if w := &s.Workloads[i]; rapid.IntRange(0, 2).Draw(t, "autoscaled") == 2 {
			w.Autoscaler = "hpa-" + w.Name
			s.Autoscalers = append(s.Autoscalers, drawAutoscaler(t, w))
		}
	}
	return s
}

// drawAutoscaler is that of a workload, for which a minimum may be wanted: untouched, raised by us, or changed since by somebody else.
func drawAutoscaler(t *rapid.T, w *plan.Workload) plan.Autoscaler {
	if rapid.Bool().Draw(t, "wantsMinimum") {
		w.Values.AutoscalerMin = new(rapid.Int32Range(1, 9).Draw(t, "wanted"))
	}
	a := plan.Autoscaler{Name: w.Autoscaler, UID: types.UID(w.Autoscaler), Target: w.Key, Min: rapid.Int32Range(1, 9).Draw(t, "minimum")}
	if rapid.Bool().Draw(t, "raised") {
		a.Original, a.Raised = rapid.Int32Range(1, 3).Draw(t, "original"), rapid.SampledFrom([]int32{a.Min, 5}).Draw(t, "raisedTo")
	}
	if rarely(t, "kept") {
		a.KeptBy = "somebody applies it"
	}
	return a
}

// rarely is seldom true: small numbers are drawn more often than large ones, and what fails is shrunk towards 0.
func rarely(t *rapid.T, label string) bool { return rapid.IntRange(0, 9).Draw(t, label) == 7 }

func drawWorkload(t *rapid.T, i int) plan.Workload {
	w := plan.Workload{
		Key: plan.Key{
			Namespace: rapid.SampledFrom([]string{"shop", "bank"}).Draw(t, "namespace"),
			Kind:      rapid.SampledFrom([]string{"Deployment", "Deployment", "StatefulSet", "DaemonSet", "Rollout"}).Draw(t, "kind"),
			Name:      fmt.Sprintf("w%d", i),
		},
		Mode: v1alpha1.ModeAuto, Revision: revision, Values: drawValues(t),
		Updater: rapid.SampledFrom([]v1alpha1.UpdaterMode{v1alpha1.UpdaterInPlace, v1alpha1.UpdaterInPlaceOrEvict, v1alpha1.UpdaterEvict}).Draw(t, "updater"),
		Disruption: plan.Disruption{
			MaxUnavailable:   intstr.FromString(fmt.Sprintf("%d%%", rapid.IntRange(1, 100).Draw(t, "maxUnavailable"))),
			EvictionsPerHour: rapid.Int32Range(0, 8).Draw(t, "evictionsPerHour"), MinReplicas: rapid.Int32Range(1, 4).Draw(t, "minReplicas"),
		},
		Stale: rarely(t, "stale"), RolloutInProgress: rarely(t, "rollout"), ScaleReplicas: rapid.Bool().Draw(t, "scale"),
	}
	w.Custom = w.Kind == "Rollout"
	w.Disruption.CanaryPods, w.Disruption.Observe = rapid.SampledFrom([]int32{0, 0, 1, 2}).Draw(t, "canary"), 10*time.Minute
	if rarely(t, "cannot be replaced") {
		w.NoEviction = "new pods cannot be created"
	}
	if rapid.IntRange(0, 3).Draw(t, "hasWindows") == 3 {
		w.Disruption.Windows = []v1alpha1.Window{{
			Start: rapid.SampledFrom([]string{"0 * * * *", "30 * * * *"}).Draw(t, "window"), Duration: metav1.Duration{Duration: windowMinutes * time.Minute},
		}}
	}
	if rapid.Bool().Draw(t, "kills taught") {
		w.OOMFloorBytes = map[string]int64{"app": drawAmounts(t, "floor").MemoryBytes}
	}
	if rarely(t, "narrowed") {
		w.Mode = v1alpha1.ModeInitial
	}
	if rarely(t, "harmed") {
		w.Harm = "a pod crashed"
	}
	if rarely(t, "did not stick") {
		w.Unstuck = plan.Unstuck{Times: 2, Last: now}
	}
	w.Declared = rapid.Int32Range(0, 9).Draw(t, "declared")
	if rarely(t, "held") {
		w.Hold = &v1alpha1.Hold{Reason: "launch"}
	}
	for j := range rapid.IntRange(0, 8).Draw(t, "pods") {
		w.Pods = append(w.Pods, drawPod(t, fmt.Sprintf("%s-%d", w.Name, j)))
	}
	w.Replicas = int32(len(w.Pods)) //nolint:gosec // at most 8
	return w
}

func drawAmounts(t *rapid.T, label string) apply.Amounts {
	return apply.Amounts{
		CPUMillis:   rapid.Int64Range(1, 40).Draw(t, label+"CPU") * 50,
		MemoryBytes: rapid.Int64Range(1, 40).Draw(t, label+"Memory") * 64 * apply.MiB,
	}
}

func drawLimit(t *rapid.T, label string, value int64) apply.Limit {
	l := apply.Limit{Policy: rapid.SampledFrom([]string{"", "Keep", "Equal", "None", "Headroom"}).Draw(t, label)}
	if l.Policy == "Headroom" {
		l.Value = 2 * value
	}
	return l
}

func drawValues(t *rapid.T) apply.Values {
	target := drawAmounts(t, "target")
	v := apply.Values{Containers: []apply.Container{{
		Name: "app", Target: target, InPlace: target,
		CPUBand:    apply.Interval{Min: target.CPUMillis * 8 / 10, Max: target.CPUMillis * 12 / 10},
		MemoryBand: apply.Interval{Min: target.MemoryBytes * 8 / 10, Max: target.MemoryBytes * 12 / 10},
		CPULimit:   drawLimit(t, "cpuLimit", target.CPUMillis), MemoryLimit: drawLimit(t, "memoryLimit", target.MemoryBytes),
	}}}
	if rapid.Bool().Draw(t, "hasReplicas") {
		v.Replicas = new(rapid.Int32Range(0, 9).Draw(t, "replicas"))
	}
	return v
}

func drawPod(t *rapid.T, name string) plan.Pod {
	have := apply.Resources{Requests: drawAmounts(t, "request")}
	switch rapid.IntRange(0, 3).Draw(t, "class") {
	case 0: // Guaranteed
		have.Limits = have.Requests
	case 1: // Burstable with limits
		have.Limits = apply.Amounts{CPUMillis: 2 * have.Requests.CPUMillis, MemoryBytes: 2 * have.Requests.MemoryBytes}
	}
	resources := map[string]apply.Resources{"app": have}
	if rapid.Bool().Draw(t, "sidecar") {
		resources["sidecar"] = apply.Resources{Requests: apply.Amounts{CPUMillis: 10}}
	}
	p := plan.Pod{
		Name: name, UID: types.UID("uid-" + name),
		Running: !rarely(t, "pending"), Ready: !rarely(t, "unready"), Terminating: rarely(t, "terminating"),
		ResizeSupported: rapid.Bool().Draw(t, "resizeSupported"),
		Original:        resources, Present: resources, Actual: resources,
	}
	switch rapid.IntRange(0, 3).Draw(t, "taken") {
	case 0: // in place
		had := apply.Resources{Requests: drawAmounts(t, "had")}
		if p.Present["app"].Limits != (apply.Amounts{}) {
			had.Limits = had.Requests
		}
		p.Mark = &plan.Mark{UID: p.UID, Revision: "older", Asked: plan.Digest(p.Present), Had: map[string]apply.Resources{"app": had}}
	case 1: // at admission
		p.Original = maps.Clone(resources)
		p.Original["app"] = apply.AtLeast(have, apply.Resources{Requests: drawAmounts(t, "template")})
	}
	if rarely(t, "findsNoNode") {
		p.Running, p.Ready, p.ResizeSupported, p.Unschedulable, p.InjectedRevision = false, false, false, true, "another"
		p.Stranded = rapid.Bool().Draw(t, "stranded")
	}
	if rapid.Bool().Draw(t, "killed") {
		p.Troubles = []plan.Trouble{{Container: "app", What: plan.TroubleOOM, At: now.Add(-30 * time.Minute)}}
	}
	if rarely(t, "refused") {
		p.ResizeRefused = "no"
	}
	if rarely(t, "pinned") {
		p.Pinned = "safe-to-evict"
	}
	if rarely(t, "fixed") {
		p.Fixed = map[string]plan.Fixed{"app": {CPU: true}}
	}
	for i := range rapid.SampledFrom([]int{0, 0, 0, 1, 1, 2}).Draw(t, "pdbs") {
		// One budget has one answer, whichever pod it is asked for.
		p.DisruptionBudgets = append(p.DisruptionBudgets, plan.DisruptionBudget{Name: fmt.Sprintf("pdb-%d", i), Allowed: 2})
	}
	return p
}

func drawBudget(t *rapid.T) plan.Budget {
	b := plan.Budget{
		EvictionsPerMinute:        rapid.IntRange(0, 6).Draw(t, "evictionsPerMinute"),
		NamespaceEvictionsPerHour: rapid.IntRange(0, 6).Draw(t, "namespaceEvictionsPerHour"),
		ResizesPerMinute:          rapid.IntRange(0, 6).Draw(t, "resizesPerMinute"),
		Trial:                     rapid.Bool().Draw(t, "trial"),
	}
	for i := range rapid.IntRange(0, 6).Draw(t, "spent") {
		b.Spent = append(b.Spent, plan.Spent{
			At:       now.Add(-time.Duration(rapid.IntRange(0, 4000).Draw(t, "ago")) * time.Second),
			Kind:     rapid.SampledFrom([]plan.Kind{plan.Resize, plan.Evict, plan.Scale, plan.Lower, plan.GiveBack}).Draw(t, "spentKind"),
			Workload: plan.Key{Namespace: "shop", Kind: "Deployment", Name: "w0"},
			PodUID:   types.UID(fmt.Sprintf("gone-%d", i)),
		})
	}
	return b
}

func shuffle(t *rapid.T, s plan.Snapshot) plan.Snapshot {
	random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	s.Workloads = slices.Clone(s.Workloads)
	random.Shuffle(len(s.Workloads), func(i, j int) { s.Workloads[i], s.Workloads[j] = s.Workloads[j], s.Workloads[i] })
	for k := range s.Workloads {
		pods := slices.Clone(s.Workloads[k].Pods)
		random.Shuffle(len(pods), func(i, j int) { pods[i], pods[j] = pods[j], pods[i] })
		s.Workloads[k].Pods = pods
	}
	return s
}

// Whoever refuses everything is asked for each part once, and for nothing smaller than what was refused.
func TestPartsOfARefusedResizeOnlyRaiseAndComeToAnEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorkload(t, 0)
		w.Mode, w.Hold, w.Updater, w.Disruption.CanaryPods = v1alpha1.ModeAuto, nil, v1alpha1.UpdaterInPlace, 0
		p := drawPod(t, "a")
		p.Running, p.Terminating, p.ResizeSupported, p.ResizeRefused = true, false, true, ""
		for tries := 0; ; tries++ {
			w.Pods, w.Replicas = []plan.Pod{p}, 1
			actions := plan.Plan(now, open(w), plenty).Actions
			i := slices.IndexFunc(actions, func(a plan.Action) bool { return a.Kind == plan.Resize })
			if i < 0 {
				return
			}
			a := actions[i]
			checkResize(t, w, p, a)
			if tries > 0 && a.Lowers || tries > 3 {
				t.Fatalf("try %d of a resize that is refused: %+v of %+v", tries, a.Containers, p.Present)
			}
			if a.Mark.InVain > 0 {
				t.Fatalf("parts count as %d tries", a.Mark.InVain+1)
			}
			p.Mark, p.ResizeRefused, p.RefusedByNamespace = a.Mark, "exceeded quota", true
		}
	})
}
