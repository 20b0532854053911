package modules

import (
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

func TestADescriptionIsOfTheVersionThatRuns(t *testing.T) {
	for file, module := range map[string]string{
		"../certmanager/go.mod": CertManager,
		"../go.mod":             Kubernetes(KubernetesVersions()[len(KubernetesVersions())-1]),
	} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := modfile.Parse(file, content, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(parsed.Require, func(r *modfile.Require) bool { return r.Mod.String() == module }) {
			t.Errorf("%s does not require %s", file, module)
		}
	}
}

func TestAModuleThatNobodyDownloadedIsNamedWithWhatDownloadsIt(t *testing.T) {
	_, err := Dir(t.Context(), "example.com/nothing@v1.0.0")
	if err == nil || !strings.Contains(err.Error(), "example.com/nothing@v1.0.0, which make test-full downloads") {
		t.Errorf("the error is %v", err)
	}
}
