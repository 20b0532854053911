package binaries

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/modfile"
)

// module makes a module with one program and returns its folder.
func module(t *testing.T, source string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"go.mod": "module example.com/hello\n\ngo 1.26\n", "go.sum": "", "main.go": source,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const hello = "package main\n\nfunc main() { println(\"hello\") }\n"

var greeting = set{name: "greeting", targets: []target{{name: "hello", pkg: ".", ldflags: strip}}}

// lines is a progress writer for several goroutines.
type lines struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func TestTwoCallersAtOnceBuildOnceAndGetTheSameProgram(t *testing.T) {
	dir, progress := module(t, hello), &lines{}
	opts := Options{CacheDir: t.TempDir(), Progress: progress}
	var results [2]string
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			var err error
			if results[i], err = ensureIn(t.Context(), opts, dir, greeting); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()

	if results[0] != results[1] {
		t.Errorf("two folders: %v", results)
	}
	if n := strings.Count(progress.String(), "greeting: built in"); n != 1 {
		t.Errorf("built %d times:\n%s", n, progress)
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(results[0], "hello")).CombinedOutput()
	if err != nil || string(out) != "hello\n" {
		t.Errorf("the program says %q, %v", out, err)
	}
}

func TestAWarmCacheIsOneLineAndNoBuild(t *testing.T) {
	dir, cache := module(t, hello), t.TempDir()
	first, err := ensureIn(t.Context(), Options{CacheDir: cache}, dir, greeting)
	if err != nil {
		t.Fatal(err)
	}
	progress := &lines{}

	second, err := ensureIn(t.Context(), Options{CacheDir: cache, Progress: progress}, dir, greeting)

	if err != nil || second != first {
		t.Fatalf("got %s, %v, want %s", second, err, first)
	}
	if got, want := progress.String(), "greeting: built before, in "+first+"\n"; got != want {
		t.Errorf("progress %q, want %q", got, want)
	}
}

func TestAChangeOfPinsOrFlagsIsAnotherSetOfPrograms(t *testing.T) {
	dir := module(t, hello)
	key := func(s set) string {
		t.Helper()
		k, err := s.key(t.Context(), Options{}, t.TempDir(), dir)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	before := key(greeting)
	if key(greeting) != before {
		t.Error("the key is not stable")
	}
	flags := greeting
	flags.targets = []target{{name: "hello", pkg: "."}}
	if key(flags) == before {
		t.Error("other flags, same key")
	}
	tags := greeting
	tags.tags = "loud"
	if key(tags) == before {
		t.Error("other tags, same key")
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), []byte("example.com/x v1.0.0 h1:x=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if key(greeting) == before {
		t.Error("other pins, same key")
	}
}

func TestPinsOfOthersInTheSameModuleChangeNothing(t *testing.T) {
	dir, cache := module(t, hello), t.TempDir()
	shared := greeting
	shared.shared = true
	before, err := ensureIn(t.Context(), Options{CacheDir: cache}, dir, shared)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), []byte("example.com/x v1.0.0 h1:x=\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	after, err := ensureIn(t.Context(), Options{CacheDir: cache}, dir, shared)

	if err != nil || after != before {
		t.Errorf("got %s, %v, want %s", after, err, before)
	}
}

func TestABrokenBuildShowsTheCompilerAndLeavesNothing(t *testing.T) {
	cache := t.TempDir()

	_, err := ensureIn(t.Context(), Options{CacheDir: cache}, module(t, "package main\n\nfunc main() { nonsense() }\n"), greeting)

	if err == nil || !strings.Contains(err.Error(), "build hello") || !strings.Contains(err.Error(), "undefined: nonsense") {
		t.Errorf("got: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(cache, "bin", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range left {
		if !strings.HasSuffix(path, ".lock") {
			t.Errorf("left behind: %s", path)
		}
	}
}

func TestTheStampedVersionsAreTheOnesRequired(t *testing.T) {
	for file, stamped := range map[string]map[string]string{
		"../go.mod":        {"k8s.io/kubernetes": kubernetesVersion},
		"../ollama/go.mod": {"github.com/ollama/ollama": ollamaVersion},
	} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := modfile.Parse(file, content, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range parsed.Require {
			if version, ok := stamped[r.Mod.Path]; ok && r.Mod.Version != version {
				t.Errorf("%s requires %s, the programs would call themselves %s", file, r.Mod, version)
			}
		}
	}
}

func TestAMissingHeaderIsNamedWithThePackageThatHasIt(t *testing.T) {
	if _, err := exec.LookPath("g++"); err != nil {
		t.Skip("no C++ compiler")
	}
	needs := greeting
	needs.cgo = &cgo{installed: "cstdio nowhere/none.h", packages: "none-dev"}

	_, err := ensureIn(t.Context(), Options{CacheDir: t.TempDir()}, module(t, hello), needs)

	if err == nil || !strings.Contains(err.Error(), "the header nowhere/none.h is not installed: apt-get install none-dev") {
		t.Errorf("got: %v", err)
	}
}
