package webhook

import (
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

// Bounds of what is written on a pod, in bytes. With the original, which has apply.MaxOriginalBytes, all of it together takes
// at most 18 KiB.
const (
	maxChangedBytes = 1 << 10
	maxWhyBytes     = 512
	// maxAnnotationBytes is what the API server allows all annotations of one object together, keys included. One byte more
	// and it refuses the pod.
	maxAnnotationBytes = 256 << 10
)

// errNoRoom says that a pod has no room for the annotations that it must have.
var errNoRoom = errors.New("the annotations of the pod take too much room")

// decision is what was decided about one pod.
type decision struct {
	original, sized map[string]apply.Resources
	revision, why   string
}

// annotations returns what is written on a pod that has these annotations. What people read is left out where there is no
// room for it; without room for what is needed, or for the whole original, the error is errNoRoom and the pod is left alone.
func (d decision) annotations(pod *corev1.Pod) (map[string]string, error) {
	original, err := apply.EncodeOriginal(d.original)
	if errors.Is(err, apply.ErrOriginalTooLarge) {
		return nil, fmt.Errorf("%w: %w", errNoRoom, err)
	}
	if err != nil {
		return nil, err
	}
	needed := map[string]string{v1alpha1.AnnotationOriginal: original, v1alpha1.AnnotationRevision: d.revision}
	all := map[string]string{
		v1alpha1.AnnotationOriginal: original, v1alpha1.AnnotationRevision: d.revision,
		v1alpha1.AnnotationChanged: shorten(d.changes(pod), maxChangedBytes),
	}
	if d.why != "" {
		all[v1alpha1.AnnotationWhy] = shorten(d.why, maxWhyBytes)
	}
	for _, set := range []map[string]string{all, needed} {
		if bytesWith(pod.Annotations, set) <= maxAnnotationBytes {
			return set, nil
		}
	}
	return nil, fmt.Errorf("%w: %d bytes are legal", errNoRoom, maxAnnotationBytes)
}

// bytesWith counts annotations as the API server does, after set was written over has.
func bytesWith(has, set map[string]string) int {
	total := 0
	for key, value := range set {
		total += len(key) + len(value)
	}
	for key, value := range has {
		if _, replaced := set[key]; !replaced {
			total += len(key) + len(value)
		}
	}
	return total
}

// changes says what the pod gets instead of what it asks for, in the order of its containers.
//
// Example: "app: cpu request 2 → 250m, memory request 2Gi → 512Mi, memory limit 2Gi → 1Gi".
func (d decision) changes(pod *corev1.Pod) string {
	var containers []string
	for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for _, c := range list {
			want, ok := d.sized[c.Name]
			if !ok {
				continue
			}
			if changed := d.original[c.Name].Difference(want); changed != "" {
				containers = append(containers, c.Name+": "+changed)
			}
		}
	}
	if len(containers) == 0 {
		return "nothing: the pod asks for the recommended sizes itself"
	}
	return strings.Join(containers, "; ")
}

// maxNoteBytes is what the API server allows the note of an Event.
const maxNoteBytes = 1 << 10

// Reasons of the Events of a workload.
const (
	reasonInjected  = "SizesInjected"
	reasonLeftAlone = "PodLeftAlone"
)

// noticeOf addresses a notice to the workload of a Recommendation. Its UID comes from the status, because kubectl shows Events
// by UID.
func noticeOf(rec *v1alpha1.Recommendation, kind, reason, about, text string) *notice {
	ref := rec.Spec.TargetRef
	return &notice{
		workload: corev1.ObjectReference{
			APIVersion: ref.APIVersion, Kind: ref.Kind, Namespace: rec.Namespace, Name: ref.Name, UID: rec.Status.TargetUID,
		},
		kind: kind, reason: reason, about: about, text: shorten(text, maxNoteBytes),
	}
}

// leftAlone answers that a pod is admitted as it is although there are sizes for it, and tells its workload why.
func leftAlone(rec *v1alpha1.Recommendation, what outcome, why string) answer {
	return answer{outcome: what, notice: noticeOf(rec, corev1.EventTypeWarning, reasonLeftAlone, string(what),
		"new pods are admitted as they are: "+why)}
}
