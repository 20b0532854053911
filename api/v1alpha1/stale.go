package v1alpha1

import (
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
)

// Stale reports whether nobody confirmed the sizes for longer than that, of a workload that is not switched off. The condition
// alone does not tell: where no recommender runs, nobody writes it. Without a duration it is all there is.
func (s *RecommendationStatus) Stale(now time.Time, after time.Duration) bool {
	return s.Mode != ModeOff && (apimeta.IsStatusConditionTrue(s.Conditions, ConditionStale) ||
		after > 0 && s.ObservedTime != nil && now.Sub(s.ObservedTime.Time) > after)
}
