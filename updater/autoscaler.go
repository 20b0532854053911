package updater

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/updater/plan"
)

// autoscalers lists the HorizontalPodAutoscalers of the whole cluster that are Loadline's business: those whose minimum it has raised,
// wherever they are, and those of the subjects.
func (g *gatherer) autoscalers(ctx context.Context, subjects []subject, memory *ledger) ([]plan.Autoscaler, error) {
	scaled := map[plan.Key]bool{}
	for _, s := range subjects {
		scaled[s.Key] = s.Values.AutoscalerMin != nil
	}
	var list autoscalingv2.HorizontalPodAutoscalerList
	if err := g.reader.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("list autoscalers: %w", err)
	}
	var found []plan.Autoscaler
	for i := range list.Items {
		hpa := &list.Items[i]
		target := plan.Key{Namespace: hpa.Namespace, Kind: hpa.Spec.ScaleTargetRef.Kind, Name: hpa.Spec.ScaleTargetRef.Name}
		raised, ok := apply.Raised(hpa)
		if ok || scaled[target] {
			wait := memory.waits(plan.Minimum, target, hpa.UID)
			found = append(found, plan.Autoscaler{
				Name: hpa.Name, Target: target, Min: orDefault(hpa.Spec.MinReplicas, 1),
				Original: raised.Original, Raised: raised.Raised, KeptBy: apply.MinimumKeptBy(hpa), Ours: wroteMinimum(hpa),
				UID: hpa.UID, NotBefore: wait.until, NotBeforeFor: wait.why,
			})
		}
	}
	return found, nil
}

// wroteMinimum reports whether the updater wrote the present minReplicas.
func wroteMinimum(hpa *autoscalingv2.HorizontalPodAutoscaler) bool {
	return slices.ContainsFunc(hpa.ManagedFields, func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Manager == v1alpha1.FieldManagerUpdater && apply.Owns(entry, "spec", "minReplicas")
	})
}

// setMinimum writes the minReplicas of an autoscaler, unless somebody has changed the autoscaler since the plan was made. A raise comes
// with the note of what was there before. Where it goes back, the note goes last, together with the ownership of the field: whatever
// ends in between, the next round finds the note and goes on.
func (a actor) setMinimum(ctx context.Context, action plan.Action) (answer, error) {
	hpa := &autoscalingv2.HorizontalPodAutoscaler{}
	key := client.ObjectKey{Namespace: action.Workload.Namespace, Name: action.Autoscaler}
	if err := a.client.Get(ctx, key, hpa); err != nil {
		return scaleAnswer(err), err
	}
	if minimum := orDefault(hpa.Spec.MinReplicas, 1); minimum != action.From {
		return answerChanged, fmt.Errorf("minReplicas is %d by now, not %d", minimum, action.From)
	}
	metadata := map[string]any{}
	if action.Raise {
		metadata["annotations"] = map[string]any{
			v1alpha1.AnnotationRaisedMinimum: apply.RaisedMinimum{Original: action.Before, Raised: action.To}.Encode(),
		}
	}
	written, err := a.patchAutoscaler(ctx, hpa, map[string]any{"metadata": metadata, "spec": map[string]any{"minReplicas": action.To}})
	if err == nil && !action.Raise {
		others, _ := apply.Disown(written, v1alpha1.FieldManagerUpdater)
		_, err = a.patchAutoscaler(ctx, written, map[string]any{"metadata": map[string]any{
			"annotations":   map[string]any{v1alpha1.AnnotationRaisedMinimum: nil}, // null removes it
			"managedFields": others,
		}})
	}
	return scaleAnswer(err), err
}

// patchAutoscaler patches an autoscaler that is as given, and returns what became of it.
func (a actor) patchAutoscaler(ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler, patch map[string]any) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	metadata, _ := patch["metadata"].(map[string]any)
	metadata["uid"], metadata["resourceVersion"] = hpa.UID, hpa.ResourceVersion
	body, err := json.Marshal(patch)
	if err != nil {
		return nil, err
	}
	patched := &autoscalingv2.HorizontalPodAutoscaler{}
	patched.Namespace, patched.Name = hpa.Namespace, hpa.Name
	err = a.client.Patch(ctx, patched, client.RawPatch(types.MergePatchType, body), client.FieldOwner(v1alpha1.FieldManagerUpdater))
	return patched, err
}
