package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"

	"github.com/go-logr/logr"
	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
)

// outcome names what became of a request. The values are part of the metric loadline_webhook_requests_total.
type outcome string

const (
	// Something was patched.
	outcomeInjected outcome = "injected"
	outcomeLabelled outcome = "labelled"

	// Nothing was patched, and that is right.
	outcomeUnchanged        outcome = "unchanged"
	outcomeIrrelevant       outcome = "irrelevant"
	outcomeExcluded         outcome = "excluded-namespace"
	outcomeNotOptedIn       outcome = "not-opted-in"
	outcomeNoOwner          outcome = "no-owner"
	outcomeNoRecommendation outcome = "no-recommendation"
	outcomeNotApplicable    outcome = "nothing-applicable"
	outcomePodResources     outcome = "pod-level-resources"
	outcomeLimitRange       outcome = "limit-range"
	outcomeNoRoom           outcome = "annotations-full"
	outcomeScaledToZero     outcome = "scaled-to-zero"
	outcomePaused           outcome = "paused"
	outcomeAutoscaled       outcome = "autoscaled"
	outcomeYielded          outcome = "yielded"

	// Validation.
	outcomeAllowed outcome = "allowed"
	outcomeWarned  outcome = "warned"
	outcomeRefused outcome = "refused"

	// Nothing was patched or checked because Loadline could not.
	outcomeError outcome = "error"
	outcomePanic outcome = "panic"
)

// answer is what a handler decided.
type answer struct {
	outcome  outcome
	patches  []jsonpatch.JsonPatchOperation
	warnings []string
	// refusal denies the request, with this message for the person who sent it. Empty admits it.
	refusal string
	// notice is what the workload's Events tell of it; nil where that is nothing.
	notice *notice
}

// decide answers one request. An error means that no answer could be found; the request is then admitted as it is.
type decide func(ctx context.Context, req *admissionv1.AdmissionRequest) (answer, error)

// shell turns decisions into admission handlers that fail open.
type shell struct {
	metrics *metrics
	clock   clock.PassiveClock
	log     logr.Logger
	// tell passes a notice on and returns at once.
	tell func(notice)
}

// handler wraps a decision under the name that logs and metrics show. A request that cannot be read is answered with an error,
// which the API server's failure policy turns into an admission.
func (s *shell) handler(name string, decide decide) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := readReview(w, r)
		if err != nil {
			s.log.Error(err, "not an admission request", "webhook", name)
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		response, err := s.answer(r.Context(), name, decide, req).response(req.UID)
		if err == nil {
			err = writeReview(w, response)
		}
		if err != nil {
			s.logger(name, req).Error(err, "request not answered")
		}
	})
}

// answer runs the decision, times it, and turns an error or a panic into an answer that admits the request unchanged.
func (s *shell) answer(ctx context.Context, name string, decide decide, req *admissionv1.AdmissionRequest) (a answer) {
	start := s.clock.Now()
	defer func() {
		if cause := recover(); cause != nil {
			a = answer{outcome: outcomePanic}
			s.logger(name, req).Error(fmt.Errorf("panic: %v", cause), "request admitted unchanged", "stack", string(debug.Stack()))
		}
		s.metrics.observe(name, a.outcome, isDryRun(req), s.clock.Since(start))
	}()
	a, err := decide(ctx, req)
	if err != nil {
		s.logger(name, req).Error(err, "request admitted unchanged")
		return answer{outcome: outcomeError}
	}
	// An Event of a dry run would tell of something that never happened.
	if a.notice != nil && !isDryRun(req) {
		s.tell(*a.notice)
	}
	if s.log.V(1).Enabled() {
		s.logger(name, req).V(1).Info("request answered", "outcome", a.outcome, "patches", len(a.patches), "refusal", a.refusal)
	}
	return a
}

// logger names the request. It is made for those alone of which there is something to say.
func (s *shell) logger(name string, req *admissionv1.AdmissionRequest) logr.Logger {
	return s.log.WithValues("webhook", name, "operation", req.Operation, "kind", req.Kind.Kind, "namespace", req.Namespace, "name", req.Name)
}

func isDryRun(req *admissionv1.AdmissionRequest) bool { return req.DryRun != nil && *req.DryRun }

// maxWarnings and maxWarningBytes keep an answer within what the API server passes on: it cuts a warning at 256 bytes, and
// all of them at 4,096.
const (
	maxWarnings     = 12
	maxWarningBytes = 256
)

func (a answer) response(uid types.UID) (*admissionv1.AdmissionResponse, error) {
	warnings := slices.Clone(a.warnings[:min(len(a.warnings), maxWarnings)])
	for i, w := range warnings {
		warnings[i] = shorten(w, maxWarningBytes)
	}
	response := &admissionv1.AdmissionResponse{UID: uid, Allowed: a.refusal == "", Warnings: warnings}
	if a.refusal != "" {
		response.Result = &metav1.Status{Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid, Message: a.refusal}
	}
	if len(a.patches) == 0 {
		return response, nil
	}
	patch, err := json.Marshal(a.patches)
	if err != nil {
		return nil, fmt.Errorf("encode the patch: %w", err)
	}
	response.Patch, response.PatchType = patch, new(admissionv1.PatchTypeJSONPatch)
	return response, nil
}

// shorten cuts s to at most limit bytes, at the border of a character.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	const ellipsis = "…"
	cut := limit - len(ellipsis)
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + ellipsis
}
