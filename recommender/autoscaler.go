package recommender

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/recommender/advice"
	"github.com/loadline-dev/loadline/recommender/guard"
)

// autoscaler tells what the HorizontalPodAutoscalers of a workload hold, and what each did last.
func (e *Engine) autoscaler(ctx context.Context, target Target) (guard.HPA, []advice.Scaling, error) {
	all := &autoscalingv2.HorizontalPodAutoscalerList{}
	if err := e.Client.List(ctx, all, client.InNamespace(target.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return guard.HPA{}, nil, fmt.Errorf("list horizontal pod autoscalers of %s: %w", target.Namespace, err)
	}
	slices.SortFunc(all.Items, func(a, b autoscalingv2.HorizontalPodAutoscaler) int { return cmp.Compare(a.Name, b.Name) })
	var facts guard.HPA
	var scalings []advice.Scaling
	for i := range all.Items {
		if ref := all.Items[i].Spec.ScaleTargetRef; ref.Kind == target.Kind && ref.Name == target.Name {
			facts = addAutoscaler(facts, &all.Items[i])
			if s := lastScaling(&all.Items[i]); !s.Time.IsZero() {
				s.ID = fmt.Sprintf("H%d", len(scalings)+1)
				scalings = append(scalings, s)
			}
		}
	}
	return facts, scalings, nil
}

// lastScaling is what an autoscaler's status tells of its last step, or of the maximum that it stands at; its Time is zero if
// that is nothing.
func lastScaling(hpa *autoscalingv2.HorizontalPodAutoscaler) advice.Scaling {
	s := advice.Scaling{Time: timeOf(hpa.Status.LastScaleTime), From: hpa.Status.CurrentReplicas, To: hpa.Status.DesiredReplicas}
	for _, c := range hpa.Status.Conditions {
		switch {
		case c.Status != corev1.ConditionTrue:
		case c.Type == autoscalingv2.ScalingLimited && c.Reason == "TooManyReplicas":
			s.AtMaximum, s.Reason = true, c.Message
			if c.LastTransitionTime.After(s.Time) {
				s.Time = c.LastTransitionTime.Time
			}
		case c.Type == autoscalingv2.AbleToScale && !s.AtMaximum:
			s.Reason = c.Message
		}
	}
	return s
}

// addAutoscaler adds which resource's utilisation the autoscaler holds, of all containers or of one. Of several autoscalers,
// which is a mistake, all count, and the first by name is shown.
func addAutoscaler(facts guard.HPA, hpa *autoscalingv2.HorizontalPodAutoscaler) guard.HPA {
	if owner := "HorizontalPodAutoscaler/" + hpa.Name; facts.Owner == "" || owner < facts.Owner {
		facts.Owner = owner
		facts.Min, facts.Max, facts.KeptBy = replicasOr1(hpa.Spec.MinReplicas), hpa.Spec.MaxReplicas, apply.MinimumKeptBy(hpa)
		if raised, ok := apply.Raised(hpa); ok && raised.Raised == facts.Min {
			facts.Min = raised.Original
		}
	}
	held := apply.HeldByAutoscaler(hpa.Spec.Metrics)
	facts.OnCPU, facts.OnMemory = facts.OnCPU || held.CPU, facts.OnMemory || held.Memory
	facts.OnCPUOf, facts.OnMemoryOf = append(facts.OnCPUOf, held.CPUOf...), append(facts.OnMemoryOf, held.MemoryOf...)
	return facts
}
