package recommender

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

// yield says whose number of pods is left alone at present; empty if Loadline may change it. The scaling is to be kept on
// record.
func (in Input) yield(now time.Time, onRecord apply.Scaling) (why string, record apply.Scaling) {
	if in.Scaled == nil {
		return "", apply.Scaling{}
	}
	last, found := apply.LastScaling(in.Scaled, in.Replicas, onRecord, now)
	if found && last.Wins(now, in.YieldFor) {
		why = last.String()
	}
	if by, ok := apply.ScaledBy(in.Scaled); ok && by == last.By {
		record = last
	}
	return why, record
}

// scaledStatus is the scaling as the status keeps it.
func scaledStatus(s apply.Scaling) *v1alpha1.ReplicaScaling {
	if s.By == "" {
		return nil
	}
	return &v1alpha1.ReplicaScaling{By: s.By, Replicas: s.Replicas, Time: metav1.Time{Time: s.At}}
}
