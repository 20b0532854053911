package webhook

import (
	"encoding/json"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

// sizer says what the containers of one pod should carry.
type sizer struct {
	values apply.Values
	// stale forbids anything below the memory that the pod asks for itself.
	stale bool
	// seen is the memory that containers asked for when the values were made, by name. One that asks for more now is treated as stale:
	// somebody raised it, and the recommender has not looked since.
	seen map[string]int64
	// floor are sizes that were good before, while the values are tried on another pod; nil if they are not.
	floor *apply.Values
}

// goodOf are the sizes that were good before those in force; none for what is not known.
func goodOf(status v1alpha1.RecommendationStatus) apply.Values {
	if status.Memory == nil || status.Memory.LastGood == nil {
		return apply.Values{}
	}
	return apply.FromAPI(status.Memory.LastGood)
}

// heldBack reports whether the sizes are others than they would be if the values were not tried on another pod.
func (s sizer) heldBack(original, sized map[string]apply.Resources) bool {
	s.floor = nil
	return !maps.Equal(s.desired(original), sized)
}

// sizable returns the sizes without those of containers that are excluded, and of ordinary init containers: the template may
// have made one out of a side-car since it was sized.
func sizable(v apply.Values, pod *corev1.Pod, excluded []string) apply.Values {
	v.Containers = slices.DeleteFunc(slices.Clone(v.Containers), func(c apply.Container) bool {
		return slices.Contains(excluded, c.Name) || slices.ContainsFunc(pod.Spec.InitContainers, func(init corev1.Container) bool {
			return init.Name == c.Name && !apply.IsSidecar(init)
		})
	})
	return v
}

// desired returns the sizes of the containers that are sized.
func (s sizer) desired(original map[string]apply.Resources) map[string]apply.Resources {
	sized := apply.Desired(s.values, original, apply.ForNewPod)
	if s.floor != nil {
		sized = apply.DesiredAtLeast(s.values, *s.floor, original)
	}
	kept := false
	for name, want := range sized {
		seen, known := s.seen[name]
		if s.stale || known && original[name].Requests.MemoryBytes > seen {
			sized[name], kept = notBelow(want, original[name]), true
		}
	}
	if kept {
		s.values.KeepClass(original, sized)
	}
	return sized
}

// notBelow raises the memory of want to that of original.
func notBelow(want, original apply.Resources) apply.Resources {
	original.Requests.CPUMillis, original.Limits.CPUMillis = want.Requests.CPUMillis, want.Limits.CPUMillis
	return apply.AtLeast(want, original)
}

// original is what the containers of the pod asked for before Loadline changed them.
//
// The annotation of that name is believed, container by container, only where computing from it gives exactly what the
// container has now: then this webhook wrote both and is being called again. Anything else — a copied pod, a template that
// somebody pasted, an attempt to have limits computed from numbers that were never there — counts as what the pod asks for
// itself.
func (s sizer) original(pod *corev1.Pod) map[string]apply.Resources {
	present, out := apply.Present(pod), apply.Present(pod)
	claimed := claimedOriginal(pod)
	free := s
	free.floor = nil // a LimitRange may have forbidden what was held back
	for _, one := range []sizer{free, s} {
		for name, want := range one.desired(claimed) {
			if want == present[name] {
				out[name] = claimed[name]
			}
		}
	}
	return out
}

// claimedOriginal reads the annotation, for the containers that it names: those the pod had when this webhook was called
// before. Containers that another webhook added since must not take part, because they can change the QoS class that the
// earlier sizes were computed for. It is nil for a pod without a readable annotation.
func claimedOriginal(pod *corev1.Pod) map[string]apply.Resources {
	text, annotated := pod.Annotations[v1alpha1.AnnotationOriginal]
	if !annotated {
		return nil
	}
	claimed, err := apply.Original(pod)
	if err != nil {
		return nil
	}
	var named map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &named); err != nil {
		return nil
	}
	maps.DeleteFunc(claimed, func(name string, _ apply.Resources) bool {
		_, ok := named[name]
		return !ok
	})
	return claimed
}
