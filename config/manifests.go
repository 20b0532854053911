package config

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// manifests are those that every installation needs, besides the programs themselves.
//
//go:embed crd/bases/*.yaml rbac/*.yaml policy/*.yaml webhook/*.yaml
var manifests embed.FS

// folders by the name of what is in them.
var folders = map[string]string{"crd": "crd/bases", "rbac": "rbac", "policy": "policy", "webhook": "webhook"}

// ManifestNames are the names that Manifests knows.
func ManifestNames() []string { return []string{"crd", "rbac", "policy", "webhook"} }

// Manifests returns the shipped manifests of one name as documents of YAML, for an installation in the given namespace: the kinds
// (crd), accounts and roles (rbac), admission policies (policy), or webhook configurations with their Service and Secret (webhook).
func Manifests(name, namespace string) ([]string, error) {
	folder, known := folders[name]
	if !known {
		return nil, fmt.Errorf("there are no manifests %q: known are %s", name, strings.Join(ManifestNames(), ", "))
	}
	files, err := fs.Glob(manifests, path.Join(folder, "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("list the manifests: %w", err)
	}
	// namespaces.yaml comes first: the others need them.
	slices.SortStableFunc(files, func(a, b string) int { return rank(a) - rank(b) })
	var documents []string
	for _, file := range files {
		if path.Base(file) == "kustomization.yaml" {
			continue
		}
		content, err := manifests.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the manifest %s: %w", file, err)
		}
		text := strings.ReplaceAll(string(content), Default().Namespace, namespace)
		documents = append(documents, strings.Split(strings.TrimSpace(strings.TrimPrefix(text, "---\n")), "\n---\n")...)
	}
	return documents, nil
}

func rank(file string) int {
	if path.Base(file) == "namespaces.yaml" {
		return 0
	}
	return 1
}
