//go:build full

package certmanager_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// finding is one of the doctor's findings, as it prints them.
type finding struct{ Check, Severity, What, Where, Fix string }

// doctorRepeats follows a Certificate that is ready, cannot be made, and is made for an hour only.
func (f fixture) doctorRepeats(t *testing.T) {
	f.finds(t, finding{Check: "cert-manager", Severity: "ok", Where: "certificate/" + leaf, What: "it is ready"})
	f.finds(t, finding{Check: "cert-manager", Severity: "ok", Where: "certificate/" + authority, What: "it is ready"})
	f.finds(t, finding{Check: "certificate", Severity: "ok", Where: "secret/loadline-webhook-tls", What: "valid until"})
	f.finds(t, finding{Check: "certificate authority", Severity: "ok", What: "trusts the certificate"})

	f.change(t, func(c *certmanagerv1.Certificate) { c.Spec.IssuerRef.Name = "nobody" })
	f.finds(t, finding{
		Check: "cert-manager", Severity: "error", Where: "certificate/" + leaf, What: "it is not ready: ", Fix: "describe certificate " + leaf,
	})
	f.finds(t, finding{Check: "certificate", Severity: "ok", What: "valid until"}) // The one before still serves.

	f.change(t, func(c *certmanagerv1.Certificate) {
		c.Spec.IssuerRef.Name = authority
		c.Spec.Duration, c.Spec.RenewBefore = &metav1.Duration{Duration: time.Hour}, &metav1.Duration{Duration: 10 * time.Minute}
	})
	f.finds(t, finding{Check: "cert-manager", Severity: "ok", Where: "certificate/" + leaf, What: "it is ready"})
	f.finds(t, finding{Check: "certificate", Severity: "warning", Where: "secret/loadline-webhook-tls", What: "it expires in "})
}

// finds waits until the doctor finds something whose fields contain those of want.
func (f fixture) finds(t *testing.T, want finding) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	text, err := yaml.Marshal(f.loadline.Config)
	g := scene(t)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.WriteFile(file, text, 0o600)).To(Succeed())
	g.Eventually(func(g Gomega) {
		// It ends with an error where it finds one, such as that nobody leads here.
		output, _ := f.loadline.CLI(t.Context(), "doctor", "--output", "json", "--config", file)
		var report struct{ Findings []finding }
		g.Expect(json.NewDecoder(strings.NewReader(output)).Decode(&report)).To(Succeed(), output)
		g.Expect(report.Findings).To(ContainElement(SatisfyAll(
			HaveField("Check", want.Check), HaveField("Severity", want.Severity), HaveField("Where", ContainSubstring(want.Where)),
			HaveField("What", ContainSubstring(want.What)), HaveField("Fix", ContainSubstring(want.Fix)),
		)))
	}).WithPolling(time.Second).Should(Succeed())
}

// change changes the spec of the webhook's Certificate.
func (f fixture) change(t *testing.T, change func(*certmanagerv1.Certificate)) {
	t.Helper()
	scene(t).Eventually(func() error {
		certificate := f.certificate(t, leaf)
		change(certificate)
		_, err := f.certificates.Update(t.Context(), certificate, metav1.UpdateOptions{})
		return err
	}).Should(Succeed())
}
