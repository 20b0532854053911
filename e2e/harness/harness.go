// Package harness runs a real Kubernetes control plane with simulated nodes and
// a real Prometheus on this machine, without root and without containers.
// Everything listens on 127.0.0.1 only.
package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/e2e/binaries"
	"github.com/loadline-dev/loadline/e2e/history"
	"github.com/loadline-dev/loadline/e2e/process"
)

// KeepEnv is the environment variable that makes every cluster leave its run
// directory behind, for a look at the logs.
const KeepEnv = "LOADLINE_E2E_KEEP"

// readyTimeout bounds the wait for each part. An unloaded machine needs
// seconds.
const readyTimeout = 2 * time.Minute

// Options says what to run. The zero value is a cluster of three nodes with an
// empty Prometheus.
type Options struct {
	// Dir is the run directory. Empty means a new one in os.TempDir().
	Dir string
	// KeepDir leaves Dir behind at Stop, as does KeepEnv.
	KeepDir bool
	// CacheDir is where built programs are kept, see binaries.Options.
	CacheDir string
	// Log gets progress lines. Nil means silence.
	Log io.Writer
	// Nodes is the number of simulated nodes; zero means three.
	Nodes int
	// NodeCPU and NodeMemory are the capacity of each node, as quantities. Empty
	// means 32 and 128Gi.
	NodeCPU, NodeMemory string
	// ScrapeInterval is how often Prometheus scrapes; zero means five seconds.
	ScrapeInterval time.Duration
	// History is written into Prometheus before it starts. Nil means none.
	History iter.Seq[history.Series]
	// WithoutPrometheus leaves Prometheus to a later StartPrometheus, for a
	// history that needs the names of pods, or for no Prometheus at all.
	WithoutPrometheus bool
	// AuditPolicy says which requests the API server writes down in AuditLog, as an audit.k8s.io/v1 Policy. Empty means none.
	AuditPolicy string
}

func (o Options) withDefaults() Options {
	if o.Nodes == 0 {
		o.Nodes = 3
	}
	if o.NodeCPU == "" {
		o.NodeCPU = "32"
	}
	if o.NodeMemory == "" {
		o.NodeMemory = "128Gi"
	}
	if o.ScrapeInterval == 0 {
		o.ScrapeInterval = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	o.KeepDir = o.KeepDir || os.Getenv(KeepEnv) != ""
	return o
}

// Cluster is a running cluster. Its fields are not to be changed.
type Cluster struct {
	// AdminConfig and Kubeconfig, a path, have all rights.
	AdminConfig *rest.Config
	Kubeconfig  string
	// KubectlPath is a kubectl of the API server's version.
	KubectlPath string
	// PrometheusURL stays the same when Prometheus is stopped and started.
	PrometheusURL string
	// NodeNames are the simulated nodes that Start made.
	NodeNames []string
	// CACertPEM is the authority of the API server and of every ServingCert.
	CACertPEM []byte
	// FrontProxyCAPEM signed the certificate with which the API server calls an
	// aggregated API.
	FrontProxyCAPEM []byte
	// Dir is the run directory; logs are in its folder logs.
	Dir string
	// AuditLog has a line of JSON per request that the audit policy names, over restarts of the API server as well.
	AuditLog string

	opts     Options
	capacity corev1.ResourceList
	programs binaries.Paths
	ports    ports
	keys     *keys
	clients  kubernetes.Interface
	admin    client.Client
	cancel   context.CancelFunc
	begin    time.Time
	kwok     *process.Process

	// Paths, empty until built.
	prometheusProgram, historyWriter string

	mu         sync.Mutex
	processes  []*process.Process
	prometheus *process.Process
	certs      int
	nodes      int
	stopping   bool

	stopOnce sync.Once
	stopErr  error
}

// Start builds what is missing, starts everything and returns when it is ready:
// the API is served, ServiceAccounts exist, the nodes are Ready, Prometheus
// answers. When ctx ends the cluster stops.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	opts = opts.withDefaults()
	c := &Cluster{opts: opts, begin: time.Now()}
	if err := c.prepare(ctx); err != nil {
		return nil, errors.Join(err, c.removeDir())
	}
	ctx, c.cancel = context.WithCancel(ctx)
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start the cluster in %s: %w", c.Dir, err), c.Stop())
	}
	context.AfterFunc(ctx, func() { _ = c.Stop() })
	return c, nil
}

// prepare does all that needs no running process.
func (c *Cluster) prepare(ctx context.Context) error {
	var err error
	if c.capacity, err = c.opts.nodeCapacity(); err != nil {
		return err
	}
	if err := c.build(ctx); err != nil {
		return err
	}
	c.begin = time.Now()
	c.KubectlPath = c.programs.Kubectl
	if c.Dir = c.opts.Dir; c.Dir == "" {
		if c.Dir, err = os.MkdirTemp("", "loadline-e2e-"); err != nil {
			return fmt.Errorf("make the run directory: %w", err)
		}
	}
	if c.Dir, err = filepath.Abs(c.Dir); err != nil {
		return fmt.Errorf("locate the run directory: %w", err)
	}
	for _, d := range []string{"", "logs", "pki", "accounts", "kubelets", "scraped"} {
		if err := os.MkdirAll(filepath.Join(c.Dir, d), 0o700); err != nil {
			return fmt.Errorf("make the run directory: %w", err)
		}
	}
	if c.ports, err = choosePorts(); err != nil {
		return err
	}
	c.PrometheusURL = fmt.Sprintf("http://127.0.0.1:%d", c.ports.prometheus)
	c.AuditLog = filepath.Join(c.Dir, "logs", "audit.log")
	if err := os.WriteFile(c.auditPolicyFile(), []byte(c.opts.AuditPolicy), 0o600); err != nil {
		return fmt.Errorf("write the audit policy: %w", err)
	}
	return c.writeKeys()
}

// build builds all that the start needs, so that no part waits for a compiler.
func (c *Cluster) build(ctx context.Context) (err error) {
	if c.programs, err = binaries.Ensure(ctx, c.binaryOptions()); err != nil {
		return err
	}
	if c.opts.WithoutPrometheus {
		return nil
	}
	if c.opts.History != nil {
		if err := c.ensureHistoryWriter(ctx); err != nil {
			return err
		}
	}
	return c.ensurePrometheus(ctx)
}

func (c *Cluster) start(ctx context.Context) error {
	c.progress("starting the control plane in %s", c.Dir)
	if err := c.startControlPlane(ctx); err != nil {
		return err
	}
	c.progress("API server at %s", c.AdminConfig.Host)
	if err := c.startNodes(ctx); err != nil {
		return err
	}
	c.progress("%d simulated nodes are Ready", len(c.NodeNames))
	if c.opts.WithoutPrometheus {
		return nil
	}
	if c.opts.History != nil {
		if err := c.WriteHistory(ctx, c.opts.History); err != nil {
			return err
		}
		c.progress("history written")
	}
	return c.StartPrometheus(ctx)
}

// Stop stops everything, the last started first, and removes the run directory
// unless it is to be kept. Further calls return the first one's result.
func (c *Cluster) Stop() error {
	c.stopOnce.Do(func() {
		c.mu.Lock()
		c.stopping = true
		running := append([]*process.Process(nil), c.processes...)
		c.mu.Unlock()
		var errs []error
		for _, p := range slices.Backward(running) {
			errs = append(errs, p.Stop())
		}
		c.cancel()
		c.stopErr = errors.Join(append(errs, c.removeDir())...)
		c.progress("stopped")
	})
	return c.stopErr
}

func (c *Cluster) removeDir() error {
	if c.Dir == "" || c.opts.KeepDir {
		return nil
	}
	if err := os.RemoveAll(c.Dir); err != nil {
		return fmt.Errorf("remove the run directory: %w", err)
	}
	return nil
}

func (c *Cluster) progress(format string, args ...any) {
	_, _ = fmt.Fprintf(c.opts.Log, "e2e %5.1fs  %s\n", time.Since(c.begin).Seconds(), fmt.Sprintf(format, args...))
}

func (c *Cluster) binaryOptions() binaries.Options {
	return binaries.Options{CacheDir: c.opts.CacheDir, Progress: c.opts.Log}
}

// PIDs returns the process ids of everything that runs.
func (c *Cluster) PIDs() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	var pids []int
	for _, p := range c.processes {
		if !ended(p) {
			pids = append(pids, p.PID())
		}
	}
	return pids
}
