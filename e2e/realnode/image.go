package realnode

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Image is what every container of a real node runs, see appetite. No registry has it.
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

// writeImage writes an image with one program, which is its entry point, in the format of `docker save`.
func writeImage(path, program string) error {
	content, err := os.ReadFile(program)
	if err != nil {
		return fmt.Errorf("read the program of the image: %w", err)
	}
	name := filepath.Base(program)
	var layer bytes.Buffer
	if err := writeTar(&layer, []file{{name, 0o755, content}}); err != nil {
		return err
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": runtime.GOOS,
		"config": map[string]any{"Entrypoint": []string{"/" + name}, "User": "65532:65532", "Env": []string{"PATH=/"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + sum(layer.Bytes())}},
	})
	if err != nil {
		return fmt.Errorf("encode the configuration of the image: %w", err)
	}
	configName := sum(config) + ".json"
	manifest, err := json.Marshal([]map[string]any{{"Config": configName, "RepoTags": []string{Image}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return fmt.Errorf("encode the manifest of the image: %w", err)
	}
	archive, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("create the image: %w", err)
	}
	if err := writeTar(archive, []file{
		{"layer.tar", 0o644, layer.Bytes()}, {configName, 0o644, config}, {"manifest.json", 0o644, manifest},
	}); err != nil {
		_ = archive.Close()
		return err
	}
	return archive.Close()
}

// file of an archive.
type file struct {
	name    string
	mode    int64
	content []byte
}

func writeTar(w io.Writer, files []file) error {
	archive := tar.NewWriter(w)
	for _, f := range files {
		err := archive.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.content)), Typeflag: tar.TypeReg})
		if err == nil {
			_, err = archive.Write(f.content)
		}
		if err != nil {
			return fmt.Errorf("write %s of the image: %w", f.name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("finish the image: %w", err)
	}
	return nil
}

func sum(content []byte) string {
	hash := sha256.Sum256(content)
	return hex.EncodeToString(hash[:])
}
