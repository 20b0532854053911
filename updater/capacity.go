package updater

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/loadline-dev/loadline/apply"
)

// capacity is what the schedulable nodes have besides the requests of all pods that have not ended. It is a sum: it says when
// there is certainly no room, and not where there is some.
func (g *gatherer) capacity(ctx context.Context) (*apply.Amounts, error) {
	var nodes corev1.NodeList
	if err := g.reader.List(ctx, &nodes); err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	var free apply.Amounts
	closed := map[string]bool{}
	for i := range nodes.Items {
		node := &nodes.Items[i]
		if closed[node.Name] = node.Spec.Unschedulable; !node.Spec.Unschedulable {
			free.CPUMillis += node.Status.Allocatable.Cpu().MilliValue()
			free.MemoryBytes += node.Status.Allocatable.Memory().Value()
		}
	}
	var pods corev1.PodList
	if err := g.reader.List(ctx, &pods); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if closed[pod.Spec.NodeName] || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue
		}
		for i := range pod.Spec.Containers {
			requests := apply.ResourcesOf(pod.Spec.Containers[i].Resources).Defaulted().Requests
			free.CPUMillis -= requests.CPUMillis
			free.MemoryBytes -= requests.MemoryBytes
		}
	}
	return &free, nil
}
