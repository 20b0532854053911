package recommender

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/internal/testkit"
	"github.com/loadline-dev/loadline/recommender/advice"
	"github.com/loadline-dev/loadline/recommender/guard"
	"github.com/loadline-dev/loadline/recommender/history"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

func quantity(q *resource.Quantity, scale int64) int64 {
	switch {
	case q == nil:
		return 0
	case scale == 1000:
		return q.MilliValue()
	default:
		return q.Value()
	}
}

func (l *life) condition(kind string) metav1.Condition {
	c := apimeta.FindStatusCondition(l.rec.Status.Conditions, kind)
	if c == nil {
		l.tb.Fatalf("there is no condition %s", kind)
	}
	return *c
}

func TestAFreshWorkloadWithTwoWeeksOfHistoryIsSized(t *testing.T) {
	l := checkout(t, 14*day).look()
	if c := l.condition(v1alpha1.ConditionReady); c.Status != metav1.ConditionTrue {
		t.Fatalf("not ready: %s", c.Message)
	}
	cpu, memory := app(l.rec.Status.Applicable)
	// 0.6 cores and 5 % are 630m, but one step lowers 2 cores by half at most; 400 MiB and 15 % are 460 MiB, likewise.
	if cpu != 1000 || memory != 1024*mebibyte {
		t.Errorf("sized to %dm and %d MiB, want one step down: 1000m and 1024 MiB", cpu, memory/mebibyte)
	}
	l.after(25 * time.Hour).look()
	if cpu, memory = app(l.rec.Status.Applicable); cpu < 600 || cpu > 700 || memory != 512*mebibyte {
		t.Errorf("then sized to %dm and %d MiB, want about 630m and 512 MiB", cpu, memory/mebibyte)
	}
	d := l.rec.Status.Display
	if d.Workload != "Deployment/checkout" || !strings.HasPrefix(d.CPU, "2 → ") || d.Memory != "2048Mi → 512Mi" || d.Why == "" {
		t.Errorf("kubectl would show %+v", d)
	}
}

func TestWhatHistoryAllows(t *testing.T) {
	for name, c := range map[string]struct {
		span      time.Duration
		cpu       testkit.Curve
		ready     bool
		reason    string
		candidate bool
	}{
		"nothing was measured":                 {0, testkit.Flat(0.4), false, v1alpha1.ReasonNoHistory, false},
		"only gaps were measured":              {14 * day, testkit.Flat(math.NaN()), false, v1alpha1.ReasonNoHistory, false},
		"forty minutes say nothing yet":        {40 * time.Minute, testkit.Flat(0.4), false, v1alpha1.ReasonWaitingForHistory, false},
		"ten hours are shown, but not applied": {10 * time.Hour, testkit.Flat(0.4), false, v1alpha1.ReasonWaitingForHistory, true},
		"two days are applied":                 {2 * day, testkit.Flat(0.4), true, v1alpha1.ReasonSized, true},
	} {
		t.Run(name, func(t *testing.T) {
			l := checkout(t, c.span)
			memory := testkit.Flat(400 * mebibyte)
			if math.IsNaN(c.cpu(noon)) {
				memory = c.cpu
			}
			l.uses(c.span, c.cpu, memory).look()
			got := l.condition(v1alpha1.ConditionReady)
			if (got.Status == metav1.ConditionTrue) != c.ready || got.Reason != c.reason {
				t.Errorf("Ready is %s because %s: %s", got.Status, got.Reason, got.Message)
			}
			if (l.rec.Status.Candidate != nil) != c.candidate {
				t.Errorf("candidate %v", l.rec.Status.Candidate)
			}
		})
	}
}

func TestDryRunDecidesWhatAutoWouldDo(t *testing.T) {
	auto, dryRun := checkout(t, 14*day), checkout(t, 14*day)
	dryRun.in.Settings = v1alpha1.Resolve(v1alpha1.Settings{Mode: v1alpha1.ModeDryRun}, v1alpha1.Settings{}, nil, nil, false)
	if diff := cmp.Diff(auto.look().rec.Status.Applicable, dryRun.look().rec.Status.Applicable); diff != "" {
		t.Errorf("dry-run promises something else (-auto +dry-run):\n%s", diff)
	}
}

func TestNothingShrinksWhileTheHistoryIsNotUpToDate(t *testing.T) {
	l := checkout(t, 14*day)
	l.in.HistoryProblem = "Prometheus does not answer"
	cpu, memory := app(l.look().rec.Status.Candidate)
	if cpu < 2000 || memory < 2048*mebibyte {
		t.Errorf("lowered to %dm and %d MiB", cpu, memory/mebibyte)
	}
	if c := l.condition(v1alpha1.ConditionHistoryReady); c.Reason != v1alpha1.ReasonHistoryUnavailable || c.Message != l.in.HistoryProblem {
		t.Errorf("HistoryReady says %s: %s", c.Reason, c.Message)
	}
}

func TestAMissingPolicyNeverShrinksAnything(t *testing.T) {
	l := checkout(t, 14*day)
	l.in.PolicyProblem = "SizingPolicy shop/gold does not exist"
	if cpu, memory := app(l.look().rec.Status.Candidate); cpu < 2000 || memory < 2048*mebibyte {
		t.Errorf("lowered to %dm and %d MiB by a policy that nobody asked for", cpu, memory/mebibyte)
	}
}

func TestARestartWhilePrometheusIsDownTakesNothingAway(t *testing.T) {
	for name, approval := range map[string]v1alpha1.Approval{"in force": v1alpha1.ApprovalAutomatic, "still to be approved": v1alpha1.ApprovalManual} {
		t.Run(name, func(t *testing.T) {
			l := checkout(t, 14*day)
			l.in.Settings.Approval = approval
			before := l.look().rec.Status
			l.in.History, l.in.HistoryProblem = history.Workload{}, "Prometheus does not answer"
			after := l.after(time.Hour).look().rec.Status
			if diff := cmp.Diff(before.Applicable, after.Applicable); diff != "" {
				t.Errorf("applicable changed (-before +after):\n%s", diff)
			}
			if diff := cmp.Diff(before.Candidate, after.Candidate); diff != "" {
				t.Errorf("the candidate changed (-before +after):\n%s", diff)
			}
			if !before.ObservedTime.Equal(after.ObservedTime) {
				t.Error("the sizes were confirmed without a measurement")
			}
			l.after(25 * time.Hour).look()
			if c := l.condition(v1alpha1.ConditionStale); c.Status != metav1.ConditionTrue {
				t.Errorf("after a day without confirmation Stale is %s: %s", c.Status, c.Message)
			}
		})
	}
}

func TestAnEmptyHistoryDoesNotConfirmSizes(t *testing.T) {
	l := checkout(t, 14*day).look()
	before := l.rec.Status.ObservedTime
	l.in.History = history.Workload{} // Prometheus answers, but knows nothing any more
	l.after(30 * time.Hour).look()
	if !l.rec.Status.ObservedTime.Equal(before) || l.condition(v1alpha1.ConditionStale).Status != metav1.ConditionTrue {
		t.Error("an empty Prometheus confirmed the sizes")
	}
	if l.rec.Status.Applicable == nil {
		t.Error("an empty Prometheus took the sizes away")
	}
}

func TestAnOutOfMemoryKillRaisesAtOnceEvenWithoutHistory(t *testing.T) {
	l := checkout(t, 0)
	l.in.Containers = []corev1.Container{testkit.Container("app", "100m", "1Gi")}
	l.in.OOMKills = []OOMKill{{Container: "app", LimitBytes: 1024 * mebibyte, Time: noon}}
	cpu, memory := app(l.look().rec.Status.Applicable)
	if cpu != 0 || memory != 1229*mebibyte { // 1.2 × 1 GiB, in whole MiB
		t.Errorf("sized to %dm and %d MiB, want only memory, 1229 MiB", cpu, memory/mebibyte)
	}
	if !strings.Contains(l.rec.Status.Display.Why, "killed for lack of memory") {
		t.Errorf("why: %q", l.rec.Status.Display.Why)
	}
	if l.after(time.Minute).look(); l.written {
		t.Error("the same kill was learnt twice")
	}
	l.after(8 * day).look()
	if _, memory = app(l.rec.Status.Applicable); memory != 1229*mebibyte {
		t.Errorf("after a week the floor was forgotten: %d MiB", memory/mebibyte)
	}
	if strings.Contains(l.status.Display.Why, "killed for lack of memory") {
		t.Error("after a week the kill is still the most important news")
	}
}

func TestALeakBecomesAFindingAndIsNotFed(t *testing.T) {
	l := checkout(t, 14*day)
	l.uses(14*day, testkit.Flat(0.4), testkit.Rising(600*mebibyte, 60*mebibyte, noon.Add(-14*day))).look()
	types := map[string]bool{}
	for _, f := range l.rec.Status.Findings {
		types[f.Type] = true
	}
	if !types[sizing.FindingMemoryLeak] {
		t.Errorf("findings %v, want a suspected leak", l.rec.Status.Findings)
	}
	if _, memory := app(l.rec.Status.Applicable); memory > 2048*mebibyte {
		t.Errorf("the leak was fed with %d MiB", memory/mebibyte)
	}
}

func TestAnAnnouncedEventRaisesAheadOfTimeAndTheSizeReturnsAfterIt(t *testing.T) {
	l := checkout(t, 14*day).uses(14*day, testkit.Flat(0.4), testkit.Flat(400*mebibyte))
	l.in.Containers = []corev1.Container{testkit.Container("app", "420m", "460Mi")}
	usual, _ := app(l.look().rec.Status.Applicable)
	opens := noon.Add(20 * time.Minute)
	l.in.Annotations = []advice.Annotation{{ID: "A1", Key: "loadline.dev/event.sale", Event: &advice.TypedEvent{
		Name: "sale", Start: opens, End: opens.Add(2 * time.Hour), DemandPercent: 300,
	}}}
	if raised, _ := app(l.after(time.Minute).look().rec.Status.Applicable); raised < 3*usual-5 {
		t.Errorf("raised from %dm to %dm before the sale, want three times as much", usual, raised)
	}
	if !strings.Contains(l.rec.Status.Display.Why, `event "sale"`) {
		t.Errorf("why: %q", l.rec.Status.Display.Why)
	}
	during, _ := app(l.after(time.Hour).look().rec.Status.Applicable)
	for range 6 { // one step down at a time, a day apart
		l.after(25 * time.Hour).look()
	}
	after, _ := app(l.rec.Status.Applicable)
	if during < 3*usual-5 || after > usual*12/10 {
		t.Errorf("%dm during the sale and %dm after it, want three times %dm and about %dm", during, after, usual, usual)
	}
}

func TestUnderManualApprovalNothingNewIsUsedUntilAPersonApproves(t *testing.T) {
	l := checkout(t, 14*day)
	l.in.Settings.Approval = v1alpha1.ApprovalManual
	l.look()
	if l.rec.Status.Applicable != nil {
		t.Fatal("used without approval")
	}
	if c := l.condition(v1alpha1.ConditionReady); c.Reason != v1alpha1.ReasonWaitingForApproval {
		t.Errorf("Ready says %s: %s", c.Reason, c.Message)
	}
	first := l.rec.Status.Candidate.Revision
	l.rec.Spec.ApprovedRevision = first
	if l.after(time.Minute).look(); l.rec.Status.Revision != first {
		t.Fatalf("revision %q is used, want the approved %s", l.rec.Status.Revision, first)
	}
	l.after(25 * time.Hour).look() // the next step down is due
	if l.rec.Status.Candidate.Revision == first || l.rec.Status.Revision != first {
		t.Errorf("candidate %s, used %s; want a new candidate and the approved %s in use", l.rec.Status.Candidate.Revision, l.rec.Status.Revision, first)
	}
	if l.condition(v1alpha1.ConditionApproved).Status != metav1.ConditionFalse || !strings.Contains(l.rec.Status.Display.Why, "waits for approval") {
		t.Errorf("nobody is told that something waits: %q", l.rec.Status.Display.Why)
	}
}

func TestAHoldFreezesWhatIsUsedUntilItEnds(t *testing.T) {
	l := checkout(t, 14*day).look()
	held := l.rec.Status.Revision
	l.rec.Spec.Hold = &v1alpha1.Hold{Until: &metav1.Time{Time: noon.Add(2 * day)}, Reason: "audit\nin progress"}
	l.after(25 * time.Hour).look()
	if l.rec.Status.Revision != held || l.condition(v1alpha1.ConditionApproved).Reason != v1alpha1.ReasonOnHold {
		t.Errorf("revision %s became %s under a hold", held, l.rec.Status.Revision)
	}
	l.in.Settings.ExcludeContainers = []string{"vault"}
	if before := material(l.rec.Status); material(l.look().rec.Status) == before || !slices.Equal(l.rec.Status.ExcludeContainers, []string{"vault"}) {
		t.Errorf("nobody is told that a container is excluded: %v", l.rec.Status.ExcludeContainers)
	}
	if why := l.rec.Status.Display.Why; !strings.Contains(why, "audit in progress") {
		t.Errorf("why: %q, want the person's reason on one line", why)
	}
	if l.after(day).look(); l.rec.Status.Revision == held {
		t.Error("the hold did not end")
	}
}

func TestAnExpiredHoldIsNotTheReasonForWaiting(t *testing.T) {
	l := checkout(t, 14*day)
	l.in.Settings.Approval = v1alpha1.ApprovalManual
	l.rec.Spec.Hold = &v1alpha1.Hold{Until: &metav1.Time{Time: noon.Add(-day)}, Reason: "audit"}
	if c := l.look().condition(v1alpha1.ConditionApproved); c.Reason != v1alpha1.ReasonWaitingForApproval {
		t.Errorf("Approved says %s: %s", c.Reason, c.Message)
	}
}

func TestWhatAnAutoscalerOwnsIsLeftToIt(t *testing.T) {
	l := checkout(t, 14*day)
	l.in.HPA = guard.HPA{Owner: "HorizontalPodAutoscaler/checkout", OnCPU: true, OnMemory: true}
	l.look()
	c := l.condition(v1alpha1.ConditionReady)
	if c.Reason != v1alpha1.ReasonNothingToSize || !strings.Contains(c.Message, "HorizontalPodAutoscaler/checkout") {
		t.Errorf("Ready says %s: %s", c.Reason, c.Message)
	}
	l.in.Replicas = 9
	if l.after(time.Minute).look(); l.written {
		t.Error("every move of the autoscaler costs a write")
	}
}

func TestAContainerThatIsLeftAloneStillCountsForTheQualityOfService(t *testing.T) {
	l := checkout(t, 14*day)
	guaranteed := testkit.Container("app", "2", "2Gi")
	guaranteed.Resources.Limits = guaranteed.Resources.Requests
	l.in.Containers = []corev1.Container{guaranteed}
	l.in.LeftAlone = []corev1.Container{{Name: "migrate"}}
	limits := l.look().rec.Status.Applicable.Containers[0].Limits
	if limits.Memory.Policy != v1alpha1.LimitKeep {
		t.Errorf("memory limit %+v, want it kept: with its init container the pod is Burstable", limits.Memory)
	}
}

func TestARecommendedNumberOfPodsIsShownEvenWhereNobodyWritesIt(t *testing.T) {
	l := checkout(t, 14*day).uses(14*day, testkit.Flat(1.8), testkit.Flat(400*mebibyte)).look()
	if r := l.rec.Status.Replicas; r == nil || r.Target == nil || *r.Target <= 3 || l.rec.Status.Display.Replicas == "" {
		t.Errorf("replicas %+v, displayed %q, want more than 3", r, l.rec.Status.Display.Replicas)
	}
	if l.rec.Status.Candidate.Replicas != nil {
		t.Error("replicas: recommend put a number where it is written to the workload")
	}
}

func TestTheMostPodsAreFourTimesWhatTheManifestAsksForHoweverManyRun(t *testing.T) {
	l := checkout(t, 14*day).uses(14*day, testkit.Flat(20), testkit.Flat(400*mebibyte)).look()
	l.in.Replicas, l.in.Declared = 6, 0 // The workload itself does not tell any more, because Loadline scaled it.
	if r := l.after(time.Hour).look().rec.Status.Replicas; r == nil || r.Max == nil || *r.Max != 12 {
		t.Errorf("replicas %+v, want a maximum of 12", r)
	}
}

func TestThePolicyDecidesOnReplicasWhereNoAnnotationDoes(t *testing.T) {
	for _, c := range []struct {
		policy, annotation, want v1alpha1.ReplicaMode
	}{
		{"auto", "", "auto"}, {"recommend", "", "recommend"}, {"off", "auto", "off"}, {"recommend", "auto", "auto"}, {"auto", "off", "off"},
	} {
		in := Input{Settings: v1alpha1.Resolve(v1alpha1.Settings{Replicas: c.annotation}, v1alpha1.Settings{}, nil, nil, false)}
		if got := replicaMode(c.policy, in); got != c.want {
			t.Errorf("policy %q and annotation %q give %q, want %q", c.policy, c.annotation, got, c.want)
		}
	}
}

func TestFindingsOfEveryStageReachThePersonOnceAndTheWorstFirst(t *testing.T) {
	l := checkout(t, 14*day)
	l.in.Policy.Memory.Max = new(resource.MustParse("300Mi")) // less than the 400 MiB that are used
	l.in.Settings.Problems = []v1alpha1.AnnotationError{{Key: "loadline.dev/mode", Value: "automatic", Legal: "one of off, auto"}}
	l.in.Settings.Ignored = []v1alpha1.AnnotationError{{Key: "loadline.dev/approval", Value: "automatic", Legal: "manual"}}
	l.in.Surplus = 2
	l.look()
	var types []string
	for _, f := range l.rec.Status.Findings {
		types = append(types, f.Type)
	}
	want := []string{guard.FindingCeilingBelowPeak, v1alpha1.ReasonInvalidAnnotation, "TooManyContainers", "IgnoredAnnotation"}
	if diff := cmp.Diff(want, types); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if !strings.Contains(l.rec.Status.Display.Why, "at most 300Mi") {
		t.Errorf("why: %q", l.rec.Status.Display.Why)
	}
}

func TestARequestThatOnlyTheLimitNamesIsNotTakenForNone(t *testing.T) {
	l := checkout(t, 14*day)
	c := testkit.Container("app", "", "")
	c.Resources.Limits = testkit.Container("", "2", "2Gi").Resources.Requests
	l.in.Containers = []corev1.Container{c}
	if d := l.look().rec.Status.Display; !strings.HasPrefix(d.CPU, "2 → ") {
		t.Errorf("kubectl would show CPU %q, want what the API server makes of the limit", d.CPU)
	}
	if got := quantity(l.rec.Status.Current.Containers[0].Requests.CPU, 1000); got != 2000 {
		t.Errorf("current request %dm, want 2000m", got)
	}
}

// TestMemoryLetsGoOfAPeakThatIsOlderThanThePolicyAsks has one hour of 1.5 GiB ten days ago, and 400 MiB else.
func TestMemoryLetsGoOfAPeakThatIsOlderThanThePolicyAsks(t *testing.T) {
	const peak = 1536 * mebibyte
	peakAt := noon.Add(-10 * day)
	memory := func(at time.Time) float64 {
		if !at.Before(peakAt) && at.Before(peakAt.Add(time.Hour)) {
			return peak
		}
		return 400 * mebibyte
	}
	for name, test := range map[string]struct {
		days int32
		// known is how much of the history is left when memory might be lowered.
		known time.Duration
		lower bool
	}{
		"eight days":                          {8, 28 * day, true},
		"four weeks":                          {28, 28 * day, false},
		"eight days of a store that was lost": {8, 15 * day, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := checkout(t, 28*day)
			l.in.Policy.Memory.PeakDays = new(int32(28))
			l.uses(28*day, testkit.Flat(0.4), memory).look()
			if _, got := app(l.rec.Status.Applicable); got < peak {
				t.Fatalf("first sized to %d MiB", got/mebibyte)
			}
			l.in.Policy.Memory.PeakDays = new(test.days)
			l.now = l.now.Add(day)
			l.uses(test.known, testkit.Flat(0.4), memory).look()
			if _, got := app(l.rec.Status.Applicable); (got < peak) != test.lower {
				t.Errorf("then sized to %d MiB, lowered is to be %v\n%s", got/mebibyte, test.lower, l.decision.Trail)
			}
		})
	}
}

func TestPodsForAnEventAreCountedWithWhatNewPodsGet(t *testing.T) {
	container := testkit.Deployment("shop", "checkout", 3).Container("app", "1", "1Gi").Object().Spec.Template.Spec.Containers[0]
	lowered := &Revisioned{Values: apply.Values{Containers: []apply.Container{{Name: "app", Target: apply.Amounts{CPUMillis: 200}}}}}
	for name, c := range map[string]struct {
		hpa   guard.HPA
		force *Revisioned
		want  int64
		mode  v1alpha1.Mode
	}{
		"the template's": {guard.HPA{}, nil, 0, v1alpha1.ModeAuto},
		"the template's where sizes are only shown":    {guard.HPA{Owner: "queue"}, lowered, 0, v1alpha1.ModeDryRun},
		"what is in force":                             {guard.HPA{Owner: "queue"}, lowered, 200, v1alpha1.ModeAuto},
		"the template's where its utilisation is held": {guard.HPA{Owner: "cpu", OnCPU: true}, lowered, 1000, v1alpha1.ModeAuto},
		"the template's where it alone is held":        {guard.HPA{Owner: "cpu", OnCPUOf: []string{"app"}}, lowered, 1000, v1alpha1.ModeAuto},
		"what is in force where only a neighbour's is": {guard.HPA{Owner: "cpu", OnCPUOf: []string{"proxy"}}, lowered, 200, v1alpha1.ModeAuto},
	} {
		p := pass{in: Input{HPA: c.hpa, Settings: v1alpha1.Effective{Mode: c.mode}}, mem: Memory{Applicable: c.force}}
		if got := p.cpuInForce(container); got != c.want {
			t.Errorf("%s: %dm, want %dm", name, got, c.want)
		}
	}
}
