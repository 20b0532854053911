package recommender

import (
	"context"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/recommender/guard"
)

// autoscaler tells what the HorizontalPodAutoscalers of a workload hold.
func (e *Engine) autoscaler(ctx context.Context, target Target) (guard.HPA, error) {
	all := &autoscalingv2.HorizontalPodAutoscalerList{}
	if err := e.Client.List(ctx, all, client.InNamespace(target.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return guard.HPA{}, fmt.Errorf("list horizontal pod autoscalers of %s: %w", target.Namespace, err)
	}
	var facts guard.HPA
	for i := range all.Items {
		if ref := all.Items[i].Spec.ScaleTargetRef; ref.Kind == target.Kind && ref.Name == target.Name {
			facts = addAutoscaler(facts, &all.Items[i])
		}
	}
	return facts, nil
}

// addAutoscaler adds which resource's utilisation the autoscaler holds. Without metrics it holds CPU at 80 %, the API's
// default. A metric of one container counts for the whole pod, which errs on the side of leaving alone. Of several
// autoscalers, which is a mistake, all count, and the first by name is shown.
func addAutoscaler(facts guard.HPA, hpa *autoscalingv2.HorizontalPodAutoscaler) guard.HPA {
	if owner := "HorizontalPodAutoscaler/" + hpa.Name; facts.Owner == "" || owner < facts.Owner {
		facts.Owner = owner
	}
	facts.OnCPU = facts.OnCPU || len(hpa.Spec.Metrics) == 0
	for _, metric := range hpa.Spec.Metrics {
		var name corev1.ResourceName
		var target autoscalingv2.MetricTarget
		switch {
		case metric.Resource != nil:
			name, target = metric.Resource.Name, metric.Resource.Target
		case metric.ContainerResource != nil:
			name, target = metric.ContainerResource.Name, metric.ContainerResource.Target
		}
		if target.Type == autoscalingv2.UtilizationMetricType {
			facts.OnCPU = facts.OnCPU || name == corev1.ResourceCPU
			facts.OnMemory = facts.OnMemory || name == corev1.ResourceMemory
		}
	}
	return facts
}
