package updater

import (
	"context"
	"encoding/json"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/updater/plan"
)

// autoscalers lists the HorizontalPodAutoscalers of the whole cluster that are Loadline's business: those whose minimum it has raised,
// wherever they are, and those of the subjects.
func (g *gatherer) autoscalers(ctx context.Context, subjects []subject) ([]plan.Autoscaler, error) {
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
			found = append(found, plan.Autoscaler{
				Name: hpa.Name, Target: target, Min: orDefault(hpa.Spec.MinReplicas, 1),
				Original: raised.Original, Raised: raised.Raised, KeptBy: apply.MinimumKeptBy(hpa),
			})
		}
	}
	return found, nil
}

// setMinimum writes the minReplicas of an autoscaler together with the note of what was there before, unless somebody has
// changed the autoscaler since the plan was made.
func (a actor) setMinimum(ctx context.Context, action plan.Action) (answer, error) {
	hpa := &autoscalingv2.HorizontalPodAutoscaler{}
	key := client.ObjectKey{Namespace: action.Workload.Namespace, Name: action.Autoscaler}
	if err := a.client.Get(ctx, key, hpa); err != nil {
		return scaleAnswer(err), err
	}
	if minimum := orDefault(hpa.Spec.MinReplicas, 1); minimum != action.From {
		return answerChanged, fmt.Errorf("minReplicas is %d by now, not %d", minimum, action.From)
	}
	var note any // null removes it
	if action.Raise {
		note = apply.RaisedMinimum{Original: action.Before, Raised: action.To}.Encode()
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{
			"uid": hpa.UID, "resourceVersion": hpa.ResourceVersion,
			"annotations": map[string]any{v1alpha1.AnnotationRaisedMinimum: note},
		},
		"spec": map[string]any{"minReplicas": action.To},
	})
	if err != nil {
		return answerRefused, err
	}
	shell := &autoscalingv2.HorizontalPodAutoscaler{}
	shell.Namespace, shell.Name = key.Namespace, key.Name
	err = a.client.Patch(ctx, shell, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(v1alpha1.FieldManagerUpdater))
	return scaleAnswer(err), err
}
