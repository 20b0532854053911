//go:build full

package chart

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/yannh/kubeconform/pkg/validator"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/e2e/modules"
)

func TestEveryObjectFitsTheSchemasOfSeveralVersions(t *testing.T) {
	manifests := map[string][]byte{}
	for name, values := range variants {
		manifests[name] = stream(t, withHooks(t, values))
	}
	others := foreign(t)
	for _, version := range modules.KubernetesVersions() {
		t.Run(version, func(t *testing.T) {
			const file = "/{{ .ResourceKind }}{{ .KindSuffix }}.json"
			check, err := validator.New([]string{schemas(t, version) + file, others + file}, validator.Opts{Strict: true})
			if err != nil {
				t.Fatal(err)
			}
			for _, wrong := range []string{
				"{apiVersion: v1, kind: Service, spec: {port: 1}}",
				"{apiVersion: cert-manager.io/v1, kind: Issuer, spec: {selfSigned: {}, self: true}}",
				"{apiVersion: monitoring.coreos.com/v1, kind: PrometheusRule, spec: {groups: [{name: a, rules: [{expr: up, alarm: A}]}]}}",
			} {
				if results := check.Validate("", reader([]byte(wrong))); results[0].Status != validator.Invalid {
					t.Fatalf("a field that nobody knows is %v in %s", results, wrong)
				}
			}
			for name, manifest := range manifests {
				for _, result := range check.Validate(name, reader(manifest)) {
					if result.Status != validator.Valid {
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
	swagger, err := os.ReadFile(filepath.Join(moduleDir(t, modules.Kubernetes(version)), "api", "openapi-spec", "swagger.json"))
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
			writeJSON(t, schemaFile(folder, kind["kind"], kind["group"], kind["version"]), map[string]any{"$ref": "all.json#/definitions/" + name})
		}
	}
	return folder
}

// foreign writes a JSON schema for each kind of cert-manager and of the Prometheus Operator that the chart may make, from their own
// definitions, and returns their folder.
func foreign(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for _, path := range []string{
		filepath.Join(moduleDir(t, modules.CertManager), "deploy", "crds", "cert-manager.io_issuers.yaml"),
		filepath.Join(moduleDir(t, modules.CertManager), "deploy", "crds", "cert-manager.io_certificates.yaml"),
		filepath.Join(moduleDir(t, modules.PrometheusOperator), "example", "prometheus-operator-crd", "monitoring.coreos.com_servicemonitors.yaml"),
		filepath.Join(moduleDir(t, modules.PrometheusOperator), "example", "prometheus-operator-crd", "monitoring.coreos.com_prometheusrules.yaml"),
	} {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var definition apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(content, &definition); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, version := range definition.Spec.Versions {
			closed(version.Schema.OpenAPIV3Schema)
			writeJSON(t, schemaFile(folder, definition.Spec.Names.Kind, definition.Spec.Group, version.Name), version.Schema.OpenAPIV3Schema)
		}
	}
	return folder
}

// closed makes a schema refuse fields that it does not name.
func closed(s *apiextensionsv1.JSONSchemaProps) {
	if len(s.Properties) > 0 && s.XPreserveUnknownFields == nil {
		s.AdditionalProperties = &apiextensionsv1.JSONSchemaPropsOrBool{}
	}
	for name, property := range s.Properties {
		closed(&property)
		s.Properties[name] = property
	}
	if s.Items != nil && s.Items.Schema != nil {
		closed(s.Items.Schema)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		closed(s.AdditionalProperties.Schema)
	}
}

// schemaFile is the name under which kubeconform looks for the schema of a kind.
func schemaFile(folder string, kind, group, version any) string {
	file := strings.ToLower(fmt.Sprint(kind))
	if first, _, _ := strings.Cut(fmt.Sprint(group), "."); first != "" {
		file += "-" + first
	}
	return filepath.Join(folder, fmt.Sprintf("%s-%v.json", file, version))
}

func moduleDir(t *testing.T, module string) string {
	t.Helper()
	dir, err := modules.Dir(t.Context(), module)
	if err != nil {
		t.Fatal(err)
	}
	return dir
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
