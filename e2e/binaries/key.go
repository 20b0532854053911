package binaries

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// moduleLines makes go list print path and version of every module that a
// package comes from, and those of its replacement.
const moduleLines = `{{with .Module}}{{.Path}} {{.Version}}{{with .Replace}}{{"\n"}}{{.Path}} {{.Version}}{{end}}{{end}}`

// key names the set's folder by all that decides what the programs are: the
// checksums of the modules, our own source, the flags, the Go version and the
// platform.
//
// In a module with other users too, go.sum changes for reasons that have nothing
// to do with the programs. There only the checksums of the modules that they are
// built from count. Finding those out takes go seconds, so the answer is kept in
// the cache under the hash of the whole.
func (s set) key(ctx context.Context, opts Options, cache, moduleDir string) (string, error) {
	env, err := goOutputWith(ctx, s.environment(), moduleDir, "env", "GOVERSION", "GOOS", "GOARCH", "CGO_ENABLED", "GOFLAGS", "GOEXPERIMENT")
	if err != nil {
		return "", fmt.Errorf("ask go for its environment: %w", err)
	}
	for _, always := range []string{"-buildvcs=false", "-trimpath"} { // It makes no difference whether these are set.
		env = strings.ReplaceAll(env, always, "")
	}
	env = strings.Join(strings.Fields(env), " ")
	sums, err := os.ReadFile(filepath.Join(moduleDir, "go.sum"))
	if err != nil {
		return "", fmt.Errorf("read the checksums of the modules: %w", err)
	}
	whole, err := s.hash(moduleDir, env, string(sums))
	if err != nil || !s.shared {
		return whole, err
	}
	note := filepath.Join(cache, whole+".key")
	if known, err := os.ReadFile(note); err == nil {
		return string(known), nil
	}
	used, err := s.usedSums(ctx, opts, moduleDir, string(sums))
	if err != nil {
		return "", err
	}
	key, err := s.hash(moduleDir, env, used)
	if err != nil {
		return "", err
	}
	return key, writeFile(note, key)
}

func (s set) hash(moduleDir, env, sums string) (string, error) {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%s\n%+v\n%+v\n%s", env, s.targets, s.omitted(), sums) // a hash never fails
	if s.tags != "" {
		_, _ = fmt.Fprintf(h, "%q", s.tags)
	}
	if s.cgo != nil {
		_, _ = fmt.Fprintf(h, "%+v", *s.cgo)
	}
	for _, src := range s.sources {
		err := filepath.WalkDir(filepath.Join(moduleDir, src), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			return hashFile(h, path)
		})
		if err != nil {
			return "", fmt.Errorf("hash the source of the %s: %w", s.name, err)
		}
	}
	return s.slug() + "-" + hex.EncodeToString(h.Sum(nil))[:16], nil
}

func hashFile(h hash.Hash, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(h, "%s %d\n%s", filepath.Base(path), len(data), data)
	return nil
}

// usedSums returns the lines of go.sum for the modules that the programs are
// built from.
func (s set) usedSums(ctx context.Context, opts Options, moduleDir, sums string) (string, error) {
	args := []string{"list", "-mod=readonly", "-deps", "-f", moduleLines}
	for _, t := range s.targets {
		args = append(args, t.pkg)
	}
	list, err := report(opts, s.name+": looking up its modules", func() (string, error) {
		return goOutputWith(ctx, s.environment(), moduleDir, args...)
	})
	if err != nil {
		return "", fmt.Errorf("find the modules of the %s: %w", s.name, err)
	}
	used := map[string]bool{}
	for line := range strings.Lines(list) {
		used[strings.TrimSpace(line)] = true
	}
	var kept strings.Builder
	for line := range strings.Lines(sums) {
		if i := strings.LastIndexByte(line, ' '); i > 0 && used[line[:i]] {
			kept.WriteString(line)
		}
	}
	return kept.String(), nil
}

// writeFile writes a file that another process may read at any time.
func writeFile(path, content string) error {
	tmp := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.WriteFile(tmp, []byte(content), 0o644); err != nil {
		return fmt.Errorf("note a key in the cache: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("note a key in the cache: %w", err)
	}
	return nil
}

func (s set) slug() string { return strings.ReplaceAll(strings.ToLower(s.name), " ", "-") }

func (s set) omitted() omission {
	if s.omit == nil {
		return omission{}
	}
	return *s.omit
}
