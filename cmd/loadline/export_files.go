package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/report/gitops"
)

// componentFile is what kustomize reads in a folder.
const componentFile = "kustomization.yaml"

// exportFolder writes an export to files.
type exportFolder struct {
	*exportOptions

	std streams
}

// write writes a file for each change, and with kustomize the list of them. What is there and belongs to somebody else stops it
// before anything is written.
func (f exportFolder) write(changes []gitops.Change) error {
	texts := map[string]string{}
	for _, c := range changes {
		path := filepath.Join(f.folder, c.Namespace, c.FileName())
		before, err := ours(path)
		if err != nil {
			return err
		}
		if texts[path], err = f.text(c, before); err != nil {
			return codedError{error: err, code: exitUsage}
		}
	}
	if f.format == exportKustomize {
		if err := f.components(texts); err != nil {
			return err
		}
	}
	paths := slices.Sorted(maps.Keys(texts))
	for _, path := range paths {
		if _, err := ours(path); err != nil {
			return err
		}
	}
	for _, path := range paths {
		if err := replaceFile(path, texts[path]); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		if _, err := fmt.Fprintln(f.std.out, path); err != nil {
			return err
		}
	}
	return nil
}

// text is what the file of a change says. Some of it may only be known from what the file said before.
func (f exportFolder) text(c gitops.Change, before []byte) (string, error) {
	if f.format == exportHelm {
		return c.Values(f.paths, before)
	}
	return c.Patch(before)
}

// components adds the kustomization of every namespace's folder: it lists the patches that are written now, and those that an earlier
// export left.
func (f exportFolder) components(texts map[string]string) error {
	patches := map[string]map[string]string{} // by folder and name of the file
	for path, text := range texts {
		add(patches, path, text)
	}
	earlier, err := fs.Glob(os.DirFS(f.folder), "*/*.yaml")
	if err != nil {
		return fmt.Errorf("look for earlier patches: %w", err)
	}
	for _, found := range earlier {
		path := filepath.Join(f.folder, filepath.FromSlash(found))
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read an earlier patch: %w", err)
		}
		if _, anew := texts[path]; !anew && filepath.Base(path) != componentFile && strings.HasPrefix(string(text), gitops.Mark) {
			add(patches, path, string(text))
		}
	}
	for folder, files := range patches {
		var list []gitops.PatchFile
		for _, name := range slices.Sorted(maps.Keys(files)) {
			var object metav1.PartialObjectMetadata
			if err := yaml.Unmarshal([]byte(files[name]), &object); err != nil {
				return fmt.Errorf("read %s: %w", filepath.Join(folder, name), err)
			}
			list = append(list, gitops.PatchFile{Path: name, Kind: object.Kind, Namespace: object.Namespace, Name: object.Name})
		}
		text, err := gitops.Component(list)
		if err != nil {
			return fmt.Errorf("write the component of %s: %w", folder, err)
		}
		texts[filepath.Join(folder, componentFile)] = text
	}
	return nil
}

func add(patches map[string]map[string]string, path, text string) {
	folder, name := filepath.Dir(path), filepath.Base(path)
	if patches[folder] == nil {
		patches[folder] = map[string]string{}
	}
	patches[folder][name] = text
}

// ours returns what an export wrote to a file; nil if there is none. It is an error if something else wrote it.
func ours(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look at what is there: %w", err)
	case !strings.HasPrefix(string(text), gitops.Mark):
		return nil, fmt.Errorf("%s is there and was not written by an export, so nothing was written; choose another --output-dir", path)
	}
	return text, nil
}

// replaceFile writes a file as a whole or not at all.
func replaceFile(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	unfinished, err := os.CreateTemp(filepath.Dir(path), ".export-*")
	if err != nil {
		return err
	}
	_, err = unfinished.WriteString(text)
	if err = errors.Join(err, unfinished.Chmod(0o644), unfinished.Close()); err == nil {
		err = os.Rename(unfinished.Name(), path)
	}
	if err != nil {
		_ = os.Remove(unfinished.Name()) // the error says more
	}
	return err
}
