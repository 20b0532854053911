package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// Types of risks that are not findings.
const (
	RiskStale           = "Stale"
	RiskNotReady        = "NotReady"
	RiskHarmed          = "Harmed"
	RiskDidNotStick     = "DidNotStick"
	RiskKilledLately    = "KilledLately"
	RiskPendingApproval = "PendingApproval"
)

// killedLately is how long a kill for lack of memory is news.
const killedLately = 7 * 24 * time.Hour

// Risk is something about one workload that a person should look at.
type Risk struct {
	Severity v1alpha1.Severity `json:"severity"`
	// Type is a stable name: one of this package, or the type of a finding.
	Type      string `json:"type"`
	Namespace string `json:"namespace"`
	// Workload as kind/name, such as deployment/checkout.
	Workload string `json:"workload"`
	// Message for a person, on one line.
	Message string `json:"message"`
	// Command to type next; empty where there is none.
	Command string `json:"command,omitempty"`
}

// RisksOf returns what a person should look at about one workload, the gravest first. Findings that are only for information
// are left out. Of the input, only the time, the age at which sizes are stale and the name of the program count.
func (in Input) RisksOf(rec *v1alpha1.Recommendation) []Risk {
	s, row, program := rec.Status, rowOf(rec), cmp.Or(in.Program, "loadline")
	var risks []Risk
	for _, f := range s.Findings {
		if f.Severity != v1alpha1.SeverityInfo {
			risks = append(risks, Risk{Severity: f.Severity, Type: f.Type, Message: findingText(f)})
		}
	}
	risks = append(risks, conditionRisks(s)...)
	risks = append(risks, in.staleRisks(s)...)
	for _, f := range killed(s, in.Now.Time) {
		if tellsOfKill(s, f.Container) {
			continue
		}
		risks = append(risks, Risk{
			Severity: v1alpha1.SeverityWarning, Type: RiskKilledLately,
			Message: fmt.Sprintf("%s: killed for lack of memory at %s, with %s; it gets at least %s since",
				f.Container, stamp(f.Time.Time), gibibytes(&f.Hit), gibibytes(&f.Floor)),
		})
	}
	if row.Waiting != "" {
		risks = append(risks, Risk{
			Severity: v1alpha1.SeverityInfo, Type: RiskPendingApproval,
			Message: fmt.Sprintf("revision %s waits for a person: CPU %s, memory %s",
				row.Waiting, cmp.Or(s.Display.CPU, "as it is"), cmp.Or(s.Display.Memory, "as it is")),
			Command: fmt.Sprintf("%s approve %s --namespace %s --revision %s", program, row.Workload(), row.Namespace, row.Waiting),
		})
	}
	for i := range risks {
		risks[i].Namespace, risks[i].Workload, risks[i].Message = row.Namespace, row.Workload(), oneLine(risks[i].Message)
		risks[i].Command = cmp.Or(risks[i].Command, fmt.Sprintf("%s explain %s --namespace %s", program, row.Workload(), row.Namespace))
	}
	slices.SortStableFunc(risks, graver)
	return risks
}

// conditionRisks are the risks that conditions tell of.
func conditionRisks(s v1alpha1.RecommendationStatus) []Risk {
	var risks []Risk
	if c := condition(s, v1alpha1.ConditionHealthy, metav1.ConditionFalse); c != nil && !rolledBack(s) {
		risks = append(risks, Risk{Severity: v1alpha1.SeverityCritical, Type: RiskHarmed, Message: c.Message})
	}
	if c := condition(s, v1alpha1.ConditionApplied, metav1.ConditionFalse); c != nil && c.Reason == v1alpha1.ReasonDidNotStick {
		risks = append(risks, Risk{Severity: v1alpha1.SeverityWarning, Type: RiskDidNotStick, Message: c.Message})
	}
	if c := condition(s, v1alpha1.ConditionReady, metav1.ConditionFalse); c != nil && newsworthy(c.Reason) && s.Mode != v1alpha1.ModeOff {
		risks = append(risks, Risk{Severity: v1alpha1.SeverityWarning, Type: RiskNotReady, Message: cmp.Or(c.Message, c.Reason)})
	}
	return risks
}

// staleRisks tells of sizes that nobody confirms, in the recommender's words if it has noticed.
func (in Input) staleRisks(s v1alpha1.RecommendationStatus) []Risk {
	if !s.Stale(in.Now.Time, in.StaleAfter) {
		return nil
	}
	r := Risk{Severity: v1alpha1.SeverityCritical, Type: RiskStale}
	if c := condition(s, v1alpha1.ConditionStale, metav1.ConditionTrue); c != nil {
		r.Message = c.Message
	} else {
		r.Message = "the sizes were last confirmed at " + stamp(s.ObservedTime.Time) + ", and no recommender says why; nothing is lowered until they are confirmed again"
		r.Command = cmp.Or(in.Program, "loadline") + " doctor"
	}
	return []Risk{r}
}

// newsworthy says that a workload has no sizes for a reason that does not pass by itself and that nobody chose.
func newsworthy(reason string) bool {
	return !slices.Contains([]string{
		v1alpha1.ReasonWaitingForHistory, v1alpha1.ReasonWaitingForApproval, v1alpha1.ReasonOnHold, v1alpha1.ReasonNothingToSize,
	}, reason)
}

// graver sorts the gravest first, and otherwise keeps the order.
func graver(a, b Risk) int {
	order := []v1alpha1.Severity{v1alpha1.SeverityCritical, v1alpha1.SeverityWarning, v1alpha1.SeverityInfo}
	return cmp.Compare(slices.Index(order, a.Severity), slices.Index(order, b.Severity))
}

// condition returns a condition if it has that status.
func condition(s v1alpha1.RecommendationStatus, kind string, status metav1.ConditionStatus) *metav1.Condition {
	if c := apimeta.FindStatusCondition(s.Conditions, kind); c != nil && c.Status == status {
		return c
	}
	return nil
}

// rolledBack says that a finding tells of the rollback already.
func rolledBack(s v1alpha1.RecommendationStatus) bool {
	return slices.ContainsFunc(s.Findings, func(f v1alpha1.Finding) bool { return f.Type == findingRolledBack })
}

// tellsOfKill says that a finding tells of a kill for lack of memory already.
func tellsOfKill(s v1alpha1.RecommendationStatus, container string) bool {
	return slices.ContainsFunc(s.Findings, func(f v1alpha1.Finding) bool {
		return f.Type == findingOOMKilled && f.Container == container && f.Severity != v1alpha1.SeverityInfo
	})
}

// killed returns what is remembered of kills within the last week.
func killed(s v1alpha1.RecommendationStatus, now time.Time) []v1alpha1.OOMFloor {
	return slices.DeleteFunc(slices.Clone(s.OOMFloor), func(f v1alpha1.OOMFloor) bool { return now.Sub(f.Time.Time) >= killedLately })
}
