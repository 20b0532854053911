package dashboard

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/report"
)

// item is one workload in a list.
type item struct {
	report.Row
	rec      *v1alpha1.Recommendation
	currency string
	Standing standing
	// Stale says that nobody confirmed the sizes for too long.
	Stale bool
	// Approve is the command that approves what waits for a person; empty if nothing does.
	Approve string
}

// items reads all workloads that are shown.
func (s *server) items(ctx context.Context) ([]item, error) {
	recommendations, err := s.Source.Recommendations(ctx, s.Namespace)
	if err != nil {
		return nil, err
	}
	return s.itemsOf(recommendations), nil
}

func (s *server) itemsOf(recommendations []v1alpha1.Recommendation) []item {
	now := s.Clock.Now()
	all := make([]item, 0, len(recommendations))
	for i := range recommendations {
		all = append(all, s.item(&recommendations[i], now))
	}
	return all
}

func (s *server) item(rec *v1alpha1.Recommendation, now time.Time) item {
	row := report.RowOf(rec)
	if row.Waiting == rec.Spec.ApprovedRevision {
		row.Waiting = "" // A person approved it a moment ago, and the recommender has not looked yet.
	}
	row.SavesPerMonth = s.Prices.Saves(row.Savings)
	stale := rec.Status.Stale(now, s.StaleAfter)
	return item{Row: row, rec: rec, currency: s.Prices.Currency, Stale: stale, Standing: standingOf(rec, row, stale, now), Approve: s.approveCommand(rec, row, now)}
}

// URL of the workload's page.
func (i item) URL() string { return workloadURL(i.rec.Namespace, i.rec.Name) }

// workloadURL leads to the page of the Recommendation of that name.
func workloadURL(namespace, name string) string {
	return Path + "workloads/" + url.PathEscape(namespace) + "/" + url.PathEscape(name)
}

// CPU and memory of one pod as cells.
func (i item) CPU() change { return changeOf(i.CPUNow, i.CPURecommended, report.CPU) }

// Memory of one pod.
func (i item) Memory() change { return changeOf(i.MemoryNow, i.MemoryRecommended, report.Memory) }

// Pods now and recommended.
func (i item) Pods() change { return podsChange(i.ReplicasNow, i.ReplicasRecommended) }

// cpuSaved returns the cores saved over all pods, and false if they are not known.
func (i item) cpuSaved() (float64, bool) {
	if i.Savings == nil {
		return 0, false
	}
	return i.Savings.CPU.AsApproximateFloat64(), true
}

// memorySaved returns the bytes saved over all pods, and false if they are not known.
func (i item) memorySaved() (float64, bool) {
	if i.Savings == nil {
		return 0, false
	}
	return i.Savings.Memory.AsApproximateFloat64(), true
}

// overPods is an amount of one pod times the number of pods.
func (i item) overPods(one *resource.Quantity) float64 {
	if one == nil || i.ReplicasNow == nil {
		return 0
	}
	return one.AsApproximateFloat64() * float64(*i.ReplicasNow)
}

// standing is how a workload stands, in a word or two.
type standing struct {
	Name string
	// Tone is good, plain, warn or bad.
	Tone string
	// rank orders workloads by how soon somebody should look; the first come first.
	rank int
}

// standingOf returns the most urgent of what can be said about a workload.
func standingOf(rec *v1alpha1.Recommendation, row report.Row, stale bool, now time.Time) standing {
	s := rec.Status
	ready := apimeta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady)
	switch {
	case s.Rollback.Holds(now):
		return standing{"Taken back", "bad", 0}
	case apimeta.IsStatusConditionFalse(s.Conditions, v1alpha1.ConditionHealthy):
		return standing{"Did harm", "bad", 1}
	case hasFinding(rec, v1alpha1.SeverityCritical):
		return standing{"Critical", "bad", 2}
	case stale:
		return standing{"Stale", "warn", 3}
	case row.Waiting != "":
		return standing{"Waits for approval", "warn", 4}
	case hasFinding(rec, v1alpha1.SeverityWarning):
		return standing{"Warning", "warn", 5}
	case isHeld(rec, now):
		return standing{"On hold", "plain", 6}
	case ready == nil:
		return standing{"Not looked at yet", "plain", 7}
	case ready.Status != "True":
		return standing{words(ready.Reason), "plain", 8}
	default:
		return calm(rec)
	}
}

// calm is the standing of a workload that needs nobody.
func calm(rec *v1alpha1.Recommendation) standing {
	applied := apimeta.FindStatusCondition(rec.Status.Conditions, v1alpha1.ConditionApplied)
	switch {
	case rec.Status.Mode == v1alpha1.ModeDryRun:
		return standing{"Reported only", "plain", 11}
	case rec.Status.Mode == v1alpha1.ModeAuto && applied != nil && applied.Status == "True":
		return standing{"Applied", "good", 12}
	case rec.Status.Mode == v1alpha1.ModeAuto:
		return standing{"Being applied", "plain", 9}
	default:
		return standing{"At admission", "good", 10}
	}
}

// words turns a reason such as WaitingForHistory into "Waiting for history".
func words(reason string) string {
	var b strings.Builder
	for i, r := range reason {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte(' ')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

func hasFinding(rec *v1alpha1.Recommendation, severity v1alpha1.Severity) bool {
	for _, f := range rec.Status.Findings {
		if f.Severity == severity {
			return true
		}
	}
	return false
}

func isHeld(rec *v1alpha1.Recommendation, now time.Time) bool {
	hold := rec.Spec.Hold
	return hold != nil && (hold.Until == nil || now.Before(hold.Until.Time))
}

// legalRevision is what the API accepts as approvedRevision. Anything else is not put into a command that a person copies.
var legalRevision = regexp.MustCompile(`^[0-9a-f]{8,64}$`)

// approveCommand is what a person types to approve what waits, or "".
func (s *server) approveCommand(rec *v1alpha1.Recommendation, row report.Row, now time.Time) string {
	if row.Waiting == "" || !legalRevision.MatchString(row.Waiting) {
		return ""
	}
	risks := report.Input{Now: metav1.Time{Time: now}, Program: s.Program}.RisksOf(rec)
	i := slices.IndexFunc(risks, func(r report.Risk) bool { return r.Type == report.RiskPendingApproval })
	if i < 0 {
		return ""
	}
	return risks[i].Command
}
