package config_test

import (
	"strings"
	"testing"

	"github.com/loadline-dev/loadline/config"
)

func TestManifestsAreWholeAndForTheNamespaceThatIsAskedFor(t *testing.T) {
	for _, name := range config.ManifestNames() {
		documents, err := config.Manifests(name, "elsewhere")
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
	if documents, _ := config.Manifests("rbac", "elsewhere"); !strings.Contains(documents[0], "kind: Namespace") {
		t.Errorf("the namespaces do not come first, which the others need: %s", documents[0])
	}
	if _, err := config.Manifests("everything", "x"); err == nil || !strings.Contains(err.Error(), "known are crd, rbac, policy, webhook") {
		t.Errorf("error %v", err)
	}
}
