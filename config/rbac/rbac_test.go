package rbac_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// role is a Role or a ClusterRole with where it comes from.
type role struct {
	rbacv1.Role
	file string
}

func (r role) String() string { return r.file + " " + r.Kind + " " + r.Name }

// roles reads every Role and ClusterRole of this folder.
func roles(t *testing.T) []role {
	t.Helper()
	files, err := filepath.Glob("*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var found []role
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for document := range bytes.SplitSeq(content, []byte("\n---\n")) {
			if !bytes.Contains(document, []byte("\nkind: Role\n")) && !bytes.Contains(document, []byte("\nkind: ClusterRole\n")) {
				continue
			}
			var read rbacv1.ClusterRole // which has every field of a Role
			if err := yaml.UnmarshalStrict(document, &read); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			found = append(found, role{rbacv1.Role{TypeMeta: read.TypeMeta, ObjectMeta: read.ObjectMeta, Rules: read.Rules}, file})
		}
	}
	if len(found) < 8 {
		t.Fatalf("found only %d roles", len(found))
	}
	return found
}

func TestNoRuleHasAWildcard(t *testing.T) {
	for _, r := range roles(t) {
		for _, rule := range r.Rules {
			for _, word := range slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs, rule.ResourceNames) {
				if strings.Contains(word, "*") {
					t.Errorf("%s: %q in %v", r, word, rule)
				}
			}
			if len(rule.NonResourceURLs) > 0 {
				t.Errorf("%s allows URLs: %v", r, rule.NonResourceURLs)
			}
		}
	}
}

func TestNobodyCanWidenTheirOwnRights(t *testing.T) {
	for _, r := range roles(t) {
		for _, rule := range r.Rules {
			for _, verb := range []string{"escalate", "bind", "impersonate", "deletecollection"} {
				if slices.Contains(rule.Verbs, verb) {
					t.Errorf("%s may %s", r, verb)
				}
			}
			for _, group := range []string{"rbac.authorization.k8s.io", "authentication.k8s.io", "certificates.k8s.io"} {
				if slices.Contains(rule.APIGroups, group) {
					t.Errorf("%s reaches into %s", r, group)
				}
			}
		}
	}
}

// grants lists who may do verbs on a resource, as "role: verbs", with names where they bind.
func grants(t *testing.T, group, resource string) []string {
	t.Helper()
	var found []string
	for _, r := range roles(t) {
		for _, rule := range r.Rules {
			if !slices.Contains(rule.APIGroups, group) || !slices.Contains(rule.Resources, resource) {
				continue
			}
			line := r.Name + ": " + strings.Join(rule.Verbs, " ")
			if len(rule.ResourceNames) > 0 {
				line += " of " + strings.Join(rule.ResourceNames, " ")
			}
			found = append(found, line)
		}
	}
	slices.Sort(found)
	return found
}

// The whole of what Loadline can do to a cluster that is not its own objects. A change here is a change of promise.
func TestWhatLoadlineMayTouch(t *testing.T) {
	for _, c := range []struct {
		group, resource string
		want            []string
	}{
		{"", "pods", []string{"loadline-probe: create", "loadline-recommender: get list watch", "loadline-updater: get list watch patch"}},
		{"", "limitranges", []string{"loadline-recommender: get list watch", "loadline-webhook: get list watch"}},
		{"", "resourcequotas", []string{"loadline-recommender: get list watch"}},
		{"", "nodes", []string{"loadline-recommender: get list watch", "loadline-updater: get list watch", "loadline-webhook: get list watch"}},
		{"", "pods/resize", []string{"loadline-updater: patch"}},
		{"", "pods/eviction", []string{"loadline-updater: create"}},
		{"", "secrets", []string{"loadline-webhook-certs: update of loadline-webhook-cert", "loadline-webhook: get list watch of loadline-webhook-cert"}},
		{"", "configmaps", []string{"loadline-updater: get of loadline-kill-switch", "loadline-updater: get update of loadline-updater-record"}},
		{"", "namespaces", []string{
			"loadline-recommender: get list watch patch", "loadline-updater: create patch of loadline-probe",
			"loadline-updater: get list watch", "loadline-webhook: get list watch",
		}},
		{"", "events", []string{"loadline-recommender: create patch", "loadline-recommender: list watch", "loadline-updater: create patch"}},
		{"apps", "deployments", []string{"loadline-recommender: get list watch", "loadline-updater: get list watch"}},
		{"apps", "deployments/scale", []string{"loadline-updater: get update"}},
		{"apps", "statefulsets/scale", []string{"loadline-updater: get update"}},
		{"apps", "daemonsets/scale", nil},
		{"autoscaling", "horizontalpodautoscalers", []string{
			"loadline-recommender: get list watch", "loadline-updater: get list watch patch", "loadline-webhook: get list watch",
		}},
		{"batch", "cronjobs", []string{"loadline-recommender: get list watch"}},
		{"batch", "jobs", nil},
		{"admissionregistration.k8s.io", "mutatingwebhookconfigurations", []string{"loadline-webhook-certs: get list watch update of loadline-mutating"}},
		{"admissionregistration.k8s.io", "validatingwebhookconfigurations", []string{"loadline-webhook-certs: get list watch update of loadline-validating"}},
		{"admissionregistration.k8s.io", "validatingadmissionpolicies", nil},
		{"loadline.dev", "recommendations/status", []string{"loadline-recommender: patch", "loadline-updater: patch"}},
	} {
		if got := grants(t, c.group, c.resource); !slices.Equal(got, c.want) {
			t.Errorf("%s %s\ngot  %q\nwant %q", c.group, c.resource, got, c.want)
		}
	}
}
