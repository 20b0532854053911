//go:build full

package certmanager_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	// These register themselves: what turns an Issuer and a Certificate into a Secret, and keeps it.
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
	"github.com/cert-manager/cert-manager/pkg/util"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/loadline-dev/loadline/e2e/harness"
)

// startCertManager installs cert-manager's kinds and runs its controllers and its CA injector in this process until the test
// ends.
func startCertManager(t *testing.T, cluster *harness.Cluster) {
	t.Helper()
	g := NewWithT(t)
	g.Expect(installKinds(t.Context(), cluster)).To(Succeed())
	ctx, cancel := context.WithCancel(t.Context())
	controllers, injector := make(chan error, 1), make(chan error, 1)
	go func() { controllers <- runControllers(ctx, cluster) }()
	go func() { injector <- runInjector(ctx, cluster) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-controllers, <-injector); err != nil {
			t.Error(err)
		}
	})
}

// installKinds applies the CRDs of the module that the controllers come from.
func installKinds(ctx context.Context, cluster *harness.Cluster) error {
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/cert-manager/cert-manager")
	list.Dir = "certmanager"
	dir, err := list.Output()
	if err != nil {
		return fmt.Errorf("find cert-manager: %w", err)
	}
	crds := filepath.Join(strings.TrimSpace(string(dir)), "deploy", "crds")
	for _, args := range [][]string{
		{"apply", "--server-side", "--filename", crds},
		{"wait", "--for=condition=Established", "--timeout=30s", "--filename", crds},
	} {
		cmd := exec.CommandContext(ctx, cluster.KubectlPath, append(args, "--kubeconfig", cluster.Kubeconfig)...)
		if output, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("kubectl %s: %w: %s", args[0], err, output)
		}
	}
	return nil
}

// runControllers does what the command cert-manager-controller does, for all that is imported above.
func runControllers(ctx context.Context, cluster *harness.Cluster) error {
	factory, err := controller.NewContextFactory(ctx, controller.ContextOptions{
		Kubeconfig:    cluster.Kubeconfig,
		IssuerOptions: controller.IssuerOptions{ClusterResourceNamespace: "cert-manager"},
		CertificateOptions: controller.CertificateOptions{
			CertificateRequestMinimumBackoffDuration: time.Hour, CertificateRequestMaximumBackoffDuration: 32 * time.Hour,
		},
	})
	if err != nil {
		return fmt.Errorf("set up cert-manager: %w", err)
	}
	const workers = 5
	ended := make(chan error, len(controller.Known()))
	for name, construct := range controller.Known() {
		c, err := construct(factory)
		if err != nil {
			return fmt.Errorf("construct %s: %w", name, err)
		}
		go func() { ended <- c.Run(workers, ctx) }()
	}
	shared, err := factory.Build()
	if err != nil {
		return fmt.Errorf("set up cert-manager: %w", err)
	}
	shared.SharedInformerFactory.Start(ctx.Done())
	shared.KubeSharedInformerFactory.Start(ctx.Done())
	for range controller.Known() {
		err = errors.Join(err, <-ended)
	}
	return err
}

// runInjector does what the command cert-manager-cainjector does, for webhook configurations.
func runInjector(ctx context.Context, cluster *harness.Cluster) error {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), certmanagerv1.AddToScheme(scheme)); err != nil {
		return err
	}
	// The injector applies under the name that the program gives itself.
	mgr, err := manager.New(util.RestConfigWithUserAgent(cluster.AdminConfig, "cainjector"), manager.Options{
		Scheme:  scheme,
		Client:  client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
	})
	if err != nil {
		return fmt.Errorf("set up the injector: %w", err)
	}
	if err := cainjector.RegisterAllInjectors(ctx, mgr, cainjector.SetupOptions{
		EnableCertificatesDataSource: true,
		EnabledReconcilersFor: map[string]bool{
			cainjector.MutatingWebhookConfigurationName: true, cainjector.ValidatingWebhookConfigurationName: true,
		},
	}); err != nil {
		return fmt.Errorf("set up the injector: %w", err)
	}
	return mgr.Start(ctx)
}
