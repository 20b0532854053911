package recommender

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/forecast"
	"github.com/loadline-dev/loadline/internal/testkit"
	"github.com/loadline-dev/loadline/recommender/advice"
	"github.com/loadline-dev/loadline/recommender/guard"
	"github.com/loadline-dev/loadline/recommender/history"
)

// anyCurve is flat, daily, rising, spiky, absent, or nonsense.
func anyCurve(most float64) *rapid.Generator[testkit.Curve] {
	return rapid.Custom(func(t *rapid.T) testkit.Curve {
		low := rapid.Float64Range(0, most).Draw(t, "low")
		switch rapid.IntRange(0, 5).Draw(t, "curve") {
		case 0:
			return testkit.Flat(low)
		case 1:
			return testkit.Daily(low, rapid.Float64Range(low, most).Draw(t, "high"))
		case 2:
			return testkit.Rising(low, most/20, noon.Add(-14*day))
		case 3:
			return func(at time.Time) float64 { return low * float64(at.Unix()%7) }
		case 4:
			return testkit.Flat(math.NaN())
		default:
			return testkit.Flat(rapid.SampledFrom([]float64{-1, math.Inf(1), 1e30, 0}).Draw(t, "nonsense"))
		}
	})
}

func anyHistory(t *rapid.T, now time.Time, containers []corev1.Container, pods float64) history.Workload {
	span := rapid.SampledFrom([]time.Duration{0, 2 * time.Hour, 10 * time.Hour, 3 * day, 8 * day, 15 * day, 28 * day}).Draw(t, "span")
	w := history.Workload{Containers: map[string]history.Container{}, Pods: testkit.Usage(now, span, testkit.Flat(pods))}
	for _, c := range containers {
		if rapid.IntRange(0, 4).Draw(t, "measured") == 0 {
			continue
		}
		cpu, memory := anyCurve(4).Draw(t, "cpu"), testkit.Usage(now, span, anyCurve(4<<30).Draw(t, "memory"))
		w.Containers[c.Name] = history.Container{
			CPUTotal:   testkit.Usage(now, span, func(at time.Time) float64 { return pods * cpu(at) }),
			CPUHottest: testkit.Usage(now, span, cpu), WorkingSet: memory, RSS: memory,
			Throttled: testkit.Usage(now, span, testkit.Flat(rapid.Float64Range(0, 1).Draw(t, "throttled"))),
		}
	}
	return w
}

// anyLife is a workload with nearly anything that people, clusters and Prometheus can come up with.
func anyLife(tb testing.TB, t *rapid.T) *life {
	tb.Helper()
	l := checkout(tb, 0)
	amount := rapid.SampledFrom([]string{"", "100m", "1"})
	bytes := rapid.SampledFrom([]string{"", "64Mi", "1Gi"})
	l.in.Containers = nil
	for i := range rapid.IntRange(0, 4).Draw(t, "containers") {
		c := testkit.Container(fmt.Sprintf("c%d", i), amount.Draw(t, "cpu request"), bytes.Draw(t, "memory request"))
		if rapid.Bool().Draw(t, "limited") {
			c.Resources.Limits = testkit.Container("", amount.Draw(t, "cpu limit"), "2Gi").Resources.Requests
		}
		c.Image = strings.Repeat("x", rapid.SampledFrom([]int{1, 2000}).Draw(t, "image"))
		l.in.Containers = append(l.in.Containers, c)
	}
	l.in.Replicas = rapid.Int32Range(0, 20).Draw(t, "replicas")
	l.in.Settings.Approval = rapid.SampledFrom([]v1alpha1.Approval{v1alpha1.ApprovalAutomatic, v1alpha1.ApprovalManual}).Draw(t, "approval")
	l.in.Settings.Replicas, l.in.Settings.ReplicasSet = rapid.SampledFrom([]v1alpha1.ReplicaMode{"off", "recommend", "auto"}).Draw(t, "mode"), true
	l.in.Policy.Memory.Limit = new(rapid.SampledFrom([]v1alpha1.LimitPolicy{"Keep", "Ratio", "Headroom", "Equal", "None"}).Draw(t, "limits"))
	l.in.Nodes = []guard.Node{{Name: "n1", Room: apply.Amounts{CPUMillis: 8000, MemoryBytes: rapid.SampledFrom([]int64{0, 2 << 30, 64 << 30}).Draw(t, "node")}}}
	if rapid.IntRange(0, 3).Draw(t, "autoscaled") == 0 {
		l.in.HPA = guard.HPA{Owner: "HorizontalPodAutoscaler/checkout", OnCPU: rapid.Bool().Draw(t, "on cpu"), OnMemory: rapid.Bool().Draw(t, "on memory")}
	}
	return l
}

// happens changes what an hour, a person or an outage changes between two looks.
func (l *life) happens(t *rapid.T) {
	l.after(time.Duration(rapid.Int64Range(1, 30*3600).Draw(t, "seconds pass")) * time.Second)
	l.in.History = anyHistory(t, l.now, l.in.Containers, float64(l.in.Replicas))
	l.in.HistoryProblem = rapid.SampledFrom([]string{"", "", "Prometheus\x1b[31m does not answer\n" + strings.Repeat("é", 3000)}).Draw(t, "problem")
	l.in.Refused = rapid.SampledFrom([]string{"", "", "", refusesLargePods}).Draw(t, "refused")
	l.in.OOMKills, l.in.Annotations, l.rec.Spec = nil, nil, v1alpha1.RecommendationSpec{}
	if rapid.Bool().Draw(t, "killed") {
		l.in.OOMKills = []OOMKill{{
			Container:  rapid.SampledFrom([]string{"c0", "c1", "gone"}).Draw(t, "victim"),
			LimitBytes: rapid.SampledFrom([]int64{0, 1, 256 << 20, 3 << 30, math.MaxInt64}).Draw(t, "limit"),
			Time:       rapid.SampledFrom([]time.Time{{}, l.now.Add(-time.Hour), l.now}).Draw(t, "time").Truncate(time.Second),
		}}
	}
	if rapid.Bool().Draw(t, "event") {
		start := l.now.Add(time.Duration(rapid.Int64Range(-int64(day), int64(40*time.Hour)).Draw(t, "start")))
		l.in.Annotations = []advice.Annotation{{ID: "A1", Event: &advice.TypedEvent{
			Name: "sale", Start: start, End: start.Add(time.Hour), DemandPercent: rapid.Int32Range(-5, 900).Draw(t, "percent"),
			Recurrence: rapid.SampledFrom([]string{"", "FREQ=DAILY", "nonsense"}).Draw(t, "recurrence"),
		}}}
	}
	switch c := l.rec.Status.Candidate; rapid.IntRange(0, 3).Draw(t, "person") {
	case 0:
		l.rec.Spec.Hold = &v1alpha1.Hold{Reason: "audit", Until: &metav1.Time{Time: l.now.Add(time.Hour)}}
	case 1, 2:
		if c != nil {
			l.rec.Spec.ApprovedRevision = c.Revision
		}
	}
}

func TestWhateverHappensTheStatusIsLegalSafeAndSettled(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := anyLife(t, rt)
		for range rapid.IntRange(1, 4).Draw(rt, "looks") {
			l.happens(rt)
			before := l.rec.Status.DeepCopy()
			l.look() // which checks the status against the API's schema
			l.mustBeSafe(rt, before)

			l.mustSettle(rt)
		}
		if t.Failed() {
			rt.FailNow()
		}
	})
}

// mustSettle looks again at the same moment. A step that was approved, or put in force, may allow one more step from there;
// then nothing is left to write.
func (l *life) mustSettle(t *rapid.T) {
	for range 3 {
		if l.look(); !l.written {
			return
		}
	}
	t.Fatalf("every look at the same moment wants another write:\n%s\n%s", l.change, strings.Join(l.decision.Trail, "\n"))
}

func (l *life) mustBeSafe(t *rapid.T, before *v1alpha1.RecommendationStatus) {
	if n := size(l.status); n > 32<<10 {
		t.Fatalf("the status has %d bytes", n)
	}
	after := l.rec.Status
	for _, v := range []*v1alpha1.RevisionedValues{after.Candidate, after.Applicable} {
		if v == nil {
			continue
		}
		for _, c := range v.Containers {
			if cpu, memory := quantity(c.Target.CPU, 1000), quantity(c.Target.Memory, 1); cpu < 0 || memory < 0 {
				t.Fatalf("%s: negative sizes %dm and %d", c.Name, cpu, memory)
			}
		}
	}
	if c := after.Candidate; c != nil && l.decision.Guard.Candidate != nil {
		for _, v := range c.Containers {
			past := l.in.History.Containers[v.Name].WorkingSet
			memory := quantity(v.Target.Memory, 1)
			if peak := sanePeak(past); memory > 0 && memory < peak && !refused(after, v.Name) {
				t.Fatalf("%s gets %d bytes and was seen to use %d", v.Name, memory, peak)
			}
		}
	}
	if before.Revision != after.Revision && len(after.Trail) == 0 {
		t.Fatal("the sizes in use changed without a reason")
	}
	if r := after.Rollback; r.Holds(l.now) && r.AsWritten {
		if apply.Changes(apply.FromAPI(after.Applicable), l.in.original()) {
			t.Fatalf("refused pods get %+v", after.Applicable.Containers)
		}
		return
	}
	if m := before.Memory; m != nil && m.Withheld != nil && m.Withheld.Revision == after.Revision {
		return // what was in force before pods were refused comes back
	}
	if before.Revision != after.Revision && l.in.Settings.Approval == v1alpha1.ApprovalManual && l.rec.Spec.ApprovedRevision != after.Revision {
		t.Fatalf("revision %s is used and a person approved %q", after.Revision, l.rec.Spec.ApprovedRevision)
	}
	if hold := l.rec.Spec.Hold; hold != nil && l.decision.Guard.Candidate != nil && before.Revision != after.Revision {
		t.Fatalf("revision %q became %q under a hold", before.Revision, after.Revision)
	}
}

// refused reports whether a person was told that the memory cannot be what is needed.
func refused(s v1alpha1.RecommendationStatus, container string) bool {
	for _, f := range s.Findings {
		if f.Type == guard.FindingCeilingBelowPeak && f.Container == container || f.Type == guard.FindingDoesNotFit {
			return true
		}
	}
	return false
}

// sanePeak is the largest measurement that can be true.
func sanePeak(u forecast.Usage) int64 {
	var peak float64
	for _, s := range []forecast.Series{u.HourlyMax, u.Recent} {
		for _, v := range s.Values {
			if x := float64(v); x < 1e15 {
				peak = max(peak, x)
			}
		}
	}
	return int64(peak)
}

func TestAWorkloadWithAsManyContainersAsAreSizedStillFits(t *testing.T) {
	l := checkout(t, 14*day)
	l.in.Containers = nil
	one := l.in.History.Containers["app"]
	for i := range maxContainers {
		c := testkit.Container(fmt.Sprintf("container-with-a-rather-long-name-%d", i), "1", "1Gi")
		c.Image = "registry.example.com/a/team/with/a/long/path/" + c.Name + "@sha256:" + strings.Repeat("0", 64)
		l.in.Containers = append(l.in.Containers, c)
		l.in.History.Containers[c.Name] = one
	}
	l.look()
	if n := size(l.status); n > 32<<10 {
		t.Errorf("the status has %d bytes", n)
	}
	if len(l.rec.Status.Applicable.Containers) != maxContainers {
		t.Errorf("%d containers are sized", len(l.rec.Status.Applicable.Containers))
	}
}

func TestWhatIsRememberedSurvivesTheAPI(t *testing.T) {
	l := checkout(t, 14*day)
	l.in.OOMKills = []OOMKill{{Container: "app", LimitBytes: 256 * mebibyte, Time: noon}}
	_, want := Decide(l.now, l.in, Memory{})
	l.look()
	if diff := cmp.Diff(want, MemoryOf(l.rec.Status)); diff != "" {
		t.Errorf("memory (-decided +read back):\n%s", diff)
	}
}

func TestTextsAreCutAtACharactersBoundaryAndStayOnOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"short": "short", "a\nb\x1b[0m": "a b [0m", "exactly te": "exactly te", "more than ten": "more th…", "ééééééé": "ééé…",
	} {
		if got := shorten(text, 10); got != want {
			t.Errorf("shorten(%q) = %q, want %q", text, got, want)
		}
	}
}
