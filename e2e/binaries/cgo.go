package binaries

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// cgo is what a set written in C and C++ needs beside its modules: headers that
// the module proxy leaves out of a module, because it keeps no folder named
// vendor.
type cgo struct {
	flags     string // of the C and C++ compilers, in place of go's -O2 -g
	module    string // a module that has one of the headers in its root
	header    string // as it is included
	installed string // headers that the system has to have, as they are included
	packages  string // Debian's packages with those
}

// environment makes the headers available and returns the variables that make
// the go command use them. For no cgo it is empty.
func (c *cgo) environment(ctx context.Context, opts Options, moduleDir string) ([]string, error) {
	if c == nil {
		return nil, nil
	}
	if err := checkHeaders(ctx, c.installed, c.packages); err != nil {
		return nil, err
	}
	include, err := c.include(ctx, opts, moduleDir)
	if err != nil {
		return nil, err
	}
	return []string{"CGO_CPPFLAGS=-I" + include, "CGO_CFLAGS=" + c.flags, "CGO_CXXFLAGS=" + c.flags}, nil
}

// checkHeaders asks the compiler for headers, before minutes of compiling: it
// knows where it looks. The error names the packages.
func checkHeaders(ctx context.Context, headers, packages string) error {
	if headers == "" {
		return nil
	}
	compiler, err := goOutput(ctx, "", "env", "CXX")
	if err != nil {
		return fmt.Errorf("ask go for the C++ compiler: %w", err)
	}
	if _, err := exec.LookPath(compiler); err != nil {
		return fmt.Errorf("the C++ compiler %s is not installed: apt-get install g++, or set CXX", compiler)
	}
	var missing []error
	for header := range strings.FieldsSeq(headers) {
		cmd := exec.CommandContext(ctx, compiler, "-E", "-x", "c++", "-include", header, os.DevNull)
		if out, err := cmd.CombinedOutput(); err != nil && strings.Contains(string(out), path.Base(header)) {
			missing = append(missing, fmt.Errorf("the header %s is not installed", header))
		} else if err != nil {
			missing = append(missing, fmt.Errorf("%s: %w: %s", compiler, err, out))
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%w: apt-get install %s", errors.Join(missing...), packages)
	}
	return nil
}

// include copies the module's header to where it is found as it is included, and
// returns that folder. The compiler's flags are part of the key under which go
// keeps what it compiled: so the folder is the same for every checkout, and
// another one for another version of the header, which go does not look into.
func (c *cgo) include(ctx context.Context, opts Options, moduleDir string) (string, error) {
	if _, err := goOutput(ctx, moduleDir, "mod", "download", c.module); err != nil {
		return "", fmt.Errorf("download %s: %w", c.module, err)
	}
	found, err := goOutput(ctx, moduleDir, "list", "-m", "-f", "{{.Dir}} {{.Version}}", c.module)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", c.module, err)
	}
	dir, version, _ := strings.Cut(found, " ")
	cache, err := opts.cacheDir()
	if err != nil {
		return "", err
	}
	include := filepath.Join(filepath.Dir(cache), "include", path.Base(c.module)+"-"+version)
	content, err := os.ReadFile(filepath.Join(dir, path.Base(c.header)))
	if err != nil {
		return "", fmt.Errorf("read the header of %s: %w", c.module, err)
	}
	target := filepath.Join(include, c.header)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return "", fmt.Errorf("make room for a header: %w", err)
	}
	return include, writeFile(target, string(content))
}
