package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// LimitPolicy says what happens to the limit of one resource.
//
//   - Keep: the limit of the pod stays; it is raised only where it would be under the request, and cut to the policy's max.
//   - Ratio: the limit keeps its ratio to the request, up to the policy's max and the largest node.
//   - Headroom: the limit is the recommended peak plus headroom.
//   - Equal: the limit equals the request.
//   - None: the limit is removed, on new pods only.
//
// +kubebuilder:validation:Enum=Keep;Ratio;Headroom;Equal;None
type LimitPolicy string

// Limit policies.
const (
	LimitKeep     LimitPolicy = "Keep"
	LimitRatio    LimitPolicy = "Ratio"
	LimitHeadroom LimitPolicy = "Headroom"
	LimitEqual    LimitPolicy = "Equal"
	LimitNone     LimitPolicy = "None"
)

// RevisionedValues is one complete set of sizes, named by the hash of its content.
type RevisionedValues struct {
	// revision is the hash of values: equal sizes have equal revisions, however they were found.
	// +kubebuilder:validation:MaxLength=64
	Revision string `json:"revision"`

	// computedTime is when these sizes were first decided.
	ComputedTime metav1.Time `json:"computedTime"`

	// containers holds the sizes per container.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Containers []ContainerValues `json:"containers,omitempty"`

	// replicas is the recommended number of pods. Absent where Loadline has no opinion.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Replicas *int32 `json:"replicas,omitempty"`

	// autoscalerMinReplicas is what the minReplicas of the workload's HorizontalPodAutoscaler is raised to for an event.
	// Absent means that it is as its owner wrote it.
	// +optional
	// +kubebuilder:validation:Minimum=1
	AutoscalerMinReplicas *int32 `json:"autoscalerMinReplicas,omitempty"`
}

// ContainerValues holds the sizes of one container. A resource that is absent is left as the pod has it.
type ContainerValues struct {
	// name of the container.
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// target is the request of every new pod, in cores and bytes.
	// +optional
	Target ResourceAmounts `json:"target,omitempty"`

	// inPlace is the request that a running pod is resized to when it has drifted. It follows the next hour, and gives
	// back at most maxGiveBackPercent below the target.
	// +optional
	InPlace ResourceAmounts `json:"inPlace,omitempty"`

	// band is a closed interval around target and inPlace, per resource. A pod has drifted when its request is farther from
	// the one it should have, relatively, than the band reaches beyond both.
	// +optional
	Band Band `json:"band,omitempty"`

	// limits says what happens to the limits.
	// +optional
	Limits Limits `json:"limits,omitempty"`
}

// ResourceAmounts is an amount of CPU and of memory.
type ResourceAmounts struct {
	// cpu in cores, whole millicores.
	// +optional
	CPU *resource.Quantity `json:"cpu,omitempty"`

	// memory in bytes.
	// +optional
	Memory *resource.Quantity `json:"memory,omitempty"`
}

// Band is a closed interval per resource.
type Band struct {
	// cpu interval, in cores.
	// +optional
	CPU *Interval `json:"cpu,omitempty"`

	// memory interval, in bytes.
	// +optional
	Memory *Interval `json:"memory,omitempty"`
}

// Interval is closed: min and max belong to it.
type Interval struct {
	// min is the smallest amount inside.
	Min resource.Quantity `json:"min"`

	// max is the largest amount inside.
	Max resource.Quantity `json:"max"`
}

// Limits says, per resource, what happens to the limit.
type Limits struct {
	// cpu limit. Absent where CPU is not sized.
	// +optional
	CPU *Limit `json:"cpu,omitempty"`

	// memory limit. Absent where memory is not sized.
	// +optional
	Memory *Limit `json:"memory,omitempty"`
}

// Limit is a policy and, where the policy computes one, its result.
type Limit struct {
	// policy that produced the value.
	Policy LimitPolicy `json:"policy"`

	// value of the limit, in cores or bytes. Under Keep it is the most that the limit may be, absent where that is nothing;
	// absent under None.
	// +optional
	Value *resource.Quantity `json:"value,omitempty"`
}
