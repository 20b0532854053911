package main

import (
	"bytes"
	"context"
	"fmt"

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
