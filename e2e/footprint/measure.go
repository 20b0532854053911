package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/process"
	"github.com/loadline-dev/loadline/e2e/shop"
)

// parts in the order of the table.
var parts = []string{install.Recommender, install.Updater, install.Webhook}

// measure lets Loadline size everything, watches it, and starts it anew, with and without streams.
func (c *crowd) measure(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "%d workloads with one pod of %d containers each, %d of them in a namespace, %s of history\n\n", c.workloads, c.containers, perNamespace, history)
	fmt.Fprintln(out, "| when | took | part | CPU, cores | resident at the end, MiB | most since its start, MiB |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|")
	if err := c.startAll(ctx); err != nil {
		return err
	}
	if err := c.during(out, "from the annotation to sizes for all", func() error {
		if err := c.optIn(ctx); err != nil {
			return err
		}
		return c.wait(ctx, c.workloads, "have sizes", func() (int, error) { return c.sized(ctx) })
	}); err != nil {
		return err
	}
	rest := func() error { return sleep(ctx, c.steady) }
	if err := c.during(out, "with sizes for all", rest); err != nil {
		return err
	}
	for _, c.streamed = range []bool{true, false} {
		for _, part := range parts {
			if err := c.loadline.Stop(part); err != nil {
				return err
			}
		}
		if err := c.startAll(ctx); err != nil {
			return err
		}
		if err := c.during(out, fmt.Sprintf("after a start, streamed: %t", c.streamed), rest); err != nil {
			return err
		}
	}
	return nil
}

func (c *crowd) startAll(ctx context.Context) error {
	for _, part := range []string{install.Webhook, install.Recommender, install.Updater} {
		if err := c.loadline.Start(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// during prints what the parts use while something is done.
func (c *crowd) during(out io.Writer, what string, do func() error) error {
	before, begun := map[string]process.Usage{}, time.Now()
	for _, part := range parts {
		usage, err := process.UsageOf(c.loadline.Process(part).PID())
		if err != nil {
			return err
		}
		before[part] = usage
	}
	if err := do(); err != nil {
		return err
	}
	took := time.Since(begun)
	for _, part := range parts {
		usage, err := process.UsageOf(c.loadline.Process(part).PID())
		if err != nil {
			return err
		}
		cores := (usage.CPU - before[part].CPU).Seconds() / took.Seconds()
		fmt.Fprintf(out, "| %s | %s | %s | %.3f | %d | %d |\n", what, took.Round(time.Second), part, cores, usage.Resident/shop.Mebibyte, usage.Peak/shop.Mebibyte)
	}
	return nil
}

// sized counts the workloads whose Recommendation is ready.
func (c *crowd) sized(ctx context.Context) (int, error) {
	ready := 0
	err := c.each(ctx, &v1alpha1.RecommendationList{}, func(object runtime.Object) {
		rec := object.(*v1alpha1.Recommendation)
		if rec.Status.Applicable != nil && meta.IsStatusConditionTrue(rec.Status.Conditions, v1alpha1.ConditionReady) {
			ready++
		}
	})
	return ready, err
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
