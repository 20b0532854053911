package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The chart follows config/ only if somebody lets it.
func TestTheChartIsWhatMakeGenerateWrites(t *testing.T) {
	const repository = "../.."
	files := map[string]string{}
	if err := errors.Join(templates(repository, files), alerts(repository, files), documents(repository, files)); err != nil {
		t.Fatal(err)
	}
	for path, want := range files {
		got, err := os.ReadFile(filepath.Join(repository, "charts", "loadline", path))
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("charts/loadline/%s is not what make generate writes (-want +file):\n%s", path, diff)
		}
	}
}
