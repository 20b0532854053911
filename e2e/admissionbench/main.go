// Command admissionbench creates the same pods against the same API server with no webhook, with one that always gives the same
// answer, with Loadline's and with the Vertical Pod Autoscaler's, and prints what each one adds. `make bench-admission` runs it. It fails
// if a pod came without the sizes that Loadline recommended; how fast anything is it only prints.
//
// Four namespaces have the same workloads; requests for pods of one of them reach one webhook only. Every round measures all
// four, in another order each time, and in four rounds each one comes once after each other, so that what one leaves behind does not
// always meet the same one. Nothing but the API server handles the pods: no scheduler takes them, and the controller manager is stopped
// while pods are created.
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
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if args := os.Args[1:]; len(args) > 0 && args[0] == constantName {
		err = serveConstant(ctx, args[1:])
	} else {
		err = run(ctx, args, os.Stdout, os.Stderr)
	}
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "admissionbench:", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	// pods to create per measurement, of so many workloads.
	pods, workloads int
	// rate in pods per second for what is measured at a fixed pace.
	rate int
	// workers create pods as fast as they can.
	workers int
	rounds  int
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	flags := flag.NewFlagSet("admissionbench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.pods, "pods", 2000, "pods per measurement")
	flags.IntVar(&o.workloads, "workloads", 500, "workloads that they belong to")
	flags.IntVar(&o.rate, "rate", 200, "pods per second, where the pace is fixed")
	flags.IntVar(&o.workers, "workers", 16, "parallel clients, where it is not")
	flags.IntVar(&o.rounds, "rounds", 4, "measurements of each kind; the median counts")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.pods < 1 || o.workloads < 1 || o.rate < 1 || o.workers < 1 || o.rounds < 1 || flags.NArg() > 0 {
		return errors.New("all numbers must be 1 or more, and there are no arguments")
	}
	bed, err := newBed(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer bed.close()
	results, err := bed.measure(ctx)
	if err != nil {
		return err
	}
	if err := write(stdout, o, results); err != nil {
		return err
	}
	return allSized(results[loadlineName])
}

// allSized is an error if a pod missed its sizes because Loadline's webhook was too slow, however quick it is as a rule.
func allSized(rounds []result) error {
	missed := 0
	for _, r := range rounds {
		missed += r.missed
	}
	if missed > 0 {
		return fmt.Errorf("%d pods came without the sizes that Loadline recommended", missed)
	}
	return nil
}
