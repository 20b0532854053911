package plan_test

import (
	"testing"
	"time"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/updater/plan"
)

// byEviction is a workload in mode evict with a canary, of four pods that have too much.
func byEviction() plan.Workload {
	w := checkout(pod("a", large), pod("b", large), pod("c", large), pod("d", large))
	w.Updater, w.Disruption.CanaryPods, w.Disruption.Observe = v1alpha1.UpdaterEvict, 1, 10*time.Minute
	return w
}

// came is a pod that admission gave the present revision so long ago.
func came(name string, ago time.Duration) plan.Pod {
	p := pod(name, fits)
	at := now.Add(-ago)
	p.InjectedRevision, p.Created, p.Change, p.Touched, p.TouchedBy = revision, at, at, at, revision
	return p
}

func TestNewPodsAreKeptFromWhatAnEvictionIsToTry(t *testing.T) {
	each := func(change func(*plan.Pod)) func(*plan.Workload) {
		return func(w *plan.Workload) {
			for i := range w.Pods {
				change(&w.Pods[i])
			}
		}
	}
	exhausted := each(func(p *plan.Pod) { p.DisruptionBudgets = []plan.DisruptionBudget{{Name: "all"}} })
	cases := map[string]struct {
		change func(*plan.Workload)
		want   bool
	}{
		"until the first one can be evicted":       {func(*plan.Workload) {}, true},
		"until a window opens":                     {onlyAtNight, true},
		"until a rollout is over":                  {func(w *plan.Workload) { w.RolloutInProgress = true }, true},
		"while sizes are stale":                    {func(w *plan.Workload) { w.Stale = true }, true},
		"while a budget allows nothing for now":    {func(w *plan.Workload) { exhausted(w); w.Pods[0].Ready = false }, true},
		"but not where a budget never allows any":  {exhausted, false},
		"but not where pods only get more":         {each(func(p *plan.Pod) { *p = pod(p.Name, small) }), false},
		"but not of a DaemonSet":                   {func(w *plan.Workload) { w.Kind = "DaemonSet" }, false},
		"but not of too few pods":                  {func(w *plan.Workload) { w.Disruption.MinReplicas = 5 }, false},
		"but not of a single pod":                  {func(w *plan.Workload) { w.Pods, w.Replicas, w.Disruption.MinReplicas = w.Pods[:1], 1, 0 }, false},
		"but not where no pod may go":              {func(w *plan.Workload) { w.Disruption.EvictionsPerHour = 0 }, false},
		"but not where no successor would come":    {func(w *plan.Workload) { w.NoEviction = "OnDelete" }, false},
		"but not where all pods ask to be left":    {each(func(p *plan.Pod) { p.Pinned = "x" }), false},
		"but not where a policy denies evictions":  {each(func(p *plan.Pod) { p.Denied = true }), false},
		"but not without a canary":                 {func(w *plan.Workload) { w.Disruption.CanaryPods = 0 }, false},
		"but not if a pod finds no node otherwise": {func(w *plan.Workload) { lost(&w.Pods[0]) }, false},
		"but not while the first one is awaited":   {func(w *plan.Workload) { w.Evicted, w.Pods[0].Terminating = now.Add(-time.Minute), true }, false},
		"when it does not come":                    {func(w *plan.Workload) { w.Evicted, w.Pods = now.Add(-10*time.Minute), w.Pods[1:] }, true},
		"when it came, if the clocks differ":       {func(w *plan.Workload) { w.Evicted, w.Pods[0] = now.Add(-time.Minute), came("a", 2*time.Minute) }, true},
		"but not before caches show the eviction":  {func(w *plan.Workload) { w.Evicted = now.Add(-5 * time.Second) }, false},
		"while the first one is watched":           {func(w *plan.Workload) { w.Evicted, w.Pods[0] = now.Add(-time.Minute), came("a", time.Minute) }, true},
		"while one that came by itself is":         {func(w *plan.Workload) { w.Pods[0] = came("a", time.Minute) }, true},
		"but not once it was well":                 {func(w *plan.Workload) { w.Pods[0] = came("a", 10*time.Minute) }, false},
		"but not if a pod is well with as little": {func(w *plan.Workload) {
			w.Pods[0] = came("a", time.Hour)
			w.Pods[0].InjectedRevision, w.Pods[0].TouchedBy, w.Pods[0].Change = "fedcba9876543210", "fedcba9876543210", time.Time{}
		}, false},
		"if a pod is not well with as little": {func(w *plan.Workload) { w.Pods[0] = pod("a", fits); w.Pods[0].Ready = false }, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := byEviction()
			c.change(&w)
			if got := plan.Trying(now, w); got != c.want {
				t.Errorf("kept from the revision: %v, want %v", got, c.want)
			}
		})
	}
}

func TestTheFirstPodIsEvictedOnlyOnceItsSuccessorGetsTheRevision(t *testing.T) {
	w := byEviction()
	w.HeldBack = true
	result := plan.Plan(now, open(w), plenty)
	if len(result.Actions) != 0 || !result.Admit[w.Key] {
		t.Errorf("actions %+v, admit %v; want new pods to get the revision first", result.Actions, result.Admit)
	}
	w.HeldBack = false
	if result := plan.Plan(now, open(w), plenty); len(result.Actions) != 1 || len(result.Admit) != 0 {
		t.Errorf("actions %+v, admit %v; want one eviction", result.Actions, result.Admit)
	}
	w.HeldBack, w.RolloutInProgress = true, true
	if result := plan.Plan(now, open(w), plenty); len(result.Actions) != 0 || len(result.Admit) != 0 {
		t.Errorf("actions %+v, admit %v in a rollout, want nothing", result.Actions, result.Admit)
	}
	w = byEviction()
	w.HeldBack, w.Pods[0] = true, came("a", 10*time.Minute)
	if result := plan.Plan(now, open(w), plenty); len(result.Actions) != 0 || !result.Admit[w.Key] {
		t.Errorf("actions %+v, admit %v after the trial; want new pods to get the revision before more are evicted", result.Actions, result.Admit)
	}
	w = byEviction()
	w.HeldBack, w.OOMFloorBytes = true, map[string]int64{"app": 300 << 20}
	w.Pods[1] = pod("b", requests(500, 128))
	if got := plan.Plan(now, open(w), plenty).Actions; len(got) != 1 || got[0].Pod != "b" {
		t.Errorf("actions %+v, want the pod replaced at once that has less than what a kill taught", got)
	}
}
