package updater

import (
	"encoding/json"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/updater/plan"
)

// markOf reads what the last resize wrote on the pod. One that cannot be read, or was copied from another pod, is none.
func markOf(pod *corev1.Pod) *plan.Mark {
	text, marked := pod.Annotations[v1alpha1.AnnotationResized]
	if !marked {
		return nil
	}
	mark := &plan.Mark{}
	if err := json.Unmarshal([]byte(text), mark); err != nil || mark.UID != pod.UID {
		return nil
	}
	return mark
}

func encodeMark(mark *plan.Mark) (string, error) {
	text, err := json.Marshal(mark)
	return string(text), err
}

// started is when the last of the pod's running containers did: at first, and again after a restart.
func started(pod *corev1.Pod) time.Time {
	at := pod.CreationTimestamp.Time
	for _, s := range pod.Status.ContainerStatuses {
		if s.State.Running != nil && s.State.Running.StartedAt.After(at) {
			at = s.State.Running.StartedAt.Time
		}
	}
	return at
}

func restarts(pod *corev1.Pod) int32 {
	var n int32
	for _, s := range containerStatuses(pod) {
		n += s.RestartCount
	}
	return n
}
