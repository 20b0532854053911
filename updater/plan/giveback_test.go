package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/updater/plan"
)

// night is a pod that has 300m, and had so much more before it was lowered in place. Its template asks for little.
func night(name string, hadMillis int64) plan.Pod {
	p := pod(name, requests(300, 512))
	p.Original = requests(100, 512)
	p.Mark = &plan.Mark{UID: p.UID, Revision: "night", At: now.Add(-6 * time.Hour), Asked: plan.Digest(p.Present), Lowers: true, Had: requests(hadMillis, 512)}
	return p
}

func TestWhatWasTakenIsGivenBackAlsoWhileNothingElseMayBeDone(t *testing.T) {
	closed := plan.Gate{Ready: true, Reason: "the webhook is not called"}
	cases := map[string]struct {
		cluster plan.Snapshot
		change  func(*plan.Workload)
		want    string
	}{
		"admission does not work":                   {cluster: plan.Snapshot{Gate: closed}, want: "resize night, skip Closed, skip a-new-pod Closed, skip b-large Closed"},
		"the breaker is open":                       {cluster: plan.Snapshot{Gate: plan.Gate{Open: true}, Breaker: "open", GivesBack: true}, want: "resize night, skip Closed, skip a-new-pod Closed, skip b-large Closed"},
		"both":                                      {cluster: plan.Snapshot{Gate: closed, Breaker: "open", GivesBack: true}, want: "resize night, skip Closed, skip a-new-pod Closed, skip b-large Closed"},
		"the API server is in trouble":              {cluster: plan.Snapshot{Gate: plan.Gate{Open: true}, Breaker: "open"}, want: "skip Closed, skip Closed"},
		"what was spent is not known":               {cluster: plan.Snapshot{Gate: plan.Gate{Reason: "no record"}}, want: "skip Closed, skip Closed"},
		"the kill switch is pulled":                 {cluster: plan.Snapshot{Gate: plan.Gate{Open: true}, KillSwitch: "incident 42"}, want: "skip Closed, skip Closed"},
		"somebody holds the workload":               {cluster: plan.Snapshot{Gate: closed}, change: func(w *plan.Workload) { w.Hold = &v1alpha1.Hold{Reason: "launch"} }, want: "skip OnHold, skip OnHold"},
		"the pod can only be replaced":              {cluster: plan.Snapshot{Gate: closed}, change: func(w *plan.Workload) { w.Pods[0].ResizeSupported = false }, want: "skip Closed, skip Closed"},
		"what the pod had at first is not for sure": {cluster: plan.Snapshot{Gate: closed}, change: func(w *plan.Workload) { w.Pods[0].Mark = nil }, want: "skip Closed, skip Closed"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := checkout(night("night", 500), pod("a-new-pod", small), pod("b-large", large))
			w.ScaleReplicas, w.Values.Replicas = true, new(int32(9))
			if c.change != nil {
				c.change(&w)
			}
			c.cluster.Workloads = []plan.Workload{w}
			if got := strings.Join(summary(plan.Plan(now, c.cluster, plenty)), ", "); got != c.want {
				t.Errorf("plan = %q, want %q", got, c.want)
			}
		})
	}
}

func TestNoMoreIsGivenBackThanAPodHad(t *testing.T) {
	partly := night("partly", 380)
	admitted := pod("admitted-with-less", requests(300, 512))
	admitted.Original = requests(350, 512)
	w := checkout(partly, admitted)
	closed := plan.Snapshot{Workloads: []plan.Workload{w}, Gate: plan.Gate{Ready: true}}
	got := map[string]int64{}
	for _, a := range plan.Plan(now, closed, plenty).Actions {
		got[a.Pod] = a.Containers["app"].Requests.CPUMillis
	}
	if diff := cmp.Diff(map[string]int64{"partly": 380, "admitted-with-less": 350}, got); diff != "" {
		t.Errorf("CPU in millicores, of 450 that are recommended (-want +got):\n%s", diff)
	}
}

func TestGivingBackHasABoundOfItsOwn(t *testing.T) {
	var pods []plan.Pod
	for i := range 12 {
		pods = append(pods, night(fmt.Sprintf("night-%02d", i), 500))
	}
	pods = append(pods, pod("small-1", small), pod("small-2", small))
	budget := plan.Budget{ResizesPerMinute: 1, Spent: []plan.Spent{
		{At: now.Add(-time.Second), Kind: plan.GiveBack, PodUID: "other"}, {At: now.Add(-time.Minute), Kind: plan.GiveBack, PodUID: "older"},
	}}
	count := map[string]int{}
	result := plan.Plan(now, open(checkout(pods...)), budget)
	for _, a := range result.Actions {
		count[a.Pod[:5]]++
		for _, spent := range a.Costs(now) {
			count[string(spent.Kind)]++
		}
	}
	if diff := cmp.Diff(map[string]int{"night": 9, "giveBack": 9, "small": 1, "resize": 1}, count); diff != "" {
		t.Errorf("ten resizes for each other one may give back, and one did (-want +got):\n%s", diff)
	}
	if n := len(result.Skips); n != 4 {
		t.Errorf("%d skips, want three pods of the night and one that is small to wait: %+v", n, result.Skips)
	}
}

func TestWhereNoOtherResizeIsLeftAPodGetsWhatItHad(t *testing.T) {
	budget := plan.Budget{ResizesPerMinute: 1, Spent: []plan.Spent{{At: now, Kind: plan.Resize, PodUID: "other"}}}
	actions := plan.Plan(now, open(checkout(night("a", 380))), budget).Actions
	if len(actions) != 1 || actions[0].Containers["app"].Requests.CPUMillis != 380 || !actions[0].GivesBack {
		t.Errorf("actions = %+v, want the 380m that the pod had, of 450m that are recommended", actions)
	}
}

func TestABreakerThatLetsCuresPassLetsNothingElsePassInTheirPlace(t *testing.T) {
	killed := night("killed", 400)
	killed.Troubles = []plan.Trouble{{Container: "app", What: plan.TroubleOOM, At: now.Add(-time.Minute)}}
	killed.Present = map[string]apply.Resources{"app": {
		Requests: apply.Amounts{CPUMillis: 300, MemoryBytes: 256 * apply.MiB}, Limits: apply.Amounts{MemoryBytes: 256 * apply.MiB},
	}}
	killed.Mark.Asked = plan.Digest(killed.Present)
	w := checkout(killed)
	w.Values.Containers[0].MemoryLimit = apply.Limit{Policy: string(v1alpha1.LimitEqual)}
	cluster := open(w)
	cluster.Breaker, cluster.Cures = "the circuit breaker is open", true
	if cures := plan.Plan(now, cluster, plenty).Actions; len(cures) != 1 || cures[0].GivesBack {
		t.Fatalf("actions = %+v, want the cure", cures)
	}
	budget := plan.Budget{ResizesPerMinute: 1, Spent: []plan.Spent{{At: now, Kind: plan.Resize, PodUID: "other"}}}
	if actions := plan.Plan(now, cluster, budget).Actions; len(actions) != 0 {
		t.Errorf("actions = %+v while no resize is left for a cure", actions)
	}
}

func TestAPodKeepsWhatItHadThroughLaterResizes(t *testing.T) {
	p := pod("a", requests(1000, 512))
	for _, step := range []struct {
		inPlaceMillis int64
		hadMillis     int64
	}{{inPlaceMillis: 750, hadMillis: 1000}, {inPlaceMillis: 500, hadMillis: 1000}, {inPlaceMillis: 1500, hadMillis: 1000}, {inPlaceMillis: 1100, hadMillis: 1500}} {
		w := checkout(p)
		w.Values.Containers[0].Target.CPUMillis, w.Values.Containers[0].InPlace.CPUMillis = step.inPlaceMillis, step.inPlaceMillis
		w.Values.Containers[0].CPUBand = apply.Interval{}
		actions := plan.Plan(now, open(w), plenty).Actions
		if len(actions) != 1 {
			t.Fatalf("actions = %+v, want a resize to %dm", actions, step.inPlaceMillis)
		}
		if diff := cmp.Diff(requests(step.hadMillis, 512), actions[0].Mark.Had); diff != "" {
			t.Errorf("resized to %dm, the pod is said to have had (-want +got):\n%s", step.inPlaceMillis, diff)
		}
		p.Present, p.Actual, p.Mark = actions[0].Containers, actions[0].Containers, actions[0].Mark
	}
}
