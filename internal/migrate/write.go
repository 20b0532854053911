package migrate

import (
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

// savedAs is the name of the file that the printed steps apply.
const savedAs = "loadline.yaml"

// YAML is the result for a person to read, to save and to apply: the steps and what does not translate as comments, then the
// objects. The steps never read again: what was switched off by then would be taken for off.
func (r *Result) YAML() ([]byte, error) {
	var b strings.Builder
	comment := func(format string, args ...any) {
		b.WriteString(strings.TrimRight("# "+fmt.Sprintf(format, args...), " ") + "\n")
	}
	comment("Read from %s. Nothing was changed. How sizes are found is Loadline's own way, and is not imported.", r.Source)
	if len(r.Objects) > 0 {
		r.steps(comment)
	}
	if len(r.Notes) > 0 {
		comment("")
		comment("What does not translate:")
		for _, note := range r.Notes {
			comment("- %s", strings.ReplaceAll(note, "\n", " "))
		}
	}
	for _, object := range r.Objects {
		text, err := yaml.Marshal(object)
		if err != nil {
			return nil, fmt.Errorf("write an object: %w", err)
		}
		b.WriteString("---\n" + string(text))
	}
	return []byte(b.String()), nil
}

// steps says what to do with the objects.
func (r *Result) steps(comment func(format string, args ...any)) {
	comment("")
	comment("Save this text as %s, and read it, before anything else: read again later, what is switched off below would count as off.", savedAs)
	if len(r.Before) > 0 {
		comment("")
		comment("Then, so that not two change the same pods:")
		for _, command := range r.Before {
			comment("  %s", command)
		}
	}
	comment("")
	comment("Then:")
	comment("  kubectl apply --server-side -f %s", savedAs)
}
