// Package apitest shows on a real API server that Loadline's kinds, roles and admission policies accept and refuse what they
// promise. Nothing of Loadline runs: this is what holds while it is away.
package apitest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/loadline-dev/loadline/e2e/harness"
	"github.com/loadline-dev/loadline/e2e/install"
)

// What all tests share.
var (
	cluster *harness.Cluster
	admin   client.Client
)

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := run(ctx, m)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(ctx context.Context, m *testing.M) (code int, err error) {
	cluster, err = harness.Start(ctx, harness.Options{Log: os.Stderr, Nodes: 1, WithoutPrometheus: true})
	if err != nil {
		return 1, fmt.Errorf("start the cluster: %w", err)
	}
	defer func() {
		if stopErr := cluster.Stop(); err == nil {
			err = stopErr
		}
	}()
	for _, folder := range []string{"crd", "rbac", "policy", "webhook"} {
		if err := kubectl(ctx, "apply", "--server-side", "-k", filepath.Join("..", "..", "config", folder)); err != nil {
			return 1, err
		}
	}
	if err := kubectl(ctx, "wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"); err != nil {
		return 1, err
	}
	if admin, err = clientFor(cluster.AdminConfig); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

func kubectl(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, cluster.KubectlPath, append([]string{"--kubeconfig", cluster.Kubeconfig}, args...)...)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl %q: %w: %s", args, err, output)
	}
	return nil
}

func clientFor(cfg *rest.Config) (client.Client, error) {
	scheme, err := install.Scheme()
	if err != nil {
		return nil, err
	}
	return client.New(cfg, client.Options{Scheme: scheme})
}

// as returns a client of one of Loadline's service accounts.
func as(t *testing.T, part string) client.Client {
	t.Helper()
	cfg := rest.CopyConfig(cluster.AdminConfig)
	cfg.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:loadline-system:loadline-" + part,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:loadline-system", "system:authenticated"},
	}
	c, err := clientFor(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// create makes an object that is gone after the test.
func create(t *testing.T, object client.Object) {
	t.Helper()
	if err := admin.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := admin.Delete(context.Background(), object); err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	})
}

// serverMetrics returns the API server's own metrics.
func serverMetrics(t *testing.T) string {
	t.Helper()
	clients, err := kubernetes.NewForConfig(cluster.AdminConfig)
	if err != nil {
		t.Fatal(err)
	}
	text, err := clients.CoreV1().RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
