package purity

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// TestWhatIsSaidToBePureIsWatched compares four lists: what CONTRIBUTING promises, what the linter is strict about, what has Go
// files there, and what this package watches.
func TestWhatIsSaidToBePureIsWatched(t *testing.T) {
	strict := strictFolders(t)
	if diff := cmp.Diff(promised(t), strict); diff != "" {
		t.Errorf("CONTRIBUTING.md and the rules pure-… of .golangci.yml do not name the same packages (-promised +strict):\n%s", diff)
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(pure)), packagesIn(t, strict)); diff != "" {
		t.Errorf("the list of this test and the packages in those folders are not the same (-list +folders):\n%s", diff)
	}
}

// promised reads the sentence of CONTRIBUTING.md that says which packages are pure.
func promised(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	sentence := regexp.MustCompile("(?s)\n\n((?:`[a-z/]+`,? (?:and )?)+)and, under `recommender`,(.*?) are pure").FindStringSubmatch(string(page))
	if sentence == nil {
		t.Fatal("CONTRIBUTING.md does not say which packages are pure")
	}
	var folders []string
	for prefix, part := range map[string]string{"": sentence[1], "recommender/": sentence[2]} {
		for _, name := range regexp.MustCompile("`([a-z/]+)`").FindAllStringSubmatch(part, -1) {
			folders = append(folders, prefix+name[1])
		}
	}
	slices.Sort(folders)
	return folders
}

// strictFolders returns the folders that a rule pure-… of the linter holds.
func strictFolders(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", ".golangci.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Linters struct {
			Settings struct {
				Depguard struct {
					Rules map[string]struct {
						Files []string `json:"files"`
					} `json:"rules"`
				} `json:"depguard"`
			} `json:"settings"`
		} `json:"linters"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	var folders []string
	for name, rule := range config.Linters.Settings.Depguard.Rules {
		if strings.HasPrefix(name, "pure-") {
			folders = append(folders, strings.TrimSuffix(strings.TrimPrefix(rule.Files[0], "${config-path}/"), "/**"))
		}
	}
	slices.Sort(folders)
	return folders
}

// packagesIn returns the folders with Go files that are no tests, in and below the given ones.
func packagesIn(t *testing.T, folders []string) []string {
	t.Helper()
	found := map[string]bool{}
	for _, folder := range folders {
		err := fs.WalkDir(os.DirFS(filepath.Join("..", "..")), folder, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() && entry.Name() == "testdata" {
				return fs.SkipDir
			}
			if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				found[filepath.ToSlash(filepath.Dir(path))] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return slices.Sorted(maps.Keys(found))
}
