package recommender

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/loadline-dev/loadline/apply"
)

// binds reports whether the quota counts pods like this one. Of a scope that is not known it does.
func binds(q *corev1.ResourceQuota, spec corev1.PodSpec) bool {
	for _, scope := range q.Spec.Scopes {
		if !inScope(corev1.ScopedResourceSelectorRequirement{ScopeName: scope, Operator: corev1.ScopeSelectorOpExists}, spec) {
			return false
		}
	}
	if q.Spec.ScopeSelector == nil {
		return true
	}
	return !slices.ContainsFunc(q.Spec.ScopeSelector.MatchExpressions, func(r corev1.ScopedResourceSelectorRequirement) bool { return !inScope(r, spec) })
}

func inScope(r corev1.ScopedResourceSelectorRequirement, spec corev1.PodSpec) bool {
	switch r.ScopeName {
	case corev1.ResourceQuotaScopeTerminating:
		return spec.ActiveDeadlineSeconds != nil
	case corev1.ResourceQuotaScopeNotTerminating:
		return spec.ActiveDeadlineSeconds == nil
	case corev1.ResourceQuotaScopeBestEffort:
		return amountsOfPod(apply.PodResources(apply.Members(spec))) == amountsOfPod(apply.Resources{})
	case corev1.ResourceQuotaScopePriorityClass:
		switch class := spec.PriorityClassName; r.Operator {
		case corev1.ScopeSelectorOpIn:
			return slices.Contains(r.Values, class)
		case corev1.ScopeSelectorOpNotIn:
			return !slices.Contains(r.Values, class)
		case corev1.ScopeSelectorOpExists:
			return class != ""
		case corev1.ScopeSelectorOpDoesNotExist:
			return class == ""
		}
	case corev1.ResourceQuotaScopeCrossNamespacePodAffinity:
		return looksElsewhere(spec.Affinity)
	case corev1.ResourceQuotaScopeNotBestEffort, corev1.ResourceQuotaScopeVolumeAttributesClass: // A template without requests may get some.
	}
	return true
}

// looksElsewhere reports whether a pod is placed by pods of other namespaces.
func looksElsewhere(affinity *corev1.Affinity) bool {
	if affinity == nil {
		return false
	}
	var terms []corev1.PodAffinityTerm
	var weighted []corev1.WeightedPodAffinityTerm
	if a := affinity.PodAffinity; a != nil {
		terms, weighted = append(terms, a.RequiredDuringSchedulingIgnoredDuringExecution...), append(weighted, a.PreferredDuringSchedulingIgnoredDuringExecution...)
	}
	if a := affinity.PodAntiAffinity; a != nil {
		terms, weighted = append(terms, a.RequiredDuringSchedulingIgnoredDuringExecution...), append(weighted, a.PreferredDuringSchedulingIgnoredDuringExecution...)
	}
	for _, w := range weighted {
		terms = append(terms, w.PodAffinityTerm)
	}
	return slices.ContainsFunc(terms, func(t corev1.PodAffinityTerm) bool { return len(t.Namespaces) > 0 || t.NamespaceSelector != nil })
}
