//go:build linux

package realnode

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/loadline-dev/loadline/e2e/image"
)

// Image is what every workload of a real node runs, see the folder appetite. No registry has it.
const Image = "localhost/loadline/appetite:1"

// build compiles a program of this package's folder without C, so that it needs nothing else of an image.
func build(ctx context.Context, name, dir string) (string, error) {
	program := filepath.Join(dir, name)
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-ldflags", "-s -w", "-o", program,
		"github.com/loadline-dev/loadline/e2e/realnode/"+name)
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", name, err, output)
	}
	return program, nil
}

// appetite is the image with the program that every workload runs.
func appetite(ctx context.Context, dir string) (image.Image, error) {
	program, err := build(ctx, "appetite", dir)
	if err != nil {
		return image.Image{}, err
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return image.Image{}, fmt.Errorf("read the program of the image: %w", err)
	}
	return image.Image{
		Name: Image, Architecture: runtime.GOARCH, Created: time.Unix(0, 0), User: "65532:65532", Env: []string{"PATH=/"},
		Entrypoint: []string{"/appetite"}, Files: []image.File{{Name: "appetite", Mode: 0o755, Content: content}},
	}, nil
}

// Import brings an image to the node, where pods can use it under its name.
func (n *Node) Import(ctx context.Context, i image.Image) error {
	archive, err := os.CreateTemp(n.dir, "image-*.tar")
	if err != nil {
		return fmt.Errorf("create the image: %w", err)
	}
	if err := errors.Join(i.Write(archive), archive.Close()); err != nil {
		return err
	}
	return errors.Join(n.ctr(ctx, "images", "import", archive.Name()), os.Remove(archive.Name()))
}
