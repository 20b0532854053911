// Package install puts Loadline onto a cluster of package harness, as a person would: with the manifests that ship, each
// part as a process of its own with its own service account, and never as admin.
package install

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/e2e/harness"
	"github.com/loadline-dev/loadline/e2e/process"
)

// Parts of Loadline, in the order in which they are started.
const (
	Webhook     = "webhook"
	Recommender = "recommender"
	Updater     = "updater"
)

// Options of Install.
type Options struct {
	Cluster *harness.Cluster
	// Configure changes the configuration before the parts start.
	Configure func(*config.Config)
	// Parts to start; nil means all three.
	Parts []string
	// Values, if not empty, are those of the chart, as YAML. What the chart makes of them is then applied, instead of what config/ has.
	Values string
}

// Installation is a running Loadline.
type Installation struct {
	// Client is admin's, for what people do.
	Client client.Client
	// Binary is the loadline command.
	Binary string
	// Config that the parts run with.
	Config config.Config
	// Chart is what the chart made of Options.Values: an object to a document, as JSON. Nil without values.
	Chart [][]byte
	// Change, if not nil, changes the command of each part that is started from now on.
	Change func(*exec.Cmd)

	// ctx is Install's: processes live as long, not only as long as the test that starts one.
	ctx     context.Context //nolint:containedctx // see above
	cluster *harness.Cluster
	serving harness.ServingCert

	mu      sync.Mutex
	running map[string]*process.Process
	metrics map[string]string
	starts  int
}

// Scheme knows all kinds that scenarios use.
func Scheme() (*apiruntime.Scheme, error) {
	scheme := apiruntime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("add Kubernetes' kinds: %w", err)
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("add Loadline's kinds: %w", err)
	}
	return scheme, nil
}

// Install builds the binary, applies the shipped manifests and starts the parts. It returns when each part is ready.
func Install(ctx context.Context, o Options) (*Installation, error) {
	scheme, err := Scheme()
	if err != nil {
		return nil, err
	}
	admin, err := client.New(o.Cluster.AdminConfig, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	in := &Installation{Client: admin, ctx: ctx, cluster: o.Cluster, running: map[string]*process.Process{}, metrics: map[string]string{}}
	if in.Binary, err = build(ctx, o.Cluster.Dir); err != nil {
		return nil, err
	}
	if o.Values != "" {
		err = in.applyChart(ctx, o.Values)
	} else {
		err = in.applyManifests(ctx)
	}
	if err != nil {
		return nil, err
	}
	if err := in.configure(o.Configure); err != nil {
		return nil, err
	}
	if err := in.RegisterWebhooks(ctx); err != nil {
		return nil, err
	}
	parts := o.Parts
	if parts == nil {
		parts = []string{Webhook, Recommender, Updater}
	}
	for _, part := range parts {
		if err := in.Start(ctx, part); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// root is the repository's folder: the working directory, or the first one above it, that holds the charts. Where none does, what uses it says
// what it did not find.
func root() string {
	for dir := "."; ; dir = filepath.Join(dir, "..") {
		abs, err := filepath.Abs(dir)
		if _, missing := os.Stat(filepath.Join(dir, "charts", "loadline")); missing == nil || err != nil || abs == filepath.Dir(abs) {
			return abs
		}
	}
}

// build compiles the command from within this module, so that it shares every compiled package with the tests.
func build(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "loadline")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/loadline-dev/loadline/cmd/loadline")
	cmd.Dir = filepath.Join(root(), "e2e")
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build loadline: %w: %s", err, output)
	}
	return binary, nil
}

// configure writes the configuration: the defaults, with the addresses of this cluster and with times that suit a person
// who waits.
func (in *Installation) configure(change func(*config.Config)) error {
	var err error
	if in.serving, err = in.cluster.ServingCert(); err != nil {
		return fmt.Errorf("make the webhook's certificate: %w", err)
	}
	port, err := harness.FreePort()
	if err != nil {
		return err
	}
	cfg, err := in.shipped()
	if err != nil {
		return err
	}
	cfg.Prometheus.URL = in.cluster.PrometheusURL
	cfg.Webhook.Host, cfg.Webhook.Port = "127.0.0.1", port
	if in.Chart == nil {
		cfg.Webhook.CertMode, cfg.Webhook.CertDir = config.CertFiles, filepath.Dir(in.serving.CertFile)
	}
	cfg.Recommender.SyncInterval = metav1.Duration{Duration: 10 * time.Second}
	cfg.Updater.Interval = metav1.Duration{Duration: 2 * time.Second}
	cfg.Updater.WarmUp = metav1.Duration{Duration: 2 * time.Second}
	cfg.Updater.Breaker.Window = metav1.Duration{Duration: 10 * time.Second}
	cfg.Updater.Breaker.Quiet = metav1.Duration{Duration: 2 * time.Second}
	cfg.Policy.Disruption.Canary.Observe = &metav1.Duration{Duration: 2 * time.Second}
	cfg.Policy.Disruption.StartupGrace = &metav1.Duration{}
	for _, election := range []*config.LeaderElection{&cfg.Recommender.LeaderElection, &cfg.Updater.LeaderElection} {
		// Nobody starts a part again that has lost its lease, so that it has to stand an API server that is busy for seconds.
		election.LeaseDuration = metav1.Duration{Duration: 9 * time.Second}
		election.RenewDeadline = metav1.Duration{Duration: 7 * time.Second}
		election.RetryPeriod = metav1.Duration{Duration: time.Second}
	}
	if change != nil {
		change(&cfg)
	}
	in.Config = cfg
	return nil
}

// shipped is the configuration that is installed: the chart's, or the default.
func (in *Installation) shipped() (config.Config, error) {
	for _, document := range in.Chart {
		var found corev1.ConfigMap
		if err := yaml.Unmarshal(document, &found); err != nil {
			return config.Config{}, fmt.Errorf("decode the chart's manifests: %w", err)
		}
		if found.Kind == "ConfigMap" && found.Name == "loadline-config" {
			return config.Load(strings.NewReader(found.Data["config.yaml"]))
		}
	}
	return config.Default(), nil
}

// Start starts a part that does not run, with its own service account, and waits until it is ready.
func (in *Installation) Start(ctx context.Context, part string) error {
	return in.start(ctx, part, part)
}

// StartSpare starts a second process of a part, as a second replica would be. Spare names it in the other methods.
func (in *Installation) StartSpare(ctx context.Context, part string) error {
	return in.start(ctx, part, Spare(part))
}

// Spare is the name of a part's second process.
func Spare(part string) string { return part + "-spare" }

// start starts a process of a part under a name.
func (in *Installation) start(ctx context.Context, part, name string) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.running[name] != nil {
		return fmt.Errorf("the %s runs already", name)
	}
	health, err := harness.FreePort()
	if err != nil {
		return err
	}
	metrics, err := harness.FreePort()
	if err != nil {
		return err
	}
	cfg := in.Config
	cfg.HealthAddress, cfg.MetricsAddress = fmt.Sprintf("127.0.0.1:%d", health), fmt.Sprintf("127.0.0.1:%d", metrics)
	file, err := writeConfig(in.cluster.Dir, name, cfg)
	if err != nil {
		return err
	}
	kubeconfig, _, err := in.cluster.ServiceAccountKubeconfig(ctx, cfg.Namespace, "loadline-"+part)
	if err != nil {
		return fmt.Errorf("get credentials of the %s: %w", part, err)
	}
	in.starts++
	cmd := exec.Command(in.Binary, part, "--config", file, "--kubeconfig", kubeconfig)
	if in.Change != nil {
		in.Change(cmd)
	}
	p, err := in.cluster.Run(in.ctx, fmt.Sprintf("loadline-%s-%d", name, in.starts), cmd)
	if err != nil {
		return fmt.Errorf("start the %s: %w", name, err)
	}
	if err := p.WaitReady(ctx, ready(cfg.HealthAddress)); err != nil {
		_ = p.Stop()
		return fmt.Errorf("wait for the %s: %w", name, err)
	}
	in.running[name], in.metrics[name] = p, cfg.MetricsAddress
	return nil
}

// Stop ends a part as a shutdown does.
func (in *Installation) Stop(part string) error { return in.end(part, (*process.Process).Stop) }

// Kill ends a part as a crash does.
func (in *Installation) Kill(part string) error {
	return in.end(part, func(p *process.Process) error { p.Kill(); return nil })
}

func (in *Installation) end(part string, how func(*process.Process) error) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	p := in.running[part]
	if p == nil {
		return fmt.Errorf("the %s does not run", part)
	}
	delete(in.running, part)
	return how(p)
}

// Process returns the process of a running part, or nil.
func (in *Installation) Process(part string) *process.Process {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.running[part]
}

// CLI runs the loadline command as admin and returns what it printed on both streams.
func (in *Installation) CLI(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, in.Binary, append(args, "--kubeconfig", in.cluster.Kubeconfig)...)
	output, err := cmd.CombinedOutput()
	return string(output), err
}

func writeConfig(dir, name string, cfg config.Config) (string, error) {
	content, err := yaml.Marshal(cfg)
	if err != nil {
		return "", fmt.Errorf("encode configuration: %w", err)
	}
	file := filepath.Join(dir, "loadline-"+name+".yaml")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		return "", fmt.Errorf("write configuration: %w", err)
	}
	return file, nil
}

// Recommendation returns the Recommendation of a workload.
func (in *Installation) Recommendation(ctx context.Context, namespace, kind, name string) (*v1alpha1.Recommendation, error) {
	rec := &v1alpha1.Recommendation{}
	key := types.NamespacedName{Namespace: namespace, Name: v1alpha1.RecommendationName(kind, name)}
	if err := in.Client.Get(ctx, key, rec); err != nil {
		return nil, err
	}
	return rec, nil
}
