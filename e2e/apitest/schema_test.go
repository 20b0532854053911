package apitest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config/crd"
)

type schema = apiextensionsv1.JSONSchemaProps

// node is one place in a kind, such as SizingPolicy .spec.signals[].name.
type node struct {
	kind, path string
	schema     schema
}

func (n node) String() string { return n.kind + n.path }

// inStatus tells whether the place is written through the status subresource.
func (n node) inStatus() bool { return strings.HasPrefix(n.path, ".status") }

// field is the path as the API server writes it in a refusal.
func (n node) field() string {
	return strings.ReplaceAll(strings.TrimPrefix(n.path, "."), "[]", "[0]")
}

// roots are the schemas of Loadline's kinds.
func roots(t *testing.T) []node {
	t.Helper()
	definitions, err := crd.Objects()
	if err != nil {
		t.Fatal(err)
	}
	var found []node
	for _, d := range definitions {
		found = append(found, node{kind: d.Spec.Names.Kind, schema: *d.Spec.Versions[0].Schema.OpenAPIV3Schema})
	}
	return found
}

// below returns n and every place below it, in the order of their paths, without apiVersion, kind and metadata.
func (n node) below() []node {
	found := []node{n}
	for name, property := range n.schema.Properties {
		if n.path == "" && name != "spec" && name != "status" {
			continue
		}
		found = append(found, node{n.kind, n.path + "." + name, property}.below()...)
	}
	if n.schema.Items != nil {
		found = append(found, node{n.kind, n.path + "[]", *n.schema.Items.Schema}.below()...)
	}
	slices.SortStableFunc(found, func(a, b node) int { return strings.Compare(a.path, b.path) })
	return found
}

// Patterns and rules of the schemas for which a text has to be chosen with care.
const (
	durationPattern   = `^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$`
	apiVersionPattern = `^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[0-9]+[a-z0-9]*$`
	kindPattern       = `^[A-Z][A-Za-z0-9]*$`
)

// text returns a legal text of n characters for a place.
func (n node) text(length int) string {
	end, fill := "", "a"
	switch {
	case n.schema.XIntOrString:
		end, fill = "1", "0"
	case n.schema.Pattern == durationPattern:
		end, fill = "10m", "0"
	case n.schema.Pattern == apiVersionPattern && length >= len("v1"):
		return "v1" + strings.Repeat("a", length-len("v1"))
	case n.schema.Pattern == kindPattern:
		return "D" + strings.Repeat("a", length-1)
	case strings.HasSuffix(n.path, ".windows[].start") && length >= len("0 2 * * 1"):
		end, fill = " 2 * * 1", "0"
	}
	return strings.Repeat(fill, max(0, length-len(end))) + end
}

// example returns a legal value with nothing in it that is not required.
func (n node) example() any {
	switch {
	case n.schema.XIntOrString:
		return int64(1)
	case len(n.schema.Enum) > 0:
		return strings.Trim(string(n.schema.Enum[0].Raw), `"`)
	case n.schema.Format == "date-time":
		return "2026-11-27T00:00:00Z"
	}
	switch n.schema.Type {
	case "object":
		object := map[string]any{}
		for _, name := range n.schema.Required {
			object[name] = node{n.kind, n.path + "." + name, n.schema.Properties[name]}.example()
		}
		return object
	case "array":
		return []any{}
	case "integer":
		if n.schema.Minimum != nil {
			return int64(*n.schema.Minimum)
		}
		return int64(1)
	case "boolean":
		return true
	default:
		length := int64(12)
		if n.schema.MaxLength != nil {
			length = min(length, *n.schema.MaxLength)
		}
		return n.text(int(length))
	}
}

// with returns an object of the kind, legal but for value at the path.
func with(root node, path string, value any) *unstructured.Unstructured {
	content, ok := place(root, path, value).(map[string]any)
	if !ok {
		content = map[string]any{}
	}
	object := &unstructured.Unstructured{Object: content}
	object.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(root.kind))
	object.SetNamespace("default")
	object.SetName("example")
	if root.kind == "Recommendation" {
		kind, _, _ := unstructured.NestedString(content, "spec", "targetRef", "kind")
		name, _, _ := unstructured.NestedString(content, "spec", "targetRef", "name")
		object.SetName(v1alpha1.RecommendationName(kind, name))
	}
	return object
}

// recommendation returns the Recommendation of a Deployment.
func recommendation(t *testing.T, deployment string) *unstructured.Unstructured {
	t.Helper()
	for _, root := range roots(t) {
		if root.kind == "Recommendation" {
			return with(root, ".spec.targetRef", map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment})
		}
	}
	t.Fatal("there is no kind Recommendation")
	return nil
}

// place returns the example of n with value at the path below it.
func place(n node, path string, value any) any {
	if path == "" {
		return value
	}
	if rest, isItem := strings.CutPrefix(path, "[]"); isItem {
		return []any{place(node{n.kind, n.path + "[]", *n.schema.Items.Schema}, rest, value)}
	}
	name := strings.TrimPrefix(path, ".")
	if end := strings.IndexAny(name, ".["); end >= 0 {
		name = name[:end]
	}
	child := node{n.kind, n.path + "." + name, n.schema.Properties[name]}
	object, ok := n.example().(map[string]any)
	if !ok {
		panic(fmt.Sprintf("%s is not an object", n))
	}
	object[name] = place(child, strings.TrimPrefix(path, "."+name), value)
	return object
}

// try sends an object to the API server, which checks it as always but does not store it. A status goes to the object that
// storedRecommendation made.
func try(t *testing.T, n node, object *unstructured.Unstructured) error {
	t.Helper()
	if !n.inStatus() {
		return admin.Create(t.Context(), object, client.DryRunAll)
	}
	stored := recommendation(t, "stored")
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(stored), stored); err != nil {
		t.Fatal(err)
	}
	stored.Object["status"] = object.Object["status"]
	return admin.Status().Update(t.Context(), stored, client.DryRunAll)
}
