// Command binaries fills the cache with every program that the harness runs, so
// that later runs start at once, and prints the folder of the control plane's, as
// KUBEBUILDER_ASSETS wants it. With -model it also builds the model server, and
// with -full that and, where one can run, the real node, and downloads the modules
// of which tests read files: only the scenarios behind the build tag full need them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"

	"github.com/loadline-dev/loadline/e2e/binaries"
	"github.com/loadline-dev/loadline/e2e/modules"
)

func main() {
	model := flag.Bool("model", false, "also build the model server")
	full := flag.Bool("full", false, "also get what the scenarios behind the build tag full need")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *model || *full, *full)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, model, full bool) error {
	opts := binaries.Options{Progress: os.Stderr}
	var ollama error
	var beside sync.WaitGroup
	if model {
		beside.Go(func() { _, ollama = binaries.Ollama(ctx, opts) })
	}
	controlPlane, err := harness(ctx, opts)
	if err == nil && full {
		err = modules.Download(ctx)
	}
	if err == nil && full {
		_, err = binaries.Helm(ctx, opts)
	}
	if err == nil && full && runtime.GOOS == "linux" && os.Geteuid() == 0 {
		_, err = binaries.RealNode(ctx, opts)
	}
	beside.Wait()
	if err := errors.Join(err, ollama); err != nil {
		return err
	}
	_, err = fmt.Println(filepath.Dir(controlPlane.KubeAPIServer))
	return err
}

// harness builds what every scenario needs.
func harness(ctx context.Context, opts binaries.Options) (binaries.Paths, error) {
	controlPlane, err := binaries.Ensure(ctx, opts)
	if err != nil {
		return binaries.Paths{}, err
	}
	if _, err := binaries.Prometheus(ctx, opts); err != nil {
		return binaries.Paths{}, err
	}
	_, err = binaries.HistoryWriter(ctx, opts)
	return controlPlane, err
}
