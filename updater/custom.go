package updater

import (
	"context"
	"fmt"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/updater/plan"
)

// describeCustom reads what a workload of a kind that the operator configures has in common with a Deployment. A rollout that
// a canary step paused is in progress.
func describeCustom(o *unstructured.Unstructured, w *plan.Workload) {
	number := func(missing int64, fields ...string) int32 {
		n, found, err := unstructured.NestedInt64(o.Object, fields...)
		if err != nil || !found {
			n = missing
		}
		return int32(min(max(n, 0), 1<<30))
	}
	w.Custom = true
	w.Replicas = number(1, "spec", "replicas")
	w.Paused, _, _ = unstructured.NestedBool(o.Object, "spec", "paused")
	pauses, _, _ := unstructured.NestedSlice(o.Object, "status", "pauseConditions")
	updated := number(int64(w.Replicas), "status", "updatedReplicas")
	w.RolloutInProgress = len(pauses) > 0 || updated < w.Replicas || number(int64(updated), "status", "replicas") > updated
}

// scaleCustom is scale for a kind that the operator configures.
func (a actor) scaleCustom(ctx context.Context, action plan.Action) (answer, error) {
	kind, ok := a.kinds.Named(action.Workload.Kind)
	if !ok {
		return answerRefused, fmt.Errorf("a %s cannot be scaled", action.Workload.Kind)
	}
	workload, scale := &unstructured.Unstructured{}, &unstructured.Unstructured{}
	workload.SetGroupVersionKind(schema.FromAPIVersionAndKind(kind.APIVersion, kind.Kind))
	workload.SetNamespace(action.Workload.Namespace)
	workload.SetName(action.Workload.Name)
	scale.SetGroupVersionKind(autoscalingv1.SchemeGroupVersion.WithKind("Scale"))
	if err := a.client.SubResource("scale").Get(ctx, workload, scale); err != nil {
		return scaleAnswer(err), err
	}
	if present, _, _ := unstructured.NestedInt64(scale.Object, "spec", "replicas"); present != int64(action.From) {
		return answerChanged, fmt.Errorf("%d pods are asked for by now, not %d", present, action.From)
	}
	if err := unstructured.SetNestedField(scale.Object, int64(action.To), "spec", "replicas"); err != nil {
		return answerRefused, err
	}
	err := a.client.SubResource("scale").Update(ctx, workload, client.WithSubResourceBody(scale), client.FieldOwner(v1alpha1.FieldManagerUpdater))
	return scaleAnswer(err), err
}
