// Package eviction tells which pods were evicted by their own node because it ran low on memory. It is how requests that are too small
// hurt: more pods are packed onto a node than it has memory for, and its kubelet ends those first that use more than they request. None of
// their containers is OOMKilled.
package eviction

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Memory is such an eviction.
type Memory struct {
	At time.Time
	// Used is what the containers used, in bytes, that used more than they request, in the order in which the kubelet names them. It
	// names no others, and none where it had no measurements.
	Used []Usage
}

// Usage is what one container used.
type Usage struct {
	Container string
	Bytes     int64
}

// Texts by which a kubelet tells which resource its node was low on, and who used more of it than requested. That of the resource is
// followed by a full stop, and so is no prefix of another's.
const (
	textLowOnMemory = "The node was low on resource: memory."
	textContainer   = "Container "
	textUsed        = " was using "
	textRequest     = ", request is "
)

// ForMemory returns the eviction that the pod's status tells of, and false for a pod that lives, or ended for another reason: the drain or
// shutdown of its node, a more important pod, or a node that was low on something else, such as disk or process ids.
//
// Only the condition tells. A pod whose containers all end with 0 when they are asked to, as good servers do, has Succeeded, with neither
// reason nor message, unless the API server heard of the failure before they ended.
func ForMemory(pod *corev1.Pod) (Memory, bool) {
	if pod.Status.Phase != corev1.PodFailed && pod.Status.Phase != corev1.PodSucceeded {
		return Memory{}, false
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue && c.Reason == corev1.PodReasonTerminationByKubelet &&
			strings.HasPrefix(c.Message, textLowOnMemory) {
			return Memory{At: c.LastTransitionTime.Time, Used: used(c.Message)}, true
		}
	}
	return Memory{}, false
}

// used reads `Container app was using 512Mi, request is 200Mi, has larger consumption of memory.` once for each container. What does not
// read like that is left out.
func used(message string) []Usage {
	_, message, _ = strings.Cut(message, textContainer) // before it is what the node, and the pod as a whole, had
	var all []Usage
	for part := range strings.SplitSeq(message, textContainer) {
		name, rest, isUsage := strings.Cut(part, textUsed)
		amount, _, complete := strings.Cut(rest, textRequest)
		quantity, err := resource.ParseQuantity(amount)
		if isUsage && complete && err == nil && quantity.Sign() > 0 {
			all = append(all, Usage{Container: name, Bytes: quantity.Value()})
		}
	}
	return all
}
