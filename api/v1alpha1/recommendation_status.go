package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// RecommendationStatus is what Loadline computed and why.
//
// The recommender (field manager loadline-recommender) owns everything but outcomes and the conditions Applied and
// Healthy, which the updater (field manager loadline-updater) owns.
//
// The bounds below protect the API server, each on its own; together they allow more than the 32 KiB that an object should
// have. The recommender keeps its part within 24 KiB, so that outcomes and managedFields fit as well: it leaves out the
// forecasts' details first, then lesser findings, then sentences of the trail, and never what is needed to decide and to
// apply. That is enough for 24 containers; the numbers of 32 alone take about 30 KiB, and the object 36 KiB. Texts are cut to
// their bounds before they are written: one that is too long has the whole write refused.
//
// Lists that one manager writes as a whole are atomic: managedFields would otherwise name every field of every container.
type RecommendationStatus struct {
	// conditions tell what works and what does not. Types: Ready, HistoryReady, ForecastReady, Advised, Approved,
	// Applied, Healthy, Stale.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedTime is when the sizes were last confirmed; refreshed at least every six hours. Older than 24 hours means stale:
	// nothing is lowered any more.
	// +optional
	ObservedTime *metav1.Time `json:"observedTime,omitempty"`

	// observedGeneration is the generation of this object that the status answers.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// targetUID is the UID of the workload that was last seen under the name in targetRef.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	TargetUID types.UID `json:"targetUID,omitempty"`

	// mode that is in force for this workload, after namespace, workload and policy were combined.
	// +optional
	Mode Mode `json:"mode,omitempty"`

	// modeFrom says where the mode comes from, in words.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	ModeFrom string `json:"modeFrom,omitempty"`

	// approval that is in force.
	// +optional
	Approval Approval `json:"approval,omitempty"`

	// updater says how running pods may be changed.
	// +optional
	Updater UpdaterMode `json:"updater,omitempty"`

	// excludeContainers are the containers that namespace and workload ask to leave alone. They are left alone at once, also while
	// applicable stays behind and still has sizes for them.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=63
	ExcludeContainers []string `json:"excludeContainers,omitempty"`

	// display holds the texts of the columns of `kubectl get recommendations`.
	// +optional
	Display Display `json:"display,omitempty"`

	// revision is the revision of applicable.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Revision string `json:"revision,omitempty"`

	// candidate is what was computed last.
	// +optional
	Candidate *RevisionedValues `json:"candidate,omitempty"`

	// applicable is what the webhook and the updater use, and the only part that they read. It is the candidate, except
	// under manual approval, a hold, or too short a history, when it stays behind or absent.
	// +optional
	Applicable *RevisionedValues `json:"applicable,omitempty"`

	// current is what the workload's template asks for now.
	// +optional
	Current *CurrentValues `json:"current,omitempty"`

	// oomFloor remembers, per container, what an out-of-memory kill taught.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	OOMFloor []OOMFloor `json:"oomFloor,omitempty"`

	// replicas tells how the number of pods was found.
	// +optional
	Replicas *ReplicaStatus `json:"replicas,omitempty"`

	// forecast summarises the forecast behind the sizes, per container.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Forecast []ForecastStatus `json:"forecast,omitempty"`

	// advice tells which events and business context were taken into account, and which were refused and why.
	// +optional
	Advice *AdviceStatus `json:"advice,omitempty"`

	// trail is the reasoning, one sentence with numbers per step, in order.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=300
	Trail []string `json:"trail,omitempty"`

	// findings are things that a person should look at.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Findings []Finding `json:"findings,omitempty"`

	// savings compares the current requests with the recommended ones, over all replicas. Negative means more is needed.
	// +optional
	Savings *Savings `json:"savings,omitempty"`

	// outcomes are the latest changes to pods and how they went, newest first. Written by the updater.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	Outcomes []Outcome `json:"outcomes,omitempty"`

	// trial is the last revision that pods were well with for as long as changes are watched. Written by the updater.
	// +optional
	Trial *Trial `json:"trial,omitempty"`

	// trying is the revision that is tried on one of the pods, or was found to do harm. As long as it is in force, new pods
	// get nothing less than they got before it. Written by the updater.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Trying string `json:"trying,omitempty"`

	// tryingSince is since when something has been tried that is not known to be good yet, whichever revisions it was. Where it takes an
	// eviction to try it, new pods are kept from it for a day at most. Written by the updater.
	// +optional
	TryingSince *metav1.Time `json:"tryingSince,omitempty"`

	// rollback is the last change that did harm and was taken back. It stays here after its time is over, because the next one
	// lasts longer.
	// +optional
	Rollback *Rollback `json:"rollback,omitempty"`

	// health is the last time at which the policy's health signals were no worse than before a change.
	// +optional
	Health *HealthCheck `json:"health,omitempty"`

	// memory is what the next decision has to remember.
	// +optional
	Memory *DecisionMemory `json:"memory,omitempty"`
}

// Display holds texts for people; nothing reads them back.
type Display struct {
	// workload as kind/name.
	// +optional
	// +kubebuilder:validation:MaxLength=317
	Workload string `json:"workload,omitempty"`
	// cpu requested now and recommended, summed over the containers of one pod, such as "500m → 220m".
	// +optional
	// +kubebuilder:validation:MaxLength=64
	CPU string `json:"cpu,omitempty"`
	// memory requested now and recommended, summed over the containers of one pod, such as "2Gi → 900Mi".
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Memory string `json:"memory,omitempty"`
	// replicas now and recommended, such as "3 → 5".
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Replicas string `json:"replicas,omitempty"`
	// why is the most important reason, in one sentence.
	// +optional
	// +kubebuilder:validation:MaxLength=300
	Why string `json:"why,omitempty"`
}

// CurrentValues is what the workload asks for without Loadline.
type CurrentValues struct {
	// containers of the workload's template.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Containers []CurrentContainer `json:"containers,omitempty"`

	// replicas in the workload's spec.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Replicas *int32 `json:"replicas,omitempty"`
}

// CurrentContainer is the resources of one container in the workload's template.
type CurrentContainer struct {
	// name of the container.
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// requests in the template, in cores and bytes.
	// +optional
	Requests ResourceAmounts `json:"requests,omitempty"`

	// limits in the template, in cores and bytes.
	// +optional
	Limits ResourceAmounts `json:"limits,omitempty"`

	// peakMemory is the most memory that one pod was seen to use in this container, in bytes.
	// +optional
	PeakMemory *resource.Quantity `json:"peakMemory,omitempty"`
}

// ReplicaStatus tells how the number of pods was found.
type ReplicaStatus struct {
	// current is the number in the workload's spec.
	// +kubebuilder:validation:Minimum=0
	Current int32 `json:"current"`

	// target is the recommended number. Absent where Loadline has no opinion.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Target *int32 `json:"target,omitempty"`

	// min is the smallest number that the policy allows.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Min *int32 `json:"min,omitempty"`

	// max is the largest number that the policy allows.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Max *int32 `json:"max,omitempty"`

	// owner is who decides the number today, such as "HorizontalPodAutoscaler/checkout"; empty means the workload's own spec.
	// +optional
	// +kubebuilder:validation:MaxLength=320
	Owner string `json:"owner,omitempty"`

	// declared is the number that the workload's manifest asks for, as far as it is known: a request that asks for it again
	// repeats an old wish.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Declared *int32 `json:"declared,omitempty"`

	// scaled is what somebody else set through the scale subresource last, such as with kubectl scale.
	// +optional
	Scaled *ReplicaScaling `json:"scaled,omitempty"`

	// yieldsTo tells who set the number lately, and until when Loadline leaves it alone; empty if nobody did.
	// +optional
	// +kubebuilder:validation:MaxLength=320
	YieldsTo string `json:"yieldsTo,omitempty"`

	// schedule is the number needed in the windows to come, in order.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Schedule []ReplicaWindow `json:"schedule,omitempty"`
}

// ReplicaScaling is a number of pods that somebody set.
type ReplicaScaling struct {
	// by is the field manager that set it.
	// +kubebuilder:validation:MaxLength=128
	By string `json:"by"`

	// replicas that were set.
	// +kubebuilder:validation:Minimum=0
	Replicas int32 `json:"replicas"`

	// time when Loadline saw it first.
	Time metav1.Time `json:"time"`
}

// ReplicaWindow is a number of pods for a time.
type ReplicaWindow struct {
	// from is when the window opens.
	From metav1.Time `json:"from"`

	// until is when it closes; this moment does not belong to it.
	Until metav1.Time `json:"until"`

	// replicas that the window needs.
	// +kubebuilder:validation:Minimum=0
	Replicas int32 `json:"replicas"`
}

// Savings is current minus recommended requests over all replicas.
type Savings struct {
	// cpu in cores.
	CPU resource.Quantity `json:"cpu"`

	// memory in bytes.
	Memory resource.Quantity `json:"memory"`
}
