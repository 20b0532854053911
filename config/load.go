package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// maxBytes bounds a configuration; the shipped one, with all its comments, has a hundredth of that.
const maxBytes = 1 << 20

// maxExplained bounds how many values are tried to find those that cannot be decoded. The shipped file has about 120.
const maxExplained = 1000

// documentSeparator is a line of YAML between two documents.
var documentSeparator = regexp.MustCompile(`(?m)^---(\s.*)?$`)

// Load reads one YAML document, fills what it leaves out with the defaults, and validates the result. The error lists
// everything that is wrong, each with its path; the Config is then the zero Config.
func Load(r io.Reader) (Config, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return Config{}, fmt.Errorf("read the configuration: %w", err)
	}
	if len(data) > maxBytes {
		return Config{}, fmt.Errorf("read the configuration: it is larger than %d bytes", maxBytes)
	}
	c := Default()
	// A policy is resolved, not overwritten: in it, an absent field depends on the others.
	c.APIVersion, c.Kind, c.Policy = "", "", v1alpha1.SizingPolicySpec{}
	if err := decode(data, &c); err != nil {
		return Config{}, fmt.Errorf("decode the configuration: %w", err)
	}
	c.Policy = ResolvePolicy(defaultPolicy(), c.Policy)
	if err := Validate(&c).ToAggregate(); err != nil {
		return Config{}, fmt.Errorf("validate the configuration: %w", err)
	}
	return c, nil
}

// decode reads one YAML document strictly: unknown and duplicate fields are errors that name their path.
func decode(data []byte, into *Config) error {
	if len(documentSeparator.FindAllIndex(data, 3)) > 1 {
		return errors.New("found several YAML documents, expected one")
	}
	asJSON, err := yaml.YAMLToJSONStrict(data)
	if err != nil {
		return err
	}
	unknown, err := json.UnmarshalStrict(asJSON, into)
	if err != nil {
		return errors.Join(explain(asJSON, err)...)
	}
	return errors.Join(unknown...)
}

// explain finds the fields that cannot be decoded. The decoder stops at the first one and seldom says where it is, so each
// value of the document is decoded on its own.
func explain(document []byte, whole error) []error {
	var tree any
	if err := json.UnmarshalCaseSensitivePreserveInts(document, &tree); err != nil {
		return []error{whole}
	}
	var found []error
	tried := 0
	walk(tree, nil, func(path []string, value any) {
		if tried++; tried > maxExplained {
			return
		}
		for _, name := range slices.Backward(path) {
			value = map[string]any{name: value}
		}
		alone, err := yaml.Marshal(value)
		if err == nil {
			err = yaml.Unmarshal(alone, &Config{})
		}
		if err != nil {
			err = cmp.Or(errors.Unwrap(errors.Unwrap(err)), errors.Unwrap(err), err)
			found = append(found, fmt.Errorf("%s: %w", cmp.Or(strings.Join(path, "."), "document"), err))
		}
	})
	if len(found) == 0 {
		return []error{whole}
	}
	return found
}

// walk visits every value that is not an object, in the order of the paths.
func walk(node any, path []string, visit func(path []string, value any)) {
	object, ok := node.(map[string]any)
	if !ok {
		visit(path, node)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		walk(object[name], append(slices.Clone(path), name), visit)
	}
}
