package scenarios

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/e2e/install"
)

var contestedShop = oversized("contested")

// The kind appears while Loadline runs, as it does where somebody installs VPA beside it.
func TestPodsThatAVerticalPodAutoscalerChangesAreLeftToItUntilItIsOff(t *testing.T) {
	s := newScene(t, "contested", contestedShop)
	defineVPA(t)
	s.create(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "autoscaling.k8s.io/v1", "kind": "VerticalPodAutoscaler", "metadata": map[string]any{"namespace": s.namespace, "name": "theirs"},
		"spec": map[string]any{
			"targetRef":    map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
			"updatePolicy": map[string]any{"updateMode": "Recreate"},
		},
	}})
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "dry-run"})
	s.when("Deployment", "web", "knows of the other", func(rec *v1alpha1.Recommendation) bool {
		return rec.Status.Candidate != nil && hasFinding(rec, v1alpha1.ReasonVPA)
	})
	before := s.sizes("web")
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "auto"})
	rec := s.when("Deployment", "web", "is held", func(rec *v1alpha1.Recommendation) bool {
		return strings.Contains(rec.Status.ModeFrom, "held at dry-run because VerticalPodAutoscaler theirs changes the same pods")
	})
	approved := apimeta.FindStatusCondition(rec.Status.Conditions, v1alpha1.ConditionApproved)
	s.Expect(approved.Status).To(Equal(metav1.ConditionFalse))
	s.Expect(approved.Message).To(ContainSubstring("set its updateMode to Off"))
	s.Consistently(func() any { return s.sizes("web") }, 5*time.Second, time.Second).Should(Equal(before), "the updater leaves pods alone that run")
	for _, pod := range s.rollOut("web") {
		s.Expect(requestsOf(pod)).To(Equal(amounts("2", "2Gi")), "and the webhook those that come")
		s.Expect(pod.Annotations).NotTo(HaveKey(v1alpha1.AnnotationRevision))
	}

	start := stopPart(t, install.Recommender)
	theirs := &unstructured.Unstructured{}
	theirs.SetAPIVersion("autoscaling.k8s.io/v1")
	theirs.SetKind("VerticalPodAutoscaler")
	s.Expect(s.get("theirs", theirs)).To(Succeed())
	off := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"updatePolicy":{"updateMode":"Off"}}}`))
	s.Expect(loadline.Client.Patch(t.Context(), theirs, off)).To(Succeed())
	start()
	s.when("Deployment", "web", "is applied", func(rec *v1alpha1.Recommendation) bool {
		return rec.Status.Mode == v1alpha1.ModeAuto && !hasFinding(rec, v1alpha1.ReasonVPA) &&
			apimeta.IsStatusConditionTrue(rec.Status.Conditions, v1alpha1.ConditionApplied)
	})
}

// defineVPA installs VPA's own definition of its kinds.
func defineVPA(t *testing.T) {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/autoscaler/vertical-pod-autoscaler").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"apply", "--server-side", "--filename", filepath.Join(strings.TrimSpace(string(dir)), "deploy", "vpa-v1-crd-gen.yaml")},
		{"wait", "--for=condition=Established", "--timeout=60s", "crd/verticalpodautoscalers.autoscaling.k8s.io"},
	} {
		cmd := exec.CommandContext(t.Context(), cluster.KubectlPath, append([]string{"--kubeconfig", cluster.Kubeconfig}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("kubectl %v: %v\n%s", args, err, out)
		}
	}
}
