package apply

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// What KEDA leaves on the HorizontalPodAutoscalers that it makes.
const (
	kedaKind  = "ScaledObject"
	kedaLabel = "scaledobject.keda.sh/name"
)

// RaisedMinimum is what Loadline did to the minReplicas of a HorizontalPodAutoscaler.
type RaisedMinimum struct {
	// Original is what was there before, and is put back; Raised is what Loadline wrote.
	Original, Raised int32
}

// Encode is the value of the annotation that keeps it on the autoscaler.
func (r RaisedMinimum) Encode() string { return fmt.Sprintf("%d raised to %d", r.Original, r.Raised) }

// Raised reads the annotation, or returns false where Loadline has nothing to put back.
func Raised(autoscaler metav1.Object) (RaisedMinimum, bool) {
	var r RaisedMinimum
	n, err := fmt.Sscanf(autoscaler.GetAnnotations()[v1alpha1.AnnotationRaisedMinimum], "%d raised to %d", &r.Original, &r.Raised)
	return r, err == nil && n == 2 && r.Original >= 0 && r.Raised > 0
}

// MinimumKeptBy says who keeps the minReplicas of a HorizontalPodAutoscaler and would put it back, so that Loadline must not
// write it: KEDA, a manifest that is applied with server-side apply, or one that kubectl applied. Empty means nobody.
func MinimumKeptBy(autoscaler metav1.Object) string {
	for _, owner := range autoscaler.GetOwnerReferences() {
		if owner.Kind == kedaKind {
			return "KEDA's " + kedaKind + " " + owner.Name + " owns it"
		}
	}
	if name, ok := autoscaler.GetLabels()[kedaLabel]; ok {
		return "KEDA's " + kedaKind + " " + name + " owns it"
	}
	for _, entry := range autoscaler.GetManagedFields() {
		if keepsMinimum(entry) {
			return "field manager " + entry.Manager + " applies its minReplicas"
		}
	}
	var applied struct {
		Spec struct {
			MinReplicas *int32 `json:"minReplicas"`
		} `json:"spec"`
	}
	manifest := autoscaler.GetAnnotations()[corev1.LastAppliedConfigAnnotation]
	if json.Unmarshal([]byte(cmp.Or(manifest, "{}")), &applied) != nil || applied.Spec.MinReplicas != nil {
		return "a manifest that kubectl applied sets its minReplicas"
	}
	return ""
}

func keepsMinimum(entry metav1.ManagedFieldsEntry) bool {
	return entry.Operation == metav1.ManagedFieldsOperationApply && entry.Manager != v1alpha1.FieldManagerUpdater &&
		Owns(entry, "spec", "minReplicas")
}

// KeepMinimum drops what is not needed to know who keeps the minReplicas of a HorizontalPodAutoscaler. It is for caches.
func KeepMinimum(autoscaler metav1.Object) {
	autoscaler.SetManagedFields(slices.DeleteFunc(autoscaler.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return !keepsMinimum(entry) && entry.Manager != v1alpha1.FieldManagerUpdater
	}))
	annotations := autoscaler.GetAnnotations()
	for key := range annotations {
		if key != corev1.LastAppliedConfigAnnotation && !strings.HasPrefix(key, v1alpha1.Group+"/") {
			delete(annotations, key)
		}
	}
}
