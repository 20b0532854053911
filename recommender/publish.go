package recommender

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/recommender/advice"
)

const (
	// maxStatusBytes bounds what the recommender writes. Of 32 KiB, metadata with its managedFields, spec, and the updater's
	// outcomes and conditions take the rest.
	maxStatusBytes = 24 << 10
	// mustRead is how many findings, and how many adjustments, are worth more than the first sentences of the trail.
	mustRead = 4
	// Bounds of the API, see v1alpha1.RecommendationStatus.
	maxTrail, maxSentence, maxFindings, maxAdjustments, maxCited = 64, 300, 16, 16, 16
	// maxImage keeps long image names from filling the status; the API would allow 512.
	maxImage = 96
)

// Publication is a decision on its way into a Recommendation.
type Publication struct {
	Now      time.Time
	Input    Input
	Decision Decision
	Memory   Memory
	// Previous is the Recommendation as it was read.
	Previous *v1alpha1.Recommendation
}

// Status returns the status to publish: everything that the recommender owns, and nothing else.
func (p Publication) Status() v1alpha1.RecommendationStatus {
	p.Decision.Advice.Reason = p.adviceReason()
	in, d := p.Input, p.Decision
	status := v1alpha1.RecommendationStatus{
		ObservedGeneration: p.Previous.Generation,
		ObservedTime:       p.observedTime(),
		TargetUID:          in.TargetUID,
		Mode:               in.Settings.Mode,
		ModeFrom:           shorten(in.Settings.ModeFrom, 256),
		Approval:           in.Settings.Approval,
		Updater:            in.Settings.Updater,
		ExcludeContainers:  in.Settings.ExcludeContainers,
		Candidate:          revisioned(p.Memory.Candidate),
		Applicable:         revisioned(p.Memory.Applicable),
		Current:            currentValues(in, d),
		OOMFloor:           oomFloorStatus(p.Memory.OOM),
		Replicas:           replicaStatus(in, d, p.Memory),
		Forecast:           forecastStatus(d),
		Advice:             adviceStatus(d),
		Trail:              shortenTrail(d.Trail, maxTrail),
		Findings:           shortenFindings(d.Findings),
		Savings:            savings(in, p.Memory),
		Memory:             memoryStatus(p.Memory),
		Rollback:           p.Memory.Rollback,
		Health:             p.Memory.HealthCheck,
	}
	if p.Memory.Applicable != nil {
		status.Revision = p.Memory.Applicable.Revision
	}
	status.Conditions = p.conditions(status.ObservedTime)
	status.Display = p.display(status.Conditions)
	return bound(status)
}

// adviceReason is why there is no model's advice. While a question that failed is asked again, the failure stays the reason:
// that it was not answered yet says less.
func (p Publication) adviceReason() string {
	const failure = "model: " // as the errors of package llm begin
	reason, before := p.Decision.Advice.Reason, p.Previous.Status.Advice
	if reason != "" && before != nil && advice.SameEvidence(before.InputHash, p.Decision.Advice.InputHash) && !strings.HasPrefix(reason, failure) &&
		p.Input.ModelConfigured && strings.HasPrefix(before.Reason, failure) {
		return before.Reason
	}
	return reason
}

// observedTime moves only when measurements confirm the sizes, and is written at most every six hours on its own account.
func (p Publication) observedTime() *metav1.Time {
	old := p.Previous.Status.ObservedTime
	if reason, _ := p.Input.trouble(p.Now); reason != "" || !measured(p.Input) || (old != nil && p.Now.Sub(old.Time) < p.Input.Cadence.Confirm) {
		return old
	}
	return &metav1.Time{Time: p.Now}
}

// bound makes the status fit. The models' shares go first, then forecasts, lesser findings and adjustments, the words of the evidence, then first
// sentences of the trail, what is left of findings and adjustments, and last what was good before: a rollback then gives back what the
// template asks for. What is needed to decide and to apply always stays.
func bound(status v1alpha1.RecommendationStatus) v1alpha1.RecommendationStatus {
	status.Forecast = slices.Clone(status.Forecast)
	for size(status) > maxStatusBytes {
		switch {
		case dropWeights(status.Forecast):
		case len(status.Forecast) > 0:
			status.Forecast = status.Forecast[:len(status.Forecast)/2]
		case dropLesser(&status, mustRead):
		case status.Advice != nil && len(status.Advice.Evidence) > 0:
			status.Advice = withoutEvidence(*status.Advice)
		case len(status.Trail) > 1:
			status.Trail = shortenTrail(status.Trail, len(status.Trail)*3/4)
		case dropLesser(&status, 0):
		case status.Memory != nil && status.Memory.LastGood != nil:
			status.Memory.LastGood = nil
		default:
			return status
		}
	}
	return status
}

// dropWeights drops the models' shares of every forecast, and returns false if there are none.
func dropWeights(forecasts []v1alpha1.ForecastStatus) (dropped bool) {
	for i := range forecasts {
		dropped = dropped || len(forecasts[i].Weights) > 0
		forecasts[i].Weights = nil
	}
	return dropped
}

func withoutEvidence(a v1alpha1.AdviceStatus) *v1alpha1.AdviceStatus {
	a.Evidence = nil
	return &a
}

// dropLesser drops the least of the findings, then half of the adjustments, down to the given number of each. It returns
// false if there are no more.
func dropLesser(status *v1alpha1.RecommendationStatus, keep int) bool {
	switch {
	case len(status.Findings) > keep:
		status.Findings = status.Findings[:len(status.Findings)-1]
	case status.Advice != nil && len(status.Advice.Adjustments) > keep:
		status.Advice = keepAdjustments(status.Advice, max(keep, len(status.Advice.Adjustments)/2))
	default:
		return false
	}
	return true
}

// size is the length of the status as JSON, in bytes.
func size(status v1alpha1.RecommendationStatus) int {
	encoded, err := json.Marshal(status)
	if err != nil {
		return 0 // the write will say so
	}
	return len(encoded)
}

// conditions of the recommender, keeping the transition times of what did not change.
func (p Publication) conditions(confirmed *metav1.Time) []metav1.Condition {
	var kept []metav1.Condition
	for _, c := range p.Previous.Status.Conditions {
		if !updaterOwns(c.Type) {
			kept = append(kept, c)
		}
	}
	in, d := p.Input, p.Decision
	for _, c := range []metav1.Condition{
		readyCondition(p.Now, in, d, p.Memory),
		historyCondition(p.Now, in, d),
		forecastCondition(d),
		advisedCondition(d),
		approvedCondition(in, d),
		staleCondition(p.Now, in, confirmed),
	} {
		c.ObservedGeneration = p.Previous.Generation
		c.LastTransitionTime = metav1.Time{Time: p.Now}
		c.Message = shorten(c.Message, 1024)
		apimeta.SetStatusCondition(&kept, c)
	}
	return kept
}
