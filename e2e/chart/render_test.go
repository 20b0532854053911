package chart

import (
	"maps"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/e2e/template"
)

// Where the chart and the kustomization are, and where the tests install them.
const (
	chartDir  = "../../charts/loadline"
	configDir = "../../config"
	namespace = "loadline-system"
)

// rendered is what the chart installs. The test fails if it cannot be rendered.
func rendered(t *testing.T, values string) set {
	t.Helper()
	objects := withHooks(t, values)
	maps.DeleteFunc(objects, isHook)
	return objects
}

// hooks is what the chart has created when it is uninstalled.
func hooks(t *testing.T, values string) set {
	t.Helper()
	objects := withHooks(t, values)
	maps.DeleteFunc(objects, func(key string, object *unstructured.Unstructured) bool { return !isHook(key, object) })
	return objects
}

func isHook(_ string, object *unstructured.Unstructured) bool {
	return object.GetAnnotations()[template.HookAnnotation] != ""
}

func withHooks(t *testing.T, values string) set {
	t.Helper()
	objects, err := template.Render(chartDir, namespace, values)
	if err != nil {
		t.Fatalf("with %q: %v", values, err)
	}
	return keyed(objects)
}

// set holds objects by kind and name, such as "Deployment loadline-webhook".
type set map[string]*unstructured.Unstructured

func keyed(objects []*unstructured.Unstructured) set {
	found := set{}
	for _, object := range objects {
		found[object.GetKind()+" "+object.GetName()] = object
	}
	return found
}

// as reads one object as the type that Kubernetes has for it, and refuses fields that the type has not.
func as[T any](t *testing.T, objects set, key string) T {
	t.Helper()
	var typed T
	object, ok := objects[key]
	if !ok {
		t.Fatalf("no %s among %v", key, slices.Sorted(maps.Keys(objects)))
	}
	encoded, err := yaml.Marshal(object.Object)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(encoded, &typed); err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return typed
}

func values(t *testing.T, text string) map[string]any {
	t.Helper()
	set := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &set); err != nil {
		t.Fatal(err)
	}
	return set
}
