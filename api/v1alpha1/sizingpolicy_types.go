package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// DefaultPolicyName is the SizingPolicy a namespace uses when it names none.
const DefaultPolicyName = "default"

// SizingPolicy says how the workloads of a namespace are sized: how cautiously, within which bounds, and when their pods
// may be disturbed. Everything has a default: an empty spec is the operator's default policy.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=llpol,categories=loadline
// +kubebuilder:printcolumn:name="CPU",type=string,JSONPath=`.spec.cpu.quantilePercent`,description="share of time, in percent, that the CPU request covers"
// +kubebuilder:printcolumn:name="Give-back",type=string,JSONPath=`.spec.maxGiveBackPercent`,description="how far, in percent, running pods may be lowered below their target in quiet hours"
// +kubebuilder:printcolumn:name="Replicas",type=string,JSONPath=`.spec.replicas.mode`,description="what happens to the number of pods: off, recommend or auto"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type SizingPolicy struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the policy. Default: the operator's default policy.
	// +optional
	Spec SizingPolicySpec `json:"spec,omitempty"`
}

// SizingPolicyList is a list of SizingPolicies.
//
// +kubebuilder:object:root=true
type SizingPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []SizingPolicy `json:"items"`
}

// SizingPolicySpec is the policy. A field that is absent takes the operator's default for it.
type SizingPolicySpec struct {
	// cpu sizing.
	// +optional
	CPU CPUPolicy `json:"cpu,omitempty"`

	// memory sizing.
	// +optional
	Memory MemoryPolicy `json:"memory,omitempty"`

	// replicas sizing.
	// +optional
	Replicas ReplicaPolicy `json:"replicas,omitempty"`

	// behavior bounds how far and how often sizes move.
	// +optional
	Behavior Behavior `json:"behavior,omitempty"`

	// maxGiveBackPercent is how far below its target a running pod may be resized in quiet hours. Default 25.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=90
	MaxGiveBackPercent *int32 `json:"maxGiveBackPercent,omitempty"`

	// maxDemandPercent caps what an event or the model may claim: 500 means five times the forecast. Default 500.
	// +optional
	// +kubebuilder:validation:Minimum=100
	// +kubebuilder:validation:Maximum=2000
	MaxDemandPercent *int32 `json:"maxDemandPercent,omitempty"`

	// eventLeadTime is how long before an event's window the target is raised, as a duration such as 30m. Default 30m.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('24h')",message="eventLeadTime must be between 0s and 24h"
	EventLeadTime *metav1.Duration `json:"eventLeadTime,omitempty"`

	// disruption bounds how pods may be disturbed.
	// +optional
	Disruption DisruptionPolicy `json:"disruption,omitempty"`

	// signals are further measurements of the workload. Default: none.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=5
	Signals []Signal `json:"signals,omitempty"`

	// sizeBestEffort allows giving requests to pods that have none. They then stop being BestEffort. Default false.
	// +optional
	SizeBestEffort *bool `json:"sizeBestEffort,omitempty"`

	// allowOverrides lets annotations on a workload widen what the namespace grants. Default false: they may only narrow it.
	// No annotation on a workload opts it in, or into admission, where its namespace has not.
	// +optional
	AllowOverrides *bool `json:"allowOverrides,omitempty"`
}

// CPUPolicy says how CPU is sized.
// +kubebuilder:validation:XValidation:rule="!has(self.min) || !has(self.max) || quantity(string(self.min)).compareTo(quantity(string(self.max))) <= 0",message="cpu.min must not be larger than cpu.max"
// +kubebuilder:validation:XValidation:rule="!has(self.min) || quantity(string(self.min)).isGreaterThan(quantity('0'))",message="cpu.min must be larger than 0"
// +kubebuilder:validation:XValidation:rule="!has(self.max) || quantity(string(self.max)).isGreaterThan(quantity('0'))",message="cpu.max must be larger than 0"
type CPUPolicy struct {
	// quantilePercent is the share of recent time, in percent, in which the request covers the demand at least: rarer peaks are
	// covered, too, where they cost little. Default 95.
	// +optional
	// +kubebuilder:validation:Minimum=50
	// +kubebuilder:validation:Maximum=100
	QuantilePercent *int32 `json:"quantilePercent,omitempty"`

	// marginPercent of the demand is added on top. Default 5.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=200
	MarginPercent *int32 `json:"marginPercent,omitempty"`

	// min is the smallest request, in cores. Default 10m.
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	Min *resource.Quantity `json:"min,omitempty"`

	// max is the largest request, and the largest limit. No default: the largest node bounds it, and the smallest for a DaemonSet.
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	Max *resource.Quantity `json:"max,omitempty"`

	// limit says what happens to the limit. Default Keep.
	// +optional
	Limit *LimitPolicy `json:"limit,omitempty"`

	// limitHeadroomPercent of the peak is added to it by the limit policy Headroom. Default 50.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	LimitHeadroomPercent *int32 `json:"limitHeadroomPercent,omitempty"`
}

// MemoryMetric says which measurement is a container's memory.
// +kubebuilder:validation:Enum=WorkingSet;RSS
type MemoryMetric string

// Memory metrics.
const (
	MemoryWorkingSet MemoryMetric = "WorkingSet"
	MemoryRSS        MemoryMetric = "RSS"
)

// MemoryPolicy says how memory is sized.
// +kubebuilder:validation:XValidation:rule="!has(self.min) || !has(self.max) || quantity(string(self.min)).compareTo(quantity(string(self.max))) <= 0",message="memory.min must not be larger than memory.max"
// +kubebuilder:validation:XValidation:rule="!has(self.min) || quantity(string(self.min)).isGreaterThan(quantity('0'))",message="memory.min must be larger than 0"
// +kubebuilder:validation:XValidation:rule="!has(self.max) || quantity(string(self.max)).isGreaterThan(quantity('0'))",message="memory.max must be larger than 0"
type MemoryPolicy struct {
	// metric to size from: WorkingSet (what the kernel counts against the limit) or RSS. Default WorkingSet.
	// +optional
	Metric *MemoryMetric `json:"metric,omitempty"`

	// peakDays are the latest days of history, without gaps, whose highest peak the request covers. Less than a week would not
	// see every weekday. Default 8: a week, and a day for what comes late.
	// +optional
	// +kubebuilder:validation:Minimum=7
	// +kubebuilder:validation:Maximum=28
	PeakDays *int32 `json:"peakDays,omitempty"`

	// marginPercent of that peak is added to it. Default 15.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=200
	MarginPercent *int32 `json:"marginPercent,omitempty"`

	// min is the smallest request, in bytes. Default 32Mi.
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	Min *resource.Quantity `json:"min,omitempty"`

	// max is the largest request, and the largest limit. No default: the largest node bounds it, and the smallest for a DaemonSet.
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	Max *resource.Quantity `json:"max,omitempty"`

	// limit says what happens to the limit. Default Keep.
	// +optional
	Limit *LimitPolicy `json:"limit,omitempty"`

	// limitHeadroomPercent of the peak is added to it by the limit policy Headroom. Default 20.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	LimitHeadroomPercent *int32 `json:"limitHeadroomPercent,omitempty"`
}

// ReplicaPolicy says how the number of pods is found.
// +kubebuilder:validation:XValidation:rule="!has(self.min) || !has(self.max) || self.min <= self.max",message="replicas.min must not be larger than replicas.max"
type ReplicaPolicy struct {
	// mode: off, recommend or auto, where no annotation loadline.dev/replicas says it. No annotation overrules off. Default
	// recommend.
	// +optional
	Mode *ReplicaMode `json:"mode,omitempty"`

	// min number of pods. Default 1.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	Min *int32 `json:"min,omitempty"`

	// max number of pods. Default: four times the number that the workload's manifest asks for; where that is not known or more
	// pods run already, the present number, which is then not lowered either.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	Max *int32 `json:"max,omitempty"`

	// targetUtilizationPercent is the share of its CPU request, in percent, that a pod should use at the peak. Default 70.
	// +optional
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=100
	TargetUtilizationPercent *int32 `json:"targetUtilizationPercent,omitempty"`

	// leadTime is how early pods are added before they are needed, as a duration. Default 10m.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('24h')",message="leadTime must be between 0s and 24h"
	LeadTime *metav1.Duration `json:"leadTime,omitempty"`

	// lowerAfter is how long fewer pods must have sufficed before the number is lowered, as a duration. Default 1h.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('168h')",message="lowerAfter must be between 0s and 168h"
	LowerAfter *metav1.Duration `json:"lowerAfter,omitempty"`

	// maxStepPercent of the present number of pods bounds one change of it. Default 100.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MaxStepPercent *int32 `json:"maxStepPercent,omitempty"`
}

// Behavior bounds how far and how often requests move.
// +kubebuilder:validation:XValidation:rule="!has(self.down) || !has(self.down.maxStepPercent) || self.down.maxStepPercent <= 100",message="behavior.down.maxStepPercent must be at most 100: nothing can be lowered by more than all of it"
type Behavior struct {
	// up bounds raising.
	// +optional
	Up Movement `json:"up,omitempty"`

	// down bounds lowering.
	// +optional
	Down Movement `json:"down,omitempty"`
}

// Movement bounds changes in one direction.
type Movement struct {
	// thresholdPercent of the present request: a smaller change is not made. Default 5 up, 20 down.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	ThresholdPercent *int32 `json:"thresholdPercent,omitempty"`

	// maxStepPercent bounds one change, in percent of the present request. Default 1000 up, 50 down. It never holds back
	// what an out-of-memory kill demands.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MaxStepPercent *int32 `json:"maxStepPercent,omitempty"`

	// cooldown is the time after any change before the next one in this direction, as a duration. Default 0s up, 3h down.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('168h')",message="cooldown must be between 0s and 168h"
	Cooldown *metav1.Duration `json:"cooldown,omitempty"`
}

// DisruptionPolicy bounds how pods may be disturbed.
type DisruptionPolicy struct {
	// maxUnavailable pods of a workload at a time, as a number or a percentage of its replicas, rounded down but at least
	// one. Default 25%.
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 1 && self <= 10000 : self.matches('^([1-9][0-9]?|100)%$')",message="maxUnavailable must be a number of at least 1 or a percentage from 1% to 100%"
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`

	// evictionsPerHour is the largest number of pods of one workload that are evicted in an hour, those that a lower number takes away
	// not counted. 0 means none. Default 6.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	EvictionsPerHour *int32 `json:"evictionsPerHour,omitempty"`

	// minReplicas is the number of ready pods below which none of a workload's pods is evicted. Default 2.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MinReplicas *int32 `json:"minReplicas,omitempty"`

	// canary says how a new revision is tried on a few pods before the others follow.
	// +optional
	Canary CanaryPolicy `json:"canary,omitempty"`

	// startupGrace is how long a container runs before its pod is lowered in place, as a duration. Default 5m.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('24h')",message="startupGrace must be between 0s and 24h"
	StartupGrace *metav1.Duration `json:"startupGrace,omitempty"`

	// windows in which pods may be evicted, and their number lowered. Resizing in place and more pods are not bound to them.
	// Default: none, which means always.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Windows []Window `json:"windows,omitempty"`
}

// CanaryPolicy says how a new revision is tried. Resizes that lower nothing do not wait for it.
type CanaryPolicy struct {
	// pods that get a new revision first. 0 means all at once. Default 1.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=5
	Pods *int32 `json:"pods,omitempty"`

	// observe is how long a pod is watched after it got a revision, and how long the first pods must have been well before the
	// others follow, as a duration. Default 10m.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('24h')",message="observe must be between 0s and 24h"
	Observe *metav1.Duration `json:"observe,omitempty"`
}

// Window is a recurring time.
type Window struct {
	// start as a cron expression with five fields, such as "0 2 * * 1-5": two o'clock on weekdays.
	// +kubebuilder:validation:MinLength=9
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[^ ]+( [^ ]+){4}$')",message="start must be a cron expression with five fields: minute hour day-of-month month day-of-week"
	Start string `json:"start"`

	// duration of the window, such as 4h.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('168h')",message="duration must be between 1m and 168h"
	Duration metav1.Duration `json:"duration"`

	// timeZone of start, as an IANA name such as Europe/Berlin. Default UTC.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$`
	TimeZone string `json:"timeZone,omitempty"`
}

// SignalRole says what a signal is for.
// +kubebuilder:validation:Enum=driver;health
type SignalRole string

// Signal roles.
const (
	// SignalDriver is evidence for the forecast, such as requests per second.
	SignalDriver SignalRole = "driver"
	// SignalHealth tells whether a change did harm, such as latency or errors: more is worse.
	SignalHealth SignalRole = "health"
)

// Signal is a measurement of a workload.
type Signal struct {
	// name of the signal, unique in the policy: at most 63 lower case letters, digits and '-'.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// promQL that gives one series. $namespace and $workload are replaced. Of a health signal, more has to mean worse.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	PromQL string `json:"promQL"`

	// role: driver (evidence for the forecast) or health (worse after a change means rolling back).
	Role SignalRole `json:"role"`
}
