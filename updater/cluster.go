package updater

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/apply"
)

// cluster is every node and every pod as one round saw them. Whatever a round counts or compares of them, it takes from here, so
// that no two numbers of a round contradict each other and thousands of pods are listed once.
type cluster struct {
	nodes []corev1.Node
	pods  []corev1.Pod
	// in are the pods of a namespace.
	in map[string][]*corev1.Pod
}

// readCluster lists nodes and pods, and adds the pods that were lost and are gone.
func readCluster(ctx context.Context, now time.Time, reader client.Reader, lost *lostPods) (*cluster, error) {
	var nodes corev1.NodeList
	if err := reader.List(ctx, &nodes); err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	var pods corev1.PodList
	if err := reader.List(ctx, &pods); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	c := &cluster{nodes: nodes.Items, pods: append(pods.Items, lost.missingIn(now, pods.Items)...), in: map[string][]*corev1.Pod{}}
	for i := range c.pods {
		pod := &c.pods[i]
		c.in[pod.Namespace] = append(c.in[pod.Namespace], pod)
	}
	return c, nil
}

// ended reports whether the pod has ended for good. It was replaced, but may stay on view for days.
func ended(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// free is what the schedulable nodes have besides the requests of all pods that have not ended. It is a sum: it says when
// there is certainly no room, and not where there is some.
func (c *cluster) free() apply.Amounts {
	var free apply.Amounts
	closed := map[string]bool{}
	for i := range c.nodes {
		node := &c.nodes[i]
		if closed[node.Name] = node.Spec.Unschedulable; !node.Spec.Unschedulable {
			free = plus(free, allocatable(node))
		}
	}
	for i := range c.pods {
		pod := &c.pods[i]
		if closed[pod.Spec.NodeName] || ended(pod) {
			continue
		}
		asks := amountsOf(pod, apply.Present(pod))
		free = apply.Amounts{CPUMillis: free.CPUMillis - asks.CPUMillis, MemoryBytes: free.MemoryBytes - asks.MemoryBytes}
	}
	return free
}

func allocatable(n *corev1.Node) apply.Amounts {
	return apply.Amounts{CPUMillis: n.Status.Allocatable.Cpu().MilliValue(), MemoryBytes: n.Status.Allocatable.Memory().Value()}
}
