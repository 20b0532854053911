package updater

import (
	"encoding/json"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

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

// copied reports whether what is noted on a pod comes from its template, into which somebody pasted it, and not from admission. Only a
// resize of this very pod can have left it in force since.
func copied(pod *corev1.Pod, template map[string]string) bool {
	same := func(key string) bool { return pod.Annotations[key] == template[key] }
	pasted := template[v1alpha1.AnnotationOriginal] != "" || template[v1alpha1.AnnotationRevision] != ""
	return pasted && same(v1alpha1.AnnotationOriginal) && same(v1alpha1.AnnotationRevision) && markOf(pod) == nil
}

// withoutNotes is the pod without the notes that admission did not write: whoever believed them would compute from numbers that
// never were.
func withoutNotes(pod *corev1.Pod) *corev1.Pod {
	bare := *pod
	bare.Annotations = maps.Clone(pod.Annotations)
	delete(bare.Annotations, v1alpha1.AnnotationOriginal)
	delete(bare.Annotations, v1alpha1.AnnotationRevision)
	return &bare
}

// templateNotes are the annotations under Loadline's name in the pod template of a workload.
func templateNotes(workload client.Object) map[string]string {
	if o, custom := workload.(*unstructured.Unstructured); custom {
		notes, _, _ := unstructured.NestedStringMap(o.Object, "spec", "template", "metadata", "annotations")
		return v1alpha1.OwnAnnotations(notes)
	}
	return v1alpha1.OwnAnnotations(podTemplate(workload).Annotations)
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
