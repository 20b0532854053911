package report_test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/internal/testkit"
	"github.com/loadline-dev/loadline/recommender"
	"github.com/loadline-dev/loadline/recommender/guard"
	"github.com/loadline-dev/loadline/recommender/sizing"
	"github.com/loadline-dev/loadline/report"
)

// right returns a workload of two pods that is sized exactly as it should be.
func right(name string) v1alpha1.Recommendation {
	amounts := v1alpha1.ResourceAmounts{CPU: new(resource.MustParse("1")), Memory: new(resource.MustParse("1Gi"))}
	rec := v1alpha1.Recommendation{}
	rec.Namespace, rec.Spec.TargetRef = "shop", v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: name}
	rec.Status = v1alpha1.RecommendationStatus{
		Mode:       v1alpha1.ModeAuto,
		Current:    &v1alpha1.CurrentValues{Replicas: new(int32(2)), Containers: []v1alpha1.CurrentContainer{{Name: "app", Requests: amounts}}},
		Candidate:  &v1alpha1.RevisionedValues{Revision: "12345678", Containers: []v1alpha1.ContainerValues{{Name: "app", Target: amounts}}},
		Savings:    &v1alpha1.Savings{},
		Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonSized}},
	}
	return rec
}

// resized returns the workload with other recommended requests of each of its two pods.
func resized(rec v1alpha1.Recommendation, cpu, memory string) v1alpha1.Recommendation {
	target := v1alpha1.ResourceAmounts{CPU: new(resource.MustParse(cpu)), Memory: new(resource.MustParse(memory))}
	rec.Status.Candidate = &v1alpha1.RevisionedValues{Revision: "87654321", Containers: []v1alpha1.ContainerValues{{Name: "app", Target: target}}}
	oneCore, oneGiB := resource.MustParse("1"), resource.MustParse("1Gi")
	rec.Status.Savings = &v1alpha1.Savings{
		CPU:    *resource.NewMilliQuantity(2*(oneCore.MilliValue()-target.CPU.MilliValue()), resource.DecimalSI),
		Memory: *resource.NewQuantity(2*(oneGiB.Value()-target.Memory.Value()), resource.BinarySI),
	}
	return rec
}

func with(rec v1alpha1.Recommendation, c metav1.Condition) v1alpha1.Recommendation {
	rec.Status.Conditions = append(slices.Clone(rec.Status.Conditions), c)
	return rec
}

// healthOf returns the score and "points reason" for each loss.
func healthOf(t *testing.T, in report.Input) (score int, losses []string) {
	t.Helper()
	h := report.New(in).Health
	if h == nil {
		t.Fatal("no health score")
	}
	left := 100
	for _, l := range h.Losses {
		losses = append(losses, fmt.Sprintf("%d of %d %s", l.Points, l.Most, l.Reason))
		left -= l.Points
	}
	if left != h.Score {
		t.Errorf("score %d, but the losses leave %d", h.Score, left)
	}
	return h.Score, losses
}

func TestEveryLostPointOfTheHealthScoreHasItsReason(t *testing.T) {
	gone := right("gone")
	gone.Status.Mode = v1alpha1.ModeOff
	gone.Status.Conditions = nil
	killed := right("killed")
	killed.Status.OOMFloor = []v1alpha1.OOMFloor{{Container: "app", Time: metav1.Time{Time: readTime.Add(-6 * 24 * time.Hour)}}}
	killedLongAgo := right("killed-long-ago")
	killedLongAgo.Status.OOMFloor = []v1alpha1.OOMFloor{{Container: "app", Time: metav1.Time{Time: readTime.Add(-7 * 24 * time.Hour)}}}
	blind := right("blind")
	blind.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonWaitingForHistory}}
	leftAlone := right("left-alone")
	leftAlone.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNothingToSize}}
	tight := right("tight")
	tight.Status.Findings = []v1alpha1.Finding{{Type: guard.FindingCeilingBelowPeak, Severity: v1alpha1.SeverityCritical}}

	for name, c := range map[string]struct {
		all    []v1alpha1.Recommendation
		halts  []string
		losses []string
	}{
		"nothing is wrong":                   {all: []v1alpha1.Recommendation{right("a"), right("b"), leftAlone, gone}},
		"a tenth too little costs nothing":   {all: []v1alpha1.Recommendation{resized(right("a"), "1100m", "1Gi")}},
		"too little CPU":                     {all: []v1alpha1.Recommendation{resized(right("a"), "1101m", "1Gi"), right("b")}, losses: []string{"15 of 30 TooLittle"}},
		"too little memory":                  {all: []v1alpha1.Recommendation{resized(right("a"), "1", "1200Mi")}, losses: []string{"30 of 30 TooLittle"}},
		"one of very many":                   {all: append(many(99), resized(right("a"), "2", "1Gi")), losses: []string{"1 of 30 TooLittle"}},
		"a kill in the last week":            {all: []v1alpha1.Recommendation{killed, killedLongAgo}, losses: []string{"10 of 20 Killed"}},
		"half of everything is not needed":   {all: []v1alpha1.Recommendation{resized(right("a"), "500m", "512Mi")}, losses: []string{"10 of 20 Waste"}},
		"a twentieth too much costs nothing": {all: []v1alpha1.Recommendation{resized(right("a"), "950m", "1Gi")}},
		"no sizes yet, and stale ones": {
			all:    []v1alpha1.Recommendation{blind, with(right("b"), metav1.Condition{Type: v1alpha1.ConditionStale, Status: metav1.ConditionTrue})},
			losses: []string{"15 of 15 WithoutSizes"},
		},
		"bounded, harmed, and not kept": {
			all: []v1alpha1.Recommendation{
				tight, with(right("b"), metav1.Condition{Type: v1alpha1.ConditionHealthy, Status: metav1.ConditionFalse}),
				with(right("c"), metav1.Condition{Type: v1alpha1.ConditionApplied, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonDidNotStick}),
				with(right("d"), metav1.Condition{Type: v1alpha1.ConditionApplied, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonWaiting}),
			},
			losses: []string{"8 of 10 NotEffective"},
		},
		"the breaker is open": {all: []v1alpha1.Recommendation{right("a")}, halts: []string{"open"}, losses: []string{"5 of 5 Halted"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, losses := healthOf(t, report.Input{Now: readTime, Recommendations: c.all, Halts: c.halts})
			if diff := cmp.Diff(c.losses, losses); diff != "" {
				t.Errorf("losses (-want +got):\n%s", diff)
			}
		})
	}
	if h := report.New(report.Input{Now: readTime}).Health; h != nil {
		t.Errorf("no workloads have a score of %d", h.Score)
	}
}

// Who is dead writes no condition.
func TestSizesThatNobodyConfirmsAreSeenByTheirAge(t *testing.T) {
	confirmed := func(name string, ago time.Duration) v1alpha1.Recommendation {
		rec := right(name)
		rec.Status.ObservedTime = new(metav1.NewTime(readTime.Add(-ago)))
		return rec
	}
	left := confirmed("switched-off", 48*time.Hour)
	left.Status.Mode = v1alpha1.ModeOff
	all := []v1alpha1.Recommendation{confirmed("old", 25*time.Hour), confirmed("fresh", 23*time.Hour), left}
	in := report.Input{Now: readTime, Recommendations: all, StaleAfter: 24 * time.Hour}
	if _, losses := healthOf(t, in); !slices.Equal(losses, []string{"8 of 15 WithoutSizes"}) {
		t.Errorf("losses %v", losses)
	}
	risks := report.New(in).Risks
	if len(risks) != 1 || risks[0].Workload != "deployment/old" || risks[0].Type != report.RiskStale || risks[0].Severity != v1alpha1.SeverityCritical ||
		!strings.Contains(risks[0].Message, "last confirmed at 2026-11-24 11:00") || risks[0].Command != "loadline doctor" {
		t.Errorf("risks %+v", risks)
	}
}

func TestWhatKeepsSizesFromTakingEffectIsKnownByItsName(t *testing.T) {
	for _, finding := range []string{
		recommender.FindingRolledBack, recommender.FindingUnschedulable, recommender.FindingQuota,
		guard.FindingDoesNotFit, guard.FindingCeilingBelowPeak, guard.FindingLimitRange,
	} {
		rec := right("a")
		rec.Status.Findings = []v1alpha1.Finding{{Type: finding, Severity: v1alpha1.SeverityWarning}}
		if score, _ := healthOf(t, report.Input{Now: readTime, Recommendations: []v1alpha1.Recommendation{rec}}); score != 90 {
			t.Errorf("%s: score %d, want 90", finding, score)
		}
	}
}

func many(n int) []v1alpha1.Recommendation {
	all := make([]v1alpha1.Recommendation, 0, n+1)
	for i := range n {
		all = append(all, right(fmt.Sprintf("w%d", i)))
	}
	return all
}

func TestALossNamesFiveWorkloadsAndCountsTheOthers(t *testing.T) {
	var all []v1alpha1.Recommendation
	for _, rec := range many(7) {
		all = append(all, resized(rec, "2", "1Gi"))
	}
	loss := report.New(report.Input{Now: readTime, Recommendations: all}).Health.Losses[0]
	if len(loss.Workloads) != 5 || loss.More != 2 || loss.Workloads[0] != "shop/deployment/w0" {
		t.Errorf("got %v and %d more", loss.Workloads, loss.More)
	}
}

func TestWhatWaitsForAPersonComesWithTheCommand(t *testing.T) {
	rec := with(right("checkout"), metav1.Condition{Type: v1alpha1.ConditionApproved, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonWaitingForApproval})
	r := report.New(report.Input{Now: readTime, Recommendations: []v1alpha1.Recommendation{rec}})
	if r.Rows[0].Waiting != "12345678" || len(r.Risks) != 1 || r.Risks[0].Type != report.RiskPendingApproval ||
		r.Risks[0].Command != "loadline approve deployment/checkout --namespace shop --revision 12345678" {
		t.Errorf("waiting %q, risks %+v", r.Rows[0].Waiting, r.Risks)
	}
}

func TestTheGravestRisksComeFirstAndNothingIsSaidTwice(t *testing.T) {
	rec := right("a")
	rec.Status.Findings = []v1alpha1.Finding{
		{Type: "Observation", Severity: v1alpha1.SeverityInfo, Message: "all is well"},
		{Type: "CPUThrottled", Severity: v1alpha1.SeverityWarning, Message: "slow"},
		{Type: recommender.FindingRolledBack, Severity: v1alpha1.SeverityCritical, Message: "taken back"},
	}
	rec.Status.OOMFloor = []v1alpha1.OOMFloor{{Container: "app", Time: readTime}, {Container: "told", Time: readTime}}
	rec.Status.Findings = append(rec.Status.Findings, v1alpha1.Finding{Type: sizing.FindingOOMKilled, Severity: v1alpha1.SeverityCritical, Container: "told"})
	for _, c := range []metav1.Condition{
		{Type: v1alpha1.ConditionHealthy, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonRolledBack, Message: "taken back"},
		{Type: v1alpha1.ConditionStale, Status: metav1.ConditionTrue, Message: "old"},
		{Type: v1alpha1.ConditionApplied, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonDidNotStick, Message: "lost"},
	} {
		rec = with(rec, c)
	}
	harmed := with(right("b"), metav1.Condition{Type: v1alpha1.ConditionHealthy, Status: metav1.ConditionFalse, Message: "crashes"})
	broken := right("c")
	broken.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNoHistory, Message: "nothing measured"}}
	var got []string
	for _, r := range report.New(report.Input{Now: readTime, Recommendations: []v1alpha1.Recommendation{rec, harmed, broken}}).Risks {
		got = append(got, string(r.Severity)+" "+r.Workload+" "+r.Type)
	}
	want := []string{
		"critical deployment/a RolledBack", "critical deployment/a OOMKilled", "critical deployment/a Stale", "critical deployment/b Harmed",
		"warning deployment/a CPUThrottled", "warning deployment/a DidNotStick", "warning deployment/a KilledLately", "warning deployment/c NotReady",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("risks (-want +got):\n%s", diff)
	}
}

func TestAFileOfPricesIsReadStrictly(t *testing.T) {
	p, err := report.ParsePrices([]byte("{currency: EUR, source: contract, coreHour: 0.02, gibHour: 0.003, nodes: [{labels: {pool: gold}, coreHour: 0.04, gibHour: 0.005}]}"))
	if err != nil || p.CoreHour != 0.02 || p.Nodes[0].Labels["pool"] != "gold" {
		t.Errorf("got %+v, error %v", p, err)
	}
	for text, message := range map[string]string{
		"{currency: EUR, source: x, coreHour: 1, gibHour: 1, cpu: 3}":               `unknown field "cpu"`,
		"{source: x, coreHour: 1, gibHour: 1}":                                      "currency: legal is",
		"{currency: EUR, coreHour: 1, gibHour: 1}":                                  "source: legal is",
		"{currency: EUR, source: x, coreHour: -1, gibHour: 1}":                      "coreHour is -1: legal is a price per hour over 0",
		"{currency: EUR, source: x, coreHour: 1}":                                   "gibHour is 0: legal is",
		"{currency: EUR, source: x, coreHour: .inf, gibHour: 1}":                    "",
		"{currency: EUR, source: x, coreHour: 1, gibHour: 1, nodes: [{}]}":          "nodes[0].labels: legal is",
		"{currency: EUR, source: x, coreHour: 1, gibHour: 1, nodes: [{labels: 1}]}": "read prices: ",
	} {
		if _, err := report.ParsePrices([]byte(text)); err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("%s: got %v, want %q", text, err, message)
		}
	}
}

func TestMoneyIsCoresAndGiBTimesTheirPricesForAMonth(t *testing.T) {
	prices := report.Prices{Currency: "EUR", Source: "test", CoreHour: 0.02, GiBHour: 0.003}
	r := report.New(report.Input{Now: readTime, Recommendations: []v1alpha1.Recommendation{resized(right("a"), "500m", "512Mi")}, Prices: prices})
	want := 730 * (1*0.02 + 1*0.003)
	if got := *r.Totals.SavesPerMonth; math.Abs(got-want) > 0.005 || *r.Rows[0].SavesPerMonth != got {
		t.Errorf("saves %v, want %v", got, want)
	}
	if r := report.New(report.Input{Now: readTime, Recommendations: many(1)}); r.Prices != nil || r.Totals.SavesPerMonth != nil || r.Rows[0].SavesPerMonth != nil {
		t.Error("there is money without prices")
	}
}

func TestPricesThatDifferFromNodeToNodeAreAveragedOverThem(t *testing.T) {
	prices := report.Prices{
		Currency: "EUR", Source: "test", CoreHour: 0.02, GiBHour: 0.002,
		Nodes: []report.NodePrices{{Labels: map[string]string{"pool": "gold"}, CoreHour: 0.05, GiBHour: 0.004}},
	}
	cheap, dear := testkit.Node("cheap", "2", "3Gi"), testkit.Node("dear", "1", "1Gi")
	dear.Labels = map[string]string{"pool": "gold", "zone": "a"}
	r := report.New(report.Input{Now: readTime, Recommendations: many(1), Prices: prices, Nodes: []corev1.Node{*cheap, *dear}})
	if math.Abs(r.Prices.CoreHour-0.03) > 1e-9 || math.Abs(r.Prices.GiBHour-0.0025) > 1e-9 {
		t.Errorf("got %v and %v, want 0.03 and 0.0025", r.Prices.CoreHour, r.Prices.GiBHour)
	}
}

func TestTheTrendComparesWithAnEarlierReport(t *testing.T) {
	then := report.New(report.Input{
		Now:             metav1.Time{Time: readTime.Add(-7 * 24 * time.Hour)},
		Recommendations: []v1alpha1.Recommendation{resized(right("a"), "2", "1Gi"), right("gone"), with(right("c"), metav1.Condition{Type: v1alpha1.ConditionStale, Status: metav1.ConditionTrue})},
	})
	var file bytes.Buffer
	if err := report.JSON(&file, then); err != nil {
		t.Fatal(err)
	}
	before, err := report.Parse(file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	grown := right("a")
	grown.Status.Current.Replicas = new(int32(4))
	r := report.New(report.Input{
		Now: readTime, Before: before, Prices: report.Prices{Currency: "EUR", Source: "test", CoreHour: 1, GiBHour: 1},
		Recommendations: []v1alpha1.Recommendation{grown, right("new"), with(right("b"), metav1.Condition{Type: v1alpha1.ConditionStale, Status: metav1.ConditionTrue}), right("c")},
	})
	want := &report.Trend{
		Since: then.GeneratedTime, Score: new(100 - 4 - then.Health.Score),
		ReservedCPU: resource.MustParse("4"), ReservedMemory: resource.MustParse("4Gi"), ReservedPerMonth: new(730. * 8),
		Came: []string{"shop/deployment/b", "shop/deployment/new"}, Went: []string{"shop/deployment/gone"},
		NewRisks: []report.Risk{{Severity: "critical", Type: "Stale", Namespace: "shop", Workload: "deployment/b", Command: "loadline explain deployment/b --namespace shop"}},
		Solved:   []report.Risk{{Severity: "critical", Type: "Stale", Namespace: "shop", Workload: "deployment/c", Command: "loadline explain deployment/c --namespace shop"}},
	}
	if diff := cmp.Diff(want, r.Trend, cmp.Comparer(func(a, b resource.Quantity) bool { return a.Cmp(b) == 0 }), cmp.Comparer(func(a, b metav1.Time) bool { return a.Equal(&b) })); diff != "" {
		t.Errorf("trend (-want +got):\n%s", diff)
	}
	for _, text := range []string{"", "{", "rows: []", "generatedTime: 2026-11-25T12:00:00Z", "[]"} {
		if _, err := report.Parse([]byte(text)); err == nil || !strings.HasPrefix(err.Error(), "read the earlier report: ") {
			t.Errorf("%q is read as a report: %v", text, err)
		}
	}
}
