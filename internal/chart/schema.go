package main

import (
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/loadline-dev/loadline/config"
)

// schema is a JSON schema.
type schema map[string]any

// What a comment says that a schema can say, too.
var (
	oneOf   = regexp.MustCompile(`One of: ([\w, -]+)\.`)
	keysAre = regexp.MustCompile(`Its keys: ([\w, ]+)\.`)
	atLeast = regexp.MustCompile(`At least (\d+)\.`)
)

// schemaOf returns the schema of the values: of each the type of its default, and no other keys.
func schemaOf(tree map[string]any, values []value) schema {
	about := map[string]string{}
	for _, v := range values {
		about[v.path] = v.about
	}
	root := object(tree, "", about)
	root["$schema"] = "http://json-schema.org/draft-07/schema#"
	// Helm hands these to every chart that is part of another.
	root["properties"].(map[string]any)["global"] = schema{"type": "object"} //nolint:forcetypeassert // object made it
	return root
}

func object(tree map[string]any, prefix string, about map[string]string) schema {
	properties := map[string]any{}
	for name, node := range tree {
		path := strings.TrimPrefix(prefix+"."+name, ".")
		properties[name] = leaf(name, path, node, about)
	}
	return schema{"type": "object", "additionalProperties": false, "properties": properties}
}

// leaf returns the schema of one value.
func leaf(name, path string, node any, about map[string]string) schema {
	s := schema{}
	switch typed := node.(type) {
	case map[string]any:
		switch {
		case path == "config":
			s = ofType(reflect.TypeFor[config.Config](), "")
		case slices.Contains(open, name):
			s = schema{"type": "object"}
		default:
			s = object(typed, path, about)
		}
	case []any:
		s["type"] = "array"
	case bool:
		s["type"] = "boolean"
	case float64:
		s["type"] = "integer"
	default:
		s["type"] = "string"
	}
	if text := about[path]; text != "" {
		s["description"] = text
		if found := oneOf.FindStringSubmatch(text); found != nil {
			s["enum"] = strings.Split(found[1], ", ")
		}
		if found := keysAre.FindStringSubmatch(text); found != nil {
			s["additionalProperties"], s["properties"] = false, words(found[1])
		}
		if found := atLeast.FindStringSubmatch(text); found != nil {
			s["minimum"], _ = strconv.Atoi(found[1]) // the expression finds digits only
		}
	}
	return s
}

// words is the schema of keys, separated by commas, that have words.
func words(keys string) map[string]any {
	properties := map[string]any{}
	for key := range strings.SplitSeq(keys, ", ") {
		properties[key] = schema{"type": "string"}
	}
	return properties
}

// chosen are the fields of the configuration that the chart decides, because other objects depend on them.
var chosen = []string{
	"apiVersion", "kind", "namespace", "metricsAddress", "healthAddress", "webhook", "recommender.leaderElection.leaseName",
	"updater.leaderElection.leaseName", "updater.probeNamespace", "dashboard.address", "updater.killSwitchConfigMap", "updater.recordConfigMap",
}

// ofType returns the schema of a type as the configuration decodes it.
func ofType(t reflect.Type, path string) schema {
	switch t {
	case reflect.TypeFor[metav1.Duration](), reflect.TypeFor[metav1.Time]():
		return schema{"type": "string"}
	case reflect.TypeFor[resource.Quantity](), reflect.TypeFor[intstr.IntOrString]():
		return schema{"type": []string{"string", "number"}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return ofType(t.Elem(), path)
	case reflect.Struct:
		properties := map[string]any{}
		fields(t, path, properties)
		return schema{"type": "object", "additionalProperties": false, "properties": properties}
	case reflect.Slice:
		return schema{"type": "array", "items": ofType(t.Elem(), path)}
	case reflect.Map:
		return schema{"type": "object", "additionalProperties": ofType(t.Elem(), path)}
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.String:
		return schema{"type": "string"}
	case reflect.Float32, reflect.Float64:
		return schema{"type": "number"}
	default:
		return schema{"type": "integer"}
	}
}

// fields adds the fields of a struct, and of those that it embeds.
func fields(t reflect.Type, path string, properties map[string]any) {
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" && field.Anonymous {
			fields(field.Type, path, properties)
			continue
		}
		if below := strings.TrimPrefix(path+"."+name, "."); !slices.Contains(chosen, below) {
			properties[name] = ofType(field.Type, below)
		}
	}
}
