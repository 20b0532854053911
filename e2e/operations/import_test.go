package operations

import (
	"context"
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
	run("loadline import vpa --namespace moving | kubectl apply --server-side -f -")
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
	run("loadline import goldilocks --namespace moving | kubectl apply --server-side --dry-run=server -f -")
}
