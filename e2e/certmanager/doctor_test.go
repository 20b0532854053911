//go:build full

package certmanager_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// doctorMends breaks what cert-manager, or who has it, needs, and runs the command that the doctor prints, as it is printed.
func (f fixture) doctorMends(t *testing.T) {
	const manifests = "loadline manifests %s --cert-mode secret --cert-secret loadline-webhook-tls --inject-ca-from " + leaf + " | kubectl apply "
	for _, b := range []struct {
		breaks string
		found  finding
		mended finding
	}{
		{
			"kubectl delete validatingwebhookconfiguration loadline-validating",
			finding{Check: "webhooks", Severity: "error", Where: "validatingwebhookconfiguration", What: "there is none", Fix: fmt.Sprintf(manifests, "webhook")},
			finding{Check: "certificate authority", Severity: "ok", Where: "validatingwebhookconfiguration", What: "trusts the certificate"},
		},
		{
			"kubectl annotate mutatingwebhookconfiguration loadline-mutating cert-manager.io/inject-ca-from- && " +
				`kubectl patch mutatingwebhookconfiguration loadline-mutating --type=json --patch '[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]'`,
			finding{Check: "certificate authority", Severity: "error", Where: "mutatingwebhookconfiguration", What: "does not trust the certificate", Fix: "inject-ca-from="},
			finding{Check: "certificate authority", Severity: "ok", Where: "mutatingwebhookconfiguration", What: "trusts the certificate"},
		},
		{
			"kubectl delete clusterrolebinding loadline-webhook",
			finding{Check: "rights", Severity: "error", What: "the webhook may not ", Fix: fmt.Sprintf(manifests, "rbac")},
			finding{Check: "rights", Severity: "ok", What: "the webhook may do all that it has to"},
		},
		{
			"kubectl apply --server-side -f ../config/rbac/webhook-certs.yaml",
			finding{Check: "rights", Severity: "warning", What: "only one needs that makes its own certificate", Fix: "kubectl delete clusterrolebinding,clusterrole loadline-webhook-certs"},
			finding{},
		},
	} {
		t.Run(b.found.Check+", "+b.found.What, func(t *testing.T) {
			f.must(t, b.breaks)
			f.must(t, f.finds(t, b.found).Fix)
			if b.mended.Check != "" {
				f.finds(t, b.mended)
			}
		})
	}
	f.trusted(t)
	for _, found := range f.doctor(t, scene(t)) {
		if found.Severity == "warning" && found.Check == "rights" {
			t.Errorf("%+v: it gave back what was taken away on purpose", found)
		}
	}
}

// must runs a command as a person would type it.
func (f fixture) must(t *testing.T, command string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-o", "pipefail", "-c", command)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+f.cluster.Kubeconfig,
		"PATH="+filepath.Dir(f.cluster.KubectlPath)+":"+filepath.Dir(f.loadline.Binary)+":"+os.Getenv("PATH"))
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, output)
	}
}

// doctor returns what the doctor finds.
func (f fixture) doctor(t *testing.T, g Gomega) []finding {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	text, err := yaml.Marshal(f.loadline.Config)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.WriteFile(file, text, 0o600)).To(Succeed())
	// It ends with an error where it finds one, such as that nobody leads here.
	output, _ := f.loadline.CLI(t.Context(), "doctor", "--output", "json", "--config", file)
	var report struct{ Findings []finding }
	g.Expect(json.NewDecoder(strings.NewReader(output)).Decode(&report)).To(Succeed(), output)
	return report.Findings
}

// finds waits until the doctor finds something whose fields contain those of want, and returns it.
func (f fixture) finds(t *testing.T, want finding) finding {
	t.Helper()
	var got finding
	scene(t).Eventually(func(g Gomega) {
		all := f.doctor(t, g)
		i := slices.IndexFunc(all, func(f finding) bool {
			return f.Check == want.Check && f.Severity == want.Severity && strings.Contains(f.Where, want.Where) &&
				strings.Contains(f.What, want.What) && strings.Contains(f.Fix, want.Fix)
		})
		g.Expect(i).To(BeNumerically(">=", 0), "%+v among %+v", want, all)
		got = all[i]
	}).WithPolling(time.Second).Should(Succeed())
	return got
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
