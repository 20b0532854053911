//go:build full

package image

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The source is built where it is and once more as a copy in another folder, as two people would.
func TestTwoPeopleBuildTheSameImage(t *testing.T) {
	here := filepath.Join("..", "..")
	var archives [][]byte
	for _, root := range []string{here, copySource(t, here)} {
		built, err := Loadline(t.Context(), Options{Root: root, Version: "v1.2.3", Commit: "c0ffee", Created: time.Unix(1_800_000_000, 0)})
		if err != nil {
			t.Fatal(err)
		}
		archives = append(archives, write(t, built))
		inspect(t, built.Files[len(built.Files)-1].Content)
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("the images differ")
	}
}

// inspect checks that the program runs without anything else, and that it says what it is made of.
func inspect(t *testing.T, program []byte) {
	t.Helper()
	binary, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range binary.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the program is linked dynamically: %v", p.Type)
		}
	}
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	for _, dependency := range info.Deps {
		if dependency.Replace == nil && (dependency.Version == "" || dependency.Sum == "") {
			t.Errorf("%s has no version or sum", dependency.Path)
		}
	}
	if len(info.Deps) < 20 {
		t.Errorf("%d dependencies", len(info.Deps))
	}
}

// copySource copies the source of the operator.
func copySource(t *testing.T, root string) string {
	t.Helper()
	dir := t.TempDir()
	unneeded := map[string]bool{".git": true, "bin": true, "dist": true, "docs": true, "e2e": true, "tools": true}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		switch {
		case err != nil || name == ".":
			return err
		case unneeded[name] && entry.IsDir():
			return fs.SkipDir
		case entry.IsDir():
			return os.Mkdir(filepath.Join(dir, name), 0o755)
		case !entry.Type().IsRegular():
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), content, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
