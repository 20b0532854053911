//go:build full && linux

package failopen_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/e2e/pki"
	"github.com/loadline-dev/loadline/e2e/traffic"
)

func (f fixture) certificateExpired(t *testing.T) {
	g, dir := NewWithT(t), f.loadline.Config.Webhook.CertDir
	good := pki.Pair{Cert: content(t, dir, "tls.crt"), Key: content(t, dir, "tls.key")}
	expired := f.expiredPair(t)
	f.stop(t) // The API server may go on using a connection that it opened while the certificate was good.
	g.Expect(expired.WriteFiles(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))).To(Succeed())
	f.start(t, nil)

	f.allAsWritten(t, traffic.Wave{Deployment: "web", Pods: 200, AtOnce: atOnce})

	g.Expect(good.WriteFiles(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))).To(Succeed())
	f.healthy(t)
}

// expiredPair is a certificate of the cluster's authority that was good until an hour ago.
func (f fixture) expiredPair(t *testing.T) pki.Pair {
	t.Helper()
	g := NewWithT(t)
	authority, err := tls.LoadX509KeyPair(filepath.Join(f.cluster.Dir, "pki", "ca.crt"), filepath.Join(f.cluster.Dir, "pki", "ca.key"))
	g.Expect(err).NotTo(HaveOccurred())
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	g.Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, authority.Leaf, key.Public(), authority.PrivateKey)
	g.Expect(err).NotTo(HaveOccurred())
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	g.Expect(err).NotTo(HaveOccurred())
	return pki.Pair{
		Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}),
	}
}

func (f fixture) authorityIsWrong(t *testing.T) {
	g := NewWithT(t)
	other, err := pki.NewCA("another authority")
	g.Expect(err).NotTo(HaveOccurred())
	f.trust(t, other.Cert)
	f.broken(t) // The API server hears of it in its own time.

	f.allAsWritten(t, traffic.Wave{Deployment: "web", Pods: 200, AtOnce: atOnce})

	f.trust(t, f.cluster.CACertPEM)
	f.healthy(t)
}

// trust replaces the authority in the webhook configuration.
func (f fixture) trust(t *testing.T, authority []byte) {
	t.Helper()
	g := NewWithT(t)
	configuration := &admissionv1.MutatingWebhookConfiguration{}
	g.Expect(f.loadline.Client.Get(t.Context(), types.NamespacedName{Name: f.loadline.Config.Webhook.MutatingName}, configuration)).To(Succeed())
	before := configuration.DeepCopy()
	for i := range configuration.Webhooks {
		configuration.Webhooks[i].ClientConfig.CABundle = authority
	}
	g.Expect(f.loadline.Client.Patch(t.Context(), configuration, client.MergeFrom(before))).To(Succeed())
}

// authorityIsSwapped has the webhook keep its own certificate, as it does by default, and takes it away several times.
func (f fixture) authorityIsSwapped(t *testing.T) {
	g := NewWithT(t)
	given := f.loadline.Config.Webhook
	f.serveWith(t, config.CertSelfSigned, t.TempDir())
	f.healthy(t)
	authority := f.authorities(t)

	stream := traffic.Wave{Namespace: shop, Deployment: "web", AtOnce: atOnce}.Start(t.Context(), f.loadline.Client)
	g.Eventually(stream.Recent).WithTimeout(time.Minute).Should(BeNumerically(">", 100))
	const swaps = 3
	for range swaps {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: f.loadline.Config.Namespace, Name: given.CertSecret}}
		g.Expect(f.loadline.Client.Patch(t.Context(), secret, client.RawPatch(types.MergePatchType, []byte(`{"data":null}`)))).To(Succeed())
		before := authority
		g.Eventually(func(g Gomega) {
			authority = f.authorities(t)
			g.Expect(authority).To(HaveLen(1), "the same in all entries")
			g.Expect(authority).NotTo(Equal(before))
		}).WithTimeout(30 * time.Second).WithPolling(10 * time.Millisecond).Should(Succeed())
		done := stream.Pods()
		g.Eventually(func() bool { return stream.Pods() > done+100 && stream.Recent() > 100 }).WithTimeout(30*time.Second).
			Should(BeTrue(), "pods are injected again, one after the other")
	}
	all, gap := stream.Stop()

	t.Logf("%d swaps: %s; %s between the first and the last that is as written", swaps, &all, gap.Round(time.Millisecond))
	g.Expect(all.Refused).To(BeEmpty())
	g.Expect(all.Injected).To(BeNumerically(">", all.AsWritten))
	f.serveWith(t, given.CertMode, given.CertDir)
	f.healthy(t)
}

// serveWith starts the webhook and registers it anew with a certificate from elsewhere.
func (f fixture) serveWith(t *testing.T, mode config.CertMode, dir string) {
	t.Helper()
	f.stop(t)
	f.loadline.Config.Webhook.CertMode, f.loadline.Config.Webhook.CertDir = mode, dir
	NewWithT(t).Expect(f.loadline.RegisterWebhooks(t.Context())).To(Succeed())
	f.start(t, nil)
}

// authorities returns what the entries of both webhook configurations trust.
func (f fixture) authorities(t *testing.T) map[string]bool {
	t.Helper()
	g, names, seen := NewWithT(t), f.loadline.Config.Webhook, map[string]bool{}
	mutating, validating := &admissionv1.MutatingWebhookConfiguration{}, &admissionv1.ValidatingWebhookConfiguration{}
	g.Expect(f.loadline.Client.Get(t.Context(), types.NamespacedName{Name: names.MutatingName}, mutating)).To(Succeed())
	g.Expect(f.loadline.Client.Get(t.Context(), types.NamespacedName{Name: names.ValidatingName}, validating)).To(Succeed())
	for _, w := range mutating.Webhooks {
		seen[string(w.ClientConfig.CABundle)] = true
	}
	for _, w := range validating.Webhooks {
		seen[string(w.ClientConfig.CABundle)] = true
	}
	return seen
}
