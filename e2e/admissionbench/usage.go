package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/loadline-dev/loadline/e2e/process"
)

// usageOf a webhook; no process gives zero.
func usageOf(pid int) (process.Usage, error) {
	if pid == 0 {
		return process.Usage{}, nil
	}
	return process.UsageOf(pid)
}

// look is what a webhook and the API server have used so far, and how long that has waited for each webhook.
type look struct {
	webhook, server process.Usage
	waited          map[string]waiting
}

func (b *bed) look(ctx context.Context, s *system) (l look, err error) {
	if l.webhook, err = usageOf(s.pid); err != nil {
		return l, err
	}
	if l.server, err = b.serverUsage(); err != nil {
		return l, err
	}
	l.waited, err = b.waited(ctx)
	return l, err
}

func (b *bed) serverUsage() (process.Usage, error) {
	return process.UsageOf(b.cluster.Process("kube-apiserver").PID())
}

// settle waits, at most for a minute, until the API server has done what it put off, such as forgetting the pods of the measurement before.
func (b *bed) settle(ctx context.Context) error {
	const rest = 100 * time.Millisecond // of processor time in a second
	for range 60 {
		before, err := b.serverUsage()
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Second):
		}
		after, err := b.serverUsage()
		if err != nil || after.CPU-before.CPU < rest {
			return err
		}
	}
	return nil
}

// waiting is for how many seconds the API server has waited for a webhook, in how many calls of it.
type waiting struct{ seconds, calls float64 }

// waited reads that for every webhook, by its name.
func (b *bed) waited(ctx context.Context) (map[string]waiting, error) {
	text, err := b.pods.CoreV1().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the API server's metrics: %w", err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("parse the API server's metrics: %w", err)
	}
	sums := map[string]waiting{}
	for _, metric := range families["apiserver_admission_webhook_admission_duration_seconds"].GetMetric() {
		for _, label := range metric.GetLabel() {
			if label.GetName() == "name" {
				sum := sums[label.GetValue()]
				sum.seconds += metric.GetHistogram().GetSampleSum()
				sum.calls += float64(metric.GetHistogram().GetSampleCount())
				sums[label.GetValue()] = sum
			}
		}
	}
	return sums, nil
}
