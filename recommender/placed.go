package recommender

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/loadline-dev/loadline/apply"
)

// placed returns what a pod that has a node runs with, all its containers together. A resize that the node has not carried out does not
// count. It is false for a pod without a node, and for one that is over or going.
func placed(pod *corev1.Pod) (apply.Amounts, bool) {
	over := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	if pod.Spec.NodeName == "" || over || pod.DeletionTimestamp != nil {
		return apply.Amounts{}, false
	}
	members, statuses := apply.Members(pod.Spec), slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
	for i := range members {
		at := slices.IndexFunc(statuses, func(s corev1.ContainerStatus) bool { return s.Name == members[i].Name })
		if at >= 0 && statuses[at].Resources != nil {
			members[i].Resources = apply.ResourcesOf(*statuses[at].Resources)
		}
	}
	return apply.PodResources(members).Requests, true
}

// addPlaced adds a pod to what is known of those that have a node. That one runs with a size says nothing about the other nodes of a
// DaemonSet, on each of which another has to run.
func addPlaced(in *Input, pod *corev1.Pod) {
	has, ok := placed(pod)
	switch {
	case !ok:
	case in.everywhere():
		if in.Own == nil {
			in.Own = map[string]apply.Amounts{}
		}
		in.Own[pod.Spec.NodeName] = plus(in.Own[pod.Spec.NodeName], apply.PodResources(apply.Members(pod.Spec)).Requests)
	default:
		in.Placed = larger(in.Placed, has)
	}
}

// larger is the larger of both amounts, each for itself.
func larger(a, b apply.Amounts) apply.Amounts {
	return apply.Amounts{CPUMillis: max(a.CPUMillis, b.CPUMillis), MemoryBytes: max(a.MemoryBytes, b.MemoryBytes)}
}
