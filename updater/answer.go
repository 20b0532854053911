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
	// answerDenied: something in the cluster, such as a policy, refuses to have this pod evicted, or the note on it. It is the business of
	// this workload alone. Tried again later.
	answerDenied answer = "denied"
	// answerNotPermitted: the updater's own account may not do this. A person has to repair that.
	answerNotPermitted answer = "not-permitted"
	// answerUnavailable: the API server, or a webhook that it has to ask, could not answer, or asked for more patience than a change has.
	// Tried again later. Nothing more is asked in this namespace in this round, and nothing at all once it happens in another one.
	answerUnavailable answer = "unavailable"
)

// waits reports whether the pod, or autoscaler, is asked again after a while only, so that others come first.
func (a answer) waits() bool {
	return slices.Contains([]answer{answerDisruptionBudget, answerSeveralBudgets, answerDenied, answerNotPermitted, answerUnavailable}, a)
}

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
//	"denied the request", whatever the code    refused
//	404, or 422 because the UID is another     gone
//	409                                        changed
//	401, 403 by authorization                  not-permitted
//	403 "not yet ready"                        unavailable
//	403 otherwise, 422, 400: beyond the node's allocatable, quota, LimitRange, QoS class, no support   refused
//	429, 5xx, time-out, no connection          unavailable
func resizeAnswer(err error) answer {
	switch {
	case err == nil:
		return answerDone
	case apply.Denied(err.Error()):
		return answerRefused
	case apierrors.IsNotFound(err), otherUID(err):
		return answerGone
	case apierrors.IsConflict(err):
		return answerChanged
	case unauthorized(err):
		return answerNotPermitted
	case refused(err):
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
	return answerDenied
}

// evictionAnswer names the answer to an eviction.
//
//	no error                                   done
//	"denied the request", whatever the code    denied
//	404, or 409 because the UID is another     gone
//	429 with the cause DisruptionBudget        disruption-budget
//	500 "more than one PodDisruptionBudget"    several-disruption-budgets
//	401, 403 by authorization                  not-permitted
//	403 "not yet ready"                        unavailable
//	403 otherwise, 422, 400                    denied
//	anything else                              unavailable
func evictionAnswer(err error) answer {
	switch {
	case err == nil:
		return answerDone
	case apply.Denied(err.Error()):
		return answerDenied
	case apierrors.IsNotFound(err), apierrors.IsConflict(err):
		return answerGone
	case apierrors.HasStatusCause(err, policyv1.DisruptionBudgetCause):
		return answerDisruptionBudget
	case strings.Contains(err.Error(), textSeveralBudgets):
		return answerSeveralBudgets
	case unauthorized(err):
		return answerNotPermitted
	case refused(err):
		return answerDenied
	default:
		return answerUnavailable
	}
}

// scaleAnswer names the answer to setting a number of pods, or the least one. It is that to a resize: whoever refuses it is asked again no
// sooner than if it had been done.
func scaleAnswer(err error) answer { return resizeAnswer(err) }

// refused reports whether the request was understood and is not to be done. A plug-in of the API server that is still starting says so with
// the same code.
func refused(err error) bool {
	return apierrors.IsBadRequest(err) || apierrors.IsInvalid(err) ||
		apierrors.IsForbidden(err) && !strings.Contains(err.Error(), textNotYetReady)
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
