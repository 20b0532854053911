//go:build full

package image

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// golang stands in for the image of the same name, which no registry is asked for: this machine's Go, and a shell.
const golang = `FROM scratch
COPY rootfs /
COPY go /usr/local/go
ENV GOCACHE=/gocache GOPATH=/go GOPROXY=file:///proxy GOSUMDB=off GOTOOLCHAIN=local HOME=/root PATH=/usr/local/go/bin:/bin
`

// buildah builds images without a daemon, in a folder of the test.
type buildah struct {
	t    *testing.T
	path string
	dir  string
}

func newBuildah(t *testing.T) buildah {
	t.Helper()
	path, err := exec.LookPath("buildah")
	busybox, noShell := exec.LookPath("busybox")
	if err != nil || noShell != nil || os.Geteuid() != 0 {
		const missing = "it needs root, and Debian's packages buildah and busybox-static"
		if os.Getenv("CI") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	b := buildah{t, path, t.TempDir()}
	base := filepath.Join(b.dir, "base")
	for _, folder := range []string{"rootfs/bin", "rootfs/etc/ssl/certs", "rootfs/go", "rootfs/root", "rootfs/tmp"} {
		if err := os.MkdirAll(filepath.Join(base, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b.write(filepath.Join(base, "Dockerfile"), []byte(golang), 0o600)
	b.write(filepath.Join(base, "rootfs", rootsIn), roots(), 0o644)
	shell, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	b.write(filepath.Join(base, "rootfs", "bin", "sh"), shell, 0o755)
	toolchain, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(base, "go"), os.DirFS(strings.TrimSpace(string(toolchain)))); err != nil {
		t.Fatal(err)
	}
	b.run("bud", "--isolation", "chroot", "--tag", "docker.io/library/golang:1.26", base)
	return b
}

func (b buildah) write(path string, content []byte, mode os.FileMode) {
	b.t.Helper()
	if err := os.WriteFile(path, content, mode); err != nil {
		b.t.Fatal(err)
	}
}

func (b buildah) run(args ...string) {
	b.t.Helper()
	output, err := exec.CommandContext(b.t.Context(), b.path, append([]string{"--root", b.dir + "/store", "--runroot", b.dir + "/run", "--storage-driver", "vfs"}, args...)...).CombinedOutput()
	if err != nil {
		b.t.Fatalf("buildah %s: %v\n%s", strings.Join(args, " "), err, output)
	}
}

// The Dockerfile is built for real, but for its first image, and gives what make image-tar gives.
func TestTheDockerfileBuildsTheSameImage(t *testing.T) {
	b, source := newBuildah(t), filepath.Join("..", "..")
	if output, err := exec.CommandContext(t.Context(), "go", "-C", source, "mod", "download").CombinedOutput(); err != nil {
		t.Fatalf("go mod download: %v\n%s", err, output)
	}
	folders, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	cache, modules, _ := strings.Cut(strings.TrimSpace(string(folders)), "\n")
	archive := filepath.Join(b.dir, "image.tar")
	b.run("bud", "--isolation", "chroot", "--pull-never", "--volume", cache+":/gocache", "--volume", filepath.Join(modules, "cache", "download")+":/proxy:ro",
		"--build-arg", "VERSION=v1.2.3", "--build-arg", "COMMIT=c0ffee", "--build-arg", "TARGETOS=linux", "--build-arg", "TARGETARCH="+runtime.GOARCH,
		"--tag", "loadline:dev", source)
	b.run("push", "loadline:dev", "docker-archive:"+archive)
	theirs, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := Loadline(t.Context(), Options{Root: source, Architecture: runtime.GOARCH, Version: "v1.2.3", Commit: "c0ffee", Created: time.Unix(1_800_000_000, 0)})
	if err != nil {
		t.Fatal(err)
	}
	want, got := read(t, write(t, ours)), read(t, theirs)
	delete(got.Labels, "io.buildah.version")
	delete(want.Labels, "org.opencontainers.image.created")
	delete(want.Labels, "org.opencontainers.image.revision")
	if diff := cmp.Diff(want.said, got.said); diff != "" {
		t.Errorf("(-make image-tar +Dockerfile):\n%s", diff)
	}
	if !bytes.Equal(want.program, got.program) {
		t.Errorf("the programs differ: %d and %d bytes", len(want.program), len(got.program))
	}
}

// said is what an image says of itself, and the files that it holds.
type said struct {
	User            string
	Entrypoint, Env []string
	Labels          map[string]string
	Files           []string
}

type built struct {
	said

	program []byte
}

// read reads an image with one layer.
func read(t *testing.T, archive []byte) built {
	t.Helper()
	contents, _ := unpack(t, archive)
	manifests := decode[[]struct {
		Config string
		Layers []string
	}](t, contents["manifest.json"])
	if len(manifests) != 1 || len(manifests[0].Layers) != 1 {
		t.Fatalf("manifests %+v", manifests)
	}
	image := built{said: decode[struct{ Config said }](t, contents[manifests[0].Config]).Config}
	files, listing := unpack(t, contents[manifests[0].Layers[0]])
	for _, line := range listing {
		fields := strings.Fields(line) // mode, day, name
		image.Files = append(image.Files, fields[0]+" "+fields[2])
	}
	image.program = files[program]
	return image
}
