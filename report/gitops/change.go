// Package gitops says what has to change in a repository so that workloads ask for their recommended sizes by themselves, and
// writes it as patches or as values of a chart. It is pure: objects in, text out.
package gitops

import (
	"cmp"
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
	// WithoutReplicas exports no number of pods. One that was written stays.
	WithoutReplicas bool
	// Now is when the workloads were read. Sizes that were not confirmed for longer than StaleAfter are left out.
	Now        time.Time
	StaleAfter time.Duration
}

// Change is everything that one workload should ask for, whether it does so already or not: what is written from it is laid over
// a manifest that knows nothing of an earlier change.
type Change struct {
	APIVersion, Kind, Namespace, Name string
	// Revision of the sizes, and Why they are as they are.
	Revision, Why string
	// Containers that can be sized, in the order of the template.
	Containers []Container
	// Replicas is the recommended number of pods, and ReplicasNow the present one. Nil where none is recommended, or wanted.
	Replicas    *int32
	ReplicasNow int32
	// KeepsReplicas says that no number is recommended at present, or wanted, and nobody else decides it: the one that was written
	// stays.
	KeepsReplicas bool
}

// Container is one container that can be sized.
type Container struct {
	Name string
	// Sidecar says that it is among the init containers.
	Sidecar bool
	// From is what a pod gets today, To what it should ask for.
	From, To apply.Resources
	// SizesCPU and SizesMemory say which resources are sized; another stays as it is written.
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
	change.Replicas, change.KeepsReplicas = w.replicas()
	if o.WithoutReplicas && change.Replicas != nil {
		change.Replicas, change.KeepsReplicas = nil, true
	}
	beyond = beyond || change.Replicas != nil && o.differs(int64(w.Replicas), int64(*change.Replicas))
	if !beyond {
		return change, fmt.Sprintf("nothing differs by more than %g %%", o.ThresholdPercent)
	}
	change.Containers = w.containers(values, original, sized)
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

// containers returns all that can be sized, in the order of the template, also those that ask for their sizes already. They may do so
// because of the file that is written anew, and the class of a pod depends on all of its containers.
func (w Workload) containers(values apply.Values, original, sized map[string]apply.Resources) []Container {
	var out []Container
	for i, c := range slices.Concat(w.Template.InitContainers, w.Template.Containers) {
		init := i < len(w.Template.InitContainers)
		if init && !apply.IsSidecar(c) {
			continue
		}
		container := Container{Name: c.Name, Sidecar: init, From: original[c.Name], To: original[c.Name]}
		if of, known := values.Container(c.Name); known {
			container.To = sized[c.Name]
			container.SizesCPU, container.SizesMemory = of.Target.CPUMillis > 0, of.Target.MemoryBytes > 0
		}
		out = append(out, container)
	}
	return out
}

// replicas returns the largest number of pods that is recommended now or for one of the windows to come: a file does not follow the
// clock. There is none where somebody else decides the number, or Loadline sets it itself; without an opinion, or next to a person's
// lately, what is written stays.
func (w Workload) replicas() (number *int32, keeps bool) {
	s := w.Recommendation.Status
	r := cmp.Or(s.Replicas, &v1alpha1.ReplicaStatus{})
	if r.Owner != "" || s.Mode.Admits() && s.Applicable.Replicas != nil {
		return nil, false
	}
	if r.Target == nil || r.YieldsTo != "" {
		return nil, true
	}
	most := *r.Target
	for _, window := range r.Schedule {
		most = max(most, window.Replicas)
	}
	return &most, false
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
