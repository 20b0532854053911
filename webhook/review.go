package webhook

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// maxReviewBytes is what is read of a request: two objects of at most 3 MiB, which is twice what etcd takes, and the rest.
const maxReviewBytes = 7 << 20

var reviewKind = admissionv1.SchemeGroupVersion.WithKind("AdmissionReview")

// lenient makes reading JSON as forgiving as the API server's own decoder: of duplicate names the last one counts, and text
// that is not UTF-8 passes. Names are compared with their case.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// readReview reads the request that the API server sends.
func readReview(w http.ResponseWriter, r *http.Request) (*admissionv1.AdmissionRequest, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, fmt.Errorf("content type %q is refused, legal: application/json", r.Header.Get("Content-Type"))
	}
	body, err := readBody(http.MaxBytesReader(w, r.Body, maxReviewBytes), r.ContentLength)
	if err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(body, &review, lenient); err != nil {
		return nil, fmt.Errorf("decode the request: %w", err)
	}
	if got := schema.FromAPIVersionAndKind(review.APIVersion, review.Kind); got != reviewKind {
		return nil, fmt.Errorf("a %s is refused, legal: %s", got, reviewKind)
	}
	if review.Request == nil {
		return nil, errors.New("the review holds no request")
	}
	return review.Request, nil
}

// believedBytes is the announced length of a body for which there is room before any of it is there: more than nearly all have.
const believedBytes = 64 << 10

// readBody reads all of a body, in one piece where it is as long as announced.
func readBody(body io.Reader, announced int64) ([]byte, error) {
	var all bytes.Buffer
	all.Grow(int(min(max(announced, 0)+bytes.MinRead, believedBytes)))
	if _, err := all.ReadFrom(body); err != nil {
		return nil, err
	}
	return all.Bytes(), nil
}

// writeReview answers the request. It is written by encoding/json, whose reading of omitempty the types of the API are made for.
func writeReview(w http.ResponseWriter, response *admissionv1.AdmissionResponse) error {
	review := admissionv1.AdmissionReview{Response: response}
	review.SetGroupVersionKind(reviewKind)
	text, err := stdjson.Marshal(review)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, err = w.Write(text)
	return err
}
