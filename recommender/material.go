package recommender

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/recommender/advice"
)

// material is the part of a status whose change is worth a write to etcd: sizes, what was learnt, settings, conditions and
// findings. Everything else moves with every pass (sentences, forecast figures, hours of history) or at somebody else's pace
// (the replicas of an autoscaler); it is written along with the next material change, or when the sizes are confirmed.
func material(s v1alpha1.RecommendationStatus) string {
	view := struct {
		Candidate, Applicable string
		Mode, From            string
		Approval, Updater     string
		Excluded              []string
		Observed              *metav1.Time
		Generation            int64
		UID                   string
		OOM                   []v1alpha1.OOMFloor
		Current               v1alpha1.CurrentValues
		Owner                 string
		Declared              int32
		YieldsTo              string
		Memory                v1alpha1.DecisionMemory
		Findings, Conditions  []string
		Adjustments           []v1alpha1.AdjustmentStatus
		Model                 []string
		Rollback              *v1alpha1.Rollback
		Health                *v1alpha1.HealthCheck
	}{
		Candidate: revisionOf(s.Candidate), Applicable: revisionOf(s.Applicable), Mode: string(s.Mode), From: s.ModeFrom,
		Approval: string(s.Approval), Updater: string(s.Updater), Excluded: s.ExcludeContainers, Observed: s.ObservedTime, Generation: s.ObservedGeneration,
		UID: string(s.TargetUID), OOM: s.OOMFloor, Memory: materialMemory(s.Memory), Conditions: materialConditions(s.Conditions),
		Rollback: s.Rollback, Health: s.Health,
	}
	view.Current, view.Owner = materialCurrent(s)
	if r := s.Replicas; r != nil {
		view.YieldsTo = r.YieldsTo
		if r.Declared != nil {
			view.Declared = *r.Declared
		}
	}
	for _, f := range s.Findings {
		view.Findings = append(view.Findings, fmt.Sprintf("%s %s %s", f.Severity, f.Type, f.Container))
	}
	if s.Advice != nil {
		view.Adjustments = slices.Clone(s.Advice.Adjustments)
		for i := range view.Adjustments {
			view.Adjustments[i].Reason = ""
		}
		if s.Advice.Source == advice.SourceModel { // what was answered is kept, so that it need not be asked again
			view.Model = []string{s.Advice.Model, s.Advice.Digest, s.Advice.InputHash}
		} else {
			view.Model = []string{kindOf(s.Advice.Reason)}
		}
	}
	encoded, err := json.Marshal(view)
	if err != nil {
		return err.Error() // plain structs of texts, times and quantities always encode
	}
	return string(encoded)
}

// kindOf is what a reason begins with: after the second colon come addresses and times.
func kindOf(reason string) string {
	parts := strings.SplitN(reason, ": ", 3)
	return strings.Join(parts[:min(len(parts), 2)], ": ")
}

func revisionOf(v *v1alpha1.RevisionedValues) string {
	if v == nil {
		return ""
	}
	return v.Revision
}

// materialMemory leaves out the hours of history, one more each hour.
func materialMemory(m *v1alpha1.DecisionMemory) v1alpha1.DecisionMemory {
	if m == nil {
		return v1alpha1.DecisionMemory{}
	}
	out := *m.DeepCopy()
	for i := range out.Containers {
		out.Containers[i].MemoryHistoryHours = 0
	}
	return out
}

// materialCurrent leaves out a number of pods that somebody else decides, and peaks, which creep.
func materialCurrent(s v1alpha1.RecommendationStatus) (current v1alpha1.CurrentValues, owner string) {
	if s.Replicas != nil {
		owner = s.Replicas.Owner
	}
	if s.Current != nil {
		current = *s.Current.DeepCopy()
	}
	for i := range current.Containers {
		current.Containers[i].PeakMemory = nil
	}
	if owner != "" {
		current.Replicas = nil
	}
	return current, owner
}

// materialConditions are the recommender's conditions without their texts and times.
func materialConditions(conditions []metav1.Condition) []string {
	var out []string
	for _, c := range conditions {
		if !updaterOwns(c.Type) {
			out = append(out, fmt.Sprintf("%s %s %s", c.Type, c.Status, c.Reason))
		}
	}
	slices.Sort(out)
	return out
}

// updaterOwns names the conditions that belong to the updater's field manager.
func updaterOwns(condition string) bool {
	return condition == v1alpha1.ConditionApplied || condition == v1alpha1.ConditionHealthy
}
