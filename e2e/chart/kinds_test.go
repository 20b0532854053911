package chart

import (
	"slices"
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
	custom := []string{"argoproj.io v1alpha1 rollouts", "example.com v1 fleets"}
	want := map[string][]string{
		"workloads.loadline.dev of loadline-mutating":          slices.Concat([]string{"apps v1 deployments statefulsets"}, custom),
		"workloads.loadline.dev of loadline-validating":        slices.Concat([]string{"apps v1 deployments statefulsets daemonsets"}, custom, []string{"batch v1 cronjobs"}),
		"advise-workloads.loadline.dev of loadline-validating": slices.Concat([]string{"apps v1 deployments statefulsets daemonsets"}, custom),
	}
	got := map[string][]string{}
	add := func(name string, rules []admissionv1.RuleWithOperations) {
		if want[name] == nil {
			return
		}
		for _, rule := range rules {
			got[name] = append(got[name], strings.Join(slices.Concat(rule.APIGroups, rule.APIVersions, rule.Resources), " "))
		}
	}
	for _, webhook := range as[admissionv1.MutatingWebhookConfiguration](t, objects, "MutatingWebhookConfiguration loadline-mutating").Webhooks {
		add(webhook.Name+" of loadline-mutating", webhook.Rules)
	}
	for _, webhook := range as[admissionv1.ValidatingWebhookConfiguration](t, objects, "ValidatingWebhookConfiguration loadline-validating").Webhooks {
		add(webhook.Name+" of loadline-validating", webhook.Rules)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is asked about (-want +got):\n%s", diff)
	}
}
