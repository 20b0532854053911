// Command binaries fills the cache with every program that the harness runs, so
// that later runs start at once, and prints the folder of the control plane's, as
// KUBEBUILDER_ASSETS wants it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/loadline-dev/loadline/e2e/binaries"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	opts := binaries.Options{Progress: os.Stderr}
	controlPlane, err := binaries.Ensure(ctx, opts)
	if err != nil {
		return err
	}
	if _, err := binaries.Prometheus(ctx, opts); err != nil {
		return err
	}
	if _, err := binaries.HistoryWriter(ctx, opts); err != nil {
		return err
	}
	_, err = fmt.Println(filepath.Dir(controlPlane.KubeAPIServer))
	return err
}
