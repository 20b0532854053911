package v1alpha1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Rollback is a change that did harm and was taken back: until its time is over nothing is recommended below what was good
// before it.
type Rollback struct {
	// revision that did harm.
	// +kubebuilder:validation:MaxLength=64
	Revision string `json:"revision"`

	// time of the rollback.
	Time metav1.Time `json:"time"`

	// until is when the sizes may be tried again.
	Until metav1.Time `json:"until"`

	// harmTime is the time of the newest harm that this rollback answers.
	HarmTime metav1.Time `json:"harmTime"`

	// count of rollbacks in a row. The first holds for 1 hour, then 4 hours, 24 hours, and 7 days; it starts again when 7 days
	// passed without harm.
	// +kubebuilder:validation:Minimum=1
	Count int32 `json:"count"`

	// asWritten says that a policy of the cluster refuses new pods with these sizes, so that they get what their template asks for,
	// neither less nor more.
	// +optional
	AsWritten bool `json:"asWritten,omitempty"`

	// suspected says that what refuses new pods does not speak of sizes, so that only pods that come as they are written can
	// show whether sizes are why. Pods that run are left alone.
	// +optional
	Suspected bool `json:"suspected,omitempty"`

	// notSizes says that new pods are refused with what their template asks for as well, so that this refusal is not blamed on
	// sizes, which are in force again. If it speaks of sizes, it is looked at once more every 4 hours.
	// +optional
	NotSizes bool `json:"notSizes,omitempty"`

	// evidence is what happened to which pod, and when.
	// +kubebuilder:validation:MaxLength=300
	Evidence string `json:"evidence"`
}

// Holds reports whether the rollback is in force.
func (r *Rollback) Holds(now time.Time) bool { return r != nil && now.Before(r.Until.Time) }

// Answers reports whether harm of that time led to this rollback or to one before it.
func (r *Rollback) Answers(harm time.Time) bool { return r != nil && !harm.After(r.HarmTime.Time) }

// Trial is the last time that pods came through the watch after a change. Pods of another template that get into trouble later are
// not held against the revision.
type Trial struct {
	// revision that the pods had.
	// +kubebuilder:validation:MaxLength=64
	Revision string `json:"revision"`

	// template of the pods, as the hash that their controller gives it.
	// +kubebuilder:validation:MaxLength=63
	Template string `json:"template"`

	// time at which it was passed.
	Time metav1.Time `json:"time"`
}

// HealthCheck is a comparison of health signals after a change with those before it that found them no worse.
type HealthCheck struct {
	// revision that was changed to.
	// +kubebuilder:validation:MaxLength=64
	Revision string `json:"revision"`

	// time of the comparison.
	Time metav1.Time `json:"time"`
}
