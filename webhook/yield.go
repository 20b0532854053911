package webhook

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

// managerHelm is the field manager of Helm, which applies manifests without being told from a person by the API server.
const managerHelm = "helm"

// yield answers an update of the number of pods where somebody's own number wins, or says false where Loadline's does.
//
//	asks for what the manifest asked for before, nobody scaled lately   a repeated wish: Loadline's number
//	asks for what the manifest asked for before, somebody scaled        a repeated wish: that person's number stays
//	asks for anything else                                              a decision: it is noted, and wins for a while
//
// What came through the scale subresource, such as kubectl scale, never arrives here; the API server itself keeps a note of
// it.
func (w *workloads) yield(req *admissionv1.AdmissionRequest, rec *v1alpha1.Recommendation, view, old *workloadView) (answer, bool) {
	now, asked := w.clock.Now(), view.replicas()
	if declared := declaredReplicas(rec, old); asked == declared {
		scaling, found := apply.LastScaling(old.object(), old.replicas(), apply.RecordedScaling(rec.Status), now)
		if !found || !scaling.Wins(now, w.yieldFor) || old.replicas() == 0 {
			return answer{}, false
		}
		return answer{outcome: outcomeYielded, patches: setReplicas(view, old.replicas(), map[string]string{
			// What the API server knows is lost with this request, which takes the field over.
			v1alpha1.AnnotationScaled:           apply.NoteScaling(scaling),
			v1alpha1.AnnotationOriginalReplicas: strconv.Itoa(int(declared)),
		}), warnings: []string{fmt.Sprintf("spec.replicas stays %d instead of %d until %s: %s",
			old.replicas(), asked, scaling.At.Add(w.yieldFor).UTC().Format(time.RFC3339), scaling)}}, true
	}
	scaling := apply.Scaling{By: cmp.Or(replicasManager(view).Manager, req.UserInfo.Username), At: now}
	notes := map[string]string{v1alpha1.AnnotationScaled: apply.NoteScaling(scaling)}
	if isManifest(view, old) {
		notes[v1alpha1.AnnotationOriginalReplicas] = strconv.Itoa(int(asked))
	}
	return answer{
		outcome: outcomeYielded, patches: setAnnotations(view.Metadata.Annotations, notes),
		warnings: []string{fmt.Sprintf("Loadline leaves spec.replicas at %d until %s", asked, now.Add(w.yieldFor).UTC().Format(time.RFC3339))},
	}, true
}

// declaredReplicas is the number that the manifest asked for so far; 0 if that is not known.
func declaredReplicas(rec *v1alpha1.Recommendation, old *workloadView) int32 {
	if _, kept := old.Metadata.Annotations[v1alpha1.AnnotationOriginalReplicas]; kept {
		return apply.DeclaredReplicas(old.object(), 0)
	}
	if r := rec.Status.Replicas; r != nil && r.Declared != nil {
		return *r.Declared
	}
	return 0
}

// isManifest reports whether the request applies a manifest, which will ask for the same number again, rather than being a
// person's one change.
func isManifest(view, old *workloadView) bool {
	owner := replicasManager(view)
	applied := view.Metadata.Annotations[corev1.LastAppliedConfigAnnotation]
	return owner.Operation == metav1.ManagedFieldsOperationApply || owner.Manager == managerHelm ||
		applied != "" && applied != old.Metadata.Annotations[corev1.LastAppliedConfigAnnotation]
}

// replicasManager is the note of the API server on who owns the number of pods; an empty one if there is none.
func replicasManager(view *workloadView) metav1.ManagedFieldsEntry {
	for _, entry := range view.Metadata.ManagedFields {
		if apply.Owns(entry, "spec", "replicas") {
			return entry
		}
	}
	return metav1.ManagedFieldsEntry{}
}
