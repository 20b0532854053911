package webhook

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// FuzzPods sends anything as a pod. Whatever it is, it is admitted without a panic, and a patch that is answered applies and
// leaves nothing to patch.
func FuzzPods(f *testing.F) {
	f.Add([]byte(checkoutPod(`{"requests":{"cpu":"1","memory":"1Gi"},"limits":{"memory":"2Gi"}}`)))
	f.Add([]byte(checkoutPod(`{"requests":null,"limits":{}}`, `{"name":"proxy","resources":{"limits":{"cpu":"9E"}}}`)))
	f.Add([]byte(podWith(`"annotations":{"`+v1alpha1.AnnotationOriginal+`":"{\"app\":{\"limits\":{\"cpu\":\"1\"}}}"},`, `{"name":"app"},{"name":"app"}`)))
	f.Add([]byte(`{"metadata":null,"spec":{"containers":null}}`))
	w := newWorld(f, recommend("Deployment", "checkout", container("app", "250m", "512Mi"), container("proxy", "1", "1Gi"), limits(v1alpha1.LimitRatio, "2", "2Gi")))
	m, err := newMetrics(prometheus.NewRegistry())
	if err != nil {
		f.Fatal(err)
	}
	sh := &shell{metrics: m, clock: clock.RealClock{}, log: logr.Discard(), tell: func(notice) {}}
	p := &pods{
		gate:   gate{lookup: w, excluded: func(string) bool { return false }, clock: clock.RealClock{}, staleAfter: DefaultStaleAfter},
		limits: w,
	}

	f.Fuzz(func(t *testing.T, pod []byte) {
		req := &admissionv1.AdmissionRequest{Operation: admissionv1.Create, Namespace: "shop"}
		for round := range 2 {
			req.Object.Raw = pod
			a := sh.answer(context.Background(), "pods", p.mutate, req)
			if a.outcome == outcomePanic || a.refusal != "" {
				t.Fatalf("outcome %s, refusal %q", a.outcome, a.refusal)
			}
			if round == 1 && len(a.patches) > 0 {
				t.Fatalf("called again: %v", a.patches)
			}
			if len(a.patches) == 0 || !json.Valid(pod) {
				return
			}
			text, err := json.Marshal(a.patches)
			if err != nil {
				t.Fatal(err)
			}
			patch, err := jsonpatch.DecodePatch(text)
			if err != nil {
				t.Fatal(err)
			}
			if pod, err = patch.Apply(pod); err != nil {
				t.Fatalf("patch %s: %v", text, err)
			}
		}
	})
}

// FuzzRequests posts anything to every path, as a body and as the object of a well-formed request. Whatever it is, there is an
// answer: a readable review, without a patch unless it is allowed, and with a message if it is not; or, to what is no request,
// an error that says so.
func FuzzRequests(f *testing.F) {
	f.Add([]byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","operation":"CREATE","object":{}}}`))
	f.Add([]byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}`))
	f.Add([]byte(`{"kind":"AdmissionReview","request":{"uid":"1","object":"x","oldObject":7,"dryRun":"yes"}}`))
	f.Add([]byte(`{"metadata":{"annotations":{"loadline.dev/mode":"auto"}},"spec":{"replicas":-1,"signals":[{"promQL":"("}]}}`))
	f.Add([]byte(checkoutPod(`{}`)))
	f.Add([]byte("{\"\xff"))
	f.Add([]byte(`[[[[`))
	w := newWorld(f, recommend("Deployment", "checkout", container("app", "250m", "512Mi")))
	paths := []string{
		PathMutatePods, PathMutateWorkloads, PathMutateNamespaces, PathValidateNamespaces, PathValidateWorkloads, PathValidateLoadline,
	}
	kinds := []string{"Pod", "Deployment", "Namespace", "SizingPolicy", "Recommendation"}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, path := range paths {
			requireAnswer(t, w.post(path, body), path)
			if !json.Valid(body) {
				continue // which cannot be the object of a review
			}
			for _, kind := range kinds {
				req := request(admissionv1.Update, v1alpha1.Group, "v1alpha1", kind, "shop", string(body), string(body))
				review, err := json.Marshal(admissionv1.AdmissionReview{
					TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Request: req,
				})
				if err != nil {
					t.Fatal(err)
				}
				requireAnswer(t, w.post(path, review), path)
			}
		}
		w.told()
	})
}

func requireAnswer(t *testing.T, answered *httptest.ResponseRecorder, path string) {
	t.Helper()
	body := answered.Body.Bytes()
	if answered.Code == http.StatusBadRequest && len(body) > 0 {
		return
	}
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(body, &review); err != nil || review.Response == nil {
		t.Fatalf("%s answers %q: %v", path, body, err)
	}
	switch r := review.Response; {
	case !r.Allowed && (r.Result == nil || r.Result.Message == ""):
		t.Fatalf("%s refuses without a word: %s", path, body)
	case !r.Allowed && len(r.Patch) > 0:
		t.Fatalf("%s refuses with a patch: %s", path, body)
	}
}
