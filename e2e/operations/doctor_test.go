package operations

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/e2e/install"
)

// patience bounds every wait.
const patience = 2 * time.Minute

// vpaModule has the real definitions of VPA's kinds.
const vpaModule = "k8s.io/autoscaler/vertical-pod-autoscaler"

// becomes runs the doctor until what it finds is as wanted, and returns the last findings.
func becomes(t *testing.T, want string, holds func(findings []finding, code int) bool, args ...string) []finding {
	t.Helper()
	var found []finding
	NewWithT(t).Eventually(func() error {
		var code int
		var err error
		if found, code, err = examined(t.Context(), args...); err == nil && !holds(found, code) {
			err = fmt.Errorf("not yet %s: exit code %d\n%s", want, code, list(found))
		}
		return err
	}, patience, 500*time.Millisecond).Should(Succeed())
	return found
}

func list(found []finding) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%-8s %-22s %s: %s | %s\n", f.Severity, f.Check, f.Where, f.What, f.Fix)
	}
	return b.String()
}

// well waits until nothing is wrong.
func well(t *testing.T) []finding {
	t.Helper()
	return becomes(t, "well", func(found []finding, code int) bool {
		for _, f := range found {
			if f.Severity != "ok" {
				return false
			}
		}
		return code == 0 && len(found) > 0
	}, "--strict")
}

// broken is a way to break something, and what the doctor says of it.
type broken struct {
	name   string
	breaks func(t *testing.T)
	// A finding of this check and severity whose sentence or place contains this.
	check, severity, says string
	// repairs puts right what the doctor's command cannot, or what it cannot here; nil runs the command.
	repairs func(t *testing.T)
	// args of the doctor.
	args []string
}

func TestTheDoctorFindsWhatIsBrokenAndSaysWhatPutsItRight(t *testing.T) {
	found := well(t)
	for _, check := range []string{
		"configuration", "cluster", "in-place resize", "clock", "kinds", "parts", "leader", "rights", "policies", "webhooks", "certificate",
		"certificate authority", "admission", "updater", "prometheus", "model", "opt-in", "recommendations", "autoscalers",
	} {
		if !strings.Contains(list(found), " "+check+" ") {
			t.Errorf("nobody looked at %s:\n%s", check, list(found))
		}
	}
	for _, b := range breakages(t) {
		t.Run(b.name, func(t *testing.T) {
			b.breaks(t)
			var fix string
			becomes(t, "found", func(found []finding, code int) bool {
				for _, f := range found {
					if f.Check == b.check && f.Severity == b.severity && strings.Contains(f.Where+": "+f.What, b.says) {
						fix = f.Fix
						return (code != 0) == (b.severity == "error")
					}
				}
				return false
			}, b.args...)
			if fix == "" {
				t.Error("no command is given")
			}
			if b.repairs != nil {
				b.repairs(t)
			} else if output, err := sh(t.Context(), fix); err != nil {
				t.Fatalf("%s: %v: %s", fix, err, output)
			}
			well(t)
		})
	}
}

func breakages(t *testing.T) []broken {
	t.Helper()
	run := func(command string) func(*testing.T) {
		return func(t *testing.T) {
			t.Helper()
			if output, err := sh(t.Context(), command); err != nil {
				t.Fatalf("%s: %v: %s", command, err, output)
			}
		}
	}
	do := func(what func(context.Context) error) func(*testing.T) {
		return func(t *testing.T) {
			t.Helper()
			if err := what(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	certificate := func(end time.Duration) func(*testing.T) {
		return do(func(ctx context.Context) error { return keep(ctx, serving, time.Now().Add(end)) })
	}
	mutating, updater := &admissionv1.MutatingWebhookConfiguration{}, &appsv1.Deployment{}
	return []broken{
		{
			name: "a kind that was deleted", breaks: run("kubectl delete crd sizingpolicies.loadline.dev"),
			check: "kinds", severity: "error", says: "does not know SizingPolicy",
		},
		{
			name:   "a kind of another version",
			breaks: run(`kubectl patch crd sizingpolicies.loadline.dev --type=json --patch '[{"op":"remove","path":"/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/signals"}]'`),
			check:  "kinds", severity: "warning", says: "installed by another one",
		},
		{
			name: "rights that are missing", breaks: do(func(ctx context.Context) error {
				return loadline.Client.Delete(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "loadline-updater"}})
			}),
			check: "rights", severity: "error", says: "the updater may not ",
		},
		{
			name: "rights that were left out on purpose", breaks: run("kubectl apply --server-side --force-conflicts -f ../../config/rbac/webhook-certs.yaml"),
			check: "rights", severity: "warning", says: "which only one needs that makes its own certificate",
		},
		{
			name: "an admission policy that is not in force", breaks: run("kubectl delete validatingadmissionpolicybinding loadline-updater-pods"),
			check: "policies", severity: "error", says: "its binding is missing",
		},
		{
			name: "an authority that is not that of the certificate", breaks: do(func(ctx context.Context) error {
				other, err := newAuthority()
				if err != nil {
					return err
				}
				if err := trust(ctx, other.pem); err != nil {
					return err
				}
				// Only one of the two is left wrong, for one command puts one right.
				output, err := sh(ctx, `CA=$(kubectl --namespace loadline-system get secret loadline-webhook-cert -o jsonpath='{.data.ca\.crt}'); `+
					`kubectl get validatingwebhookconfiguration loadline-validating -o json | sed "s|\"caBundle\": \".*\"|\"caBundle\": \"$CA\"|" | kubectl replace -f -`)
				if err != nil {
					return fmt.Errorf("%w: %s", err, output)
				}
				return nil
			}),
			check: "certificate authority", severity: "error", says: "does not trust the certificate",
		},
		{
			name: "a certificate that expires soon", breaks: certificate(3 * 24 * time.Hour),
			check: "certificate", severity: "warning", says: "was not renewed", repairs: certificate(90 * 24 * time.Hour),
		},
		{
			name: "a certificate that has expired", breaks: certificate(-time.Hour),
			check: "certificate", severity: "error", says: "has expired", repairs: certificate(90 * 24 * time.Hour),
		},
		{
			name: "a webhook that is away", breaks: do(func(context.Context) error { return loadline.Stop(install.Webhook) }),
			check: "admission", severity: "error", says: "without its revision", repairs: do(func(context.Context) error { return loadline.Start(context.Background(), install.Webhook) }),
		},
		{
			name: "a webhook that is away, where no updater is deployed", breaks: do(func(ctx context.Context) error {
				if err := loadline.Client.Get(ctx, client.ObjectKey{Namespace: loadline.Config.Namespace, Name: "loadline-updater"}, updater); err != nil {
					return err
				}
				return errors.Join(loadline.Client.Delete(ctx, updater), loadline.Stop(install.Webhook))
			}),
			check: "admission", severity: "error", says: "does not reach the webhook", repairs: func(t *testing.T) {
				t.Helper()
				if err := loadline.Start(context.Background(), install.Webhook); err != nil {
					t.Fatal(err)
				}
				becomes(t, "refused", func(found []finding, _ int) bool {
					return strings.Contains(list(found), "the webhook refused a trial namespace")
				})
				updater.ResourceVersion = ""
				if err := loadline.Client.Create(t.Context(), updater); err != nil {
					t.Fatal(err)
				}
			},
		},
		{
			name: "a webhook configuration that was deleted", breaks: do(func(ctx context.Context) error {
				if err := loadline.Client.Get(ctx, client.ObjectKey{Name: "loadline-mutating"}, mutating); err != nil {
					return err
				}
				return loadline.Client.Delete(ctx, mutating)
			}),
			check: "webhooks", severity: "error", says: "does not ask Loadline", repairs: do(func(ctx context.Context) error {
				mutating.ResourceVersion = "" // Here the API server reaches the webhook by another address than the shipped one.
				return loadline.Client.Create(ctx, mutating)
			}),
		},
		{
			name: "a recommender that was stopped", breaks: do(func(context.Context) error { return loadline.Stop(install.Recommender) }),
			check: "leader", severity: "error", says: "no recommender leads", repairs: do(func(context.Context) error { return loadline.Start(context.Background(), install.Recommender) }),
		},
		{
			name: "a part that was scaled away", breaks: run("kubectl --namespace loadline-system scale deployment/loadline-updater --replicas=0"),
			check: "parts", severity: "warning", says: "scaled to zero",
		},
		{
			name: "the kill switch", breaks: run("kubectl --namespace loadline-system create configmap loadline-kill-switch --from-literal=stop=true"),
			check: "updater", severity: "warning", says: "loadline-kill-switch",
		},
		{
			name: "a Prometheus that is down", breaks: do(func(context.Context) error { return cluster.StopPrometheus() }),
			check: "prometheus", severity: "error", says: "does not answer", repairs: do(func(context.Context) error { return cluster.StartPrometheus(context.Background()) }),
		},
		{
			name: "labels that the series do not have", breaks: func(*testing.T) {}, args: []string{"--config", mislabelled(t)},
			check: "series", severity: "error", says: "has the label pod_name", repairs: func(*testing.T) {},
		},
		{
			name: "another who changes the same pods", breaks: run(`kubectl apply --server-side -f ` + vpaCRD(t) + ` && kubectl wait --for=condition=Established crd/verticalpodautoscalers.autoscaling.k8s.io && ` +
				`kubectl apply -f testdata/vpa-auto.yaml`),
			check: "autoscalers", severity: "warning", says: "updateMode Recreate",
		},
		{
			name: "an autoscaler that leaves nothing to size", breaks: run(`kubectl apply -f testdata/hpa.yaml`),
			check: "autoscalers", severity: "warning", says: "cpu and memory", repairs: run(`kubectl delete -f testdata/hpa.yaml`),
		},
	}
}

// mislabelled is a configuration file that names a label which the series do not have.
func mislabelled(t *testing.T) string {
	t.Helper()
	cfg := loadline.Config
	cfg.Prometheus.Labels.Pod = "pod_name"
	text, err := yaml.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// vpaCRD is the file with VPA's own definitions.
func vpaCRD(t *testing.T) string {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", vpaModule).Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(dir)), "deploy", "vpa-v1-crd-gen.yaml")
}

func TestTheDoctorSaysWhatItMayNotSeeAndGoesOn(t *testing.T) {
	kubeconfig, err := cluster.UserKubeconfig("somebody")
	if err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "somebody-views"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "somebody"}},
	}
	if err := loadline.Client.Create(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = loadline.Client.Delete(context.Background(), binding) })
	found := becomes(t, "without errors", func(found []finding, code int) bool {
		return code == 0 && strings.Contains(list(found), "prometheus")
	}, "--kubeconfig", kubeconfig)
	for _, check := range []string{"kinds", "webhooks", "certificate", "rights", "admission"} {
		if !strings.Contains(list(found), fmt.Sprintf("%-8s %-22s", "unseen", check)) {
			t.Errorf("%s was seen by somebody who may only view:\n%s", check, list(found))
		}
	}
	if _, code, _ := examined(t.Context(), "--strict", "--kubeconfig", kubeconfig); code != 1 {
		t.Errorf("with --strict the exit code is %d, want 1", code)
	}
}
