package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/updater/plan"
)

// A Wednesday, outside the window that the tests use.
var now = time.Date(2026, 11, 18, 12, 0, 0, 0, time.UTC)

const revision = "0123456789abcdef"

var plenty = plan.Budget{EvictionsPerMinute: 100, NamespaceEvictionsPerHour: 100, ResizesPerMinute: 100}

// sized wants 500m and 512Mi, and accepts what is up to a fifth away.
func sized() apply.Values {
	return apply.Values{Containers: []apply.Container{{
		Name:       "app",
		Target:     apply.Amounts{CPUMillis: 500, MemoryBytes: 512 * apply.MiB},
		InPlace:    apply.Amounts{CPUMillis: 450, MemoryBytes: 512 * apply.MiB},
		CPUBand:    apply.Interval{Min: 400, Max: 600},
		MemoryBand: apply.Interval{Min: 410 * apply.MiB, Max: 614 * apply.MiB},
	}}}
}

func requests(cpuMillis, memoryMiB int64) map[string]apply.Resources {
	return map[string]apply.Resources{"app": {Requests: apply.Amounts{CPUMillis: cpuMillis, MemoryBytes: memoryMiB * apply.MiB}}}
}

// pod is a running and ready pod that asks for these resources, has them, and always asked for them.
func pod(name string, resources map[string]apply.Resources) plan.Pod {
	return plan.Pod{
		Name: name, UID: types.UID("uid-" + name), Running: true, Ready: true, ResizeSupported: true,
		Original: resources, Present: resources, Actual: resources,
	}
}

// checkout is a Deployment in mode auto whose pods are as given.
func checkout(pods ...plan.Pod) plan.Workload {
	return plan.Workload{
		Key:  plan.Key{Namespace: "shop", Kind: "Deployment", Name: "checkout"},
		Mode: v1alpha1.ModeAuto, Updater: v1alpha1.UpdaterInPlaceOrEvict,
		Revision: revision, Values: sized(),
		Disruption: plan.Disruption{MaxUnavailable: intstr.FromString("25%"), EvictionsPerHour: 6, MinReplicas: 2},
		Replicas:   int32(len(pods)), Pods: pods,
	}
}

func open(workloads ...plan.Workload) plan.Snapshot {
	return plan.Snapshot{Workloads: workloads, Gate: plan.Gate{Open: true}}
}

var (
	fits  = requests(500, 512)
	small = requests(100, 512)
	large = requests(2000, 512)
)

// summary tells a result in one line per action and skip: "resize c-1", "skip c-1 CannotResize".
func summary(r plan.Result) []string {
	var lines []string
	for _, a := range r.Actions {
		lines = append(lines, strings.TrimSpace(string(a.Kind)+" "+a.Pod))
	}
	for _, s := range r.Skips {
		lines = append(lines, strings.Join(strings.Fields("skip "+s.Pod+" "+string(s.Reason)), " "))
	}
	return lines
}

func cannotResize(p plan.Pod) plan.Pod { p.ResizeSupported = false; return p }

// underPressure: running pods are wanted larger than new ones.
func underPressure(w *plan.Workload) {
	w.Values.Containers[0].InPlace.CPUMillis = 800
	w.Values.Containers[0].CPUBand = apply.Interval{Min: 400, Max: 1000}
}

// lost is a pod that finds no node with an older revision, rolling a workload that waits for it.
func lost(p *plan.Pod) {
	p.Unschedulable, p.Stranded, p.Running, p.Ready, p.ResizeSupported, p.InjectedRevision = true, true, false, false, false, "fedcba9876543210"
}

func rolling(w *plan.Workload) { w.RolloutInProgress, w.Disruption.MinReplicas = true, 5 }

func TestOneDriftedPod(t *testing.T) {
	small, large := pod("a", small), pod("a", large)
	with := func(p plan.Pod, change func(*plan.Pod)) plan.Pod { change(&p); return p }
	cases := map[string]struct {
		pod    plan.Pod
		change func(*plan.Workload)
		want   string
	}{
		"inside its band is left alone":                          {pod: pod("a", requests(420, 600))},
		"with too little is resized":                             {pod: small, want: "resize a"},
		"with too much is resized":                               {pod: large, want: "resize a"},
		"that needs more for now is resized":                     {pod: pod("a", requests(500, 512)), change: underPressure, want: "resize a, resize b, resize c"},
		"is not evicted for what new pods do not get":            {pod: with(pod("a", requests(500, 512)), func(p *plan.Pod) { p.ResizeRefused = "no room" }), change: underPressure, want: "resize b, resize c, skip a CannotResize"},
		"that has what new pods get gives back in place":         {pod: pod("a", requests(560, 512)), want: "resize a"},
		"that has what new pods get is not evicted to give back": {pod: pod("a", requests(500, 512)), change: func(w *plan.Workload) { w.Updater = v1alpha1.UpdaterEvict }},
		"with too little is evicted where resize is missing":     {pod: cannotResize(small), want: "evict a"},
		"with too much waits where resize is missing":            {pod: cannotResize(large), want: "skip a OnlyLowering"},
		"with too little is evicted after a refusal":             {pod: with(small, func(p *plan.Pod) { p.ResizeRefused = "node didn't have enough" }), want: "evict a"},
		"with too much waits after a refusal":                    {pod: with(large, func(p *plan.Pod) { p.ResizeRefused = "no" }), want: "skip a OnlyLowering"},
		"with too much waits in mode in-place":                   {pod: cannotResize(large), change: func(w *plan.Workload) { w.Updater = v1alpha1.UpdaterInPlace }, want: "skip a OnlyLowering"},
		"is not evicted where no successor can come":             {pod: cannotResize(small), change: func(w *plan.Workload) { w.NoEviction = "exceeded quota" }, want: "skip a NoEviction"},
		"that finds no node is replaced by a smaller one":        {pod: with(large, lost), change: rolling, want: "evict a"},
		"that finds no node waits in mode in-place":              {pod: with(large, lost), change: func(w *plan.Workload) { w.Updater = v1alpha1.UpdaterInPlace }, want: "skip a NotRunning"},
		"that finds no node with less waits":                     {pod: with(small, lost), want: "skip a NotRunning"},
		"that finds no node with its own sizes waits":            {pod: with(large, func(p *plan.Pod) { lost(p); p.InjectedRevision = "" }), want: "skip a NotRunning"},
		"is resized where no successor can come":                 {pod: small, change: func(w *plan.Workload) { w.NoEviction = "exceeded quota" }, want: "resize a"},
		"is not evicted where a quota refused the resize":        {pod: with(small, func(p *plan.Pod) { p.ResizeRefused, p.RefusedByNamespace = "exceeded quota", true }), want: "skip a NoEviction"},
		"is evicted out of its own crash loop":                   {pod: cannotResize(with(small, func(p *plan.Pod) { p.Ready = false })), want: "evict a"},
		"is not evicted in mode in-place":                        {pod: cannotResize(small), change: func(w *plan.Workload) { w.Updater = v1alpha1.UpdaterInPlace }, want: "skip a CannotResize"},
		"is not resized in mode evict":                           {pod: large, change: func(w *plan.Workload) { w.Updater = v1alpha1.UpdaterEvict }, want: "evict a"},
		"is left alone in mode initial":                          {pod: small, change: func(w *plan.Workload) { w.Mode = v1alpha1.ModeInitial }, want: "skip NotAutomatic"},
		"is left alone while nothing is applicable":              {pod: small, change: func(w *plan.Workload) { w.Revision = "" }, want: "skip NothingApplicable"},
		"is left alone on hold":                                  {pod: small, change: func(w *plan.Workload) { w.Hold = &v1alpha1.Hold{Reason: "launch"} }, want: "skip OnHold"},
		"is resized once a hold is over":                         {pod: small, change: func(w *plan.Workload) { w.Hold = &v1alpha1.Hold{Until: new(metav1.NewTime(now))} }, want: "resize a"},
		"is left alone after harm":                               {pod: small, change: func(w *plan.Workload) { w.Harm = "OOMKilled" }, want: "skip Harmed"},
		"is raised on stale sizes":                               {pod: small, change: func(w *plan.Workload) { w.Stale = true }, want: "resize a"},
		"is not lowered on stale sizes":                          {pod: large, change: func(w *plan.Workload) { w.Stale = true }},
		"is left alone before it runs":                           {pod: with(small, func(p *plan.Pod) { p.Running = false }), want: "skip a NotRunning"},
		"is left alone on its way out":                           {pod: with(small, func(p *plan.Pod) { p.Terminating = true })},
		"of a DaemonSet is resized":                              {pod: small, change: func(w *plan.Workload) { w.Kind = "DaemonSet" }, want: "resize a"},
		"of a DaemonSet is never evicted":                        {pod: cannotResize(small), change: func(w *plan.Workload) { w.Kind = "DaemonSet" }, want: "skip a Kind"},
		"of a CronJob is never evicted":                          {pod: cannotResize(small), change: func(w *plan.Workload) { w.Kind = "CronJob" }, want: "skip a Kind"},
		"that asks for no eviction is resized":                   {pod: with(small, func(p *plan.Pod) { p.Pinned = "x" }), want: "resize a"},
		"that asks for no eviction is not evicted":               {pod: cannotResize(with(small, func(p *plan.Pod) { p.Pinned = "x" })), want: "skip a Pinned"},
		"is not evicted during a rollout":                        {pod: cannotResize(small), change: func(w *plan.Workload) { w.RolloutInProgress = true }, want: "skip a RolloutInProgress"},
		"is not evicted outside the windows":                     {pod: cannotResize(small), change: onlyAtNight, want: "skip a OutsideWindow"},
		"is resized outside the windows":                         {pod: small, change: onlyAtNight, want: "resize a"},
		"is not evicted while the API server says later":         {pod: cannotResize(with(small, func(p *plan.Pod) { p.NotBefore = now.Add(1) })), want: "skip a BackingOff"},
		"is not evicted if it came like this from admission":     {pod: cannotResize(with(small, func(p *plan.Pod) { p.InjectedRevision = revision })), want: "skip a DidNotStick"},
		"is not evicted if evictions bring pods without sizes":   {pod: cannotResize(with(small, func(p *plan.Pod) { p.AdmittedWithout = true })), want: "skip a DidNotStick"},
		"is evicted if admission gave it another revision":       {pod: cannotResize(with(small, func(p *plan.Pod) { p.InjectedRevision = "older" })), want: "evict a"},
		"is not evicted against its PodDisruptionBudget":         {pod: cannotResize(with(small, budgets(0))), want: "skip a DisruptionBudget"},
		"is evicted if its PodDisruptionBudget allows":           {pod: cannotResize(with(small, budgets(1))), want: "evict a"},
		"is not evicted with two PodDisruptionBudgets":           {pod: cannotResize(with(small, budgets(1, 1))), want: "skip a SeveralDisruptionBudgets"},
		"is resized whatever its PodDisruptionBudget says":       {pod: with(small, budgets(0)), want: "resize a"},
		"is evicted where a raise would restart the container":   {pod: with(small, func(p *plan.Pod) { p.Fixed = map[string]plan.Fixed{"app": {CPU: true}} }), want: "evict a"},
		"is resized where only the other resource is fixed":      {pod: with(small, func(p *plan.Pod) { p.Fixed = map[string]plan.Fixed{"app": {Memory: true}} }), want: "resize a"},
		"is waited for while the node has put the resize off":    {pod: resized(small, plan.ResizeDeferred, 2*time.Hour), want: "skip a ResizeDeferred"},
		"is evicted when put off for over an hour, with room":    {pod: withRoom(resized(small, plan.ResizeDeferred, 2*time.Hour)), want: "evict a"},
		"is waited for when put off for an hour, with room":      {pod: withRoom(resized(small, plan.ResizeDeferred, time.Hour)), want: "skip a ResizeDeferred"},
		"is waited for when put off, mode in-place, with room":   {pod: withRoom(resized(small, plan.ResizeDeferred, 2*time.Hour)), change: func(w *plan.Workload) { w.Updater = v1alpha1.UpdaterInPlace }, want: "skip a CannotResize"},
		"is waited for while the node resizes":                   {pod: resized(small, plan.ResizeInProgress, time.Minute), want: "skip a ResizeInProgress"},
		"is waited for before the node has answered":             {pod: resized(small, plan.ResizeNone, 0), want: "skip a ResizeInProgress"},
		"is evicted when the node resizes for over an hour":      {pod: resized(small, plan.ResizeInProgress, 2*time.Hour), want: "evict a"},
		"is evicted when the node calls the raise infeasible":    {pod: resized(small, plan.ResizeInfeasible, 0), want: "evict a"},
		"is evicted when the raise goes on ending in an error":   {pod: resized(small, plan.ResizeError, 6*time.Minute), want: "evict a"},
		"is waited for when the raise ended in an error":         {pod: resized(small, plan.ResizeError, 5*time.Minute), want: "skip a ResizeInProgress"},
		"waits when the node calls the lowering infeasible":      {pod: resized(large, plan.ResizeInfeasible, 0), want: "skip a OnlyLowering"},
		"is not evicted for an infeasible raise, mode in-place":  {pod: resized(small, plan.ResizeInfeasible, 0), change: func(w *plan.Workload) { w.Updater = v1alpha1.UpdaterInPlace }, want: "skip a CannotResize"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := checkout(c.pod, pod("b", fits), pod("c", fits))
			if c.change != nil {
				c.change(&w)
			}
			got := strings.Join(summary(plan.Plan(now, open(w), plenty)), ", ")
			if got != c.want {
				t.Errorf("plan = %q, want %q", got, c.want)
			}
		})
	}
}

func withRoom(p plan.Pod) plan.Pod { p.RoomOn = "node-2"; return p }

func TestTheRoomOfANodeIsPromisedOnce(t *testing.T) {
	waiting := func(name string) plan.Pod {
		return withRoom(resized(pod(name, small), plan.ResizeDeferred, 2*time.Hour))
	}
	w := checkout(waiting("a"), waiting("b"), pod("c", fits), pod("d", fits))
	w.Disruption.MaxUnavailable = intstr.FromInt32(2)
	want := []string{"evict a", "skip b ResizeDeferred"}
	if diff := cmp.Diff(want, summary(plan.Plan(now, open(w), plenty))); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

func onlyAtNight(w *plan.Workload) {
	w.Disruption.Windows = []v1alpha1.Window{{Start: "0 2 * * *", Duration: metav1.Duration{Duration: 2 * time.Hour}, TimeZone: "Europe/Berlin"}}
}

func budgets(allowed ...int32) func(*plan.Pod) {
	return func(p *plan.Pod) {
		for i, n := range allowed {
			p.DisruptionBudgets = append(p.DisruptionBudgets, plan.DisruptionBudget{Name: string(rune('x' + i)), Allowed: n})
		}
	}
}

// resized asks for the right sizes already and runs with the old ones.
func resized(p plan.Pod, state plan.ResizeState, ago time.Duration) plan.Pod {
	p.Present = fits
	p.Resize = plan.ResizeStatus{State: state, Since: now.Add(-ago)}
	return p
}

func TestAResizeSetsTheInPlaceSizesAndNamesThePodByUID(t *testing.T) {
	got := plan.Plan(now, open(checkout(pod("a", small))), plenty).Actions
	want := []plan.Action{{
		Kind: plan.Resize, Workload: checkout().Key, Revision: revision, Pod: "a", UID: "uid-a",
		Containers: requests(450, 512), Original: small, Mark: &plan.Mark{UID: "uid-a", Revision: revision, At: now, Asked: plan.Digest(requests(450, 512))},
		Raise: true, Reason: "container app: cpu request 100m is under 400m",
	}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(plan.Action{})); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
}

func TestCPUIsResizedWhereMemoryCannotMove(t *testing.T) {
	guaranteed := map[string]apply.Resources{"app": {
		Requests: apply.Amounts{CPUMillis: 2000, MemoryBytes: 4096 * apply.MiB},
		Limits:   apply.Amounts{CPUMillis: 2000, MemoryBytes: 4096 * apply.MiB},
	}}
	result := plan.Plan(now, open(checkout(pod("a", guaranteed))), plenty)
	if got := summary(result); !cmp.Equal(got, []string{"resize a"}) {
		t.Fatalf("plan = %v, want a resize", got)
	}
	want := apply.Resources{
		Requests: apply.Amounts{CPUMillis: 450, MemoryBytes: 4096 * apply.MiB},
		Limits:   apply.Amounts{CPUMillis: 450, MemoryBytes: 4096 * apply.MiB},
	}
	if got := result.Actions[0].Containers["app"]; got != want {
		t.Errorf("resize to %+v, want %+v: the memory limit of a running pod never goes down", got, want)
	}
	after := pod("a", map[string]apply.Resources{"app": want})
	after.Original = guaranteed
	if got := summary(plan.Plan(now, open(checkout(after)), plenty)); !cmp.Equal(got, []string{"skip a OnlyLowering"}) {
		t.Errorf("the next plan = %v, want the memory to wait for the next pod", got)
	}
}

func TestWhatIsSaidAboutAStuckResizeDoesNotChangeByTheMinute(t *testing.T) {
	w := checkout(resized(pod("a", large), plan.ResizeInProgress, 2*time.Hour))
	before, after := plan.Plan(now, open(w), plenty), plan.Plan(now.Add(5*time.Minute), open(w), plenty)
	if len(before.Skips) != 1 || !cmp.Equal(before, after) {
		t.Errorf("said %+v, then %+v; want the same, because each difference is a write", before.Skips, after.Skips)
	}
}

func TestStaleSizesRaiseOneResourceWithoutLoweringTheOther(t *testing.T) {
	w := checkout(pod("a", requests(100, 4096)))
	w.Stale = true
	actions := plan.Plan(now, open(w), plenty).Actions
	if len(actions) != 1 || !cmp.Equal(actions[0].Containers, requests(450, 4096)) {
		t.Errorf("actions = %+v, want CPU raised to 450m and memory kept at 4Gi", actions)
	}
}

func TestRaisesComeFirstAndTheLargestShortageBeforeThem(t *testing.T) {
	w := checkout(pod("a-too-much", large), pod("b-half", requests(250, 512)), pod("c-tenth", requests(50, 512)))
	want := []string{"resize c-tenth", "resize b-half", "resize a-too-much"}
	if diff := cmp.Diff(want, summary(plan.Plan(now, open(w), plenty))); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestWhatWasAskedForInVainComesAfterEverythingElse(t *testing.T) {
	refused := pod("c-tenth", requests(50, 512))
	refused.Mark = &plan.Mark{UID: refused.UID, Revision: revision, At: now.Add(-time.Hour), Asked: "something else"}
	w := checkout(pod("a-too-much", large), pod("b-half", requests(250, 512)), refused)
	want := []string{"resize b-half", "resize a-too-much", "resize c-tenth"}
	if diff := cmp.Diff(want, summary(plan.Plan(now, open(w), plenty))); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestPriorityDecidesBetweenShortagesOfAboutTheSameSize(t *testing.T) {
	named := func(name string, priority v1alpha1.Priority, cpuMillis int64) plan.Workload {
		w := checkout(pod(name, requests(cpuMillis, 512)))
		w.Name, w.Priority = name, priority
		return w
	}
	cluster := open(
		named("a-low", v1alpha1.PriorityLow, 150), named("b-standard", "", 160), named("c-high", v1alpha1.PriorityHigh, 170),
		named("d-critical", v1alpha1.PriorityCritical, 180), named("e-low-in-need", v1alpha1.PriorityLow, 90),
		named("f-critical-with-too-much", v1alpha1.PriorityCritical, 2000),
	)
	budget := plenty
	budget.ResizesPerMinute = 5
	want := []string{
		"resize e-low-in-need", "resize d-critical", "resize c-high", "resize b-standard", "resize a-low",
		"skip f-critical-with-too-much Budget",
	}
	if diff := cmp.Diff(want, summary(plan.Plan(now, cluster, budget))); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestNothingHappensWhileTheGateIsClosedOrTheKillSwitchIsOn(t *testing.T) {
	for name, snapshot := range map[string]plan.Snapshot{
		"gate":        {Gate: plan.Gate{Reason: "warming up"}},
		"kill switch": {Gate: plan.Gate{Open: true}, KillSwitch: "incident 42"},
		"breaker":     {Gate: plan.Gate{Open: true}, Breaker: "the circuit breaker is open"},
		"gate, with a breaker that would let cures pass": {Gate: plan.Gate{Reason: "warming up"}, Breaker: "open", Cures: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := checkout(pod("a", small))
			w.ScaleReplicas, w.Values.Replicas = true, new(int32(9))
			snapshot.Workloads = []plan.Workload{w}
			result := plan.Plan(now, snapshot, plenty)
			if got := summary(result); !cmp.Equal(got, []string{"skip Closed", "skip Closed"}) || result.Closed == "" {
				t.Errorf("plan = %v, closed = %q; want nothing but a reason", got, result.Closed)
			}
			if result.Drifted[w.Key] != 1 {
				t.Errorf("drifted = %d, want the pod to be reported", result.Drifted[w.Key])
			}
		})
	}
}

func TestABreakerLetsNothingPassButTheCureForKillsForLackOfMemory(t *testing.T) {
	limited := func(name string, cpuMillis, memoryMiB int64, troubles ...plan.Trouble) plan.Pod {
		amounts := apply.Amounts{CPUMillis: cpuMillis, MemoryBytes: memoryMiB * apply.MiB}
		p := pod(name, map[string]apply.Resources{"app": {Requests: amounts, Limits: apply.Amounts{MemoryBytes: amounts.MemoryBytes}}})
		p.Troubles = troubles
		return p
	}
	killed := plan.Trouble{Container: "app", What: plan.TroubleOOM, At: now.Add(-time.Minute)}
	w := checkout(
		limited("a-killed", 2000, 256, killed), limited("b-small", 500, 256), limited("c-killed-and-large", 2000, 512, killed),
		cannotResize(limited("d-killed-and-cannot-be-resized", 500, 256, killed)), limited("e-fits", 500, 512),
	)
	w.Values.Containers[0].MemoryLimit = apply.Limit{Policy: string(v1alpha1.LimitEqual)}
	w.ScaleReplicas, w.Values.Replicas = true, new(int32(9))
	cluster := open(w)
	cluster.Breaker, cluster.Cures = "the circuit breaker is open", true
	result := plan.Plan(now, cluster, plenty)
	want := []string{"resize a-killed", "skip Closed", "skip b-small Closed", "skip c-killed-and-large Closed", "skip d-killed-and-cannot-be-resized Closed"}
	if diff := cmp.Diff(want, summary(result)); diff != "" {
		t.Fatalf("plan (-want +got):\n%s", diff)
	}
	cured := apply.Resources{
		Requests: apply.Amounts{CPUMillis: 2000, MemoryBytes: 512 * apply.MiB}, Limits: apply.Amounts{MemoryBytes: 512 * apply.MiB},
	}
	if got := result.Actions[0].Containers["app"]; got != cured {
		t.Errorf("resize to %+v, want %+v: more memory, and no less of anything", got, cured)
	}
}

func TestEvictionsStayInsideEveryBudget(t *testing.T) {
	eight := func(change func(*plan.Workload)) plan.Workload {
		var pods []plan.Pod
		for name := range strings.SplitSeq("abcdefgh", "") {
			pods = append(pods, cannotResize(pod(name, small)))
		}
		w := checkout(pods...)
		w.Disruption.MaxUnavailable = intstr.FromInt32(8)
		change(&w)
		return w
	}
	spent := func(ago time.Duration) []plan.Spent {
		return []plan.Spent{{At: now.Add(-ago), Kind: plan.Evict, Workload: checkout().Key, PodUID: "gone"}}
	}
	cases := map[string]struct {
		change func(*plan.Workload)
		budget plan.Budget
		want   int
	}{
		"6 an hour of one workload":        {func(*plan.Workload) {}, plenty, 6},
		"one of them spent 59 minutes ago": {func(*plan.Workload) {}, plan.Budget{EvictionsPerMinute: 9, NamespaceEvictionsPerHour: 9, Spent: spent(59 * time.Minute)}, 5},
		"one of them spent an hour ago":    {func(*plan.Workload) {}, plan.Budget{EvictionsPerMinute: 9, NamespaceEvictionsPerHour: 9, Spent: spent(time.Hour)}, 6},
		"a quarter of 8 unavailable":       {func(w *plan.Workload) { w.Disruption.MaxUnavailable = intstr.FromString("25%") }, plenty, 2},
		"a tenth of 8, but at least one":   {func(w *plan.Workload) { w.Disruption.MaxUnavailable = intstr.FromString("10%") }, plenty, 1},
		"a quarter of 8, one of them unready": {func(w *plan.Workload) {
			w.Disruption.MaxUnavailable = intstr.FromString("25%")
			w.Pods[7].Ready = false
		}, plenty, 2}, // A ready one and the unready one itself.
		"a quarter of 8, two others unready": {func(w *plan.Workload) {
			w.Disruption.MaxUnavailable = intstr.FromString("25%")
			each(w, func(p *plan.Pod) { p.Pinned = "x" })
			w.Pods[0].Pinned, w.Pods[6].Ready, w.Pods[7].Ready = "", false, false
		}, plenty, 0},
		"6 ready pods must be there":                   {func(w *plan.Workload) { w.Disruption.MinReplicas = 6 }, plenty, 3},
		"3 a minute in the cluster":                    {func(*plan.Workload) {}, plan.Budget{EvictionsPerMinute: 3, NamespaceEvictionsPerHour: 9}, 3},
		"3 a minute in the cluster, one spent":         {func(*plan.Workload) {}, plan.Budget{EvictionsPerMinute: 3, NamespaceEvictionsPerHour: 9, Spent: spent(59 * time.Second)}, 2},
		"4 an hour in the namespace":                   {func(*plan.Workload) {}, plan.Budget{EvictionsPerMinute: 9, NamespaceEvictionsPerHour: 4}, 4},
		"a budget of 0 forbids":                        {func(*plan.Workload) {}, plan.Budget{NamespaceEvictionsPerHour: 4}, 0},
		"a PodDisruptionBudget of 2 for all":           {func(w *plan.Workload) { each(w, budgets(2)) }, plenty, 2},
		"the last ready pod stays, whatever is wished": {func(w *plan.Workload) { w.Disruption.MinReplicas = 1; w.Disruption.EvictionsPerHour = 100 }, plenty, 7},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := len(plan.Plan(now, open(eight(c.change)), c.budget).Actions); got != c.want {
				t.Errorf("%d evictions, want %d", got, c.want)
			}
		})
	}
}

// down is a workload of so many pods that were all killed for lack of memory and do not run again with what they have.
func down(pods int) plan.Workload {
	var all []plan.Pod
	for i := range pods {
		p := pod(fmt.Sprint("p", i), requests(500, 256))
		p.Ready, p.ResizeSupported = false, false
		p.Troubles = []plan.Trouble{{Container: "app", What: plan.TroubleOOM, At: now.Add(-5 * time.Minute)}}
		all = append(all, p)
	}
	w := checkout(all...)
	w.OOMFloorBytes = map[string]int64{"app": 400 * apply.MiB}
	return w
}

func TestAPodThatIsDownForLackOfMemoryIsReplacedAlthoughNobodyIsReady(t *testing.T) {
	cases := map[string]struct {
		pods   int
		change func(*plan.Workload)
		want   int
	}{
		"all of three":                                 {pods: 3, change: func(*plan.Workload) {}, want: 3},
		"the only one":                                 {pods: 1, change: func(*plan.Workload) {}, want: 1},
		"no more than go in an hour":                   {pods: 9, change: func(*plan.Workload) {}, want: 6},
		"none where its owner wants none evicted":      {pods: 3, change: func(w *plan.Workload) { w.Updater = v1alpha1.UpdaterInPlace }},
		"outside the windows":                          {pods: 3, change: onlyAtNight, want: 3},
		"while a rollout waits for them":               {pods: 3, change: rolling, want: 3},
		"a PodDisruptionBudget is the API server's":    {pods: 3, change: func(w *plan.Workload) { each(w, budgets(0)) }, want: 3},
		"none where two of them make it impossible":    {pods: 3, change: func(w *plan.Workload) { each(w, budgets(1, 1)) }},
		"not the one that is ready again":              {pods: 3, change: func(w *plan.Workload) { w.Pods[0].Ready = true }, want: 2},
		"not those that only lost what they depend on": {pods: 3, change: func(w *plan.Workload) { w.Pods[0].Troubles, w.Pods[1].Troubles = nil, nil }, want: 1},
		"not those whose last kill is long ago":        {pods: 3, change: func(w *plan.Workload) { each(w, func(p *plan.Pod) { p.Troubles[0].At = now.Add(-2 * time.Hour) }) }},
		"one into each room":                           {pods: 3, change: func(w *plan.Workload) { each(w, func(p *plan.Pod) { p.RoomOn = "node-1" }) }, want: 1},
		"none where the successor would not get more":  {pods: 3, change: func(w *plan.Workload) { each(w, func(p *plan.Pod) { *p = sameAs(*p, requests(500, 512)) }) }},
		"none where the successor would get only CPU": {pods: 3, change: func(w *plan.Workload) {
			w.OOMFloorBytes["app"] = 600 * apply.MiB // more than a maximum lets it have
			each(w, func(p *plan.Pod) { *p = sameAs(*p, requests(100, 512)) })
		}},
		"none where pods have what kills taught":          {pods: 3, change: func(w *plan.Workload) { w.OOMFloorBytes["app"] = 200 * apply.MiB }},
		"none where nobody was killed for lack of memory": {pods: 3, change: func(w *plan.Workload) { w.OOMFloorBytes = nil }},
		"none where pods come without sizes":              {pods: 3, change: func(w *plan.Workload) { w.NoEviction = "no label" }},
		"none while a successor does not come":            {pods: 3, change: func(w *plan.Workload) { w.NoSuccessor = "pod a was evicted" }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := down(c.pods)
			c.change(&w)
			if got := len(plan.Plan(now, open(w), plenty).Actions); got != c.want {
				t.Errorf("%d evictions, want %d", got, c.want)
			}
		})
	}
}

func TestABreakerLetsPodsThatAreDownForLackOfMemoryBeReplacedWhereNobodyIsReady(t *testing.T) {
	cases := map[string]struct {
		change func(*plan.Workload)
		cures  bool
		want   int
	}{
		"nobody is ready":                      {change: func(*plan.Workload) {}, cures: true, want: 3},
		"the breaker is open for other causes": {change: func(*plan.Workload) {}},
		"one is ready and carries the load":    {change: func(w *plan.Workload) { w.Pods[0].Ready = true }, cures: true},
		"those that only lost what they need":  {change: func(w *plan.Workload) { w.Pods[0].Troubles = nil }, cures: true, want: 2},
		"not for want of anything else":        {change: func(w *plan.Workload) { w.OOMFloorBytes = nil }, cures: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := down(3)
			c.change(&w)
			cluster := open(w)
			cluster.Breaker, cluster.Cures = "the circuit breaker is open", c.cures
			if got := len(plan.Plan(now, cluster, plenty).Actions); got != c.want {
				t.Errorf("%d evictions, want %d", got, c.want)
			}
		})
	}
}

func sameAs(p plan.Pod, have map[string]apply.Resources) plan.Pod {
	p.Original, p.Present, p.Actual = have, have, have
	return p
}

func each(w *plan.Workload, change func(*plan.Pod)) {
	for i := range w.Pods {
		change(&w.Pods[i])
	}
}

func TestAPodThatWasEvictedCountsAsGoneBeforeTheCachesShowIt(t *testing.T) {
	w := checkout(cannotResize(pod("a", small)), cannotResize(pod("b", small)), pod("c", fits))
	budget := plenty
	budget.Spent = []plan.Spent{{At: now.Add(-time.Second), Kind: plan.Evict, Workload: w.Key, PodUID: "uid-a"}}
	if got := summary(plan.Plan(now, open(w), budget)); !cmp.Equal(got, []string{"skip b Unavailable"}) {
		t.Errorf("plan = %v, want b to wait for a's successor", got)
	}
}

func TestAPodThatWasJustResizedIsLeftAlone(t *testing.T) {
	w := checkout(pod("a", small))
	budget := plenty
	budget.Spent = []plan.Spent{{At: now.Add(-9 * time.Second), Kind: plan.Resize, Workload: w.Key, PodUID: "uid-a"}}
	if got := summary(plan.Plan(now, open(w), budget)); !cmp.Equal(got, []string{"skip a JustTouched"}) {
		t.Errorf("plan = %v, want the caches to settle first", got)
	}
}

func TestAPartOfAResizeNeverChangesTheQualityOfServiceClass(t *testing.T) {
	// Both resources together would leave the pod Burstable; CPU alone, with the memory fixed, would make it Guaranteed.
	p := pod("a", map[string]apply.Resources{"app": {
		Requests: apply.Amounts{CPUMillis: 100, MemoryBytes: 4096 * apply.MiB},
		Limits:   apply.Amounts{CPUMillis: 200, MemoryBytes: 4096 * apply.MiB},
	}})
	p.Fixed = map[string]plan.Fixed{"app": {Memory: true}}
	w := checkout(p, pod("b", fits), pod("c", fits))
	w.Values.Containers[0].CPULimit.Policy = string(v1alpha1.LimitEqual)
	if got := summary(plan.Plan(now, open(w), plenty)); !cmp.Equal(got, []string{"evict a"}) {
		t.Errorf("plan = %v, want no resize, which the API server would refuse", got)
	}
}
