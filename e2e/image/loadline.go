package image

import (
	"bytes"
	"cmp"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// Options of Loadline. Only Root is required.
type Options struct {
	// Root is the folder of Loadline's source.
	Root string
	// Name of the image; empty means loadline:dev.
	Name string
	// Architecture to build for; empty means amd64.
	Architecture string
	// Version and Commit that the program reports, and Created: what git says of the last commit, if Version or Created is empty.
	Version, Commit string
	Created         time.Time
}

// What the Dockerfile says, too.
const (
	user    = "65532:65532"
	program = "loadline"
	rootsIn = "etc/ssl/certs/ca-certificates.crt"
	// ldflags leave out what a debugger needs, and everything that differs from one machine to the next.
	ldflags = "-s -w -buildid= -X main.version=$VERSION -X main.commit=$COMMIT"
)

// Loadline builds Loadline's image: the program, root certificates, and nothing else.
func Loadline(ctx context.Context, o Options) (Image, error) {
	o.Name, o.Architecture = cmp.Or(o.Name, "loadline:dev"), cmp.Or(o.Architecture, "amd64")
	if err := o.ask(ctx); err != nil {
		return Image{}, err
	}
	binary, err := o.build(ctx)
	if err != nil {
		return Image{}, err
	}
	labels := about()
	labels["org.opencontainers.image.version"] = o.Version
	labels["org.opencontainers.image.created"] = o.Created.UTC().Format(time.RFC3339)
	if o.Commit != "" {
		labels["org.opencontainers.image.revision"] = o.Commit
	}
	return Image{
		Name: o.Name, Architecture: o.Architecture, Created: o.Created.Truncate(time.Second), User: user,
		Entrypoint: []string{"/" + program}, Env: []string{"PATH=/"}, Labels: labels,
		Files: []File{{rootsIn, 0o644, roots()}, {program, 0o755, binary}},
	}, nil
}

// about is what every image of Loadline says of itself.
func about() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       program,
		"org.opencontainers.image.description": "Forecasts, sizes and safely applies Kubernetes requests",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.source":      "https://github.com/loadline-dev/loadline",
	}
}

// ask fills in what git knows.
func (o *Options) ask(ctx context.Context) (err error) {
	if o.Version != "" && !o.Created.IsZero() {
		return nil
	}
	git := func(args ...string) string {
		output, gitErr := exec.CommandContext(ctx, "git", append([]string{"-C", o.Root}, args...)...).Output()
		if gitErr != nil {
			err = errors.Join(err, fmt.Errorf("git %s: %w; without it, give the version and the time", args[0], gitErr))
		}
		return strings.TrimSpace(string(output))
	}
	o.Commit = cmp.Or(o.Commit, git("rev-parse", "HEAD"))
	o.Version = cmp.Or(o.Version, git("describe", "--tags", "--always", "--dirty"))
	seconds := git("log", "-1", "--format=%ct")
	if err != nil || !o.Created.IsZero() {
		return err
	}
	number, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return fmt.Errorf("read the time of the commit: %w", err)
	}
	o.Created = time.Unix(number, 0)
	return nil
}

// build compiles the program without C, so that it needs nothing else of the image.
func (o *Options) build(ctx context.Context) ([]byte, error) {
	dir, err := os.MkdirTemp("", "loadline-image-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the program: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	out := filepath.Join(dir, program)
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", strings.NewReplacer("$VERSION", o.Version, "$COMMIT", o.Commit).Replace(ldflags), "-o", out, "./cmd/loadline")
	cmd.Dir = o.Root
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+o.Architecture, "GOAMD64=v1", "GOARM64=v8.0", "GOWORK=off")
	if output, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the program: %w: %s", err, output)
	}
	return os.ReadFile(out)
}

// roots are the authorities that Mozilla trusts without a condition, as PEM, in the version that go.mod pins.
func roots() []byte {
	var content bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			content.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
		}
	}
	return content.Bytes()
}
