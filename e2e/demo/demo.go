package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/e2e/harness"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/shop"
)

// demo is one run.
type demo struct {
	*screen
	// dir holds everything that the run writes.
	dir      string
	cluster  *harness.Cluster
	loadline *install.Installation
	// admin does what the story needs and does not show.
	admin     client.Client
	workloads int
	// variables of the shell that the story uses, as NAME=value.
	variables []string
	// before is what the shop reserved when nobody had touched it, and after what it reserves once Loadline did.
	before, after amounts
}

// step is one part of the story. It fails if what it tells does not happen.
type step struct {
	title string
	tell  func(context.Context) error
}

func (d *demo) steps() []step {
	return []step{
		{"What the shop reserves today", d.look},
		{"Opt in to a dry run, which changes nothing", d.optIn},
		{"Ask why", d.explain},
		{"Switch to auto: running pods follow, without a restart where the node allows it", d.switchToAuto},
		{"A new pod arrives right-sized", d.newPod},
		{"Announce a sale, and capacity is there before it begins", d.announceSale},
		{"Opt out, and everything runs on", d.optOut},
	}
}

// play sets the scene and walks through the steps.
func (d *demo) play(ctx context.Context) error {
	d.heading("Loadline: the whole path on this machine")
	d.say("A real API server, etcd, controller manager, scheduler and Prometheus are started; the nodes and the load of "+
		"the pods are simulated. All of it listens on 127.0.0.1 only and lives in %s.", d.dir)
	if err := d.setScene(ctx); err != nil {
		return fmt.Errorf("setting the scene failed: %w", err)
	}
	steps := d.steps()
	for i, s := range steps {
		d.heading(fmt.Sprintf("%d of %d  %s", i+1, len(steps), s.title))
		if err := s.tell(ctx); err != nil {
			return fmt.Errorf("step %d of %d (%s) failed: %w", i+1, len(steps), s.title, err)
		}
	}
	d.summary()
	return nil
}

// setScene starts the cluster with the shop's history, opens the shop and installs Loadline.
func (d *demo) setScene(ctx context.Context) error {
	now := time.Now().UTC()
	workloads := shop.InNamespace(shop.Namespace, shop.Workloads(now))
	d.workloads = len(workloads)
	err := d.during("starting the cluster", func() (err error) {
		d.cluster, err = harness.Start(ctx, harness.Options{
			Dir: d.dir, KeepDir: true, Log: d.screen, ScrapeInterval: 5 * time.Second, History: shop.Past(workloads, now),
		})
		return err
	})
	if err != nil {
		return err
	}
	if err := d.openShop(ctx, workloads, now); err != nil {
		return err
	}
	err = d.during("building and starting Loadline", func() (err error) {
		d.loadline, err = install.Install(ctx, install.Options{Cluster: d.cluster, Configure: quick})
		return err
	})
	if err != nil {
		return fmt.Errorf("install Loadline: %w", err)
	}
	d.progress("Loadline runs: webhook, recommender and updater, each with its own service account")
	return d.linkPrograms()
}

// linkPrograms puts the two commands of the story into one folder.
func (d *demo) linkPrograms() error {
	if err := os.Mkdir(d.bin(), 0o700); err != nil {
		return fmt.Errorf("make a folder for commands: %w", err)
	}
	for name, program := range map[string]string{"kubectl": d.cluster.KubectlPath, "loadline": d.loadline.Binary} {
		if err := os.Symlink(program, filepath.Join(d.bin(), name)); err != nil {
			return fmt.Errorf("link %s: %w", name, err)
		}
	}
	return nil
}

func (d *demo) bin() string { return filepath.Join(d.dir, "bin") }

// run shows command lines, runs each in a shell that knows the cluster, and shows what it printed.
func (d *demo) run(ctx context.Context, lines ...string) error {
	const shown = 60
	for _, line := range lines {
		d.command(line)
		shell := exec.CommandContext(ctx, "sh", "-c", line)
		shell.Env = append(os.Environ(), "KUBECONFIG="+d.cluster.Kubeconfig, "PATH="+d.bin()+string(os.PathListSeparator)+os.Getenv("PATH"))
		shell.Env = append(shell.Env, d.variables...)
		shell.WaitDelay = time.Second // for what the shell started, when ctx ends
		var output []byte
		err := d.during("the command runs", func() (err error) { output, err = shell.CombinedOutput(); return err })
		d.output(string(output), shown)
		if err != nil {
			return fmt.Errorf("run %q: %w", line, err)
		}
	}
	return nil
}

// set sets a variable of the shell that runs what follows.
func (d *demo) set(name, value string) {
	d.command(name + "='" + value + "'")
	d.variables = append(d.variables, name+"="+value)
}

// patience bounds every wait. What is waited for usually takes a few seconds.
const patience = 60 * time.Second

// until waits until nothing is missing any more.
func (d *demo) until(ctx context.Context, what string, missing func(context.Context) (string, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("it did not happen within %s", patience))
	defer cancel()
	last := ""
	err := d.during("waiting until "+what, func() error {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			found, err := missing(ctx)
			switch {
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case found == "" || err != nil:
				return err
			}
			last = found
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-tick.C:
			}
		}
	})
	if err != nil {
		return fmt.Errorf("waiting until %s: %w; last seen: %s", what, err, last)
	}
	return nil
}

// invite tells how to go on by hand.
func (d *demo) invite() {
	d.say("Everything keeps running until Ctrl-C, which removes it. In another terminal:")
	d.output(fmt.Sprintf(`
export KUBECONFIG=%s
export PATH=%s:$PATH
kubectl annotate namespace %s loadline.dev/mode=auto
kubectl get recommendations -n %[3]s --watch
loadline --help

Prometheus: %s
Logs:       %s`, d.cluster.Kubeconfig, d.bin(), shop.Namespace, d.cluster.PrometheusURL, filepath.Join(d.dir, "logs")), 20)
}

// stop ends every process that the demo started.
func (d *demo) stop() error {
	if d.cluster == nil {
		return nil
	}
	if err := d.cluster.Stop(); err != nil {
		return fmt.Errorf("stop the cluster: %w", err)
	}
	return nil
}
