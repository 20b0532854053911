package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/config"
)

// policies looks whether the admission policies are in force that hold the accounts to the fields which they may change.
func (e examiner) policies(ctx context.Context) []Finding {
	const check = "policies"
	shipped, err := shippedPolicies(e.layout())
	if err != nil {
		return []Finding{unseen(check, "the admission policies in this program", err)}
	}
	var found []Finding
	for _, want := range shipped {
		if !e.confines(want.Name) {
			continue
		}
		f := Finding{Check: check, Severity: OK, Where: "validatingadmissionpolicy/" + want.Name, What: "it is in force as it ships"}
		wrong, err := e.comparePolicy(ctx, want)
		switch {
		case err != nil:
			f = unseen(check, f.Where, err)
		case wrong != "":
			f.Severity, f.What, f.Fix = Error, wrong, e.install("policy")
		}
		found = append(found, f)
	}
	return found
}

// confines reports whether somebody is deployed whom a policy is about.
func (e examiner) confines(policy string) bool {
	part := "updater" // which is also the only one that tries admission
	if strings.HasPrefix(policy, "loadline-recommender-") {
		part = "recommender"
	}
	_, deployed := e.accounts[part]
	return deployed
}

// comparePolicy says in which way a policy is not in force as it ships; empty where it is.
func (e examiner) comparePolicy(ctx context.Context, want admissionv1.ValidatingAdmissionPolicy) (string, error) {
	live, binding := &admissionv1.ValidatingAdmissionPolicy{}, &admissionv1.ValidatingAdmissionPolicyBinding{}
	switch err := e.client.Get(ctx, client.ObjectKeyFromObject(&want), live); {
	case apierrors.IsNotFound(err):
		return "it is missing: nothing holds Loadline's rights to the fields that it changes", nil
	case err != nil:
		return "", err
	}
	switch err := e.client.Get(ctx, client.ObjectKeyFromObject(&want), binding); {
	case apierrors.IsNotFound(err):
		return "its binding is missing: it is not in force", nil
	case err != nil:
		return "", err
	}
	b := binding.Spec
	switch {
	case b.PolicyName != want.Name || !slices.Contains(b.ValidationActions, admissionv1.Deny):
		return "its binding does not deny: it is not in force", nil
	case b.MatchResources != nil:
		return "its binding narrows where it is in force", nil
	case !samePolicy(want.Spec, live.Spec):
		return "it says something else than this version of Loadline, or is about another account", nil
	}
	return "", nil
}

// samePolicy compares what a policy looks at and what it asks. What the API server fills in does not count.
func samePolicy(want, live admissionv1.ValidatingAdmissionPolicySpec) bool {
	equal, w, l := apiequality.Semantic.DeepEqual, want.MatchConstraints, live.MatchConstraints
	return l != nil && len(w.ResourceRules) == len(l.ResourceRules) && len(l.ExcludeResourceRules) == 0 &&
		hasRules(plainRules(w.ResourceRules), plainRules(l.ResourceRules)) && sameSelector(w.NamespaceSelector, l.NamespaceSelector) &&
		sameSelector(w.ObjectSelector, l.ObjectSelector) && equal(want.MatchConditions, live.MatchConditions) &&
		equal(want.Validations, live.Validations) && equal(want.Variables, live.Variables) &&
		(live.FailurePolicy == nil || *live.FailurePolicy == admissionv1.Fail)
}

func plainRules(named []admissionv1.NamedRuleWithOperations) []admissionv1.RuleWithOperations {
	plain := make([]admissionv1.RuleWithOperations, len(named))
	for i, n := range named {
		if len(n.ResourceNames) == 0 {
			plain[i] = n.RuleWithOperations
		}
	}
	return plain
}

func shippedPolicies(layout config.Layout) ([]admissionv1.ValidatingAdmissionPolicy, error) {
	documents, err := config.Manifests("policy", layout)
	if err != nil {
		return nil, err
	}
	var shipped []admissionv1.ValidatingAdmissionPolicy
	for _, document := range documents {
		var policy admissionv1.ValidatingAdmissionPolicy
		if err := yaml.Unmarshal([]byte(document), &policy); err != nil {
			return nil, fmt.Errorf("decode a shipped admission policy: %w", err)
		}
		if policy.Kind == "ValidatingAdmissionPolicy" {
			shipped = append(shipped, policy)
		}
	}
	return shipped, nil
}
