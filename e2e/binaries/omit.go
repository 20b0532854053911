package binaries

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// omission builds a set from a copy of a module that lacks a file.
type omission struct {
	module string // import path
	file   string // in the module
}

// apply copies the module and makes a module beside the copy that builds from
// it. It returns the folder to build in.
func (o omission) apply(ctx context.Context, moduleDir, scratch string) (string, error) {
	if _, err := goOutput(ctx, moduleDir, "mod", "download", o.module); err != nil {
		return "", fmt.Errorf("download %s: %w", o.module, err)
	}
	source, err := goOutput(ctx, moduleDir, "list", "-m", "-f", "{{.Dir}}", o.module)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", o.module, err)
	}
	copied := filepath.Join(scratch, "source")
	if err := os.CopyFS(copied, os.DirFS(source)); err != nil {
		return "", fmt.Errorf("copy %s: %w", o.module, err)
	}
	if err := os.Remove(filepath.Join(copied, o.file)); err != nil {
		return "", fmt.Errorf("leave out a file of %s: %w", o.module, err)
	}
	build := filepath.Join(scratch, "build")
	if err := o.writeModule(moduleDir, build); err != nil {
		return "", fmt.Errorf("make a module to build %s in: %w", o.module, err)
	}
	return build, nil
}

// writeModule copies go.mod and go.sum into build, with the module replaced by
// its copy.
func (o omission) writeModule(moduleDir, build string) error {
	if err := os.Mkdir(build, 0o755); err != nil {
		return err
	}
	for file, tail := range map[string]string{
		"go.mod": "\nreplace " + o.module + " => ../source\n",
		"go.sum": "",
	} {
		content, err := os.ReadFile(filepath.Join(moduleDir, file))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(build, file), append(content, tail...), 0o644); err != nil {
			return err
		}
	}
	return nil
}
