// Package gitops says what has to change in a repository so that workloads ask for their recommended sizes by themselves, and
// writes it as patches or as values of a chart. It is pure: objects in, text out.
package gitops

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

// Workload is one workload as it is, with its Recommendation.
type Workload struct {
	Recommendation v1alpha1.Recommendation
	// Template is the spec of its pods, and Replicas their number, as they are stored.
	Template corev1.PodSpec
	Replicas int32
	// Unreadable is why there is no template; empty if there is.
	Unreadable string
	// Bounds are the LimitRanges of its namespace.
	Bounds []apply.LimitBound
}

// Options say what is worth a change.
type Options struct {
	// ThresholdPercent of a present amount: a workload of which no amount differs by more is left as it is.
	ThresholdPercent float64
	// WithoutReplicas leaves the number of pods as it is.
	WithoutReplicas bool
	// Now is when the workloads were read. Sizes that were not confirmed for longer than StaleAfter are left out.
	Now        time.Time
	StaleAfter time.Duration
}

// Change is what one workload should ask for.
type Change struct {
	APIVersion, Kind, Namespace, Name string
	// Revision of the sizes, and Why they are as they are.
	Revision, Why string
	// Containers that change, in the order of the template.
	Containers []Container
	// Replicas is the new number of pods, and ReplicasNow the present one. Nil where it stays.
	Replicas    *int32
	ReplicasNow int32
}

// Container is one container that changes.
type Container struct {
	Name string
	// Sidecar says that it is among the init containers.
	Sidecar bool
	// From is what a pod gets today, To what it should ask for.
	From, To apply.Resources
	// SizesCPU and SizesMemory say which resources are sized; the other stays as it is written.
	SizesCPU, SizesMemory bool
}

// Compare returns what has to change in the template of a workload so that its pods ask for exactly what admission would inject, or
// why nothing is. Sizes that may not be used yet, or are stale, are never exported.
func Compare(w Workload, o Options) (change Change, why string) {
	if why := w.unusable(o); why != "" {
		return change, why
	}
	s, ref := w.Recommendation.Status, w.Recommendation.Spec.TargetRef
	change = Change{
		APIVersion: ref.APIVersion, Kind: ref.Kind, Namespace: w.Recommendation.Namespace, Name: ref.Name,
		Revision: s.Applicable.Revision, Why: s.Display.Why, ReplicasNow: w.Replicas,
	}
	original := w.admitted()
	values := w.sizable()
	sized := apply.Desired(values, original, apply.ForNewPod)
	if refusal, refused := apply.Refused(w.Bounds, apply.Members(w.Template), sized); refused {
		return change, refusal.Text
	}
	beyond := slices.ContainsFunc(values.Containers, func(c apply.Container) bool {
		to, ok := sized[c.Name]
		return ok && o.beyond(original[c.Name], to)
	})
	if beyond {
		change.Containers = w.containers(values, original, sized)
	}
	if replicas, ok := w.replicas(); ok && !o.WithoutReplicas && o.differs(int64(w.Replicas), int64(replicas)) {
		change.Replicas = &replicas
	}
	if len(change.Containers) == 0 && change.Replicas == nil {
		return change, fmt.Sprintf("nothing differs by more than %g %%", o.ThresholdPercent)
	}
	return change, ""
}

// unusable says why the sizes may not be used; empty if they may.
func (w Workload) unusable(o Options) string {
	switch s := w.Recommendation.Status; {
	case s.Mode == v1alpha1.ModeOff || s.Mode == "":
		return "it has not opted in"
	case w.Unreadable != "":
		return w.Unreadable
	case s.Applicable == nil || !apimeta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionReady):
		return "it has no sizes that may be used yet"
	case s.Stale(o.Now, o.StaleAfter):
		return "its sizes are stale"
	case apply.HasPodLevelResources(&corev1.Pod{Spec: w.Template}):
		return "its resources are set for the pod as a whole"
	default:
		return ""
	}
}

// admitted is what the containers of a new pod ask for when it comes to admission: with the defaults of LimitRanges, and requests
// that follow from limits.
func (w Workload) admitted() map[string]apply.Resources {
	all := map[string]apply.Resources{}
	for _, c := range slices.Concat(w.Template.InitContainers, w.Template.Containers) {
		all[c.Name] = apply.ResourcesOf(apply.WithLimitDefaults(w.Bounds, c.Resources)).Defaulted()
	}
	return all
}

// sizable returns the sizes without those of ordinary init containers.
func (w Workload) sizable() apply.Values {
	v := apply.FromAPI(w.Recommendation.Status.Applicable)
	v.Containers = slices.DeleteFunc(v.Containers, func(c apply.Container) bool {
		return slices.ContainsFunc(w.Template.InitContainers, func(init corev1.Container) bool {
			return init.Name == c.Name && !apply.IsSidecar(init)
		})
	})
	return v
}

// containers returns what changes, in the order of the template. Once one amount of a workload is worth a change, all sizes are
// written: the class of a pod depends on all of its containers.
func (w Workload) containers(values apply.Values, original, sized map[string]apply.Resources) []Container {
	var out []Container
	for i, c := range slices.Concat(w.Template.InitContainers, w.Template.Containers) {
		to, ok := sized[c.Name]
		of, known := values.Container(c.Name)
		if ok && known && to != apply.ResourcesOf(c.Resources) {
			out = append(out, Container{
				Name: c.Name, Sidecar: i < len(w.Template.InitContainers), From: original[c.Name], To: to,
				SizesCPU: of.Target.CPUMillis > 0, SizesMemory: of.Target.MemoryBytes > 0,
			})
		}
	}
	return out
}

// replicas returns the largest number of pods that is recommended now or for one of the windows to come: a file does not follow the
// clock. There is none where somebody else decides the number, or Loadline sets it itself.
func (w Workload) replicas() (int32, bool) {
	s := w.Recommendation.Status
	if s.Replicas == nil || s.Replicas.Target == nil || s.Replicas.Owner != "" || s.Replicas.YieldsTo != "" ||
		s.Mode.Admits() && s.Applicable.Replicas != nil {
		return 0, false
	}
	most := *s.Replicas.Target
	for _, window := range s.Replicas.Schedule {
		most = max(most, window.Replicas)
	}
	return most, true
}

func (o Options) beyond(from, to apply.Resources) bool {
	return o.differs(from.Requests.CPUMillis, to.Requests.CPUMillis) || o.differs(from.Requests.MemoryBytes, to.Requests.MemoryBytes) ||
		o.differs(from.Limits.CPUMillis, to.Limits.CPUMillis) || o.differs(from.Limits.MemoryBytes, to.Limits.MemoryBytes)
}

// differs says whether an amount differs from the present one by more than the threshold. One that comes or goes does.
func (o Options) differs(from, to int64) bool {
	if from == 0 || to == 0 {
		return from != to
	}
	return 100*max(from-to, to-from) > int64(o.ThresholdPercent*float64(from))
}
