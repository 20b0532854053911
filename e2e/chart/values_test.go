package chart

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/e2e/template"
)

// settings are values under which, between them, every value has an effect.
var settings = []string{
	`{certManager: {enabled: true}, networkPolicy: {enabled: true}, dashboard: {enabled: true}, serviceMonitor: {enabled: true},
	  prometheusRule: {enabled: true}, grafanaDashboard: {enabled: true}, ollama: {enabled: true}}`,
	`{priorityClass: {create: true}}`,
	`{updater: {enabled: false}}`,
	`{allInOne: true}`,
}

// others are values that a change of the default's type alone does not find: what is legal, by the path.
var others = map[string]any{
	"image.pullPolicy": "Never", "ollama.image.pullPolicy": "Never",
	"image.pullSecrets":         []any{map[string]any{"name": "other"}},
	"pods.affinity":             map[string]any{"podAffinity": map[string]any{}},
	"ollama.affinity":           map[string]any{"podAffinity": map[string]any{}},
	"certManager.issuerRef":     map[string]any{"name": "other"},
	"networkPolicy.metricsFrom": []any{map[string]any{"podSelector": map[string]any{}}},
	"networkPolicy.webhookFrom": []any{map[string]any{"podSelector": map[string]any{}}},
	"networkPolicy.egress":      []any{map[string]any{"ports": []any{map[string]any{"port": 1}}}},
	"networkPolicy.dnsPorts":    []any{1}, "networkPolicy.apiServerPorts": []any{1}, "networkPolicy.prometheusPorts": []any{1},
}

// other is another value of the same type.
func other(path string, value any) any {
	if known, ok := others[path]; ok {
		return known
	}
	switch value := value.(type) {
	case bool:
		return !value
	case float64:
		return value + 1
	case []any:
		return []any{map[string]any{"name": "other", "key": "other"}}
	case map[string]any:
		return map[string]any{"example.com/other": "other"}
	default:
		return "7" // as a word, an amount, or a part of a name
	}
}

// leaves visits every value of a tree that is no map with keys of its own.
func leaves(tree map[string]any, path string, visit func(path string, value any)) {
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		at := strings.TrimPrefix(path+"."+key, ".")
		if below, ok := tree[key].(map[string]any); ok && len(below) > 0 {
			leaves(below, at, visit)
		} else {
			visit(at, tree[key])
		}
	}
}

// with is values and one more.
func with(t *testing.T, text, path string, value any) string {
	t.Helper()
	tree := values(t, text)
	node, keys := tree, strings.Split(path, ".")
	for _, key := range keys[:len(keys)-1] {
		below, ok := node[key].(map[string]any)
		if !ok {
			below = map[string]any{}
			node[key] = below
		}
		node = below
	}
	node[keys[len(keys)-1]] = value
	encoded, err := yaml.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

func TestEveryValueHasAnEffect(t *testing.T) {
	content, err := os.ReadFile(chartDir + "/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	before := make([]set, len(settings))
	for i, text := range settings {
		before[i] = withHooks(t, text)
	}
	leaves(values(t, string(content)), "", func(path string, value any) {
		if path == "config" {
			return // What is in it has tests of its own.
		}
		var refusals []string
		for i, text := range settings {
			objects, err := template.Render(chartDir, namespace, with(t, text, path, other(path, value)))
			if err != nil {
				refusals = append(refusals, err.Error())
			} else if !cmp.Equal(before[i], keyed(objects)) {
				return
			}
		}
		t.Errorf("%s: %v instead of %v changes nothing %s", path, other(path, value), value, strings.Join(refusals, "; "))
	})
}
