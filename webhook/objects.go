package webhook

import (
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/utils/clock"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// recommendations validates what people write into Recommendations: the name that makes one findable, and the revision they
// approve. That targetRef stays the same is a rule of the schema; who may write the status is a matter of RBAC.
type recommendations struct {
	clock clock.PassiveClock
}

func (r *recommendations) validate(req *admissionv1.AdmissionRequest) (answer, error) {
	rec, err := decode[v1alpha1.Recommendation](req.Object)
	if err != nil {
		return answer{}, err
	}
	if rec.DeletionTimestamp != nil {
		return answer{outcome: outcomeAllowed}, nil
	}
	old, err := decodeOld[v1alpha1.Recommendation](req.OldObject)
	if err != nil {
		return answer{}, err
	}
	if req.Operation == admissionv1.Create {
		return r.validateCreate(rec), nil
	}
	a := verdict(checkApproval(old, rec), nil)
	if rec.Spec.Hold != nil && rec.Spec.Hold.Until != nil && rec.Spec.Hold.Until.Time.Before(r.clock.Now()) {
		a = a.warn(fmt.Sprintf("spec.hold.until %s is over: nothing is held", rec.Spec.Hold.Until.UTC().Format("2006-01-02T15:04:05Z")))
	}
	return a, nil
}

// validateCreate admits an approved revision that nothing is known about yet: it comes with an object that is restored from
// a backup, and takes effect only when the same sizes are computed again.
func (r *recommendations) validateCreate(rec *v1alpha1.Recommendation) answer {
	ref := rec.Spec.TargetRef
	if want := v1alpha1.RecommendationName(ref.Kind, ref.Name); rec.Name != want {
		return verdict([]string{fmt.Sprintf("metadata.name %q is refused: the Recommendation of %s %s is called %q",
			rec.Name, ref.Kind, ref.Name, want)}, nil)
	}
	return answer{outcome: outcomeAllowed}
}

// checkApproval refuses the approval of a revision that nobody has seen: it must be one that the status shows, or none.
func checkApproval(old, rec *v1alpha1.Recommendation) []string {
	approved := rec.Spec.ApprovedRevision
	if approved == "" || approved == old.Spec.ApprovedRevision {
		return nil
	}
	var known []string
	for _, values := range []*v1alpha1.RevisionedValues{old.Status.Candidate, old.Status.Applicable} {
		if values != nil && values.Revision != "" && !slices.Contains(known, values.Revision) {
			known = append(known, values.Revision)
		}
	}
	if slices.Contains(known, approved) {
		return nil
	}
	legal := "nothing, because no sizes were computed yet"
	if len(known) > 0 {
		legal = strings.Join(known, ", ") + ", or nothing"
	}
	return []string{fmt.Sprintf("spec.approvedRevision %q is refused: there is no such revision; legal: %s", approved, legal)}
}
