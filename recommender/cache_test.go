package recommender

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/loadline-dev/loadline/apply"
)

func TestWhoScaledAKindThatTheOperatorConfiguresIsKnownToTheCache(t *testing.T) {
	scaled := metav1.ManagedFieldsEntry{
		Manager: "kubectl", Operation: metav1.ManagedFieldsOperationUpdate, Subresource: "scale", APIVersion: "argoproj.io/v1alpha1",
		FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{}}}`),
	}
	other := metav1.ManagedFieldsEntry{Manager: "argo", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "argoproj.io/v1alpha1"}
	rollout := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}}
	rollout.SetManagedFields([]metav1.ManagedFieldsEntry{other, scaled})
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{other}}}
	strip := CacheOptions().DefaultTransform
	for _, object := range []any{rollout, service} {
		if _, err := strip(object); err != nil {
			t.Fatal(err)
		}
	}
	if by, ok := apply.ScaledBy(rollout); !ok || by != "kubectl" || len(rollout.GetManagedFields()) != 1 {
		t.Errorf("scaled by %q, %d notes; want kubectl's alone", by, len(rollout.GetManagedFields()))
	}
	if len(service.ManagedFields) > 0 {
		t.Errorf("%d notes on what nobody asks about are kept", len(service.ManagedFields))
	}
}
