package operations

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// Real objects of VPA's own kinds, through the API server, and what is printed goes back to it.
func TestWhatWasImportedIsAcceptedByTheAPIServerAndMeansTheSame(t *testing.T) {
	run := func(command string) string {
		t.Helper()
		output, err := sh(t.Context(), command)
		if err != nil {
			t.Fatalf("%s: %v: %s", command, err, output)
		}
		return output
	}
	run("kubectl apply --server-side -f " + vpaCRD(t) + " && kubectl wait --for=condition=Established crd/verticalpodautoscalers.autoscaling.k8s.io")
	run("kubectl create namespace moving && kubectl apply -f testdata/moving.yaml")
	t.Cleanup(func() {
		if output, err := sh(context.Background(), "kubectl delete namespace moving --wait=false"); err != nil { // The test's own context has ended by now.
			t.Errorf("%v: %s", err, output)
		}
	})
	for _, command := range []string{
		"loadline import vpa --namespace moving",
		"kubectl get vpa,deployments --namespace moving -o yaml | loadline import vpa --filename -",
	} {
		text := run(command)
		for _, want := range []string{
			"#   kubectl --namespace moving patch verticalpodautoscaler checkout", "# - moving deployment/checkout: evictionRequirements",
			"kind: SizingPolicy", "loadline.dev/mode: auto", "loadline.dev/exclude-containers: mesh",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in:\n%s", command, want, text)
			}
		}
		run(command + " | kubectl apply --server-side --dry-run=server -f -")
	}
	follow(t, run, "loadline import vpa --namespace moving")
	if output := run("kubectl get vpa checkout --namespace moving -o jsonpath='{.spec.updatePolicy.updateMode}'"); output != "Off" {
		t.Errorf("after the printed steps VPA changes pods, too: updateMode %q", output)
	}
	if output := run("kubectl get namespace moving -o jsonpath='{.metadata.annotations.loadline\\.dev/mode}'"); output != string(v1alpha1.ModeAuto) {
		t.Errorf("checkout, which VPA changed, has mode %q after the printed steps", output)
	}
	if output := run("kubectl get deployment cart --namespace moving -o jsonpath='{.metadata.annotations.loadline\\.dev/mode}'"); output != string(v1alpha1.ModeDryRun) {
		t.Errorf("cart, which VPA only watched, has mode %q", output)
	}
	if output := run("kubectl get deployment nobody --namespace moving -o jsonpath='{.metadata.annotations.loadline\\.dev/mode}'"); output != string(v1alpha1.ModeOff) {
		t.Errorf("a workload that nobody sized has mode %q", output)
	}
	if output := run("kubectl get namespace moving -o jsonpath='{.metadata.labels.loadline\\.dev/admission}'"); output != v1alpha1.LabelAdmissionEnabled {
		t.Errorf("the namespace is not opted into admission: %q", output)
	}
	run(`kubectl label namespace moving goldilocks.fairwinds.com/enabled=true goldilocks.fairwinds.com/vpa-update-mode=initial`)
	follow(t, run, "loadline import goldilocks --namespace moving")
	if output := run("kubectl get namespace moving -o jsonpath='{.metadata.annotations.loadline\\.dev/mode} {.metadata.labels.goldilocks\\.fairwinds\\.com/enabled}'"); output != "initial " {
		t.Errorf("after the printed steps mode and Goldilocks' label are %q", output)
	}
}

// follow does what an import prints, step by step, as its reader would.
func follow(t *testing.T, run func(string) string, command string) {
	t.Helper()
	dir := t.TempDir()
	text := run(command + " | tee " + filepath.Join(dir, "loadline.yaml"))
	steps := 0
	for line := range strings.Lines(text) {
		if step, ok := strings.CutPrefix(line, "#   "); ok {
			run("cd " + dir + " && " + step)
			steps++
		}
	}
	if steps < 2 {
		t.Fatalf("want a step before, and one that applies:\n%s", text)
	}
}
