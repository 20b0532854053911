package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// value is one thing that can be set.
type value struct {
	// path such as webhook.replicas.
	path string
	// about is the comment above it, in one line.
	about string
	// fallback is what it is if nobody sets it.
	fallback any
}

// open are the names of objects that are handed on as they are: what is in them is not ours.
var open = []string{"config", "annotations", "serviceAccountAnnotations", "labels", "nodeSelector", "affinity", "resources", "issuerRef"}

// documents adds what is made of values.yaml: the schema, and the README around the table of values.
func documents(repository string, files map[string]string) error {
	chart := filepath.Join(repository, "charts", "loadline")
	text, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	if err != nil {
		return fmt.Errorf("read the values: %w", err)
	}
	var tree map[string]any
	if err := yaml.UnmarshalStrict(text, &tree); err != nil {
		return fmt.Errorf("decode the values: %w", err)
	}
	values, err := scan(string(text), tree)
	if err != nil {
		return err
	}
	schema, err := json.MarshalIndent(schemaOf(tree, values), "", "  ")
	if err != nil {
		return fmt.Errorf("encode the schema: %w", err)
	}
	files["values.schema.json"] = string(schema) + "\n"
	readme, err := os.ReadFile(filepath.Join(chart, "README.md"))
	if err != nil {
		return fmt.Errorf("read the README: %w", err)
	}
	files["README.md"], err = fill(string(readme), table(values))
	return err
}

// scan lists the values in the order of the file, each with the comment above it.
func scan(text string, tree map[string]any) ([]value, error) {
	var values []value
	var path, comment []string
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		depth := (len(line) - len(strings.TrimLeft(line, " "))) / 2
		name, _, isKey := strings.Cut(trimmed, ":")
		switch {
		case strings.HasPrefix(trimmed, "#"):
			comment = append(comment, strings.TrimSpace(strings.TrimPrefix(trimmed, "#")))
			continue
		case trimmed != "" && isKey && depth <= len(path):
			path = append(path[:depth:depth], name)
			fallback, err := at(tree, path)
			if err != nil {
				return nil, err
			}
			if !slices.Contains(open, cmp.Or(parent(path), "-")) {
				values = append(values, value{strings.Join(path, "."), strings.Join(comment, " "), fallback})
			}
		}
		comment = nil
	}
	return values, nil
}

// parent is the name of what the last part of a path is in.
func parent(path []string) string {
	if len(path) < 2 {
		return ""
	}
	return path[len(path)-2]
}

// at returns what is at a path.
func at(tree map[string]any, path []string) (any, error) {
	var node any = tree
	for _, name := range path {
		object, _ := node.(map[string]any)
		found, ok := object[name]
		if !ok {
			return nil, fmt.Errorf("values.yaml: %q is written so that it cannot be found: use two spaces, and {} within a line", strings.Join(path, "."))
		}
		node = found
	}
	return node, nil
}

// section reports whether a value is only a heading for others.
func (v value) section() bool {
	object, ok := v.fallback.(map[string]any)
	return ok && len(object) > 0 && !slices.Contains(open, v.path[strings.LastIndexByte(v.path, '.')+1:])
}

// table lists the values for people.
func table(values []value) string {
	var out strings.Builder
	out.WriteString("| value | default | |\n|---|---|---|\n")
	for _, v := range values {
		if v.section() && v.about == "" {
			continue
		}
		fallback := ""
		if !v.section() {
			encoded, err := json.Marshal(v.fallback)
			if err != nil {
				encoded = []byte(err.Error())
			}
			fallback = "`" + string(encoded) + "`"
		}
		_, _ = fmt.Fprintf(&out, "| `%s` | %s | %s |\n", v.path, fallback, strings.ReplaceAll(v.about, "|", `\|`))
	}
	return out.String()
}

// The lines of the README between which the table is.
const (
	begin = "<!-- values: written by make generate -->\n"
	end   = "<!-- end of the values -->\n"
)

// fill puts the table into the README.
func fill(readme, table string) (string, error) {
	before, rest, found := strings.Cut(readme, begin)
	_, after, complete := strings.Cut(rest, end)
	if !found || !complete {
		return "", errors.New("the README has no place for the values: it needs the two comments")
	}
	return before + begin + "\n" + table + "\n" + end + after, nil
}
