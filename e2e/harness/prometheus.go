package harness

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/loadline-dev/loadline/e2e/binaries"
	"github.com/loadline-dev/loadline/e2e/history"
)

//go:embed prometheus.yaml
var prometheusConfig string

func (c *Cluster) prometheusData() string { return filepath.Join(c.Dir, "prometheus") }

// WriteHistory adds series to Prometheus' storage. Prometheus must not be
// running. Blocks must not overlap: call it once for the same span of time.
func (c *Cluster) WriteHistory(ctx context.Context, series iter.Seq[history.Series]) error {
	c.mu.Lock()
	running := c.prometheus != nil
	c.mu.Unlock()
	if running {
		return errors.New("write history: Prometheus is running, stop it first")
	}
	if err := c.ensureHistoryWriter(ctx); err != nil {
		return err
	}
	return history.Write(ctx, c.historyWriter, c.prometheusData(), series)
}

// StartPrometheus starts Prometheus at PrometheusURL on the data that is there
// and waits until it answers. It scrapes every simulated node; the labels of
// what it stores are those of history.Container.
func (c *Cluster) StartPrometheus(ctx context.Context) error {
	c.mu.Lock()
	running := c.prometheus != nil
	c.mu.Unlock()
	if running {
		return errors.New("start Prometheus: it is running")
	}
	if err := c.ensurePrometheus(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout) // a build may take longer
	defer cancel()
	config := filepath.Join(c.Dir, "prometheus.yaml")
	content := fmt.Appendf(nil, prometheusConfig, c.opts.ScrapeInterval, c.kwokURL())
	if err := os.WriteFile(config, content, 0o600); err != nil {
		return fmt.Errorf("write Prometheus' configuration: %w", err)
	}
	p, err := c.startProcess("prometheus", exec.Command(c.prometheusProgram,
		"--config.file="+config,
		"--storage.tsdb.path="+c.prometheusData(),
		"--storage.tsdb.retention.time=60d", // well over any history
		fmt.Sprintf("--web.listen-address=127.0.0.1:%d", c.ports.prometheus),
		"--log.level=warn",
	))
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.prometheus = p
	c.mu.Unlock()
	if err := p.WaitReady(ctx, getOK(http.DefaultClient, c.PrometheusURL+"/-/ready")); err != nil {
		return errors.Join(err, c.StopPrometheus())
	}
	c.progress("Prometheus at %s", c.PrometheusURL)
	return nil
}

// ScrapeKubelet makes Prometheus scrape a real kubelet on 127.0.0.1, whether it runs already or is started later. The series
// carry the same labels as those of simulated nodes.
func (c *Cluster) ScrapeKubelet(node string, port int) error {
	target := fmt.Appendf(nil, "- {targets: ['127.0.0.1:%d'], labels: {node: %s, instance: %s, job: kubelet}}\n", port, node, node)
	if err := os.WriteFile(filepath.Join(c.Dir, "kubelets", node+".yaml"), target, 0o600); err != nil {
		return fmt.Errorf("write a target of Prometheus: %w", err)
	}
	return nil
}

// Scrape makes Prometheus scrape /metrics at an address, host:port, as the only target of a job.
func (c *Cluster) Scrape(job, address string) error {
	target := fmt.Appendf(nil, "- {targets: ['%s'], labels: {job: %s}}\n", address, job)
	if err := os.WriteFile(filepath.Join(c.Dir, "scraped", job+".yaml"), target, 0o600); err != nil {
		return fmt.Errorf("write a target of Prometheus: %w", err)
	}
	return nil
}

// StopPrometheus stops Prometheus and leaves its data. Stopping a stopped one is
// no error.
func (c *Cluster) StopPrometheus() error {
	c.mu.Lock()
	p := c.prometheus
	c.prometheus = nil
	c.mu.Unlock()
	if p == nil {
		return nil
	}
	return p.Stop()
}

// ensurePrometheus builds the program unless that is done.
func (c *Cluster) ensurePrometheus(ctx context.Context) (err error) {
	if c.prometheusProgram == "" {
		c.prometheusProgram, err = binaries.Prometheus(ctx, c.binaryOptions())
	}
	return err
}

func (c *Cluster) ensureHistoryWriter(ctx context.Context) (err error) {
	if c.historyWriter == "" {
		c.historyWriter, err = binaries.HistoryWriter(ctx, c.binaryOptions())
	}
	return err
}
