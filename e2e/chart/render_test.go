package chart

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	chartutil "helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader"
	"helm.sh/helm/v4/pkg/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// Where the chart and the kustomization are, and where the tests install them.
const (
	chartDir  = "../../charts/loadline"
	configDir = "../../config"
	namespace = "loadline-system"
)

// render returns what `helm template loadline charts/loadline` prints with these values, written as YAML.
func render(values string) ([]*unstructured.Unstructured, error) {
	loaded, err := loader.LoadDir(chartDir)
	if err != nil {
		return nil, err
	}
	set := map[string]any{}
	if err := yaml.Unmarshal([]byte(values), &set); err != nil {
		return nil, err
	}
	release := common.ReleaseOptions{Name: "loadline", Namespace: namespace, Revision: 1, IsInstall: true}
	merged, err := chartutil.ToRenderValues(loaded, set, release, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(loaded, merged)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for name, content := range files {
		if filepath.Ext(name) != ".yaml" {
			continue
		}
		found, err := decode(content)
		if err != nil {
			return nil, errors.Join(errors.New(name), err)
		}
		objects = append(objects, found...)
	}
	return objects, nil
}

// decode reads the objects of a YAML stream.
func decode(stream string) ([]*unstructured.Unstructured, error) {
	reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(stream)))
	var objects []*unstructured.Unstructured
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		object := map[string]any{}
		if err := yaml.UnmarshalStrict(document, &object); err != nil {
			return nil, err
		}
		if len(object) > 0 {
			objects = append(objects, &unstructured.Unstructured{Object: object})
		}
	}
}

// rendered renders the chart, and fails the test if that is refused.
func rendered(t *testing.T, values string) set {
	t.Helper()
	objects, err := render(values)
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
