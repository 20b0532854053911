package updater

import (
	"errors"
	"slices"
	"strings"

	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/apply"
)

// answer names what the API server said to a change. Every answer has a name, and the name decides what follows.
type answer string

// Answers.
const (
	// answerDone: accepted.
	answerDone answer = "done"
	// answerGone: the pod is gone, or another one has its name. Nothing is left to do.
	answerGone answer = "gone"
	// answerChanged: somebody changed the object in between. The next round looks again.
	answerChanged answer = "changed"
	// answerRefused: this pod cannot be resized to these sizes; it is evicted if it has too little.
	answerRefused answer = "refused"
	// answerDisruptionBudget: a PodDisruptionBudget allows no eviction now. Tried again later.
	answerDisruptionBudget answer = "disruption-budget"
	// answerSeveralBudgets: more than one PodDisruptionBudget selects the pod, so the API server never evicts it.
	answerSeveralBudgets answer = "several-disruption-budgets"
	// answerNotPermitted: the updater's own account may not do this, or something in the cluster refuses its note on a pod. A person has
	// to repair that.
	answerNotPermitted answer = "not-permitted"
	// answerUnavailable: the API server could not answer, or asked for more patience than a change has. The round ends, the
	// next one tries again.
	answerUnavailable answer = "unavailable"
)

// Texts by which answers that share a code are told apart, as API server 1.37 writes them.
const (
	textNoPermission   = "cannot " // `User "x" cannot patch resource "pods/resize" in API group "" …`
	textSeveralBudgets = "more than one PodDisruptionBudget"
	textNotYetReady    = "not yet ready to handle request"
)

// namespaceTexts are parts of what a ResourceQuota and a LimitRange say.
var namespaceTexts = []string{"exceeded quota", "failed quota", "usage per Container", "usage per Pod", "limit to request ratio per"}

// refusedByNamespace reports whether a refusal came from a ResourceQuota, a LimitRange or a policy of the cluster for sizes, which
// bind new pods as well.
func refusedByNamespace(message string) bool {
	return apply.DeniedForSizes(message) || slices.ContainsFunc(namespaceTexts, func(text string) bool { return strings.Contains(message, text) })
}

// resizeAnswer names the answer to a resize.
//
//	no error                                   done
//	404, or 422 because the UID is another     gone
//	409                                        changed
//	403 by authorization                       not-permitted
//	403 "not yet ready"                        unavailable
//	403 otherwise, 422, 400: beyond the node's allocatable, quota, LimitRange, QoS class, no support   refused
//	429, 5xx, time-out, no connection          unavailable
func resizeAnswer(err error) answer {
	switch {
	case err == nil:
		return answerDone
	case apierrors.IsNotFound(err), otherUID(err):
		return answerGone
	case apierrors.IsConflict(err):
		return answerChanged
	case unauthorized(err):
		return answerNotPermitted
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), textNotYetReady):
		return answerUnavailable
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return answerRefused
	default:
		return answerUnavailable
	}
}

// noteAnswer names the answer to the note on a pod that comes before a resize. Whoever refuses the note, such as a policy of the
// cluster, said nothing about sizes, so the pod does not become one that cannot be resized, which would be evicted.
func noteAnswer(err error) answer {
	if got := resizeAnswer(err); got != answerRefused {
		return got
	}
	return answerNotPermitted
}

// evictionAnswer names the answer to an eviction.
//
//	no error                                   done
//	404, or 409 because the UID is another     gone
//	429 with the cause DisruptionBudget        disruption-budget
//	500 "more than one PodDisruptionBudget"    several-disruption-budgets
//	403, 401                                   not-permitted
//	anything else                              unavailable
func evictionAnswer(err error) answer {
	switch {
	case err == nil:
		return answerDone
	case apierrors.IsNotFound(err), apierrors.IsConflict(err):
		return answerGone
	case apierrors.HasStatusCause(err, policyv1.DisruptionBudgetCause):
		return answerDisruptionBudget
	case strings.Contains(err.Error(), textSeveralBudgets):
		return answerSeveralBudgets
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return answerNotPermitted
	default:
		return answerUnavailable
	}
}

// scaleAnswer names the answer to setting a number of pods.
func scaleAnswer(err error) answer {
	if got := resizeAnswer(err); got != answerRefused || !apierrors.IsForbidden(err) {
		return got
	}
	return answerNotPermitted
}

func unauthorized(err error) bool {
	return apierrors.IsUnauthorized(err) ||
		apierrors.IsForbidden(err) && strings.Contains(err.Error(), `User "`) && strings.Contains(err.Error(), textNoPermission)
}

// otherUID reports whether a patch was refused because its metadata.uid is not that of the object.
func otherUID(err error) bool {
	invalid, ok := errors.AsType[*apierrors.StatusError](err)
	if !ok || !apierrors.IsInvalid(err) || invalid.ErrStatus.Details == nil {
		return false
	}
	return slices.ContainsFunc(invalid.ErrStatus.Details.Causes, func(c metav1.StatusCause) bool { return c.Field == "metadata.uid" })
}
