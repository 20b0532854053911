package recommender

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// pendingRaises returns, by container, since when the pod waits for CPU that its node does not give it: the API server
// accepted a larger request, and the kubelet put it off (Deferred) or called it impossible (Infeasible).
func pendingRaises(pod *corev1.Pod) map[string]time.Time {
	since, ok := resizePendingSince(pod)
	if !ok {
		return nil
	}
	pending := map[string]time.Time{}
	statuses := slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		i := slices.IndexFunc(statuses, func(s corev1.ContainerStatus) bool { return s.Name == c.Name })
		if i < 0 || statuses[i].Resources == nil {
			continue
		}
		actual := statuses[i].Resources.Requests
		if c.Resources.Requests.Cpu().Cmp(*actual.Cpu()) > 0 {
			pending[c.Name] = since
		}
	}
	return pending
}

func resizePendingSince(pod *corev1.Pod) (time.Time, bool) {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodResizePending && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.UTC(), true
		}
	}
	return time.Time{}, false
}

// earliest keeps the earlier of both times for every container.
func earliest(all, more map[string]time.Time) map[string]time.Time {
	for name, t := range more {
		if known, ok := all[name]; !ok || t.Before(known) {
			if all == nil {
				all = map[string]time.Time{}
			}
			all[name] = t
		}
	}
	return all
}
