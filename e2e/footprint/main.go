// Command footprint fills a cluster with as many workloads as Loadline is made for, lets it size all of them, and prints what each part of
// Loadline used. `make bench-footprint` runs it. docs/performance.md tells what the chart's limits rest on.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
)

func main() {
	ctrl.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "footprint:", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	// workloads of one pod each, with so many containers.
	workloads, containers int
	// steady is how long the parts are watched when all workloads have their sizes.
	steady time.Duration
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	flags := flag.NewFlagSet("footprint", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.workloads, "workloads", 5000, "workloads, each of one pod")
	flags.IntVar(&o.containers, "containers", 4, "containers of each")
	flags.DurationVar(&o.steady, "steady", 10*time.Minute, "how long to watch when all have their sizes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.workloads < 1 || o.containers < 1 || o.steady <= 0 || flags.NArg() > 0 {
		return errors.New("all numbers must be positive, and there are no arguments")
	}
	c, err := start(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer c.stop()
	return c.measure(ctx, stdout)
}
