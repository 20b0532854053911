package purity

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryDirectDependencyIsExplained(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"go.mod", "e2e/go.mod", "e2e/certmanager/go.mod", "e2e/containerd/go.mod", "e2e/ollama/go.mod", "e2e/prometheus/go.mod", "tools/go.mod"} {
		if diff := cmp.Diff(direct(t, file), explained(string(page), file)); diff != "" {
			t.Errorf("docs/dependencies.md and %s do not list the same (-required +explained):\n%s", file, diff)
		}
	}
}

// direct returns, sorted, the modules and tools that a go.mod file asks for itself.
func direct(t *testing.T, file string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json", filepath.Join("..", "..", file)).Output()
	if err != nil {
		t.Fatalf("go mod edit -json %s: %v", file, err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
		Tool []struct{ Path string }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatalf("decode %s: %v", file, err)
	}
	var paths []string
	for _, r := range mod.Require {
		if !r.Indirect {
			paths = append(paths, r.Path)
		}
	}
	for _, tool := range mod.Tool {
		paths = append(paths, tool.Path)
	}
	slices.Sort(paths)
	return paths
}

// explained returns, sorted, the first column of the table under the heading that names file.
func explained(page, file string) []string {
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|")
	_, section, _ := strings.Cut(page, "(`"+file+"`)\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var paths []string
	for _, match := range row.FindAllStringSubmatch(section, -1) {
		paths = append(paths, match[1])
	}
	slices.Sort(paths)
	return paths
}
