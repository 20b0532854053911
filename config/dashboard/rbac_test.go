// Package dashboard_test holds the manifests of the dashboard to what they promise.
package dashboard_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/dashboard"
)

// The whole of what the dashboard adds to anybody's rights. A change here is a change of promise.
func TestTheDashboardAddsTheseRightsAndNoOthers(t *testing.T) {
	content, err := os.ReadFile("rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]rbacv1.PolicyRule{}
	for document := range bytes.SplitSeq(content, []byte("\n---\n")) {
		var role rbacv1.ClusterRole // which has every field of a Role
		if err := yaml.Unmarshal(document, &role); err != nil {
			t.Fatal(err)
		}
		if len(role.Rules) > 0 {
			got[role.Kind+" "+role.Name] = role.Rules
		}
	}
	cfg := config.Default()
	want := map[string][]rbacv1.PolicyRule{
		"ClusterRole loadline-dashboard": {
			{APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"tokenreviews"}, Verbs: []string{"create"}},
			{APIGroups: []string{"authorization.k8s.io"}, Resources: []string{"subjectaccessreviews"}, Verbs: []string{"create"}},
		},
		"Role loadline-dashboard": {{
			APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get"},
			ResourceNames: []string{cfg.Updater.KillSwitchConfigMap, cfg.Updater.RecordConfigMap},
		}},
		"ClusterRole loadline-dashboard-viewer": {{NonResourceURLs: []string{dashboard.Path}, Verbs: []string{"get"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rights (-want +got):\n%s", diff)
	}
}
