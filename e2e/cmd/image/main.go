// Command image builds Loadline's container image without a container engine and writes it to a file that docker, podman,
// containerd and every tool for OCI image layouts can read. The same source gives the same bytes: the time of the image is that
// of the last commit, or SOURCE_DATE_EPOCH.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/loadline-dev/loadline/e2e/image"
)

func main() {
	var o image.Options
	flag.StringVar(&o.Root, "root", "..", "the folder of Loadline's source")
	flag.StringVar(&o.Name, "name", "loadline:dev", "the name of the image, with a tag")
	flag.StringVar(&o.Architecture, "arch", runtime.GOARCH, "the architecture to build for, such as amd64 or arm64")
	flag.StringVar(&o.Version, "version", "", "the version that the program reports (default: what git describe says)")
	out := flag.String("out", "loadline.tar", "the file to write")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o, *out)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o image.Options, out string) error {
	if epoch := os.Getenv("SOURCE_DATE_EPOCH"); epoch != "" {
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil {
			return fmt.Errorf("SOURCE_DATE_EPOCH is not a number of seconds: %w", err)
		}
		o.Created = time.Unix(seconds, 0)
	}
	built, err := image.Loadline(ctx, o)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return fmt.Errorf("make the folder of the image: %w", err)
	}
	file, err := os.Create(out)
	if err != nil {
		return fmt.Errorf("create the image: %w", err)
	}
	hash := sha256.New()
	if err := errors.Join(built.Write(io.MultiWriter(file, hash)), file.Close()); err != nil {
		return errors.Join(err, os.Remove(out))
	}
	_, err = fmt.Printf("%s for linux/%s in %s\nsha256 %x\n", built.Name, built.Architecture, out, hash.Sum(nil))
	return err
}
