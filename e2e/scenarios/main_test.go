// Package scenarios walks through what Loadline promises, on a real API server with real controllers, a real Prometheus and
// simulated nodes. Every part of Loadline runs as a process with its own service account and the shipped roles.
//
// All scenarios share one cluster, each has a namespace of its own. Because history has to be in Prometheus before it
// starts, a scenario declares its workloads in a variable of the package (see past) instead of inside its test.
//
// A scenario that takes long, and leaves alone what the others need too, is parallel. One that stops a part of Loadline or
// Prometheus, adds a node, or counts what a part asks for is not: those come first, one after the other.
package scenarios

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/e2e/harness"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/metricsapi"
	"github.com/loadline-dev/loadline/e2e/shop"
)

// What all scenarios share.
var (
	cluster  *harness.Cluster
	loadline *install.Installation
	// started is when the history ends and the present begins.
	started time.Time
)

const (
	// nodes that hold 500 workloads with 2,000 pods.
	nodes = 30
	// atOnce is how many parallel scenarios run at the same time. They wait more than they compute.
	atOnce = "6"
)

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", atOnce); err != nil { // What the command line says comes later, and counts.
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := run(ctx, m)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// The parts of Loadline log to files of their own; this process has nothing to log.
func init() { ctrl.SetLogger(logr.Discard()) }

// run brings the cluster up, runs the tests and takes the cluster down again.
func run(ctx context.Context, m *testing.M) (code int, err error) {
	started = time.Now().UTC()
	declared, err := past(started)
	if err != nil {
		return 1, err
	}
	cluster, err = harness.Start(ctx, harness.Options{
		Log: os.Stderr, Nodes: nodes, ScrapeInterval: 5 * time.Second, History: shop.Past(declared, started),
	})
	if err != nil {
		return 1, fmt.Errorf("start the cluster: %w", err)
	}
	defer func() {
		if stopErr := cluster.Stop(); stopErr != nil && err == nil {
			err = fmt.Errorf("stop the cluster: %w", stopErr)
		}
	}()
	metrics, err := metricsapi.Start(ctx, cluster)
	if err != nil {
		return 1, fmt.Errorf("start the metrics API: %w", err)
	}
	defer func() { _ = metrics.Stop() }()
	if err := defineRollouts(ctx, cluster); err != nil {
		return 1, fmt.Errorf("define Rollouts: %w", err)
	}
	loadline, err = install.Install(ctx, install.Options{Cluster: cluster, Configure: quick})
	if err != nil {
		return 1, fmt.Errorf("install Loadline: %w", err)
	}
	if err := press(ctx); err != nil {
		return 1, fmt.Errorf("put pods under pressure: %w", err)
	}
	return m.Run(), nil
}

// quick shortens every wait and widens the budgets of the cluster and of a namespace, so that ten minutes of work pass in
// seconds. A workload's own budget stays at its default; what it holds back is asserted in the namespace budget.
func quick(cfg *config.Config) {
	cfg.Recommender.SyncInterval.Duration = 3 * time.Second
	cfg.Recommender.RetryBackoffMax.Duration = 3 * time.Second
	cfg.Recommender.UnschedulableAfter.Duration = 3 * time.Second
	cfg.Updater.Interval.Duration = time.Second
	cfg.Updater.WarmUp.Duration = time.Second
	cfg.Updater.ResizeRetryInterval.Duration = 2 * time.Second
	cfg.Updater.EvictionsPerMinute = 120
	cfg.Updater.NamespaceEvictionsPerHour = 1000
	cfg.Updater.ResizesPerMinute = 1000
	cfg.Scaling.YieldFor.Duration = yieldFor
	cfg.Scaling.Kinds = []config.ScaleKind{rollouts}
}

// past collects the workloads that need a history.
func past(now time.Time) ([]shop.Workload, error) {
	all, err := recordedShop(now)
	if err != nil {
		return nil, fmt.Errorf("read the recorded traces: %w", err)
	}
	return slices.Concat(all, crowd(), replayShop, exportShop, tempoShop, gitOpsShop, minimumShop, grantedShop, healedShop, cleanupShop, rolloutShop, dryRunShop, comesBackShop,
		initialShop, untouchedShop, optOutShop, autoShop, budgetShop, replicaShop, saleShop,
		killedShop, outageShop, webhookShop, refusalShop, restartShop, limitShop, sidecarShop, meshShop, warningShop, boundedShop, tornShop, inPlaceShop, pressedShop, quotaShop, crowdedShop, cronShop,
		canaryShop, contestedShop, rollbackShop, haltedShop, revertedShop, evictedShop, evictingShop, keptShop, pastedShop, worseShop, ratioShop), nil
}
