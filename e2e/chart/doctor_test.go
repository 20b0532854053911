//go:build full

package chart

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/kube"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/e2e/binaries"
)

// way is a way to install Loadline.
type way struct {
	name, values string
	parts        []string
	// says is in every command for this way.
	says string
}

func TestTheDoctorsCommandsFitTheWayInWhichLoadlineWasInstalled(t *testing.T) {
	start(t)
	binary := built(t)
	bin := shell(t, binary)
	const calm = "updater: {probeMaxLatency: 5s}" // This machine may be busy.
	for _, w := range []way{
		{"by Helm", "{config: {" + calm + "}, crds: {keep: false}}", []string{"webhook", "recommender", "updater"}, "helm get manifest loadline "},
		{"by Helm, all in one", "{allInOne: true, config: {" + calm + "}, crds: {keep: false}}", []string{"all"}, "helm get manifest loadline "},
		{"by kustomize, all in one", "", []string{"all"}, "loadline manifests "},
	} {
		t.Run(w.name, func(t *testing.T) {
			p := &patient{binary: binary, bin: bin, port: freePort(t)}
			if w.values == "" {
				p.must(t, "kubectl apply --server-side -k ../../config/all")
				p.route(t)
				p.routes = true
			} else {
				p.installed(t, w.values)
				defer uninstalled(t)
			}
			defer p.runs(t, w.parts)()
			p.well(t)
			for _, b := range breakages(w) {
				t.Run(b.check+", "+b.says, func(t *testing.T) { p.breakAndMend(t, b, w.says) })
			}
		})
	}
}

// patient is the installation that the doctor looks at.
type patient struct {
	binary, bin string
	// port of the webhook's process, to which the API server is sent by an alias of this machine.
	port int
	// routes says that this has to be done again after each command, because it is not among what is installed.
	routes bool
}

// breakage is broken by a command, and found by a check in a sentence.
type breakage struct{ breaks, check, severity, says string }

func breakages(w way) []breakage {
	return []breakage{
		{"kubectl delete crd sizingpolicies.loadline.dev", "kinds", "error", "does not know SizingPolicy"},
		{"kubectl delete clusterrolebinding loadline-updater", "rights", "error", "the updater may not "},
		{"kubectl delete validatingadmissionpolicybinding loadline-updater-pods", "policies", "error", "its binding is missing"},
		{"kubectl delete mutatingwebhookconfiguration loadline-mutating", "webhooks", "error", "does not ask Loadline"},
		{"kubectl --namespace " + namespace + " delete service loadline-webhook", "webhooks", "error", "does not reach the webhook"},
		{"kubectl --namespace " + namespace + " delete secret loadline-webhook-cert", "certificate", "error", "is missing"},
		{"kubectl --namespace " + namespace + " scale deployment/" + account(w.parts[len(w.parts)-1]) + " --replicas=0", "parts", "warning", "scaled to zero"},
	}
}

// runs starts the processes of parts, and returns what stops them.
func (p *patient) runs(t *testing.T, parts []string) (stop func()) {
	t.Helper()
	stops := make([]func(), 0, len(parts))
	for _, part := range parts {
		stops = append(stops, run(t, p.binary, part, p.port))
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// breakAndMend breaks something, and runs the command that the doctor prints, as it is printed.
func (p *patient) breakAndMend(t *testing.T, b breakage, says string) {
	t.Helper()
	p.must(t, b.breaks)
	var fix string
	p.becomes(t, "found", func(findings []finding) bool {
		for _, f := range findings {
			if f.Check == b.check && f.Severity == b.severity && strings.Contains(f.What, b.says) {
				fix = f.Fix
			}
		}
		return fix != ""
	})
	if b.check != "parts" && !strings.HasPrefix(fix, says) {
		t.Errorf("the command does not fit the installation: %s", fix)
	}
	p.must(t, fix)
	if p.routes {
		p.route(t)
	}
	p.well(t)
}

// shell makes a folder with the programs that the commands need.
func shell(t *testing.T, binary string) (bin string) {
	t.Helper()
	helm, err := binaries.Helm(t.Context(), binaries.Options{Progress: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	bin = t.TempDir()
	for name, program := range map[string]string{"loadline": binary, "helm": helm, "kubectl": cluster.KubectlPath} {
		if err := os.Symlink(program, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

// must runs a command as a person would type it.
func (p *patient) must(t *testing.T, command string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-o", "pipefail", "-c", command)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig, "HOME="+p.bin, "PATH="+p.bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, output)
	}
}

// finding is one of the doctor's findings, as it prints them.
type finding struct{ Check, Severity, What, Where, Fix string }

// becomes runs the doctor until what it finds is as wanted.
func (p *patient) becomes(t *testing.T, want string, holds func([]finding) bool) {
	t.Helper()
	NewWithT(t).Eventually(func() error {
		output, _ := exec.CommandContext(t.Context(), p.binary, "doctor", "--output", "json", "--kubeconfig", cluster.Kubeconfig).Output()
		var report struct{ Findings []finding }
		err := json.Unmarshal(output, &report)
		if err == nil && !holds(report.Findings) {
			err = fmt.Errorf("not yet %s:\n%s", want, output)
		}
		return err
	}, patience, 500*time.Millisecond).Should(Succeed())
}

// well waits until nothing is wrong. There is no Prometheus.
func (p *patient) well(t *testing.T) {
	t.Helper()
	p.becomes(t, "well", func(findings []finding) bool {
		for _, f := range findings {
			if f.Severity != "ok" && f.Check != "prometheus" {
				return false
			}
		}
		return len(findings) > 0
	})
}

// installed installs the chart with what brings the API server to the webhook's process.
func (p *patient) installed(t *testing.T, text string) {
	t.Helper()
	install := action.NewInstall(helm(t))
	install.ReleaseName, install.Namespace, install.CreateNamespace, install.PostRenderer = release, namespace, true, p
	install.WaitStrategy, install.Timeout = kube.StatusWatcherStrategy, patience
	if _, err := install.RunWithContext(t.Context(), charted(t), values(t, text)); err != nil {
		t.Fatalf("helm install: %v", err)
	}
}

// Run changes the chart's manifests as a post-renderer of Helm's.
func (p *patient) Run(manifests *bytes.Buffer) (*bytes.Buffer, error) {
	var changed bytes.Buffer
	for document := range strings.SplitSeq(manifests.String(), "\n---\n") {
		var object unstructured.Unstructured
		if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
			return nil, err
		}
		switch object.GetKind() {
		case "Service":
			if object.GetName() == "loadline-webhook" {
				object.Object["spec"] = map[string]any{"type": string(corev1.ServiceTypeExternalName), "externalName": "localhost"}
			}
		case "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration":
			for _, entry := range object.Object["webhooks"].([]any) {
				if err := unstructured.SetNestedField(entry.(map[string]any), float64(p.port), "clientConfig", "service", "port"); err != nil {
					return nil, err
				}
			}
		}
		text, err := yaml.Marshal(object.Object)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&changed, "---\n%s", text)
	}
	return &changed, nil
}

// route does the same to what is installed.
func (p *patient) route(t *testing.T) {
	t.Helper()
	alias := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "loadline-webhook"},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"},
	}
	if err := admin.Delete(t.Context(), alias); err != nil {
		t.Fatal(err)
	}
	if err := admin.Create(t.Context(), alias); err != nil {
		t.Fatal(err)
	}
	mutating := get(t, &admissionv1.MutatingWebhookConfiguration{}, "", "loadline-mutating")
	for i := range mutating.Webhooks {
		mutating.Webhooks[i].ClientConfig.Service.Port = new(int32(p.port))
	}
	validating := get(t, &admissionv1.ValidatingWebhookConfiguration{}, "", "loadline-validating")
	for i := range validating.Webhooks {
		validating.Webhooks[i].ClientConfig.Service.Port = new(int32(p.port))
	}
	for _, object := range []client.Object{mutating, validating} {
		if err := admin.Update(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}
