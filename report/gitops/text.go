package gitops

import (
	"fmt"
	"maps"
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
	if c.Replicas != nil && *c.Replicas != c.ReplicasNow {
		lines = append(lines, fmt.Sprintf("# replicas: %d → %d, the most that the forecast needs", c.ReplicasNow, *c.Replicas))
	}
	for i, line := range lines {
		lines[i] = oneLine(line) + "\n"
	}
	return strings.Join(lines, "")
}

// Patch writes a change as a strategic merge patch. A limit that has to go is null, whether there is one today or not. Before is the
// file that it replaces, if there is one.
func (c Change) Patch(before []byte) (string, error) {
	root := []string{"spec"}
	if c.Kind == "CronJob" {
		root = []string{"spec", "jobTemplate", "spec"}
	}
	earlier := under(parsed(before), root...)
	spec := map[string]any{}
	if replicas := c.replicas(under(earlier, "replicas")); replicas != nil {
		spec["replicas"] = replicas
	}
	lists := map[string][]any{}
	for _, container := range c.Containers {
		list := "containers"
		if container.Sidecar {
			list = "initContainers"
		}
		resources := container.resources(under(named(under(earlier, "template", "spec", list), container.Name), "resources"), true)
		if len(resources) > 0 {
			lists[list] = append(lists[list], map[string]any{"name": container.Name, "resources": resources})
		}
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

// replicas is the number of pods to write; nil if there is none.
func (c Change) replicas(earlier any) any {
	switch {
	case c.Replicas != nil:
		return *c.Replicas
	case c.KeepsReplicas:
		return earlier
	default:
		return nil
	}
}

// resources to write: requests, and limits where there should be some. What is not sized stays as an earlier file has it. Where there
// should be no limit, null takes away the one of today and the one that an earlier file took away, or any that there may be.
func (c Container) resources(earlier any, anyLimit bool) map[string]any {
	requests, limits := map[string]any{}, map[string]any{}
	set := func(name string, of func(apply.Amounts) int64, format func(int64) string) {
		requests[name] = format(of(c.To.Requests))
		switch limit := of(c.To.Limits); {
		case limit > 0:
			limits[name] = format(limit)
		case anyLimit || of(c.From.Limits) > 0 || has(under(earlier, "limits"), name) && under(earlier, "limits", name) == nil:
			limits[name] = nil
		}
	}
	keep := func(name string) {
		for list, amounts := range map[string]map[string]any{"requests": requests, "limits": limits} {
			if written := under(earlier, list); has(written, name) {
				amounts[name] = under(written, name)
			}
		}
	}
	if c.SizesCPU {
		set("cpu", func(a apply.Amounts) int64 { return a.CPUMillis }, apply.FormatCPU)
	} else {
		keep("cpu")
	}
	if c.SizesMemory {
		set("memory", func(a apply.Amounts) int64 { return a.MemoryBytes }, apply.FormatMemory)
	} else {
		keep("memory")
	}
	out := map[string]any{"requests": requests, "limits": limits}
	maps.DeleteFunc(out, func(_ string, amounts any) bool { return len(amounts.(map[string]any)) == 0 })
	return out
}

// parsed is what an earlier file says. One that cannot be read says nothing.
func parsed(file []byte) any {
	var all any
	if err := yaml.Unmarshal(file, &all); err != nil {
		return nil
	}
	return all
}

// under returns what a tree has under keys; nil if it has nothing there.
func under(tree any, keys ...string) any {
	for _, key := range keys {
		within, _ := tree.(map[string]any)
		tree = within[key]
	}
	return tree
}

// has says whether a tree has a key, be it with nothing under it.
func has(tree any, key string) bool {
	within, _ := tree.(map[string]any)
	_, written := within[key]
	return written
}

// named returns the entry of a list that has a name; nil if there is none.
func named(list any, name string) any {
	entries, _ := list.([]any)
	for _, entry := range entries {
		if under(entry, "name") == name {
			return entry
		}
	}
	return nil
}

// PatchFile is a patch in the folder of a component.
type PatchFile struct{ Path, Kind, Namespace, Name string }

// Component writes a kustomization of kind Component that applies patches to what it is used with. A patch whose workload is not
// among that is without effect, and so is one for a workload of the same name in another namespace, or of a manifest that names
// none. Kustomize counts a workload to the namespace that it has there, and to the one that its manifest names (default, if none).
func Component(patches []PatchFile) (string, error) {
	list := make([]any, 0, len(patches))
	for _, p := range patches {
		list = append(list, map[string]any{"path": p.Path, "target": map[string]any{
			"kind": p.Kind, "name": regexp.QuoteMeta(p.Name), "namespace": p.Namespace,
		}})
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

// Values writes a change as values of a chart. Before is the file that they replace, if there is one. Two containers with the same path
// are an error.
func (c Change) Values(paths Paths, before []byte) (string, error) {
	root, earlier := map[string]any{}, parsed(before)
	for _, container := range slices.SortedStableFunc(slices.Values(c.Containers), sizedFirst) {
		keys, err := keysOf(paths.Resources, place{c.Namespace, c.Kind, c.Name, container.Name})
		if err != nil {
			return "", err
		}
		resources := container.resources(under(earlier, keys...), false)
		if len(resources) == 0 || !container.sized() && under(root, keys...) != nil { // What was written there is another container's.
			continue
		}
		if err := put(root, keys, resources); err != nil {
			return "", fmt.Errorf("path %q %w", paths.Resources, err)
		}
	}
	if paths.Replicas != "" {
		keys, err := keysOf(paths.Replicas, place{c.Namespace, c.Kind, c.Name, ""})
		if err != nil {
			return "", err
		}
		if replicas := c.replicas(under(earlier, keys...)); replicas != nil {
			if err := put(root, keys, replicas); err != nil {
				return "", fmt.Errorf("path %q %w", paths.Replicas, err)
			}
		}
	}
	text, err := yaml.Marshal(root)
	return c.comment() + string(text), err
}

func (c Container) sized() bool { return c.SizesCPU || c.SizesMemory }

func sizedFirst(a, b Container) int {
	switch {
	case a.sized() == b.sized():
		return 0
	case a.sized():
		return -1
	default:
		return 1
	}
}

// keysOf are the keys that a path gives.
func keysOf(path string, at place) ([]string, error) {
	parsed, err := template.New("path").Option("missingkey=error").Parse(path)
	if err != nil {
		return nil, fmt.Errorf("path %q: %w", path, err)
	}
	var b strings.Builder
	if err := parsed.Execute(&b, at); err != nil {
		return nil, fmt.Errorf("path %q: %w", path, err)
	}
	keys := strings.Split(b.String(), ".")
	if slices.ContainsFunc(keys, func(key string) bool { return key == "" || strings.ContainsFunc(key, unicode.IsSpace) }) {
		return nil, fmt.Errorf("path %q gives %q: legal are keys separated by dots, such as web.resources", path, b.String())
	}
	return keys, nil
}

// put sets a value under keys.
func put(root map[string]any, keys []string, value any) error {
	last := len(keys) - 1
	for _, key := range keys[:last] {
		if root[key] == nil {
			root[key] = map[string]any{}
		}
		next, known := root[key].(map[string]any)
		if !known {
			return fmt.Errorf("gives %q, which goes through the number of pods", strings.Join(keys, "."))
		}
		root = next
	}
	if root[keys[last]] != nil {
		return fmt.Errorf("gives %q more than once: tell workloads and containers apart with {{.Name}} and {{.Container}}", strings.Join(keys, "."))
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
