package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Recommendation holds the sizes Loadline computed for one workload, and the whole reasoning behind them.
//
// One object exists per opted-in workload, named <kind>-<name> in lower case. The recommender creates it and writes its
// status; people write spec. It has no owner reference on purpose: deleting and re-creating the workload must lose neither
// what was learnt from an out-of-memory kill nor a hold or an approval.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=llrec,categories=loadline
// +kubebuilder:validation:XValidation:rule="self.metadata.name == self.spec.targetRef.kind.lowerAscii() + '-' + self.spec.targetRef.name || self.metadata.name.size() == 253",message="a Recommendation is named <kind>-<name> of its targetRef, in lower case, such as deployment-checkout"
// +kubebuilder:printcolumn:name="Workload",type=string,JSONPath=`.status.display.workload`,description="kind/name of the workload"
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.status.mode`,description="what Loadline may do: dry-run, initial or auto"
// +kubebuilder:printcolumn:name="CPU",type=string,JSONPath=`.status.display.cpu`,description="requested now → recommended, sum over containers"
// +kubebuilder:printcolumn:name="Memory",type=string,JSONPath=`.status.display.memory`,description="requested now → recommended, sum over containers"
// +kubebuilder:printcolumn:name="Replicas",type=string,JSONPath=`.status.display.replicas`,description="now → recommended"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`,description="whether there are sizes that may be used"
// +kubebuilder:printcolumn:name="Why",type=string,JSONPath=`.status.display.why`,description="the most important reason, in words"
// +kubebuilder:printcolumn:name="Revision",type=string,priority=1,JSONPath=`.status.revision`,description="name of the sizes in use: the hash of their values"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Recommendation struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says which workload this is about, and holds people's decisions on it.
	Spec RecommendationSpec `json:"spec"`

	// status is written by Loadline alone.
	// +optional
	Status RecommendationStatus `json:"status,omitempty"`
}

// RecommendationList is a list of Recommendations.
//
// +kubebuilder:object:root=true
type RecommendationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Recommendation `json:"items"`
}

// RecommendationSpec names the workload and holds the decisions of people.
type RecommendationSpec struct {
	// targetRef is the workload, in the same namespace. It cannot be changed.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="targetRef is immutable: delete this Recommendation and let Loadline create the one for the other workload"
	TargetRef TargetReference `json:"targetRef"`

	// approvedRevision is the revision that a person approved. Under `approval: manual` nothing else is applied.
	// Set it with `loadline approve`. Default empty: nothing is approved.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[0-9a-f]{8,64}$')",message="approvedRevision must be a revision as shown in status.candidate.revision: 8 to 64 hexadecimal digits"
	ApprovedRevision string `json:"approvedRevision,omitempty"`

	// hold stops every change to the running pods of this workload, and freezes what admission injects. Default: no hold.
	// +optional
	Hold *Hold `json:"hold,omitempty"`

	// rollbackReleased allows to try again what was taken back before this time, see status.rollback. Default: a rollback holds
	// until its time is over.
	// +optional
	RollbackReleased *metav1.Time `json:"rollbackReleased,omitempty"`
}

// TargetReference names a workload in the namespace of the Recommendation.
type TargetReference struct {
	// apiVersion of the workload, such as apps/v1.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[0-9]+[a-z0-9]*$`
	APIVersion string `json:"apiVersion"`

	// kind of the workload, such as Deployment.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Z][A-Za-z0-9]*$`
	Kind string `json:"kind"`

	// name of the workload.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	Name string `json:"name"`
}

// Hold is a person's request to leave a workload as it is.
type Hold struct {
	// until is when the hold ends by itself. Without it the hold lasts until it is removed.
	// +optional
	Until *metav1.Time `json:"until,omitempty"`

	// reason is shown in the trail and in reports.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Reason string `json:"reason"`
}
