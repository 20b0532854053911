package webhook

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

// adviser warns about what is legal and unwise: settings that work against Loadline, or against whoever wrote them. It never
// refuses anything, and says a thing only to the request that brings it about.
type adviser struct {
	gate
	facts facts
}

// workloadSettings is the part of a workload that warnings look at.
type workloadSettings struct {
	Metadata objectMeta `json:"metadata"`
	Spec     struct {
		Replicas *int32 `json:"replicas"`
		Template struct {
			Metadata objectMeta `json:"metadata"`
			Spec     struct {
				Resources      *corev1.ResourceRequirements `json:"resources"`
				InitContainers []containerView              `json:"initContainers"`
				Containers     []containerView              `json:"containers"`
			} `json:"spec"`
		} `json:"template"`
	} `json:"spec"`
}

// workload warns about a Deployment, StatefulSet or DaemonSet.
func (v *adviser) workload(ctx context.Context, req *admissionv1.AdmissionRequest) (answer, error) {
	return advise(req, func(w *workloadSettings) ([]string, error) {
		effective, why, err := v.grant(ctx, req.Namespace, w.Metadata.Annotations)
		if err != nil || why != "" {
			return nil, err
		}
		warnings := append(templateNotes(w.Spec.Template.Metadata.Annotations), v.templateWarnings(ctx, req, w)...)
		if effective.Updater == v1alpha1.UpdaterEvict && effective.Mode == v1alpha1.ModeAuto {
			evicting, err := v.evictionWarnings(ctx, req, w)
			if err != nil {
				return nil, err
			}
			warnings = append(warnings, evicting...)
		}
		if effective.ReplicaMode(v1alpha1.ReplicasRecommend) == v1alpha1.ReplicasAuto {
			name, err := v.lookup.Autoscaler(ctx, req.Namespace, req.Kind.Kind, w.Metadata.Name)
			if err != nil {
				return nil, err
			}
			if name != "" {
				warnings = append(warnings, replicasOfAutoscaler(name))
			}
		}
		return warnings, nil
	})
}

// templateNotes tells of annotations in a template that do nothing there: those that Loadline writes on pods and somebody copied,
// and settings.
func templateNotes(template map[string]string) []string {
	var warnings []string
	for _, key := range []string{v1alpha1.AnnotationOriginal, v1alpha1.AnnotationRevision, v1alpha1.AnnotationResized} {
		if _, pasted := template[key]; pasted {
			warnings = append(warnings, fmt.Sprintf("spec.template.metadata.annotations: %s is what Loadline notes on a pod; in a template it is not believed, remove it", key))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(template)) {
		if v1alpha1.IsSetting(key) {
			warnings = append(warnings, fmt.Sprintf("spec.template.metadata.annotations: %s has no effect here; it belongs on the workload or the namespace", key))
		}
	}
	return warnings
}

func replicasOfAutoscaler(name string) string {
	return fmt.Sprintf("%s=auto has no effect beside HorizontalPodAutoscaler %s, which decides the number of pods", v1alpha1.AnnotationReplicas, name)
}

// templateWarnings compares the template with what its pods were seen to use.
func (v *adviser) templateWarnings(ctx context.Context, req *admissionv1.AdmissionRequest, w *workloadSettings) []string {
	spec := w.Spec.Template.Spec
	if spec.Resources != nil && apply.ResourcesOf(*spec.Resources) != (apply.Resources{}) {
		return []string{"spec.template.spec.resources is set: Loadline leaves pods with resources for the pod as a whole alone"}
	}
	rec, err := v.lookup.Recommendation(ctx, req.Namespace, v1alpha1.RecommendationName(req.Kind.Kind, w.Metadata.Name))
	if err != nil || rec == nil || rec.Status.Current == nil {
		return nil
	}
	var warnings []string
	for _, c := range slices.Concat(spec.Containers, spec.InitContainers) {
		i := slices.IndexFunc(rec.Status.Current.Containers, func(k v1alpha1.CurrentContainer) bool { return k.Name == c.Name })
		if i < 0 || c.Resources == nil || rec.Status.Current.Containers[i].PeakMemory == nil {
			continue
		}
		peak, limit := rec.Status.Current.Containers[i].PeakMemory.Value(), apply.ResourcesOf(*c.Resources).Limits.MemoryBytes
		if limit > 0 && limit < peak {
			warnings = append(warnings, fmt.Sprintf("container %s: the memory limit %s is under the %s that one pod was seen to use; a pod that is created while Loadline is away will be killed there",
				c.Name, apply.FormatMemory(limit), apply.FormatMemory(peak/apply.MiB*apply.MiB)))
		}
	}
	return warnings
}

// evictionWarnings tells of a workload that is updated by eviction alone.
func (v *adviser) evictionWarnings(ctx context.Context, req *admissionv1.AdmissionRequest, w *workloadSettings) ([]string, error) {
	const why = v1alpha1.AnnotationUpdater + "=" + string(v1alpha1.UpdaterEvict)
	if req.Kind.Kind == "DaemonSet" {
		return []string{why + ": pods of a DaemonSet are never evicted, so running pods stay as they are; in-place would resize them"}, nil
	}
	if n := w.Spec.Replicas; n == nil || *n < 2 {
		return []string{why + ": the only pod of a workload is not evicted by default (disruption.minReplicas), so it stays as it is; in-place would resize it"}, nil
	}
	budgets, err := v.facts.DisruptionBudgets(ctx, req.Namespace)
	if err != nil {
		return nil, err
	}
	pod := labels.Set(w.Spec.Template.Metadata.Labels)
	for i := range budgets {
		if selector, err := metav1.LabelSelectorAsSelector(budgets[i].Spec.Selector); err == nil && selector.Matches(pod) {
			return nil, nil
		}
	}
	return []string{why + ": no PodDisruptionBudget selects these pods; Loadline keeps to its own budget, but nothing tells it how many have to stay up"}, nil
}

// autoscaler warns about a HorizontalPodAutoscaler.
func (v *adviser) autoscaler(ctx context.Context, req *admissionv1.AdmissionRequest) (answer, error) {
	return advise(req, func(hpa *autoscalingv2.HorizontalPodAutoscaler) ([]string, error) {
		effective, why, err := v.grant(ctx, req.Namespace, nil)
		if err != nil || why != "" {
			return nil, err
		}
		ref := hpa.Spec.ScaleTargetRef
		rec, err := v.lookup.Recommendation(ctx, req.Namespace, v1alpha1.RecommendationName(ref.Kind, ref.Name))
		if err != nil || rec == nil || !rec.Status.Mode.Admits() {
			return nil, err
		}
		var warnings []string
		if held := heldWarning(hpa); held != "" {
			warnings = append(warnings, held)
		}
		if effective.ReplicaMode(v1alpha1.ReplicasRecommend) == v1alpha1.ReplicasAuto {
			warnings = append(warnings, replicasOfAutoscaler(hpa.Name))
		}
		return warnings, nil
	})
}

// heldWarning says what an autoscaler takes out of Loadline's hands; empty if that is nothing.
func heldWarning(hpa *autoscalingv2.HorizontalPodAutoscaler) string {
	held := apply.HeldByAutoscaler(hpa.Spec.Metrics)
	var what, left string
	switch {
	case held.CPU && held.Memory:
		what, left = "cpu and memory", "sizes neither"
	case held.CPU:
		what, left = "cpu", "sizes memory only"
	case held.Memory:
		what, left = "memory", "sizes cpu only"
	case len(held.CPUOf)+len(held.MemoryOf) > 0:
		containers := slices.Sorted(slices.Values(slices.Concat(held.CPUOf, held.MemoryOf)))
		what, left = "container "+strings.Join(slices.Compact(containers), ", "), "leaves that alone"
	default:
		return ""
	}
	ref := hpa.Spec.ScaleTargetRef
	return fmt.Sprintf("this autoscaler holds the utilisation of %s, which is usage ÷ request: for %s %s Loadline %s, and gives back what it had taken of %s; a target of type AverageValue leaves it both",
		what, ref.Kind, ref.Name, left, what)
}

// namespace warns about the annotations of a namespace.
func (v *adviser) namespace(ctx context.Context, req *admissionv1.AdmissionRequest) ([]string, error) {
	return newWarnings(req, func(ns *metaOnly) ([]string, error) {
		settings, mistakes := v1alpha1.ParseAnnotations(ns.Metadata.Annotations)
		if len(mistakes) > 0 || !settings.Mode.Admits() {
			return nil, nil
		}
		var warnings []string
		if settings.Replicas == v1alpha1.ReplicasAuto {
			found, err := v.facts.Autoscalers(ctx, ns.Metadata.Name)
			if err != nil {
				return nil, err
			}
			if names := targetsOf(found); names != "" {
				warnings = append(warnings, fmt.Sprintf("%s=auto has no effect where a HorizontalPodAutoscaler decides the number of pods: %s", v1alpha1.AnnotationReplicas, names))
			}
		}
		if settings.Mode == v1alpha1.ModeAuto && settings.Updater == v1alpha1.UpdaterEvict {
			budgets, err := v.facts.DisruptionBudgets(ctx, ns.Metadata.Name)
			if err != nil {
				return nil, err
			}
			if len(budgets) == 0 {
				warnings = append(warnings, fmt.Sprintf("%s=evict in a namespace without a PodDisruptionBudget: Loadline keeps to its own budget, but nothing tells it how many pods have to stay up",
					v1alpha1.AnnotationUpdater))
			}
		}
		return warnings, nil
	})
}

// targetsOf names what autoscalers scale, three of them at most.
func targetsOf(all []autoscalingv2.HorizontalPodAutoscaler) string {
	const shown = 3
	var names []string
	for i := range all {
		names = append(names, all[i].Spec.ScaleTargetRef.Kind+" "+all[i].Spec.ScaleTargetRef.Name)
	}
	slices.Sort(names)
	if len(names) > shown {
		names = append(names[:shown], fmt.Sprintf("and %d more", len(names)-shown))
	}
	return strings.Join(names, ", ")
}

// policy warns about a SizingPolicy.
func (v *adviser) policy(ctx context.Context, req *admissionv1.AdmissionRequest) ([]string, error) {
	return newWarnings(req, func(policy *v1alpha1.SizingPolicy) ([]string, error) {
		largest, err := v.facts.LargestNode(ctx)
		if err != nil {
			return nil, err
		}
		least := apply.ResourcesOf(corev1.ResourceRequirements{Requests: minimum(policy.Spec)}).Requests
		var warnings []string
		tooMuch := func(field string, least, largest int64, format func(int64) string) {
			if largest > 0 && least > largest {
				warnings = append(warnings, fmt.Sprintf("%s %s is more than any node has (%s): no pod that gets it can be scheduled, so the node counts",
					field, format(least), format(largest)))
			}
		}
		tooMuch("spec.cpu.min", least.CPUMillis, largest.CPUMillis, apply.FormatCPU)
		tooMuch("spec.memory.min", least.MemoryBytes, largest.MemoryBytes, apply.FormatMemory)
		if policy.Spec.Replicas.Mode != nil && *policy.Spec.Replicas.Mode == v1alpha1.ReplicasAuto {
			found, err := v.facts.Autoscalers(ctx, req.Namespace)
			if err != nil {
				return nil, err
			}
			if names := targetsOf(found); names != "" {
				warnings = append(warnings, "spec.replicas.mode auto has no effect where a HorizontalPodAutoscaler decides the number of pods: "+names)
			}
		}
		if l := policy.Spec.Memory.Limit; l != nil && *l == v1alpha1.LimitNone {
			warnings = append(warnings, "spec.memory.limit None: a container without a memory limit can take its whole node, and others with it")
		}
		return warnings, nil
	})
}

func minimum(spec v1alpha1.SizingPolicySpec) corev1.ResourceList {
	least := corev1.ResourceList{}
	if spec.CPU.Min != nil {
		least[corev1.ResourceCPU] = *spec.CPU.Min
	}
	if spec.Memory.Min != nil {
		least[corev1.ResourceMemory] = *spec.Memory.Min
	}
	return least
}

// advise answers with the warnings that are new with this request.
func advise[T any](req *admissionv1.AdmissionRequest, warningsOf func(*T) ([]string, error)) (answer, error) {
	if !isWrite(req) {
		return answer{outcome: outcomeIrrelevant}, nil
	}
	warnings, err := newWarnings(req, warningsOf)
	if err != nil || len(warnings) == 0 {
		return answer{outcome: outcomeAllowed}, err
	}
	return answer{outcome: outcomeWarned, warnings: warnings}, nil
}

// newWarnings returns the warnings about an object that its former state did not deserve: who changes a label is not told
// again what somebody decided last year. An object that is being deleted deserves none.
func newWarnings[T any](req *admissionv1.AdmissionRequest, warningsOf func(*T) ([]string, error)) ([]string, error) {
	meta, err := decode[metaOnly](req.Object)
	if err != nil || meta.Metadata.beingDeleted() {
		return nil, err
	}
	obj, err := decode[T](req.Object)
	if err != nil {
		return nil, err
	}
	after, err := warningsOf(obj)
	if err != nil || len(after) == 0 || len(req.OldObject.Raw) == 0 {
		return after, err
	}
	old, err := decode[T](req.OldObject)
	if err != nil {
		return nil, err
	}
	before, err := warningsOf(old)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(after, func(w string) bool { return slices.Contains(before, w) }), nil
}

// withWarnings adds warnings to what a validation admits. Where they cannot be found, the validation counts all the same.
func withWarnings(validate decide, warningsOf func(context.Context, *admissionv1.AdmissionRequest) ([]string, error)) decide {
	return func(ctx context.Context, req *admissionv1.AdmissionRequest) (answer, error) {
		a, err := validate(ctx, req)
		if err != nil || a.refusal != "" || a.outcome == outcomeIrrelevant {
			return a, err
		}
		warnings, _ := warningsOf(ctx, req)
		for _, w := range warnings {
			a = a.warn(w)
		}
		return a, nil
	}
}
