package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// OOMFloor is the least memory a container gets after it was killed for lack of memory.
type OOMFloor struct {
	// container that was killed.
	// +kubebuilder:validation:MaxLength=63
	Container string `json:"container"`

	// hit is the memory limit that the container ran into, in bytes; or what it used when its node ran low on memory and evicted the
	// pod, if that was more.
	Hit resource.Quantity `json:"hit"`

	// floor is the memory request that follows, in bytes: the larger of 1.2 × hit and hit + 100 MiB, though at most four times what
	// the same makes of from. An eviction asks for no more than the container's limit.
	Floor resource.Quantity `json:"floor"`

	// from is what hit was when the kills began, or what the template asks for if that is more. It begins anew after
	// four weeks without a kill.
	// +optional
	From *resource.Quantity `json:"from,omitempty"`

	// time of the last kill.
	Time metav1.Time `json:"time"`

	// kills counts the kills that were seen.
	// +kubebuilder:validation:Minimum=1
	Kills int32 `json:"kills"`
}

// DecisionMemory is what the next decision needs from the ones before. It lives here so that a restart forgets nothing.
type DecisionMemory struct {
	// containers that were ever sized.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Containers []ContainerMemory `json:"containers,omitempty"`

	// template is what was last seen of the workload's pod template.
	// +optional
	Template *TemplateMemory `json:"template,omitempty"`

	// lastGood are the sizes that pods had without harm before those in force, without bands. Absent where none are known; a
	// rollback then gives back what the template asks for.
	// +optional
	LastGood *RevisionedValues `json:"lastGood,omitempty"`

	// withheld are the sizes that were in force before new pods were refused for them. They come back, also under a person's hold,
	// when pods no longer come as they are written.
	// +optional
	Withheld *RevisionedValues `json:"withheld,omitempty"`

	// lastReplicasLowered is when the number of pods was last recommended lower.
	// +optional
	LastReplicasLowered *metav1.Time `json:"lastReplicasLowered,omitempty"`

	// advisedUntil is when the last window closes in which a model's advice lets nothing shrink. While the model has not
	// answered what is asked now, nothing is lowered until then.
	// +optional
	AdvisedUntil *metav1.Time `json:"advisedUntil,omitempty"`

	// quotaClaim is what the workload would have without ResourceQuotas, in a namespace that has one. The other workloads of
	// the namespace reckon with it.
	// +optional
	QuotaClaim *QuotaClaim `json:"quotaClaim,omitempty"`

	// unschedulable is what was learnt from pods that found no node with the sizes that were in force.
	// +optional
	Unschedulable *UnschedulableMemory `json:"unschedulable,omitempty"`

	// autoscaler is what the workload's HorizontalPodAutoscalers held when they were last seen. One that is gone still counts for a day.
	// +optional
	Autoscaler *AutoscalerMemory `json:"autoscaler,omitempty"`
}

// AutoscalerMemory is what HorizontalPodAutoscalers hold the utilisation of.
type AutoscalerMemory struct {
	// owner is the first of them, as kind/name.
	// +kubebuilder:validation:MaxLength=320
	Owner string `json:"owner"`

	// cpu says that one holds the utilisation of the pods' CPU.
	// +optional
	CPU bool `json:"cpu,omitempty"`

	// memory says that one holds the utilisation of the pods' memory.
	// +optional
	Memory bool `json:"memory,omitempty"`

	// cpuOf names the containers of which alone one holds the CPU.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=63
	CPUOf []string `json:"cpuOf,omitempty"`

	// memoryOf names the containers of which alone one holds the memory.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=63
	MemoryOf []string `json:"memoryOf,omitempty"`

	// goneSince is since when there is none any more; absent while there is.
	// +optional
	GoneSince *metav1.Time `json:"goneSince,omitempty"`
}

// UnschedulableMemory bounds a pod because more found no node.
type UnschedulableMemory struct {
	// requests that a pod may have at most, all its containers together; what is absent is not bounded.
	// +optional
	Requests ResourceAmounts `json:"requests,omitempty"`

	// since is when the last such pod began to wait.
	Since metav1.Time `json:"since"`

	// until is when more is tried again.
	Until metav1.Time `json:"until"`

	// times counts how often this was needed. The time until more is tried doubles with it.
	// +kubebuilder:validation:Minimum=1
	Times int32 `json:"times"`
}

// QuotaClaim is what one workload asks of the ResourceQuotas of its namespace.
type QuotaClaim struct {
	// priority of the workload: critical comes first.
	Priority Priority `json:"priority"`

	// requests of one pod.
	// +optional
	Requests ResourceAmounts `json:"requests,omitempty"`

	// limits of one pod.
	// +optional
	Limits ResourceAmounts `json:"limits,omitempty"`
}

// ContainerMemory is what is remembered about one container.
type ContainerMemory struct {
	// name of the container.
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// image that runs; a change restarts the time before lowering.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Image string `json:"image,omitempty"`

	// imageSince is when this image was first seen.
	// +optional
	ImageSince *metav1.Time `json:"imageSince,omitempty"`

	// cpuRaised is when the CPU target last rose.
	// +optional
	CPURaised *metav1.Time `json:"cpuRaised,omitempty"`

	// cpuLowered is when the CPU target last fell, or rose for something announced, which is not held when that is over.
	// +optional
	CPULowered *metav1.Time `json:"cpuLowered,omitempty"`

	// cpuInPlaceMoved is when the CPU request of running pods last moved.
	// +optional
	CPUInPlaceMoved *metav1.Time `json:"cpuInPlaceMoved,omitempty"`

	// giveBackLockedUntil is how long running pods give no CPU back, because a raise waited for more than an hour.
	// +optional
	GiveBackLockedUntil *metav1.Time `json:"giveBackLockedUntil,omitempty"`

	// memoryRaised is when the memory target last rose.
	// +optional
	MemoryRaised *metav1.Time `json:"memoryRaised,omitempty"`

	// memoryLowered is when the memory target last fell.
	// +optional
	MemoryLowered *metav1.Time `json:"memoryLowered,omitempty"`

	// memoryAsked is when the template last began to ask for more memory: what it asks for is then the least for two weeks.
	// +optional
	MemoryAsked *metav1.Time `json:"memoryAsked,omitempty"`

	// memoryLimitAsked is when the memory limit of the template last rose: it is then the least limit for two weeks.
	// +optional
	MemoryLimitAsked *metav1.Time `json:"memoryLimitAsked,omitempty"`

	// memoryHistoryHours is the history behind the present memory target, in hours: less never lowers it.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MemoryHistoryHours int32 `json:"memoryHistoryHours,omitempty"`
}

// TemplateMemory is what is remembered of a pod template, to notice a rollout.
type TemplateMemory struct {
	// id is a digest of the template without images, sizes and annotations.
	// +kubebuilder:validation:MaxLength=64
	ID string `json:"id"`

	// since when the template is so. Absent if it never changed while it was watched.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
}
