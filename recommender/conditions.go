package recommender

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/recommender/advice"
)

// hoursToApply is the history from which on sizes may be applied, see guard's ladder.
const hoursToApply = 24

// podLevelProblem says what becomes of a workload that shares resources out itself.
const podLevelProblem = "the template sets spec.resources for the pod as a whole, which its containers share: Loadline leaves such pods alone; " +
	"take spec.resources out of the template to have its containers sized"

func condition(kind string, ok bool, reason, message string) metav1.Condition {
	c := metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: reason, Message: message}
	if ok {
		c.Status = metav1.ConditionTrue
	}
	return c
}

// readyCondition is true when there are sizes that may be used; else it names what is missing first.
func readyCondition(now time.Time, in Input, d Decision, mem Memory) metav1.Condition {
	const kind = v1alpha1.ConditionReady
	reason, text := in.trouble(now)
	switch {
	case mem.Applicable != nil && !in.PodLevel:
		return condition(kind, true, v1alpha1.ReasonSized, "sized as revision "+mem.Applicable.Revision)
	case in.PodLevel:
		return condition(kind, false, v1alpha1.ReasonPodLevelResources, podLevelProblem)
	case len(in.Containers) == 0:
		return condition(kind, false, v1alpha1.ReasonNothingToSize, "every container is left alone")
	case reason != "":
		return condition(kind, false, reason, text)
	case d.Guard.Candidate == nil && !measured(in):
		return condition(kind, false, v1alpha1.ReasonNoHistory, "no measurement of any container was found")
	case tooEarly(in, d) != "":
		return condition(kind, false, v1alpha1.ReasonWaitingForHistory, tooEarly(in, d))
	case d.Guard.Candidate == nil && len(d.Guard.Trail) > 0:
		return condition(kind, false, v1alpha1.ReasonNothingToSize, sentenceOf(d.Guard.Trail[len(d.Guard.Trail)-1]))
	default:
		return condition(kind, false, heldReason(d.Guard.ApprovedReason.Rule), d.Guard.ApprovedReason.Text)
	}
}

// tooEarly tells that the history is too short to apply anything; empty if it is not.
func tooEarly(in Input, d Decision) string {
	hours := historyHours(d)
	switch {
	case in.batch() && fewRuns(d):
		return runsText(d)
	case !in.batch() && hours < hoursToApply:
		return fmt.Sprintf("%d hours of history so far; sizes are shown from 3 hours on and may be applied from %d hours on", hours, hoursToApply)
	default:
		return ""
	}
}

func historyCondition(now time.Time, in Input, d Decision) metav1.Condition {
	const kind = v1alpha1.ConditionHistoryReady
	hours := historyHours(d)
	reason, text := in.trouble(now)
	switch {
	case reason != "":
		return condition(kind, false, reason, text)
	case !measured(in):
		return condition(kind, false, v1alpha1.ReasonNoHistory, "no measurement of any container was found")
	case in.batch():
		return condition(kind, !fewRuns(d), runsReason(d), runsText(d))
	case hours < hoursToApply:
		return condition(kind, false, v1alpha1.ReasonHistoryTooShort, fmt.Sprintf("%d hours of history; %d are needed before anything is applied", hours, hoursToApply))
	default:
		return condition(kind, true, v1alpha1.ReasonHistoryRead, fmt.Sprintf("at least %d hours of history", hoursToApply))
	}
}

// historyHours is the history of the container that is known best. One that was added today does not make a workload with
// weeks of history unready; the guard leaves it out until its own history is long enough.
func historyHours(d Decision) int {
	longest := 0
	for _, c := range d.Proposal.Containers {
		longest = max(longest, c.CPUHours, c.MemoryHours)
	}
	return longest
}

func forecastCondition(d Decision) metav1.Condition {
	for _, f := range d.Forecasts {
		if !f.Base.Empty() {
			return condition(v1alpha1.ConditionForecastReady, true, v1alpha1.ReasonForecast, fmt.Sprintf("forecast for the next %d hours", len(f.Base.Mean)))
		}
	}
	return condition(v1alpha1.ConditionForecastReady, false, v1alpha1.ReasonHistoryTooShort, "too little history to forecast")
}

// advisedCondition says whose advice it is, and if it is not the model's, why.
func advisedCondition(d Decision) metav1.Condition {
	const kind = v1alpha1.ConditionAdvised
	count := fmt.Sprintf("%d adjustments accepted, %d refused", len(d.Advice.Accepted), len(d.Advice.Rejected))
	because := ""
	if d.Advice.Reason != "" {
		because = "; by rules alone: " + d.Advice.Reason
	}
	switch {
	case d.Advice.Source == advice.SourceModel:
		return condition(kind, true, v1alpha1.ReasonModel, "by the model "+d.Advice.Model+" and rules: "+count)
	case len(d.Advice.Accepted)+len(d.Advice.Rejected) == 0:
		return condition(kind, true, v1alpha1.ReasonNoEvents, "no event was announced"+because)
	default:
		return condition(kind, true, v1alpha1.ReasonRules, count+because)
	}
}

func approvedCondition(in Input, d Decision) metav1.Condition {
	const kind = v1alpha1.ConditionApproved
	switch problems := in.Settings.Problems; {
	case len(problems) > 0: // which has capped the mode at dry-run
		message := problems[0].Error()
		if more := len(problems) - 1; more > 0 {
			message += fmt.Sprintf("; and %d more, see findings", more)
		}
		return condition(kind, false, v1alpha1.ReasonInvalidAnnotation, message)
	case in.VPA != (VPA{}): // which has done the same
		return condition(kind, false, v1alpha1.ReasonVPA, in.VPA.problem())
	case d.Guard.Candidate == nil:
		return condition(kind, false, v1alpha1.ReasonWaitingForHistory, "there is nothing to approve yet")
	case !d.Guard.Approved:
		return condition(kind, false, heldReason(d.Guard.ApprovedReason.Rule), d.Guard.ApprovedReason.Text)
	case in.Settings.Approval == v1alpha1.ApprovalManual:
		return condition(kind, true, v1alpha1.ReasonApprovedByPerson, d.Guard.ApprovedReason.Text)
	default:
		return condition(kind, true, v1alpha1.ReasonAutomatic, "approval is automatic")
	}
}

// heldReason is the condition's reason for the guard's rule that holds a candidate back.
func heldReason(rule string) string {
	switch rule {
	case "hold":
		return v1alpha1.ReasonOnHold
	case "approval":
		return v1alpha1.ReasonWaitingForApproval
	case "window", "rollback":
		return v1alpha1.ReasonWaiting
	default:
		return v1alpha1.ReasonHistoryTooShort
	}
}

func staleCondition(now time.Time, in Input, confirmed *metav1.Time) metav1.Condition {
	const kind = v1alpha1.ConditionStale
	switch {
	case confirmed == nil:
		return condition(kind, false, v1alpha1.ReasonNoHistory, "there are no measurements to confirm sizes with yet")
	case now.Sub(confirmed.Time) > in.Cadence.StaleAfter:
		return condition(kind, true, v1alpha1.ReasonHistoryUnavailable,
			"the sizes were last confirmed at "+confirmed.UTC().Format(time.RFC3339)+"; nothing is lowered until they are confirmed again")
	default:
		return condition(kind, false, v1alpha1.ReasonFresh, "the sizes are confirmed")
	}
}
