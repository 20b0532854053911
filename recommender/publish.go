package recommender

import (
	"encoding/json"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/forecast"
)

const (
	// maxStatusBytes bounds the status; metadata and spec take the rest of 32 KiB.
	maxStatusBytes = 30 << 10
	// Bounds of the API, see v1alpha1.RecommendationStatus.
	maxTrail, maxSentence, maxFindings, maxAdjustments = 64, 300, 16, 16
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
	in, d := p.Input, p.Decision
	status := v1alpha1.RecommendationStatus{
		ObservedGeneration: p.Previous.Generation,
		ObservedTime:       p.observedTime(),
		TargetUID:          in.TargetUID,
		Mode:               in.Settings.Mode,
		ModeFrom:           shorten(in.Settings.ModeFrom, 256),
		Approval:           in.Settings.Approval,
		Updater:            in.Settings.Updater,
		Candidate:          revisioned(p.Memory.Candidate),
		Applicable:         revisioned(p.Memory.Applicable),
		Current:            currentValues(in),
		OOMFloor:           oomFloorStatus(p.Memory.OOM),
		Replicas:           replicaStatus(in, d),
		Forecast:           forecastStatus(d),
		Advice:             adviceStatus(d),
		Trail:              shortenTrail(d.Trail, maxTrail),
		Findings:           shortenFindings(d.Findings),
		Savings:            savings(in, p.Memory),
		Memory:             memoryStatus(p.Memory),
	}
	if p.Memory.Applicable != nil {
		status.Revision = p.Memory.Applicable.Revision
	}
	status.Conditions = p.conditions(status.ObservedTime)
	status.Display = p.display(status.Conditions)
	return bound(status)
}

// observedTime moves only when measurements confirm the sizes, and is written at most every six hours on its own account.
func (p Publication) observedTime() *metav1.Time {
	old := p.Previous.Status.ObservedTime
	if p.Input.HistoryProblem != "" || !measured(p.Input) || (old != nil && p.Now.Sub(old.Time) < p.Input.Cadence.Confirm) {
		return old
	}
	return &metav1.Time{Time: p.Now}
}

// measured reports whether there is any measurement of a container that is sized.
func measured(in Input) bool {
	for _, c := range in.Containers {
		past := in.History.Containers[c.Name]
		for _, u := range []forecast.Usage{past.CPUTotal, past.WorkingSet, past.RSS} {
			if u.Recent.Known() > 0 || u.KnownHours() > 0 {
				return true
			}
		}
	}
	return false
}

// bound makes the status fit: it drops first sentences of the trail, then the least of the findings, adjustments and
// forecasts. What is needed to decide and to apply always stays.
func bound(status v1alpha1.RecommendationStatus) v1alpha1.RecommendationStatus {
	for size(status) > maxStatusBytes {
		switch {
		case len(status.Trail) > 1:
			status.Trail = shortenTrail(status.Trail, len(status.Trail)*3/4)
		case len(status.Findings) > 1:
			status.Findings = status.Findings[:len(status.Findings)-1]
		case status.Advice != nil && len(status.Advice.Adjustments) > 0:
			status.Advice.Adjustments = status.Advice.Adjustments[:len(status.Advice.Adjustments)/2]
		case len(status.Forecast) > 0:
			status.Forecast = status.Forecast[:len(status.Forecast)/2]
		default:
			return status
		}
	}
	return status
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
		readyCondition(in, d, p.Memory),
		historyCondition(in, d),
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
