// Package purity watches what the pure packages depend on, also through others. The linter sees direct imports only; a
// module that slips in three levels down is seen here.
package purity

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	module = "github.com/loadline-dev/loadline"
	golden = "testdata/deps.golden"
)

var update = flag.Bool("update", false, "rewrite "+golden+" from what the packages depend on now")

// pure lists the packages that take everything they need as an argument.
var pure = []string{
	"apply", "forecast", "recommender/advice", "recommender/advice/eval", "recommender/advice/schema", "recommender/guard",
	"recommender/policytext", "recommender/quota", "recommender/sizing", "report", "report/gitops", "report/packing", "updater/breaker", "updater/plan",
}

// impure lists the standard packages that no pure package may import itself, each with everything below it.
var impure = []string{"context", "embed", "log", "net", "os", "plugin", "runtime", "sync", "syscall", "unsafe"}

// separate lists the packages that must be deployable without one another, however long the path between them.
var separate = map[string][]string{
	"api/v1alpha1": {"apply", "cmd", "config", "forecast", "recommender", "report", "updater", "webhook"},
	"recommender":  {"cmd", "report", "updater", "webhook"},
	"updater":      {"cmd", "forecast", "recommender", "report", "webhook"},
	"webhook":      {"cmd", "forecast", "recommender", "report", "updater"},
}

func TestPurePackagesImportNothingThatWaitsLogsOrReachesOut(t *testing.T) {
	for _, name := range pure {
		for _, imported := range load(t, name).root.Imports {
			if slices.ContainsFunc(impure, func(p string) bool { return within(imported, p) }) {
				t.Errorf("%s imports %q: pass what it needs as an argument instead", name, imported)
			}
		}
	}
}

func TestPurePackagesDependOnlyOnWhatWasAgreed(t *testing.T) {
	got := describe(t, append([]string{"api/v1alpha1"}, pure...))
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("dependencies of the pure packages changed (-agreed +now).\n"+
			"Find the way in with `go list -deps` or `go mod why`, take it out, or agree to it with -update:\n%s", diff)
	}
}

// describe writes the dependencies of each package, our packages by path and foreign ones by module. A module that comes
// with another package of the list is named there only.
func describe(t *testing.T, names []string) string {
	t.Helper()
	closures := map[string]closure{}
	for _, name := range names {
		closures[name] = load(t, name)
	}
	var b strings.Builder
	b.WriteString("# What the pure packages, and the API types that some of them use, depend on, directly or through others:\n" +
		"# our packages by path, foreign ones by module, unless they come with one of our packages named beside them.\n" +
		"# A new line is a decision. Once it is made: go test ./internal/purity -update\n")
	for _, name := range names {
		ours, modules := closures[name].ours(), closures[name].modules()
		for _, dep := range ours {
			brought := closures[dep].modules()
			modules = slices.DeleteFunc(modules, func(m string) bool { return slices.Contains(brought, m) })
		}
		fmt.Fprintf(&b, "\n%s\n", name)
		for _, dep := range slices.Concat(ours, modules) {
			fmt.Fprintf(&b, "\t%s\n", dep)
		}
	}
	return b.String()
}

func TestWebhookUpdaterAndRecommenderCanBeDeployedApart(t *testing.T) {
	for name, others := range separate {
		for _, dep := range load(t, name).ours() {
			if slices.ContainsFunc(others, func(p string) bool { return within(dep, p) }) {
				t.Errorf("%s depends on %s: the Recommendation object is the only contract between them", name, dep)
			}
		}
	}
}

// listed is the part of one `go list -json` record that is needed here.
type listed struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Module     *struct{ Path string }
}

// closure is one package with everything it depends on.
type closure struct {
	root listed
	deps []listed
}

// load asks the go command for the closure of one of our packages, always as it is built for linux/amd64, so that the
// answer is the same on every developer's machine.
func load(t *testing.T, name string) closure {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Standard,Imports,Module", "./"+name)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list ./%s: %v\n%s", name, err, stderr.String())
	}

	var c closure
	for records := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := records.Decode(&l); errors.Is(err, io.EOF) {
			return c
		} else if err != nil {
			t.Fatalf("decode go list ./%s: %v", name, err)
		}
		if l.ImportPath == module+"/"+name {
			c.root = l
			continue
		}
		c.deps = append(c.deps, l)
	}
}

// ours returns, sorted, the packages of this module that c depends on, relative to the module's root.
func (c closure) ours() []string {
	var paths []string
	for _, d := range c.deps {
		if rel, ok := strings.CutPrefix(d.ImportPath, module+"/"); ok {
			paths = append(paths, rel)
		}
	}
	slices.Sort(paths)
	return paths
}

// modules returns, sorted, the foreign modules that c depends on. The standard library is left out: fmt alone reaches os,
// which says nothing about the package that imports fmt.
func (c closure) modules() []string {
	var paths []string
	for _, d := range c.deps {
		if !d.Standard && d.Module.Path != module {
			paths = append(paths, d.Module.Path)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// within reports whether path is parent or lies below it.
func within(path, parent string) bool {
	return path == parent || strings.HasPrefix(path, parent+"/")
}
