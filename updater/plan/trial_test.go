package plan_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/updater/plan"
)

// trialRun is a workload whose pods are changed by plans over time. Every plan starts from the pods alone, as after a restart: nothing
// that an earlier one did is remembered, except that evictions of the last minute are on record.
type trialRun struct {
	t       *rapid.T
	w       plan.Workload
	at      time.Time
	budget  plan.Budget
	created int
	// changes are when pods were lowered or evicted, under the present revision.
	changes []time.Time
}

func startTrial(t *rapid.T) *trialRun {
	r := &trialRun{t: t, at: now, budget: plenty}
	r.w = checkout()
	r.w.Updater = rapid.SampledFrom([]v1alpha1.UpdaterMode{v1alpha1.UpdaterInPlace, v1alpha1.UpdaterInPlaceOrEvict, v1alpha1.UpdaterEvict}).Draw(t, "updater")
	r.w.Disruption.CanaryPods = rapid.Int32Range(1, 3).Draw(t, "canaryPods")
	r.w.Disruption.Observe = 10 * time.Minute
	r.w.Disruption.EvictionsPerHour = 100
	r.w.Disruption.MaxUnavailable.StrVal = "100%"
	for range rapid.IntRange(1, 8).Draw(t, "pods") {
		r.w.Pods = append(r.w.Pods, r.newPod(large))
	}
	r.w.Replicas = int32(len(r.w.Pods)) //nolint:gosec // at most 8
	return r
}

func (r *trialRun) newPod(resources map[string]apply.Resources) plan.Pod {
	r.created++
	p := pod(fmt.Sprintf("p%d", r.created), resources)
	p.Created, p.Started = r.at, r.at
	return p
}

// round plans and carries out, and says then whether admission keeps new pods from the revision.
func (r *trialRun) round() {
	seen, result := r.w, plan.Plan(r.at, open(r.w), r.budget)
	seen.Pods = slices.Clone(seen.Pods)
	for _, a := range result.Actions {
		for i := range r.w.Pods {
			p := &r.w.Pods[i]
			if p.UID != a.UID {
				continue
			}
			if a.Kind == plan.Resize {
				present := maps.Clone(p.Present)
				maps.Copy(present, a.Containers)
				p.Present, p.Actual, p.Mark = present, present, a.Mark
				p.Change, p.Touched, p.TouchedBy = r.at, r.at, r.w.Revision
			} else {
				p.Terminating, seen.Evicted = true, r.at
				r.budget.Spent = append(r.budget.Spent, plan.Spent{At: r.at, Kind: plan.Evict, Workload: a.Workload, PodUID: a.UID})
			}
			r.changes = append(r.changes, r.at)
		}
	}
	r.w.Evicted, r.w.HeldBack = seen.Evicted, !result.Admit[r.w.Key] && (seen.Harm != "" || plan.Trying(r.at, seen))
}

// replace removes pods that terminate and admits their successors, as their controller does a little later.
func (r *trialRun) replace() {
	for i, p := range r.w.Pods {
		if !p.Terminating {
			continue
		}
		next := r.newPod(large)
		if next.HeldBack = r.w.HeldBack; next.HeldBack {
			next.InjectedRevision, next.Touched, next.TouchedBy = apply.HeldBack(r.w.Revision), r.at, apply.HeldBack(r.w.Revision)
		} else {
			next.Present, next.Actual = fits, fits
			next.InjectedRevision, next.Change, next.Touched, next.TouchedBy = r.w.Revision, r.at, r.at, r.w.Revision
		}
		r.w.Pods[i] = next
	}
}

func (r *trialRun) ready(uid types.UID, ready bool) {
	for i := range r.w.Pods {
		if r.w.Pods[i].UID == uid {
			r.w.Pods[i].Ready = ready
		}
	}
}

func TestNoMorePodsThanTheCanaryAreChangedBeforeItWasWatchedAndNoneAfterHarm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := startTrial(t)
		first, harmed := time.Time{}, false
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			before := len(r.changes)
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0:
				r.replace()
			case 1:
				p := r.w.Pods[rapid.IntRange(0, len(r.w.Pods)-1).Draw(t, "pod")]
				r.ready(p.UID, !p.Ready)
			case 2:
				if p := &r.w.Pods[rapid.IntRange(0, len(r.w.Pods)-1).Draw(t, "harmed")]; !p.Change.IsZero() {
					p.Troubles = []plan.Trouble{{Container: "app", What: plan.TroubleOOM, At: r.at}}
				}
			default:
			}
			r.at = r.at.Add(time.Duration(rapid.IntRange(10, 400).Draw(t, "seconds")) * time.Second)
			if harm, found := plan.Harm(r.at, r.w); found {
				r.w.Harm, harmed = harm.Evidence, true // as the updater does before it plans
			}
			r.round()
			if harmed && len(r.changes) > before {
				t.Fatalf("changed a pod after harm: %s", r.w.Harm)
			}
			if first.IsZero() && len(r.changes) > 0 {
				first = r.changes[0]
			}
			if n := len(r.changes); !first.IsZero() && r.at.Sub(first) < r.w.Disruption.Observe && n > int(r.w.Disruption.CanaryPods) {
				t.Fatalf("%d pods were changed within %s of the first, at most %d may be", n, r.at.Sub(first), r.w.Disruption.CanaryPods)
			}
		}
	})
}

func TestACanaryThatIsWellIsFollowedByAllOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := startTrial(t)
		for range 200 {
			r.round()
			r.replace()
			r.at = r.at.Add(5 * time.Minute)
		}
		for _, p := range r.w.Pods {
			evictable := r.w.Updater == v1alpha1.UpdaterEvict && len(r.w.Pods) < 2
			if p.Change.IsZero() && !evictable {
				t.Fatalf("pod %s of %d never got the revision", p.Name, len(r.w.Pods))
			}
		}
	})
}

func TestWhileACanaryIsWatchedTheOthersGetWhatTheyHaveTooLittleOf(t *testing.T) {
	mixed := requests(2000, 128) // too much CPU, too little memory
	w := checkout(pod("a", mixed), pod("b", mixed))
	w.Disruption.CanaryPods, w.Disruption.Observe = 1, 10*time.Minute
	actions := plan.Plan(now, open(w), plenty).Actions
	if len(actions) != 2 {
		t.Fatalf("%d actions, want both pods resized", len(actions))
	}
	if got := actions[0].Containers["app"].Requests; got.CPUMillis != 450 || got.MemoryBytes != 512*apply.MiB {
		t.Errorf("the first pod gets %+v, want all of the revision", got)
	}
	if got := actions[1].Containers["app"].Requests; got.CPUMillis != 2000 || got.MemoryBytes != 512*apply.MiB {
		t.Errorf("the second pod gets %+v, want the memory and no less CPU", got)
	}
	if actions[1].Mark.Lowers {
		t.Error("the second pod is marked as lowered")
	}
}

func TestAPodWhoseNodeCannotResizeItIsNoCanary(t *testing.T) {
	stuck := lowered("stuck")
	stuck.Actual, stuck.Resize = large, plan.ResizeStatus{State: plan.ResizeInfeasible, Message: "no"}
	w := checkout(stuck, pod("b", large))
	w.Disruption.CanaryPods, w.Disruption.Observe = 1, 10*time.Minute
	actions := plan.Plan(now, open(w), plenty).Actions
	if len(actions) != 1 || actions[0].Pod != "b" {
		t.Errorf("actions = %+v, want the other pod tried", actions)
	}
}

func TestARaiseDoesNotWaitForHealthSignalsThatHaveNoValue(t *testing.T) {
	cramped := func(name string, has map[string]apply.Resources) plan.Pod {
		p := pod(name, has)
		p.ResizeSupported = false
		return p
	}
	tried := pod("tried", fits)
	tried.InjectedRevision, tried.Change, tried.Touched, tried.TouchedBy = revision, now, now, revision
	onlyShort, mixed := requests(500, 128), requests(2000, 128)
	for name, c := range map[string]struct {
		has   map[string]apply.Resources
		after time.Duration
		want  int
	}{
		"within the watch, only too little":        {onlyShort, 9 * time.Minute, 0},
		"after the watch, only too little":         {onlyShort, 11 * time.Minute, 1},
		"after the watch, also too much":           {mixed, 11 * time.Minute, 0},
		"half an hour later, also too much":        {mixed, 41 * time.Minute, 1},
		"half an hour later, nothing but too much": {requests(2000, 512), 41 * time.Minute, 0},
	} {
		w := checkout(tried, cramped("a", c.has), cramped("b", fits))
		w.Disruption.CanaryPods, w.Disruption.Observe = 1, 10*time.Minute
		w.Updater, w.Health.Wanted = v1alpha1.UpdaterEvict, true
		if got := plan.Plan(now.Add(c.after), open(w), plenty).Actions; len(got) != c.want {
			t.Errorf("%s: actions %+v, want %d evictions", name, got, c.want)
		}
	}
}

func TestAnEvictionWaitsForTheCanaryUnlessAKillIsToBeFeared(t *testing.T) {
	cramped := func(name string) plan.Pod {
		p := pod(name, requests(500, 128))
		p.ResizeSupported = false
		return p
	}
	w := checkout(cramped("a"), cramped("b"), cramped("c"), cramped("d"))
	w.Disruption.CanaryPods, w.Disruption.Observe, w.Disruption.MaxUnavailable.StrVal = 1, 10*time.Minute, "50%"
	if got := len(plan.Plan(now, open(w), plenty).Actions); got != 1 {
		t.Errorf("%d evictions, want one to try", got)
	}
	w.OOMFloorBytes = map[string]int64{"app": 300 * apply.MiB}
	if got := len(plan.Plan(now, open(w), plenty).Actions); got != 2 {
		t.Errorf("%d evictions of pods that will be killed, want as many as may be unavailable", got)
	}
	w.OOMFloorBytes = map[string]int64{"mesh": 300 * apply.MiB}
	for i := range w.Pods {
		w.Pods[i].Actual = maps.Clone(w.Pods[i].Actual)
		w.Pods[i].Actual["mesh"] = requests(100, 128)["app"]
	}
	if got := len(plan.Plan(now, open(w), plenty).Actions); got != 1 {
		t.Errorf("%d evictions for an excluded container that was killed, want one to try: evicting gives it nothing", got)
	}
}

func TestNewPodsWaitForNoHealthSignalsThatGiveNoValues(t *testing.T) {
	tried := pod("tried", small)
	tried.Change, tried.Touched, tried.TouchedBy = now, now, revision
	w := checkout(tried, pod("other", large))
	w.Pods[0] = sameAs(tried, apply.Desired(w.Values, large, apply.ForNewPod))
	w.Disruption.CanaryPods, w.Disruption.Observe = 1, 10*time.Minute
	w.Health = plan.Health{Wanted: true}
	for after, want := range map[time.Duration]bool{5 * time.Minute: true, 20 * time.Minute: true, time.Hour: false} {
		if got := plan.Trying(now.Add(after), w); got != want {
			t.Errorf("%s after the change: held back %v, want %v", after, got, want)
		}
	}
}
