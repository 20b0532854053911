// Package operations shows what whoever runs Loadline works with, on a real API server and a real Prometheus: `loadline doctor`
// finds what is broken one by one and its commands put it right, `loadline import` reads the objects of others, and the
// metrics are what their page says.
//
// The parts of Loadline are processes; the Deployments that ship are there as well, with pods that only look as if they ran.
package operations

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/e2e/harness"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/shop"
)

// What all tests share.
var (
	cluster  *harness.Cluster
	loadline *install.Installation
	// serving is the certificate that the webhook serves.
	serving authority
)

// past is the one workload with a history.
var past = []shop.Workload{{
	Namespace: "shop", Name: "checkout", Replicas: 2, Requests: map[string]string{"cpu": "500m", "memory": "512Mi"},
	Limits: map[string]string{"memory": "1Gi"}, CPU: shop.Flat(0.2), Memory: shop.Flat(200 << 20), History: 15 * 24 * time.Hour,
}}

func TestMain(m *testing.M) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := run(ctx, m)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func init() { ctrl.SetLogger(logr.Discard()) }

func run(ctx context.Context, m *testing.M) (code int, err error) {
	now := time.Now().UTC()
	cluster, err = harness.Start(ctx, harness.Options{Log: os.Stderr, Nodes: 2, ScrapeInterval: 5 * time.Second, History: shop.Past(past, now)})
	if err != nil {
		return 1, fmt.Errorf("start the cluster: %w", err)
	}
	defer func() {
		if stopErr := cluster.Stop(); stopErr != nil && err == nil {
			err = fmt.Errorf("stop the cluster: %w", stopErr)
		}
	}()
	if err := installed(ctx); err != nil {
		return 1, fmt.Errorf("install Loadline: %w", err)
	}
	if err := opened(ctx, now); err != nil {
		return 1, fmt.Errorf("open the shop: %w", err)
	}
	return m.Run(), nil
}

// installed installs Loadline with a certificate in a Secret, as cert-manager keeps one.
func installed(ctx context.Context) error {
	var err error
	loadline, err = install.Install(ctx, install.Options{Cluster: cluster, Parts: []string{}, Configure: func(cfg *config.Config) {
		cfg.Webhook.CertMode, cfg.Webhook.CertDir = config.CertFromSecret, filepath.Join(cluster.Dir, "webhook")
		cfg.Recommender.SyncInterval.Duration = 3 * time.Second
		cfg.Updater.Interval.Duration = time.Second
		cfg.Updater.ProbeMaxAge.Duration = 4 * time.Second
		cfg.Updater.ProbeMaxLatency.Duration = 5 * time.Second // This machine may be busy.
	}})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(loadline.Config.Webhook.CertDir, 0o700); err != nil {
		return err
	}
	if serving, err = newAuthority(); err != nil {
		return err
	}
	if err := keep(ctx, serving, time.Now().Add(90*24*time.Hour)); err != nil {
		return err
	}
	if err := trust(ctx, serving.pem); err != nil {
		return err
	}
	// The rights to make a certificate are left out, as the chart does it with cert-manager.
	if output, err := sh(ctx, "kubectl delete clusterrolebinding,clusterrole loadline-webhook-certs && "+
		"kubectl --namespace loadline-system delete rolebinding,role loadline-webhook-certs"); err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	for _, part := range []string{install.Webhook, install.Recommender, install.Updater} {
		if err := loadline.Start(ctx, part); err != nil {
			return err
		}
	}
	return deployed(ctx)
}

// deployed applies the Deployments that ship, and the ConfigMap that they mount.
func deployed(ctx context.Context) error {
	text, err := yaml.Marshal(loadline.Config)
	if err != nil {
		return err
	}
	err = loadline.Client.Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: loadline.Config.Namespace, Name: "loadline-config"}, Data: map[string]string{"config.yaml": string(text)},
	})
	if err != nil {
		return err
	}
	if output, err := sh(ctx, "kubectl apply --server-side -k "+filepath.Join("..", "..", "config", "manager")); err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	return nil
}

// opened starts the workload in a namespace that opted in.
func opened(ctx context.Context, now time.Time) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Annotations: map[string]string{"loadline.dev/mode": "initial"}}}
	if err := loadline.Client.Create(ctx, namespace); err != nil {
		return err
	}
	return loadline.Client.Create(ctx, past[0].Object(now))
}

// sh runs a command as a person would type it, with kubectl and loadline in the path.
func sh(ctx context.Context, command string) (string, error) {
	cmd := exec.CommandContext(ctx, "bash", "-o", "pipefail", "-c", command)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig,
		"PATH="+filepath.Dir(cluster.KubectlPath)+":"+filepath.Dir(loadline.Binary)+":"+os.Getenv("PATH"))
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// finding is one of the doctor's findings, as it prints them.
type finding struct {
	Check, Severity, What, Where, Fix string
}

// examined runs the doctor, and returns what it found and its exit code.
func examined(ctx context.Context, args ...string) ([]finding, int, error) {
	var stderr strings.Builder
	cmd := exec.CommandContext(ctx, loadline.Binary, append([]string{"doctor", "--output", "json", "--kubeconfig", cluster.Kubeconfig}, args...)...)
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	var report struct{ Findings []finding }
	if decoded := json.Unmarshal(output, &report); decoded != nil {
		return nil, cmd.ProcessState.ExitCode(), fmt.Errorf("%w: %w: %s%s", decoded, err, output, stderr.String())
	}
	return report.Findings, cmd.ProcessState.ExitCode(), nil
}
