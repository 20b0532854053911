package main

import (
	"encoding/json"
	"fmt"
	"io"

	"sigs.k8s.io/yaml"
)

// writeAs writes a value as JSON or YAML, or without a format as people writes it.
func writeAs(w io.Writer, format string, value any, people func() error) error {
	var text []byte
	var err error
	switch format {
	case "":
		err = people()
	case "json":
		if text, err = json.MarshalIndent(value, "", "  "); err == nil {
			text = append(text, '\n')
		}
	case "yaml":
		text, err = yaml.Marshal(value)
	default:
		return usageError("--output %q: legal are json and yaml", format)
	}
	if err == nil {
		_, err = w.Write(text)
	}
	if err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}
