package config_test

import (
	"strings"
	"testing"

	"github.com/loadline-dev/loadline/config"
)

func TestManifestsAreWholeAndForTheNamespaceThatIsAskedFor(t *testing.T) {
	for _, name := range config.ManifestNames() {
		documents, err := config.Manifests(name, config.Layout{Namespace: "elsewhere"})
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(documents, "\n---\n")
		if strings.Contains(text, "loadline-system") || !strings.Contains(text, "kind: ") {
			t.Errorf("%s: %.200s", name, text)
		}
		for _, document := range documents {
			if !strings.Contains(document, "apiVersion: ") {
				t.Errorf("%s has a document that is no object: %.200s", name, document)
			}
		}
	}
	if documents, _ := config.Manifests("rbac", config.Layout{}); !strings.Contains(documents[0], "kind: Namespace") {
		t.Errorf("the namespaces do not come first, which the others need: %s", documents[0])
	}
	if _, err := config.Manifests("everything", config.Layout{}); err == nil || !strings.Contains(err.Error(), "known are crd, rbac, policy, webhook, dashboard") {
		t.Errorf("error %v", err)
	}
}

func TestManifestsOfALayoutGiveAndTakeNoRights(t *testing.T) {
	text := func(name string, layout config.Layout) string {
		documents, err := config.Manifests(name, layout)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(documents, "\n---\n")
	}
	one := config.Layout{Namespace: "elsewhere", AllInOne: true, CertMode: config.CertFromSecret, CertSecret: "tls", InjectCAFrom: "loadline-webhook"}
	for name, want := range map[string][]string{
		"rbac":    {"{kind: ServiceAccount, name: loadline, namespace: elsewhere}", "kind: ServiceAccount\nmetadata:\n  name: loadline\n  namespace: elsewhere", "resourceNames: [tls]"},
		"policy":  {"'system:serviceaccount:elsewhere:loadline'"},
		"webhook": {"selector: {app.kubernetes.io/name: loadline}", "  name: loadline-mutating\n  annotations: {cert-manager.io/inject-ca-from: elsewhere/loadline-webhook}"},
	} {
		got := text(name, one)
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: no %q in:\n%s", name, w, got)
			}
		}
		for _, w := range []string{"name: loadline-updater, namespace", "name: loadline-webhook, namespace: elsewhere}", ":loadline-updater'", ":loadline-recommender'", "loadline-webhook-cert", "kind: Secret"} {
			if strings.Contains(got, w) {
				t.Errorf("%s: there is %q in:\n%s", name, w, got)
			}
		}
	}
	for _, want := range []string{"name: loadline-webhook-certs", "resourceNames: [loadline-webhook-cert]"} {
		if got := text("rbac", config.Layout{}); !strings.Contains(got, want) {
			t.Errorf("the default layout has no %q", want)
		}
	}
	if got := text("webhook", config.Layout{CertMode: config.CertSelfSigned}); !strings.Contains(got, "kind: Secret") || strings.Contains(got, "annotations:") {
		t.Errorf("the default layout has no Secret, or asks for cert-manager:\n%s", got)
	}
}

func TestTheKindsOfALayoutComeWithTheirRulesAndTheirRights(t *testing.T) {
	layout := config.Layout{ScaleKinds: []config.ScaleKind{{Group: "argoproj.io", Version: "v1alpha1", Resource: "rollouts"}, {Group: "example.com", Version: "v1", Resource: "fleets"}}}
	const rules = "        scope: Namespaced\n" +
		"      - {apiGroups: [argoproj.io], apiVersions: [v1alpha1], operations: [CREATE, UPDATE], resources: [rollouts], scope: Namespaced}\n" +
		"      - {apiGroups: [example.com], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [fleets], scope: Namespaced}\n"
	for _, c := range []struct {
		name, want string
		times      int
	}{
		{"webhook", "        resources: [deployments, statefulsets]\n" + rules, 1},             // for the number of pods,
		{"webhook", "        resources: [deployments, statefulsets, daemonsets]\n" + rules, 2}, // annotations and warnings
		{
			"rbac", "  name: loadline-scale-kinds-scale\n" +
				"  labels: {app.kubernetes.io/part-of: loadline, loadline.dev/aggregate-to-updater: \"true\"}\nrules:\n" +
				"  - {apiGroups: [argoproj.io], resources: [rollouts/scale], verbs: [get, update]}\n", 1,
		},
	} {
		documents, err := config.Manifests(c.name, layout)
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(documents, "\n---\n"); strings.Count(text, c.want) != c.times {
			t.Errorf("%s: want %d times\n%s", c.name, c.times, c.want)
		}
	}
}
