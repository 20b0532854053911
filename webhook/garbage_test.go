package webhook

import (
	"encoding/json"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestAdmittingAPodLeavesLittleGarbage holds what a burst of pods does to the webhook, which collects garbage on the cores that it shares.
func TestAdmittingAPodLeavesLittleGarbage(t *testing.T) {
	const most = 300 // 211, and 262 with the race detector.
	w := newWorld(t, recommend("Deployment", "checkout", container("app", "250m", "512Mi")))
	body, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request:  createPod("shop", checkoutPod(`{"requests":{"cpu":"1","memory":"1Gi"}}`)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if answer := w.post(PathMutatePods, body).Body.String(); !strings.Contains(answer, `"patch"`) {
		t.Fatalf("no sizes: %s", answer)
	}
	if got := testing.AllocsPerRun(100, func() { w.post(PathMutatePods, body) }); got > most {
		t.Errorf("admitting a pod takes %.0f allocations, want at most %d", got, most)
	}
}
