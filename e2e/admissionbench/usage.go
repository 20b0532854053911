package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// usage of a process: CPU time, and the largest resident memory so far in bytes.
type usage struct {
	cpu  time.Duration
	peak int64
}

func (u usage) since(before usage) usage { return usage{cpu: u.cpu - before.cpu, peak: u.peak} }

// tick is the unit of times in /proc, the same on all platforms that Go runs on.
const tick = 10 * time.Millisecond

// usageOf reads /proc; no process gives zero.
func usageOf(pid int) (usage, error) {
	if pid == 0 {
		return usage{}, nil
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, err
	}
	// The name of the command, in parentheses, may hold spaces.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, userErr := strconv.ParseInt(fields[11], 10, 64)
	system, systemErr := strconv.ParseInt(fields[12], 10, 64)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil || userErr != nil || systemErr != nil {
		return usage{}, fmt.Errorf("cannot read what process %d uses", pid)
	}
	u := usage{cpu: time.Duration(user+system) * tick}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(text)[0], 10, 64)
			if err != nil {
				return usage{}, err
			}
			u.peak = kib << 10
		}
	}
	return u, nil
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
