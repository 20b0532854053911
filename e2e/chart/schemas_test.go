//go:build full

package chart

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/yannh/kubeconform/pkg/validator"
)

// versions of Kubernetes that the chart is checked against: the oldest one that Loadline runs on, one between, and the one that
// the scenarios run.
var versions = []string{"v1.30.14", "v1.33.13", "v1.37.1"}

// foreign are the kinds that Kubernetes has no schema of.
var foreign = map[string]struct{}{"Certificate": {}, "Issuer": {}, "ServiceMonitor": {}, "PrometheusRule": {}}

func TestEveryObjectFitsTheSchemasOfSeveralVersions(t *testing.T) {
	manifests := map[string][]byte{}
	for name, values := range variants {
		manifests[name] = stream(t, rendered(t, values))
	}
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			check, err := validator.New([]string{schemas(t, version) + "/{{ .ResourceKind }}{{ .KindSuffix }}.json"},
				validator.Opts{Strict: true, SkipKinds: foreign})
			if err != nil {
				t.Fatal(err)
			}
			if results := check.Validate("", reader([]byte("{apiVersion: v1, kind: Service, spec: {port: 1}}"))); results[0].Status != validator.Invalid {
				t.Fatalf("a field that nobody knows is %v", results)
			}
			for name, manifest := range manifests {
				for _, result := range check.Validate(name, reader(manifest)) {
					if result.Status != validator.Valid && result.Status != validator.Skipped {
						signature, _ := result.Resource.Signature()
						t.Errorf("%s: %s %s: %v", name, signature.Kind, signature.Name, result.Err)
					}
				}
			}
		})
	}
}

func reader(content []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(content)) }

// stream writes objects one after another, as JSON, which is YAML.
func stream(t *testing.T, objects set) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		encoded, err := objects[key].MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(&out, "---\n%s\n", encoded)
	}
	return out.Bytes()
}

// schemas writes a JSON schema for each kind of one version of Kubernetes, from the description of the API in its Go module,
// and returns their folder.
func schemas(t *testing.T, version string) string {
	t.Helper()
	download := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", "k8s.io/kubernetes@"+version)
	download.Stderr = os.Stderr
	download.Dir = t.TempDir() // outside of this module, whose go.sum knows one version
	output, err := download.Output()
	if err != nil {
		t.Fatalf("download the module: %v: %s", err, output)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(output, &module); err != nil {
		t.Fatal(err)
	}
	swagger, err := os.ReadFile(filepath.Join(module.Dir, "api", "openapi-spec", "swagger.json"))
	if err != nil {
		t.Fatal(err)
	}
	var api struct {
		Definitions map[string]map[string]any `json:"definitions"`
	}
	if err := json.Unmarshal(swagger, &api); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, definition := range api.Definitions {
		strict(name, definition)
	}
	writeJSON(t, filepath.Join(folder, "all.json"), map[string]any{"definitions": api.Definitions})
	for name, definition := range api.Definitions {
		kinds, _ := definition["x-kubernetes-group-version-kind"].([]any)
		for _, each := range kinds {
			kind := each.(map[string]any)
			file := strings.ToLower(fmt.Sprint(kind["kind"]))
			if group, _, _ := strings.Cut(fmt.Sprint(kind["group"]), "."); group != "" {
				file += "-" + group
			}
			writeJSON(t, filepath.Join(folder, file+"-"+fmt.Sprint(kind["version"])+".json"), map[string]any{"$ref": "all.json#/definitions/" + name})
		}
	}
	return folder
}

// strict makes a definition refuse fields that it does not name, and accept what the API server accepts beyond it.
func strict(name string, definition map[string]any) {
	switch {
	case strings.HasSuffix(name, ".IntOrString"), strings.HasSuffix(name, ".Quantity"):
		definition["type"] = []string{"string", "number"}
		delete(definition, "format")
	case definition["properties"] != nil:
		definition["additionalProperties"] = false
	}
}

func writeJSON(t *testing.T, path string, content any) {
	t.Helper()
	encoded, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, encoded, 0o600); err != nil {
		t.Fatal(err)
	}
}
