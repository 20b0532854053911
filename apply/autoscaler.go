package apply

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
)

// Held is what an autoscaler holds the utilisation of, which is usage ÷ request. Such a request must not move.
type Held struct {
	// CPU and Memory of all containers together.
	CPU, Memory bool
	// CPUOf and MemoryOf name single containers.
	CPUOf, MemoryOf []string
}

// HeldByAutoscaler tells what a HorizontalPodAutoscaler with these metrics holds. Without metrics it holds CPU at 80 %, the
// API's default. Absolute values hold nothing.
func HeldByAutoscaler(metrics []autoscalingv2.MetricSpec) Held {
	held := Held{CPU: len(metrics) == 0}
	for _, metric := range metrics {
		switch r, c := metric.Resource, metric.ContainerResource; {
		case r != nil && r.Target.Type == autoscalingv2.UtilizationMetricType:
			held.CPU = held.CPU || r.Name == corev1.ResourceCPU
			held.Memory = held.Memory || r.Name == corev1.ResourceMemory
		case c != nil && c.Target.Type == autoscalingv2.UtilizationMetricType && c.Name == corev1.ResourceCPU:
			held.CPUOf = append(held.CPUOf, c.Container)
		case c != nil && c.Target.Type == autoscalingv2.UtilizationMetricType && c.Name == corev1.ResourceMemory:
			held.MemoryOf = append(held.MemoryOf, c.Container)
		}
	}
	return held
}
