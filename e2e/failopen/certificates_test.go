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
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/e2e/pki"
)

func (f fixture) certificateExpired(t *testing.T) {
	g, dir := NewWithT(t), f.loadline.Config.Webhook.CertDir
	good := pki.Pair{Cert: content(t, dir, "tls.crt"), Key: content(t, dir, "tls.key")}
	expired := f.expiredPair(t)
	f.stop(t) // The API server may go on using a connection that it opened while the certificate was good.
	g.Expect(expired.WriteFiles(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))).To(Succeed())
	f.start(t, nil)

	f.allAsWritten(t, traffic{deployment: "web", pods: 200, atOnce: atOnce})

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

	f.allAsWritten(t, traffic{deployment: "web", pods: 200, atOnce: atOnce})

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
