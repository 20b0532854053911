package doctor

import (
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// compareHooks says what an installed configuration lacks of the shipped one. More rules and conditions than ship are legal:
// custom kinds need some, and some clouds add their own.
func compareHooks(want, got hooks) []string {
	var wrong []string
	for _, w := range want.entries {
		i := slices.IndexFunc(got.entries, func(h hook) bool { return h.name == w.name })
		if i < 0 {
			wrong = append(wrong, fmt.Sprintf("entry %s is missing", w.name))
			continue
		}
		wrong = append(wrong, compareHook(w, got.entries[i])...)
	}
	return wrong
}

func compareHook(want, got hook) []string {
	var wrong []string
	if got.policy == nil || *got.policy != admissionv1.Ignore {
		wrong = append(wrong, fmt.Sprintf("entry %s does not fail open: while Loadline is away, objects are refused", want.name))
	}
	if slices.ContainsFunc(want.rules, func(w admissionv1.RuleWithOperations) bool { return !covered(w, got.rules) }) {
		wrong = append(wrong, fmt.Sprintf("entry %s is not asked about all objects that it should be: its rules differ", want.name))
	}
	if !hasSelector(want.namespaces, got.namespaces) {
		wrong = append(wrong, fmt.Sprintf("entry %s is asked about other namespaces than it should be: its namespaceSelector differs", want.name))
	}
	for _, c := range want.conditions {
		if !slices.ContainsFunc(got.conditions, func(g admissionv1.MatchCondition) bool { return sameCondition(c, g) }) {
			wrong = append(wrong, fmt.Sprintf("entry %s lacks the condition %s", want.name, c.Name))
		}
	}
	w, g := want.config.Service, got.config.Service
	if got.config.URL == nil && (g == nil || g.Name != w.Name || g.Namespace != w.Namespace || !apiequality.Semantic.DeepEqual(w.Path, g.Path)) {
		wrong = append(wrong, fmt.Sprintf("entry %s calls something else than %s of the Service %s", want.name, *w.Path, w.Name))
	}
	return wrong
}

// sameCondition compares conditions but for white space, which kustomize and Helm fold in their own ways.
func sameCondition(a, b admissionv1.MatchCondition) bool {
	return a.Name == b.Name && slices.Equal(strings.Fields(a.Expression), strings.Fields(b.Expression))
}

// covered reports whether one of the rules that are there asks about everything that a wanted one does.
func covered(want admissionv1.RuleWithOperations, got []admissionv1.RuleWithOperations) bool {
	within := func(want, got []string) bool {
		return slices.Contains(got, "*") || !slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(got, w) })
	}
	return slices.ContainsFunc(got, func(g admissionv1.RuleWithOperations) bool {
		operations := slices.Contains(g.Operations, admissionv1.OperationAll) ||
			!slices.ContainsFunc(want.Operations, func(o admissionv1.OperationType) bool { return !slices.Contains(g.Operations, o) })
		return operations && within(want.APIGroups, g.APIGroups) && within(want.APIVersions, g.APIVersions) && within(want.Resources, g.Resources) &&
			(g.Scope == nil || *g.Scope == admissionv1.AllScopes || want.Scope != nil && *want.Scope == *g.Scope)
	})
}

// hasRules reports whether each wanted rule is among those that are there.
func hasRules(want, got []admissionv1.RuleWithOperations) bool {
	return !slices.ContainsFunc(want, func(w admissionv1.RuleWithOperations) bool {
		return !slices.ContainsFunc(got, func(g admissionv1.RuleWithOperations) bool { return sameRule(w, g) })
	})
}

// sameRule compares rules; a scope that is not set is every scope.
func sameRule(a, b admissionv1.RuleWithOperations) bool {
	every := admissionv1.AllScopes
	for _, r := range []*admissionv1.RuleWithOperations{&a, &b} {
		if r.Scope == nil {
			r.Scope = &every
		}
	}
	return apiequality.Semantic.DeepEqual(a, b)
}

// sameSelector compares selectors; none is one that selects everything.
func sameSelector(a, b *metav1.LabelSelector) bool { return hasSelector(a, b) && hasSelector(b, a) }

// hasSelector reports whether a selector demands everything that another does.
func hasSelector(want, got *metav1.LabelSelector) bool {
	if want == nil {
		return true
	}
	if got == nil {
		got = &metav1.LabelSelector{}
	}
	for key, value := range want.MatchLabels {
		if has, there := got.MatchLabels[key]; !there || has != value {
			return false
		}
	}
	return !slices.ContainsFunc(want.MatchExpressions, func(w metav1.LabelSelectorRequirement) bool {
		return !slices.ContainsFunc(got.MatchExpressions, func(g metav1.LabelSelectorRequirement) bool { return apiequality.Semantic.DeepEqual(w, g) })
	})
}
