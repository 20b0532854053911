package gitops

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"unicode"

	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/apply"
)

// Mark is the first line of every file that is written here. A file without it belongs to somebody else.
const Mark = "# Written by `loadline export`. What is changed here is lost with the next change of the sizes."

// FileName is the name of the change's file: that of its Recommendation.
func (c Change) FileName() string { return strings.ToLower(c.Kind) + "-" + c.Name + ".yaml" }

// comment tells what the change is and why, a comment line each.
func (c Change) comment() string {
	lines := []string{Mark, fmt.Sprintf("# %s/%s/%s, revision %s", c.Namespace, strings.ToLower(c.Kind), c.Name, c.Revision)}
	if c.Why != "" {
		lines = append(lines, "# Why: "+c.Why)
	}
	for _, container := range c.Containers {
		if changed := container.From.Difference(container.To); changed != "" {
			lines = append(lines, "# "+container.Name+": "+changed)
		}
	}
	if c.Replicas != nil {
		lines = append(lines, fmt.Sprintf("# replicas: %d → %d, the most that the forecast needs", c.ReplicasNow, *c.Replicas))
	}
	for i, line := range lines {
		lines[i] = oneLine(line) + "\n"
	}
	return strings.Join(lines, "")
}

// Patch writes a change as a strategic merge patch. A limit that has to go is null.
func (c Change) Patch() (string, error) {
	spec := map[string]any{}
	if c.Replicas != nil {
		spec["replicas"] = *c.Replicas
	}
	lists := map[string][]any{}
	for _, container := range c.Containers {
		list := "containers"
		if container.Sidecar {
			list = "initContainers"
		}
		lists[list] = append(lists[list], map[string]any{"name": container.Name, "resources": container.resources()})
	}
	if len(lists) > 0 {
		spec["template"] = map[string]any{"spec": lists}
	}
	if c.Kind == "CronJob" {
		spec = map[string]any{"jobTemplate": map[string]any{"spec": spec}}
	}
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": c.APIVersion, "kind": c.Kind, "metadata": map[string]any{"name": c.Name, "namespace": c.Namespace}, "spec": spec,
	})
	return c.comment() + string(text), err
}

// resources of the sized resources: requests, and limits where there are or were some.
func (c Container) resources() map[string]any {
	requests, limits := map[string]any{}, map[string]any{}
	set := func(name string, of func(apply.Amounts) int64, format func(int64) string) {
		requests[name] = format(of(c.To.Requests))
		switch limit := of(c.To.Limits); {
		case limit > 0:
			limits[name] = format(limit)
		case of(c.From.Limits) > 0:
			limits[name] = nil
		}
	}
	if c.SizesCPU {
		set("cpu", func(a apply.Amounts) int64 { return a.CPUMillis }, apply.FormatCPU)
	}
	if c.SizesMemory {
		set("memory", func(a apply.Amounts) int64 { return a.MemoryBytes }, apply.FormatMemory)
	}
	out := map[string]any{"requests": requests}
	if len(limits) > 0 {
		out["limits"] = limits
	}
	return out
}

// PatchFile is a patch in the folder of a component.
type PatchFile struct{ Path, Kind, Name string }

// Component writes a kustomization of kind Component that applies patches to what it is used with. A patch whose workload is not
// among that is without effect.
func Component(patches []PatchFile) (string, error) {
	list := make([]any, 0, len(patches))
	for _, p := range patches {
		list = append(list, map[string]any{"path": p.Path, "target": map[string]any{"kind": p.Kind, "name": regexp.QuoteMeta(p.Name)}})
	}
	text, err := yaml.Marshal(map[string]any{"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", "patches": list})
	return Mark + "\n# Name this folder under `components` of the kustomization that has the workloads.\n" + string(text), err
}

// Paths say where in the values of a chart things are: templates of Go's text/template with .Namespace, .Kind, .Name and .Container,
// which give keys separated by dots.
type Paths struct {
	// Resources is where the resources of a container are, such as "{{.Name}}.resources".
	Resources string
	// Replicas is where the number of pods is, such as "{{.Name}}.replicaCount". Empty leaves it out.
	Replicas string
}

// place is what the templates of Paths know.
type place struct{ Namespace, Kind, Name, Container string }

// Values writes changes as values of a chart. Two containers with the same path are an error.
func Values(changes []Change, paths Paths) (string, error) {
	root, comments := map[string]any{}, ""
	for _, c := range changes {
		comments += c.comment()
		for _, container := range c.Containers {
			at := place{c.Namespace, c.Kind, c.Name, container.Name}
			if err := put(root, paths.Resources, at, container.resources()); err != nil {
				return "", err
			}
		}
		if c.Replicas != nil && paths.Replicas != "" {
			if err := put(root, paths.Replicas, place{c.Namespace, c.Kind, c.Name, ""}, *c.Replicas); err != nil {
				return "", err
			}
		}
	}
	text, err := yaml.Marshal(root)
	return comments + string(text), err
}

// put sets a value under the path that a template gives.
func put(root map[string]any, path string, at place, value any) error {
	parsed, err := template.New("path").Option("missingkey=error").Parse(path)
	if err != nil {
		return fmt.Errorf("path %q: %w", path, err)
	}
	var b strings.Builder
	if err := parsed.Execute(&b, at); err != nil {
		return fmt.Errorf("path %q: %w", path, err)
	}
	keys := strings.Split(b.String(), ".")
	if slices.ContainsFunc(keys, func(key string) bool { return key == "" || strings.ContainsFunc(key, unicode.IsSpace) }) {
		return fmt.Errorf("path %q gives %q: legal are keys separated by dots, such as web.resources", path, b.String())
	}
	last := len(keys) - 1
	for _, key := range keys[:last] {
		if root[key] == nil {
			root[key] = map[string]any{}
		}
		next, known := root[key].(map[string]any)
		if !known {
			return fmt.Errorf("path %q gives %q, which goes through the number of pods", path, b.String())
		}
		root = next
	}
	if root[keys[last]] != nil {
		return fmt.Errorf("path %q gives %q more than once: tell workloads and containers apart with {{.Name}} and {{.Container}}", path, b.String())
	}
	root[keys[last]] = value
	return nil
}

// oneLine keeps what people wrote within its comment.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\u0085' {
			return ' '
		}
		return r
	}, text)
}
