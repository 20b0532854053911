package certs_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/loadline-dev/loadline/webhook/certs"
)

const (
	namespace  = "loadline-system"
	secret     = "loadline-webhook-cert"
	service    = "loadline-webhook"
	mutating   = "loadline-mutating"
	validating = "loadline-validating"
)

// TestTheCertificateIsIssuedAndRenewed runs the rotation against a real API server, with an account that may do nothing but
// what the manifests grant: one Secret and two webhook configurations, each by name.
func TestTheCertificateIsIssuedAndRenewed(t *testing.T) {
	needControlPlane(t)
	g := NewWithT(t)
	log.SetLogger(testr.New(t))
	admin, cfg := startAPIServer(t)
	dir, followed := t.TempDir(), t.TempDir()
	key := types.NamespacedName{Namespace: namespace, Name: secret}
	filled := run(t, cfg, func(mgr manager.Manager) (<-chan struct{}, error) { return certs.Follow(mgr, key, followed) })
	ready := run(t, cfg, func(mgr manager.Manager) (<-chan struct{}, error) {
		return certs.Rotate(mgr, certs.Options{
			Secret: key, ServiceName: service, MutatingName: mutating, ValidatingName: validating, Dir: dir,
		})
	})

	g.Eventually(ready).WithTimeout(time.Minute).Should(BeClosed())
	g.Eventually(filled).WithTimeout(time.Minute).Should(BeClosed(), "whoever only follows has it, too")
	g.Expect(readFile(t, followed)).To(Equal(readFile(t, dir)))
	first := readFile(t, dir)
	g.Expect(checkTrust(t.Context(), admin, first)).To(Succeed())

	// An expired certificate and one that is gone are renewed in the same way.
	var stored corev1.Secret
	g.Expect(admin.Get(t.Context(), key, &stored)).To(Succeed())
	stored.Data = nil
	g.Expect(admin.Update(t.Context(), &stored)).To(Succeed())

	g.Eventually(func() error {
		now := readFile(t, dir)
		if bytes.Equal(now, first) {
			return errors.New("the first certificate is still served")
		}
		return checkTrust(t.Context(), admin, now)
	}).WithTimeout(time.Minute).WithPolling(20 * time.Millisecond).Should(Succeed())
	g.Eventually(func() []byte { return readFile(t, followed) }).WithTimeout(time.Minute).Should(Equal(readFile(t, dir)))
}

// run runs a manager with what is added to it until the test ends.
func run(t *testing.T, cfg *rest.Config, add func(manager.Manager) (<-chan struct{}, error)) <-chan struct{} {
	t.Helper()
	mgr, err := manager.New(cfg, manager.Options{Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0"})
	if err != nil {
		t.Fatal(err)
	}
	ready, err := add(mgr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return ready
}

// needControlPlane skips a test without etcd and kube-apiserver, except where tests must not be skipped.
func needControlPlane(t *testing.T) {
	t.Helper()
	const missing = "KUBEBUILDER_ASSETS names no directory with etcd and kube-apiserver; make unit sets it"
	switch {
	case os.Getenv("KUBEBUILDER_ASSETS") != "":
	case os.Getenv("CI") != "":
		t.Fatal(missing)
	default:
		t.Skip(missing)
	}
}

// startAPIServer installs what the manifests ship, and returns an administrator and the configuration of the webhook's account.
func startAPIServer(t *testing.T) (client.Client, *rest.Config) {
	t.Helper()
	env := &envtest.Environment{}
	cfg, err := env.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	admin, err := client.New(cfg, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, obj := range manifests() {
		if err := admin.Create(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
	}
	user, err := env.AddUser(envtest.User{Name: "webhook"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return admin, user.Config()
}

func manifests() []client.Object {
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }
	cluster := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }
	verbs := []string{"get", "list", "watch", "update"}
	subjects := []rbacv1.Subject{{Kind: "User", Name: "webhook", APIGroup: rbacv1.GroupName}}
	target := admissionregistrationv1.WebhookClientConfig{Service: &admissionregistrationv1.ServiceReference{Namespace: namespace, Name: service}}
	ignore, none := admissionregistrationv1.Ignore, admissionregistrationv1.SideEffectClassNone
	return []client.Object{
		&corev1.Namespace{ObjectMeta: cluster(namespace)},
		&corev1.Secret{ObjectMeta: meta(secret)},
		&corev1.Secret{ObjectMeta: meta("of-somebody-else")},
		&rbacv1.Role{ObjectMeta: meta("webhook"), Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{secret}, Verbs: verbs},
		}},
		&rbacv1.RoleBinding{ObjectMeta: meta("webhook"), Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "webhook"}},
		&rbacv1.ClusterRole{ObjectMeta: cluster("webhook"), Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"admissionregistration.k8s.io"}, Resources: []string{"mutatingwebhookconfigurations"}, ResourceNames: []string{mutating}, Verbs: verbs},
			{APIGroups: []string{"admissionregistration.k8s.io"}, Resources: []string{"validatingwebhookconfigurations"}, ResourceNames: []string{validating}, Verbs: verbs},
		}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: cluster("webhook"), Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "webhook"}},
		&admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: cluster(mutating), Webhooks: []admissionregistrationv1.MutatingWebhook{
			{Name: "a.loadline.dev", ClientConfig: target, FailurePolicy: &ignore, SideEffects: &none, AdmissionReviewVersions: []string{"v1"}},
			{Name: "b.loadline.dev", ClientConfig: target, FailurePolicy: &ignore, SideEffects: &none, AdmissionReviewVersions: []string{"v1"}},
		}},
		&admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: cluster(validating), Webhooks: []admissionregistrationv1.ValidatingWebhook{
			{Name: "c.loadline.dev", ClientConfig: target, FailurePolicy: &ignore, SideEffects: &none, AdmissionReviewVersions: []string{"v1"}},
		}},
	}
}

func readFile(t *testing.T, dir string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, "tls.crt"))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// checkTrust verifies the certificate as the API server does, for every webhook.
func checkTrust(ctx context.Context, admin client.Client, certificate []byte) error {
	block, _ := pem.Decode(certificate)
	if block == nil {
		return errors.New("tls.crt is not PEM")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	var m admissionregistrationv1.MutatingWebhookConfiguration
	var v admissionregistrationv1.ValidatingWebhookConfiguration
	if err := errors.Join(admin.Get(ctx, client.ObjectKey{Name: mutating}, &m), admin.Get(ctx, client.ObjectKey{Name: validating}, &v)); err != nil {
		return err
	}
	bundles := map[string][]byte{}
	for _, w := range m.Webhooks {
		bundles[w.Name] = w.ClientConfig.CABundle
	}
	for _, w := range v.Webhooks {
		bundles[w.Name] = w.ClientConfig.CABundle
	}
	for name, bundle := range bundles {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(bundle)
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: service + "." + namespace + ".svc"}); err != nil {
			return fmt.Errorf("webhook %s: %w", name, err)
		}
	}
	return nil
}
