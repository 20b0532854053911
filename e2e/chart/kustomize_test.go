package chart

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/config"
)

// hashed is the name that kustomize gives the ConfigMap, so that a change restarts the parts; the chart has an annotation for that.
var hashed = regexp.MustCompile(`loadline-config-[a-z0-9]{10}\b`)

// kustomized returns what `kubectl kustomize` prints for a folder.
func kustomized(t *testing.T, folder string) set {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatal(err)
	}
	var objects []*unstructured.Unstructured
	for _, resource := range built.Resources() {
		encoded, err := resource.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(hashed.ReplaceAll(encoded, []byte("loadline-config")), &object.Object); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
	return keyed(objects)
}

// plain takes out what Helm alone needs.
func plain(object *unstructured.Unstructured) map[string]any {
	object = object.DeepCopy()
	without(object.Object, "metadata", "labels", "app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart")
	without(object.Object, "metadata", "annotations", "helm.sh/resource-policy")
	if template, found, _ := unstructured.NestedMap(object.Object, "spec", "template"); found {
		without(template, "metadata", "annotations", "checksum/config")
		_ = unstructured.SetNestedMap(object.Object, template, "spec", "template") // it was found there
	}
	return object.Object
}

// without removes keys from a map in a section, and the map if nothing is left of it.
func without(object map[string]any, section, field string, keys ...string) {
	held, _ := object[section].(map[string]any)
	values, _ := held[field].(map[string]any)
	for _, key := range keys {
		delete(values, key)
	}
	if len(values) == 0 {
		delete(held, field)
	}
}

// Kustomize adds empty lines to folded text, which are nothing to CEL.
var folded = cmpopts.AcyclicTransformer("EmptyLines", func(text string) string { return strings.ReplaceAll(text, "\n\n", "\n") })

func TestTheChartAndKustomizeGiveTheSame(t *testing.T) {
	for folder, values := range map[string]string{
		configDir:                 "",
		configDir + "/all":        "{allInOne: true}",
		"testdata/components":     "{certManager: {enabled: true}, networkPolicy: {enabled: true}, serviceMonitor: {enabled: true}}",
		"testdata/components-all": "{allInOne: true, certManager: {enabled: true}, networkPolicy: {enabled: true}, serviceMonitor: {enabled: true}}",
	} {
		t.Run(values, func(t *testing.T) {
			ours, theirs := rendered(t, values), kustomized(t, folder)
			// Helm makes the namespace of a release itself, when it is told to.
			delete(theirs, "Namespace "+namespace)
			if got, want := slices.Sorted(maps.Keys(ours)), slices.Sorted(maps.Keys(theirs)); !slices.Equal(got, want) {
				t.Fatalf("objects (-kustomize +chart):\n%s", cmp.Diff(want, got))
			}
			if diff := cmp.Diff(configured(t, theirs), configured(t, ours)); diff != "" {
				t.Errorf("configuration (-kustomize +chart):\n%s", diff)
			}
			delete(ours, "ConfigMap loadline-config")
			for key, object := range ours {
				if diff := cmp.Diff(plain(theirs[key]), plain(object), folded); diff != "" {
					t.Errorf("%s (-kustomize +chart):\n%s", key, diff)
				}
			}
		})
	}
}

// configured reads the configuration among the objects as the parts of Loadline do.
func configured(t *testing.T, objects set) config.Config {
	t.Helper()
	cfg, err := config.Load(strings.NewReader(as[corev1.ConfigMap](t, objects, "ConfigMap loadline-config").Data["config.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}
