// Command demo shows the whole path of Loadline on this machine: a real Kubernetes control plane with simulated nodes, a real
// Prometheus with two weeks of a small shop's history, and a tour with the commands that a person would type.
//
// With KEEP=1 in the environment everything keeps running after the tour until Ctrl-C.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitInterrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctrl.SetLogger(logr.Discard()) // The parts of Loadline log to files of their own.
	keep := os.Getenv("KEEP")
	os.Exit(run(ctx, newScreen(os.Stdout), keep != "" && keep != "0")) //nolint:gocritic // stop only restores signal handling, which the exit makes moot
}

// run plays the demo, takes everything down again and returns the exit code.
func run(ctx context.Context, s *screen, keep bool) int {
	dir, err := os.MkdirTemp("", "loadline-demo-")
	if err != nil {
		s.failure("make a folder for the demo: %v", err)
		return exitFailed
	}
	d := &demo{screen: s, dir: dir}
	err = d.play(ctx)
	if err == nil && keep {
		d.invite()
		<-ctx.Done()
	}
	interrupted := err != nil && ctx.Err() != nil // Whatever failed, failed because of that.
	if err != nil && !interrupted {
		return d.fail(err)
	}
	s.progress("stopping everything")
	if err := errors.Join(d.stop(), os.RemoveAll(dir)); err != nil {
		s.failure("clean up: %v", err)
		return exitFailed
	}
	s.progress("everything is stopped and removed")
	if interrupted {
		s.failure("Interrupted before the end of the story.")
		return exitInterrupted
	}
	return exitOK
}

// fail stops everything and leaves the logs.
func (d *demo) fail(reason error) int {
	d.failure("%v", reason)
	if err := d.stop(); err != nil {
		d.failure("%v", err)
	}
	logs := filepath.Join(d.dir, "logs")
	if _, err := os.Stat(logs); err != nil {
		_ = os.RemoveAll(d.dir) // there is nothing in it
		return exitFailed
	}
	d.failure("Everything is stopped. What each part had to say is in %s", logs)
	return exitFailed
}
