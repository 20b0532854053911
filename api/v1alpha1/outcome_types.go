package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// OutcomeResult names how a change went.
// +kubebuilder:validation:Enum=Resized;Evicted;Deferred;Infeasible;Refused;Failed;DidNotStick
type OutcomeResult string

// Results of a change to a pod.
const (
	OutcomeResized    OutcomeResult = "Resized"
	OutcomeEvicted    OutcomeResult = "Evicted"
	OutcomeDeferred   OutcomeResult = "Deferred"
	OutcomeInfeasible OutcomeResult = "Infeasible"
	OutcomeRefused    OutcomeResult = "Refused"
	// OutcomeFailed: the pod came to harm after the change.
	OutcomeFailed OutcomeResult = "Failed"
	// OutcomeDidNotStick: the pod does not have, or did not keep, the sizes that it was given.
	OutcomeDidNotStick OutcomeResult = "DidNotStick"
)

// Outcome is one change that the updater tried.
type Outcome struct {
	// time of the attempt.
	Time metav1.Time `json:"time"`

	// pod that was to change, by name.
	// +kubebuilder:validation:MaxLength=253
	Pod string `json:"pod"`

	// podUID tells it from another pod of the same name.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	PodUID types.UID `json:"podUID"`

	// revision that the pod was to get.
	// +kubebuilder:validation:MaxLength=64
	Revision string `json:"revision"`

	// result of the attempt.
	Result OutcomeResult `json:"result"`

	// lowers is true where the change took something away from the pod.
	// +optional
	Lowers bool `json:"lowers,omitempty"`

	// message of the API server, or what Loadline found.
	// +optional
	// +kubebuilder:validation:MaxLength=300
	Message string `json:"message,omitempty"`
}

// Changed reports whether the pod was changed, or is on its way out to make room for one that is.
func (o *Outcome) Changed() bool { return o.Result == OutcomeResized || o.Result == OutcomeEvicted }
