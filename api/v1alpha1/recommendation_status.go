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
}

// OOMFloor is the least memory a container gets after it was killed for lack of memory.
type OOMFloor struct {
	// container that was killed.
	// +kubebuilder:validation:MaxLength=63
	Container string `json:"container"`

	// hit is the memory limit that the container ran into, in bytes.
	Hit resource.Quantity `json:"hit"`

	// floor is the memory request that follows, in bytes: the larger of 1.2 × hit and hit + 100 MiB.
	Floor resource.Quantity `json:"floor"`

	// time of the last kill.
	Time metav1.Time `json:"time"`

	// kills counts the kills that were seen.
	// +kubebuilder:validation:Minimum=1
	Kills int32 `json:"kills"`
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

	// schedule is the number needed in the windows to come, in order.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Schedule []ReplicaWindow `json:"schedule,omitempty"`
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

// ForecastStatus summarises one container's CPU forecast.
type ForecastStatus struct {
	// container that was forecast.
	// +kubebuilder:validation:MaxLength=63
	Container string `json:"container"`

	// historyHours is how much history was there, in hours.
	// +kubebuilder:validation:Minimum=0
	HistoryHours int32 `json:"historyHours"`

	// horizonHours is how far the forecast looks, in hours.
	// +kubebuilder:validation:Minimum=0
	HorizonHours int32 `json:"horizonHours"`

	// peak is the largest expected demand of all pods together in the horizon, in cores, before advice.
	// +optional
	Peak *resource.Quantity `json:"peak,omitempty"`

	// peakTime is when the peak is expected.
	// +optional
	PeakTime *metav1.Time `json:"peakTime,omitempty"`

	// weights are the models and their share in percent.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Weights []ModelWeight `json:"weights,omitempty"`

	// backtestErrorPercent is the mean absolute error of the chosen models on past data, in percent of the mean demand.
	// +optional
	// +kubebuilder:validation:Minimum=0
	BacktestErrorPercent *int32 `json:"backtestErrorPercent,omitempty"`

	// coveragePercent is how much of the past lay under the upper quantile that is used for sizing, in percent.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	CoveragePercent *int32 `json:"coveragePercent,omitempty"`
}

// ModelWeight is the share of one forecasting model.
type ModelWeight struct {
	// model by name, such as holt-winters.
	// +kubebuilder:validation:MaxLength=64
	Model string `json:"model"`

	// percent is its share of the forecast.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Percent int32 `json:"percent"`
}

// AdviceStatus tells what events and business context changed.
type AdviceStatus struct {
	// source is "rules" or "llm".
	// +kubebuilder:validation:MaxLength=16
	Source string `json:"source"`

	// reason tells why the source is not the model, where that is so.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Reason string `json:"reason,omitempty"`

	// model that was asked, such as llama3.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Model string `json:"model,omitempty"`

	// digest of the model's weights.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest,omitempty"`

	// inputHash names the evidence that was looked at.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	InputHash string `json:"inputHash,omitempty"`

	// summary in the advisor's words.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Summary string `json:"summary,omitempty"`

	// adjustments that were proposed, accepted or not.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Adjustments []AdjustmentStatus `json:"adjustments,omitempty"`
}

// AdjustmentStatus is one proposed adjustment and what became of it.
type AdjustmentStatus struct {
	// kind of adjustment: demand, hold, never-shrink or ignore-history.
	// +kubebuilder:validation:MaxLength=32
	Kind string `json:"kind"`

	// from is when its window opens.
	// +optional
	From *metav1.Time `json:"from,omitempty"`

	// until is when its window closes.
	// +optional
	Until *metav1.Time `json:"until,omitempty"`

	// percent of the forecast: 300 is three times the forecast.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Percent *int32 `json:"percent,omitempty"`

	// evidence names what it rests on.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=64
	Evidence []string `json:"evidence,omitempty"`

	// accepted tells whether it was taken into account.
	Accepted bool `json:"accepted"`

	// reason of the proposal, or of its refusal.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Reason string `json:"reason,omitempty"`
}

// Severity of a finding.
// +kubebuilder:validation:Enum=info;warning;critical
type Severity string

// Severities.
const (
	SeverityInfo     Severity = "info"
	SeverityWarning  Severity = "warning"
	SeverityCritical Severity = "critical"
)

// Finding is something that a person should look at.
type Finding struct {
	// type is a stable CamelCase name, such as MemoryLeakSuspected.
	// +kubebuilder:validation:MaxLength=64
	Type string `json:"type"`

	// severity: info, warning or critical.
	Severity Severity `json:"severity"`

	// container that it concerns; empty if it is the whole workload.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Container string `json:"container,omitempty"`

	// message for a person, with numbers.
	// +kubebuilder:validation:MaxLength=300
	Message string `json:"message"`
}

// Savings is current minus recommended requests over all replicas.
type Savings struct {
	// cpu in cores.
	CPU resource.Quantity `json:"cpu"`

	// memory in bytes.
	Memory resource.Quantity `json:"memory"`
}

// OutcomeResult names how a change went.
// +kubebuilder:validation:Enum=Resized;Evicted;Deferred;Infeasible;Refused;Failed
type OutcomeResult string

// Results of a change to a pod.
const (
	OutcomeResized    OutcomeResult = "Resized"
	OutcomeEvicted    OutcomeResult = "Evicted"
	OutcomeDeferred   OutcomeResult = "Deferred"
	OutcomeInfeasible OutcomeResult = "Infeasible"
	OutcomeRefused    OutcomeResult = "Refused"
	OutcomeFailed     OutcomeResult = "Failed"
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

	// message of the API server, or what Loadline found.
	// +optional
	// +kubebuilder:validation:MaxLength=300
	Message string `json:"message,omitempty"`
}

// DecisionMemory is what the next decision needs from the ones before. It lives here so that a restart forgets nothing.
type DecisionMemory struct {
	// containers that were ever sized.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Containers []ContainerMemory `json:"containers,omitempty"`

	// lastReplicasLowered is when the number of pods was last recommended lower.
	// +optional
	LastReplicasLowered *metav1.Time `json:"lastReplicasLowered,omitempty"`
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

	// cpuLowered is when the CPU target last fell.
	// +optional
	CPULowered *metav1.Time `json:"cpuLowered,omitempty"`

	// memoryRaised is when the memory target last rose.
	// +optional
	MemoryRaised *metav1.Time `json:"memoryRaised,omitempty"`

	// memoryLowered is when the memory target last fell.
	// +optional
	MemoryLowered *metav1.Time `json:"memoryLowered,omitempty"`

	// memoryHistoryHours is the history behind the present memory target, in hours: less never lowers it.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MemoryHistoryHours int32 `json:"memoryHistoryHours,omitempty"`
}
