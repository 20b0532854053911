// Package history describes metric history and has it written as Prometheus
// blocks, so that a Prometheus that starts on them believes it has been
// scraping for weeks.
package history

import (
	"bytes"
	"context"
	"encoding/gob"
	"fmt"
	"io"
	"iter"
	"os/exec"
	"time"
)

// The metrics that the simulated nodes export, named as the kubelet's cAdvisor
// names them.
const (
	// CPUUsage is a counter of CPU seconds.
	CPUUsage = "container_cpu_usage_seconds_total"
	// WorkingSet is a gauge in bytes.
	WorkingSet = "container_memory_working_set_bytes"
	// RSS is a gauge in bytes.
	RSS = "container_memory_rss"
	// Periods is a counter of CFS periods, ten a second.
	Periods = "container_cpu_cfs_periods_total"
	// ThrottledPeriods is a counter of the CFS periods with throttling.
	ThrottledPeriods = "container_cpu_cfs_throttled_periods_total"
)

// Kind says how Series.Values are meant.
type Kind int

const (
	// Gauge values are stored as they are.
	Gauge Kind = iota
	// Counter values are rates per second: value i is the rate over the step
	// that ends with sample i, and the writer adds them up into a counter that
	// starts at zero.
	Counter
)

// Series is one time series at a fixed step. Sample i is at Start + i*Step, and
// a NaN leaves that sample out (a counter does not grow during a gap). Two
// Series with the same labels, the later one after the earlier one, make one
// series; a counter starts again at zero then, as after a restart.
type Series struct {
	Labels map[string]string // with __name__
	Kind   Kind
	Start  time.Time
	Step   time.Duration
	Values []float64
}

// Container names one container of one pod in one place.
type Container struct {
	Namespace, Pod, PodUID, Container, Image, Node string
}

// Labels returns exactly the labels that the live series of the container have
// in the harness's Prometheus, so that history and present are one series.
func (c Container) Labels(metric string) map[string]string {
	return map[string]string{
		"__name__":     metric,
		"namespace":    c.Namespace,
		"pod":          c.Pod,
		"container":    c.Container,
		"image":        c.Image,
		"id":           "/kubepods/pod" + c.PodUID + "/" + c.Container,
		"node":         c.Node,
		"instance":     c.Node,
		"job":          "kubelet",
		"metrics_path": "/metrics/cadvisor",
	}
}

// Write runs the tool, which binaries.HistoryWriter builds, to write the series
// as blocks into dir, a Prometheus data directory. No Prometheus may be running
// on it. Samples later than now are refused, because they would keep Prometheus
// from storing what it scrapes.
func Write(ctx context.Context, tool, dir string, series iter.Seq[Series]) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool, "-dir", dir)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	in, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("open a pipe to the history writer: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the history writer: %w", err)
	}
	encodeErr := encode(in, series)
	if err := cmd.Wait(); err != nil { // says more than a broken pipe does
		return fmt.Errorf("write history: %w: %s", err, bytes.TrimSpace(output.Bytes()))
	}
	return encodeErr
}

// encode sends the series, one gob value each. The writer declares a struct of
// the same shape.
func encode(w io.WriteCloser, series iter.Seq[Series]) error {
	enc := gob.NewEncoder(w)
	for s := range series {
		if err := enc.Encode(s); err != nil {
			_ = w.Close()
			return fmt.Errorf("send a series to the history writer: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("end the stream to the history writer: %w", err)
	}
	return nil
}
