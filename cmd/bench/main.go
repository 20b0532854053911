// Command bench measures on recorded data how good Loadline's forecasts and sizes are: on the hourly series of the M4
// competition, and on traces of CPU and memory. `make bench DATA=folder` runs it; it is in no image.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:gocritic // stop only restores signal handling, which the exit makes moot
	}
}

// options are what the command line says.
type options struct {
	// data is the folder with the recordings, out the file for the results as JSON; "" writes none.
	data, out string
	// quick scores a third of the M4 series, and of each trace the policies at their defaults only.
	quick bool
	// gridEvery is which workloads the grid of settings is replayed on: one of so many. The grid shows how settings compare; on all
	// workloads it takes four times as long as everything else.
	gridEvery int
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.data, "data", "", "folder with the recordings")
	flags.StringVar(&o.out, "out", "", "file for the results as JSON")
	flags.BoolVar(&o.quick, "quick", false, "a third of the M4 series, and no grid of settings for the traces")
	flags.IntVar(&o.gridEvery, "grid-every", 6, "replay the grid of settings on one of so many workloads")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.data == "" || o.gridEvery < 1 || flags.NArg() > 0 {
		return errors.New("usage: bench -data FOLDER [-quick] [-grid-every N] [-out FILE]")
	}
	found, err := discover(os.DirFS(o.data))
	if err != nil {
		return fmt.Errorf("look for recordings in %s: %w", o.data, err)
	}
	if found.empty() {
		return fmt.Errorf("%s holds none of: m4_hourly_train.csv, *_cpu_cores.csv, either also as .gz", o.data)
	}
	if len(found.unused) > 0 {
		fmt.Fprintf(stderr, "Not measured, because their names are none of those in docs/performance.md, or as memory without its trace: %s\n", strings.Join(found.unused, ", "))
	}
	b := bench{options: o, out: stdout, progress: stderr}
	return b.run(ctx, found)
}
