// Command template prints what the chart installs with some values, as `helm template --no-hooks` does, for those who cannot link Helm's library:
//
//	go run ./cmd/template ../charts/loadline loadline-system '{certManager: {enabled: true}}'
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/loadline-dev/loadline/e2e/template"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: template CHART NAMESPACE VALUES")
		os.Exit(2)
	}
	if err := run(os.Stdout, os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "template:", err)
		os.Exit(1)
	}
}

// run writes the objects one after the other, as JSON.
func run(out io.Writer, chart, namespace, values string) error {
	objects, err := template.Render(chart, namespace, values)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	for _, object := range objects {
		if object.GetAnnotations()[template.HookAnnotation] != "" {
			continue
		}
		if err := encoder.Encode(object); err != nil {
			return fmt.Errorf("write %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}
