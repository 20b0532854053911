package webhook

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What is no request gets an error that says what is legal. The API server then admits the object, as the failure policy says.
func TestWhatIsNoAdmissionRequestIsRefusedWithAReason(t *testing.T) {
	const review = `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","object":{}}}`
	w := newWorld(t)
	for name, c := range map[string]struct{ contentType, body, want string }{
		"another content type": {"text/plain", review, `content type "text/plain" is refused, legal: application/json`},
		"no JSON":              {"application/json", "pods, please", "decode the request"},
		"half of it":           {"application/json", review[:40], "decode the request"},
		"nothing":              {"application/json", "", "decode the request"},
		"another kind":         {"application/json", checkoutPod(`{}`), "legal: admission.k8s.io/v1, Kind=AdmissionReview"},
		"no request in it":     {"application/json", `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}`, "the review holds no request"},
		"a wrong type":         {"application/json", strings.Replace(review, `"1"`, `1`, 1), "uid"},
		"too long":             {"application/json", review + strings.Repeat(" ", maxReviewBytes), "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, PathMutatePods, bytes.NewBufferString(c.body))
			r.Header.Set("Content-Type", c.contentType)
			got := httptest.NewRecorder()
			w.mux.ServeHTTP(got, r)
			if got.Code != http.StatusBadRequest || !strings.Contains(got.Body.String(), c.want) {
				t.Errorf("answer %d %q, want 400 with %q", got.Code, got.Body, c.want)
			}
		})
	}
}

// A newer API server may send more, and an older client less tidy JSON, than this version knows.
func TestUnknownFieldsAndUntidyJSONAreRead(t *testing.T) {
	w := newWorld(t, recommend("Deployment", "checkout", container("app", "250m", "512Mi")))
	pod := checkoutPod(`{}`)
	for name, untidy := range map[string]string{
		"unknown field":   strings.Replace(pod, `{`, `{"tomorrow":{"is":[1,2,{"new":null}]},`, 1),
		"duplicate field": strings.Replace(pod, `{`, `{"kind":"Pot",`, 1),
		"null":            strings.Replace(pod, `"spec":{`, `"spec":{"initContainers":null,"overhead":null,`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			if got := w.send(t, PathMutatePods, createPod("shop", untidy)); !strings.Contains(sizes(t, got.object, 0), "requests.cpu=250m") {
				t.Errorf("sizes%s", sizes(t, got.object, 0))
			}
		})
	}
}
