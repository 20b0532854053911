// Command chart writes what charts/loadline shares with the rest of the project, so that nothing is said twice: the templates
// of the kinds, rights, admission policies and webhooks from config/, the schema of the values, and the table in the README.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: chart REPOSITORY")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}

// run writes every generated file of the chart in a checkout of the repository, and nothing unless all could be computed.
func run(repository string) error {
	files := map[string]string{}
	err := errors.Join(templates(repository, files), alerts(repository, files), documents(repository, files))
	if err != nil {
		return err
	}
	for path, content := range files {
		path = filepath.Join(repository, "charts", "loadline", path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("make the folder of a template: %w", err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return fmt.Errorf("write the chart: %w", err)
		}
	}
	return nil
}
