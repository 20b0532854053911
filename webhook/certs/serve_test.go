package certs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/loadline-dev/loadline/webhook/certs"
)

func TestTheCertificateInTheDirectoryIsServedFromTheNextHandshakeOn(t *testing.T) {
	g, dir := NewWithT(t), t.TempDir()
	var reports []error
	served := certs.Serve(dir, func(err error) { reports = append(reports, err) })
	serial := func() int64 {
		cert, err := served.Certificate(nil)
		g.Expect(err).NotTo(HaveOccurred())
		return cert.Leaf.SerialNumber.Int64()
	}
	write := func(name string, content []byte) {
		g.Expect(os.WriteFile(filepath.Join(dir, name), content, 0o600)).To(Succeed())
	}

	_, err := served.Certificate(nil)
	g.Expect(err).To(MatchError(os.ErrNotExist), "there is none yet")

	firstCert, firstKey := selfSigned(t, 1)
	write("tls.crt", firstCert)
	write("tls.key", firstKey)
	g.Expect(serial()).To(BeEquivalentTo(1))

	secondCert, secondKey := selfSigned(t, 2)
	write("tls.crt", secondCert)
	g.Expect(serial()).To(BeEquivalentTo(1), "its key is not there yet")
	g.Expect(serial()).To(BeEquivalentTo(1))
	g.Expect(reports).To(ConsistOf(MatchError(ContainSubstring(dir))), "said once")

	write("tls.key", secondKey)
	g.Expect(serial()).To(BeEquivalentTo(2))

	g.Expect(os.Remove(filepath.Join(dir, "tls.crt"))).To(Succeed())
	g.Expect(serial()).To(BeEquivalentTo(2), "the last one goes on")
	g.Expect(reports).To(HaveLen(2))
}

// selfSigned makes a certificate and its key, PEM-encoded.
func selfSigned(t *testing.T, serial int64) (cert, key []byte) {
	t.Helper()
	g := NewWithT(t)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	g.Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	g.Expect(err).NotTo(HaveOccurred())
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	g.Expect(err).NotTo(HaveOccurred())
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}
