package updater

import (
	"context"
	"errors"
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

var pods = schema.GroupResource{Resource: "pods"}

func forbidden(text string) error { return apierrors.NewForbidden(pods, "a", errors.New(text)) }

// errNoPermission is what the API server's authorizer says.
var errNoPermission = forbidden(`User "system:serviceaccount:loadline-system:loadline-updater" cannot patch resource "pods/resize" in API group "" in the namespace "shop"`)

func invalid(path *field.Path, detail string) error {
	return apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, "a", field.ErrorList{field.Invalid(path, "x", detail)})
}

func apiStatus(code int32, reason metav1.StatusReason, message string, causes ...metav1.StatusCause) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message, Details: &metav1.StatusDetails{Causes: causes},
	}}
}

// denied is what an admission webhook answers that refuses with this code; 400 where it names none.
func denied(code int32, reason metav1.StatusReason) error {
	return apiStatus(code, reason, `admission webhook "evictions.example.com" denied the request: not during the sale`)
}

func TestARefusedNoteDoesNotMakeAPodOneThatCannotBeResized(t *testing.T) {
	for _, err := range []error{
		forbidden(`ValidatingAdmissionPolicy "immutable-pods" denied request`), invalid(field.NewPath("metadata", "annotations"), "not here"),
	} {
		if got := noteAnswer(err); got != answerDenied {
			t.Errorf("%v: answer = %s, want %s", err, got, answerDenied)
		}
	}
	if got := noteAnswer(apierrors.NewNotFound(pods, "a")); got != answerGone {
		t.Errorf("a pod that is gone: answer = %s", got)
	}
}

func TestEveryAnswerToAResizeHasAName(t *testing.T) {
	spec := field.NewPath("spec")
	cases := map[string]struct {
		err  error
		want answer
	}{
		"accepted":                         {nil, answerDone},
		"the pod is gone":                  {apierrors.NewNotFound(pods, "a"), answerGone},
		"another pod has its name":         {invalid(field.NewPath("metadata", "uid"), "field is immutable"), answerGone},
		"changed in between":               {apierrors.NewConflict(pods, "a", errors.New("changed")), answerChanged},
		"beyond the node's allocatable":    {forbidden("node didn't have enough allocatable resources: cpu, requested: 64000, allocatable: 2000"), answerRefused},
		"beyond the quota":                 {forbidden("exceeded quota: q, requested: requests.cpu=3, used: requests.cpu=1, limited: requests.cpu=2"), answerRefused},
		"QoS class would change":           {invalid(spec, "Pod QOS Class may not change as a result of resizing"), answerRefused},
		"a node without resize":            {invalid(spec, "Pod running on node without support for resize"), answerRefused},
		"refused by a webhook":             {apiStatus(http.StatusForbidden, metav1.StatusReasonForbidden, `admission webhook "x" denied the request: no`), answerRefused},
		"refused by one with another code": {denied(http.StatusConflict, metav1.StatusReasonConflict), answerRefused},
		"our role lacks a rule":            {errNoPermission, answerNotPermitted},
		"our token has expired":            {apierrors.NewUnauthorized("token"), answerNotPermitted},
		"the plug-in is starting":          {forbidden("not yet ready to handle request"), answerUnavailable},
		"too many requests":                {apierrors.NewTooManyRequests("slow down", 1), answerUnavailable},
		"time-out":                         {context.DeadlineExceeded, answerUnavailable},
		"internal error":                   {apierrors.NewInternalError(errors.New("etcd")), answerUnavailable},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := resizeAnswer(c.err); got != c.want {
				t.Errorf("answer = %s, want %s", got, c.want)
			}
		})
	}
}

func TestEveryAnswerToAnEvictionHasAName(t *testing.T) {
	violates := apiStatus(http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, "Cannot evict pod as it would violate the pod's disruption budget.",
		metav1.StatusCause{Type: policyv1.DisruptionBudgetCause})
	several := apiStatus(http.StatusInternalServerError, "", "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.")
	cases := map[string]struct {
		err  error
		want answer
	}{
		"accepted":                           {nil, answerDone},
		"the pod is gone":                    {apierrors.NewNotFound(pods, "a"), answerGone},
		"another pod has its name":           {apierrors.NewConflict(pods, "a", errors.New("the UID in the precondition does not match")), answerGone},
		"against its PodDisruptionBudget":    {violates, answerDisruptionBudget},
		"two PodDisruptionBudgets":           {several, answerSeveralBudgets},
		"denied by a webhook, as most do it": {denied(http.StatusBadRequest, metav1.StatusReasonBadRequest), answerDenied},
		"denied by one that says 403":        {denied(http.StatusForbidden, metav1.StatusReasonForbidden), answerDenied},
		"denied by one that says 409":        {denied(http.StatusConflict, metav1.StatusReasonConflict), answerDenied},
		"denied by one that says 429":        {denied(http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests), answerDenied},
		"denied by one that says 500":        {denied(http.StatusInternalServerError, metav1.StatusReasonInternalError), answerDenied},
		"denied by one that speaks of users": {
			apiStatus(http.StatusForbidden, metav1.StatusReasonForbidden, `admission webhook "x" denied the request: User "system:serviceaccount:loadline-system:loadline-updater" cannot evict here`), answerDenied,
		},
		"denied by a policy of the API server": {
			invalid(field.NewPath(""), `ValidatingAdmissionPolicy 'no-evictions' with binding 'no-evictions' denied request: not by day`), answerDenied,
		},
		"forbidden by something else": {forbidden("unable to create new content in namespace shop because it is being terminated"), answerDenied},
		"not valid":                   {invalid(field.NewPath("metadata"), "no"), answerDenied},
		"the plug-in is starting":     {forbidden("not yet ready to handle request"), answerUnavailable},
		"a webhook that has to be asked is down": {
			apierrors.NewInternalError(errors.New(`failed calling webhook "x": Post "https://x.team.svc:443/": connect: connection refused`)), answerUnavailable,
		},
		"our token has expired":        {apierrors.NewUnauthorized("token"), answerNotPermitted},
		"the API server is overloaded": {apierrors.NewTooManyRequests("slow down", 1), answerUnavailable},
		"our role lacks a rule":        {errNoPermission, answerNotPermitted},
		"time-out":                     {context.DeadlineExceeded, answerUnavailable},
		"some other internal error":    {apierrors.NewInternalError(errors.New("etcd")), answerUnavailable},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := evictionAnswer(c.err); got != c.want {
				t.Errorf("answer = %s, want %s", got, c.want)
			}
		})
	}
}

func TestAMissingRuleNeverLooksLikeAPodThatCannotBeResized(t *testing.T) {
	// It would be evicted instead.
	for _, resource := range []string{corev1.ResourcePods.String(), "pods/resize"} {
		err := forbidden(`User "u" cannot patch resource "` + resource + `" in API group "" in the namespace "shop": RBAC: clusterrole "x" not found`)
		if got := resizeAnswer(err); got != answerNotPermitted {
			t.Errorf("%s: answer = %s", resource, got)
		}
	}
}

var errOtherUID = invalid(field.NewPath("metadata", "uid"), "field is immutable")
