package chart

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

const customKinds = `{config: {scaling: {kinds: [
  {group: argoproj.io, version: v1alpha1, kind: Rollout, resource: rollouts, podTemplateHashLabel: rollouts-pod-template-hash},
  {group: example.com, version: v1, kind: Fleet, resource: fleets},
]}}}`

func TestCustomKindsInTheConfigurationComeWithTheirRightsAndTheirRules(t *testing.T) {
	objects := rendered(t, customKinds)
	rules := func(suffix string, verbs ...string) []rbacv1.PolicyRule {
		return []rbacv1.PolicyRule{
			{APIGroups: []string{"argoproj.io"}, Resources: []string{"rollouts" + suffix}, Verbs: verbs},
			{APIGroups: []string{"example.com"}, Resources: []string{"fleets" + suffix}, Verbs: verbs},
		}
	}
	for name, want := range map[string]struct {
		recommender string
		rules       []rbacv1.PolicyRule
	}{
		"loadline-scale-kinds":       {"true", rules("", "get", "list", "watch")},
		"loadline-scale-kinds-scale": {"", rules("/scale", "get", "update")},
	} {
		role := as[rbacv1.ClusterRole](t, objects, "ClusterRole "+name)
		if diff := cmp.Diff(want.rules, role.Rules); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if r, u := role.Labels["loadline.dev/aggregate-to-recommender"], role.Labels["loadline.dev/aggregate-to-updater"]; r != want.recommender || u != "true" {
			t.Errorf("%s goes to the recommender: %q, to the updater: %q", name, r, u)
		}
	}
	var resources []string
	for _, webhook := range as[admissionv1.MutatingWebhookConfiguration](t, objects, "MutatingWebhookConfiguration loadline-mutating").Webhooks {
		if webhook.Name != "workloads.loadline.dev" {
			continue
		}
		for _, rule := range webhook.Rules {
			resources = append(resources, strings.Join(append(append(rule.APIGroups, rule.APIVersions...), rule.Resources...), " "))
		}
	}
	if diff := cmp.Diff([]string{"apps v1 deployments statefulsets", "argoproj.io v1alpha1 rollouts", "example.com v1 fleets"}, resources); diff != "" {
		t.Errorf("what is asked about (-want +got):\n%s", diff)
	}
}
