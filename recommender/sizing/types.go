// Package sizing turns a forecast and the history behind it into proposed requests, limits and replicas.
//
// It proposes what the numbers say. What may be done with a proposal is package guard's business.
package sizing

import (
	"time"

	"github.com/loadline-dev/loadline/forecast"
)

// Input is all that a proposal for one workload may depend on.
type Input struct {
	Now        time.Time
	Policy     Policy
	Containers []ContainerInput
	// Pods is the number of running pods over time.
	Pods forecast.Usage
	// CurrentReplicas is what the workload's spec asks for.
	CurrentReplicas int32
	// DeclaredReplicas is what the workload's manifest asks for; 0 if that is not known.
	DeclaredReplicas int32
	// DemandPercent is what accepted advice expects within the lead time; 100 is the plain forecast.
	DemandPercent int32
	// DemandReason says why DemandPercent is not 100.
	DemandReason string
	// Ignored are windows of the past whose CPU may be left out. That only ever raises a size; memory knows nothing of it.
	Ignored []Ignored
	// Autoscaled says that a HorizontalPodAutoscaler decides the number of pods: it answers demand with pods, and advice by its
	// minimum, so no request is raised for it.
	Autoscaled bool
	// ReplicasFixed says that the number of pods is not Loadline's to change at present, whatever the policy says: an
	// autoscaler owns it, or a person has yet to approve.
	ReplicasFixed bool
}

// Ignored is a window of the past that says little of what is to come; End is exclusive.
type Ignored struct {
	Start, End time.Time
	// Reason in words.
	Reason string
}

// ContainerInput is the history and forecast of one container.
type ContainerInput struct {
	Name string
	// CPUTotal is the demand of all pods together, CPUHottest that of the busiest pod, in cores.
	CPUTotal, CPUHottest forecast.Usage
	// MemoryHottest is the memory of the largest pod, in bytes, of the metric that the policy names.
	MemoryHottest forecast.Usage
	// Demand is what Measure found at the policy's quantile; zero if nobody has measured yet.
	Demand Demand
	// Throttled is the share of CFS periods that were throttled, 0 to 1, of the worst pod.
	Throttled forecast.Usage
	// CPUForecast is the forecast of CPUTotal.HourlyMax with the level ReplicaLevel, after advice; BaseForecast before it.
	CPUForecast, BaseForecast forecast.Forecast
	// NextHour bounds CPUTotal in the hour that runs, at InPlaceLevel, before advice.
	NextHour forecast.HourBound
	// Current is what the workload's template asks for.
	Current Resources
	// InForceMillis is the CPU request that new pods get at present; 0 if that is what the template asks for.
	InForceMillis int64
	// OOMFloorBytes is the least memory after an out-of-memory kill; 0 if there was none.
	OOMFloorBytes int64
	// OOMEndless says that kills went on after they had raised the floor as far as kills alone may, so that a leak is likely.
	OOMEndless bool
	// Runs are what the last runs of a batch workload used at most, for ProposeRuns.
	Runs []Run
}

// Run is what one pod used at most in one run, in cores and bytes; NaN where it was not measured.
type Run struct {
	Scheduled   time.Time
	CPU, Memory float64
}

// Policy is a SizingPolicy with every default filled in, as plain numbers.
type Policy struct {
	CPU      ResourcePolicy
	Memory   ResourcePolicy
	Replicas ReplicaPolicy
	// MaxGiveBack is the share of the target that a running pod may give back, 0 to 1.
	MaxGiveBack float64
	// SizeBestEffort allows giving requests to containers that have none.
	SizeBestEffort bool
}

// ResourcePolicy sizes one resource. CPU is in millicores, memory in bytes.
type ResourcePolicy struct {
	// Quantile of recent demand that the request covers, 0 to 1. CPU only; memory covers the maximum.
	Quantile float64
	// Margin on top, as a share: 0.15 is 15 %.
	Margin float64
	// PeakHours are the latest measured hours whose maximum is covered; 0 means all. Memory only.
	PeakHours int
	// Min and Max bound the request and, Max, the limit; Max 0 means unbounded.
	Min, Max int64
	// Limit is the limit policy: Keep, Ratio, Headroom, Equal or None.
	Limit string
	// LimitHeadroom on top of the peak, as a share.
	LimitHeadroom float64
}

// ReplicaPolicy sizes the number of pods.
type ReplicaPolicy struct {
	// Mode is off, recommend or auto.
	Mode string
	// Min and Max bound the number; Max 0 means four times DeclaredReplicas.
	Min, Max int32
	// TargetUtilization is the share of its CPU request that a pod should use at the peak, 0 to 1.
	TargetUtilization float64
	LeadTime          time.Duration
	LowerAfter        time.Duration
	// MaxStep bounds one change, as a share of the present number.
	MaxStep float64
}

// Amounts is CPU in millicores and memory in bytes. Zero means none.
type Amounts struct {
	CPUMillis   int64
	MemoryBytes int64
}

// Resources is requests and limits. Zero means none.
type Resources struct {
	Requests Amounts
	Limits   Amounts
}

// Proposal is what the numbers say.
type Proposal struct {
	Containers []ContainerProposal
	Replicas   ReplicaProposal
	Findings   []Finding
}

// ContainerProposal is the proposed size of one container.
type ContainerProposal struct {
	Name string
	// Target is for new pods, InPlace for running ones. A zero amount means no proposal for that resource.
	Target, InPlace Amounts
	// Peak is the largest demand of one pod in the whole history: cores in millicores rounded up, memory in bytes.
	Peak Amounts
	// SizedPeakBytes is the largest memory of one pod in the hours that memory is sized from.
	SizedPeakBytes int64
	// Advised says that advice raises the CPU target over what history asks for.
	Advised bool
	// UsedMillis is the most CPU that one pod used within the last minutes; it is 0 if that is not known.
	UsedMillis int64
	// CPUHours and MemoryHours count the hours with a measurement.
	CPUHours, MemoryHours int
	// Runs are the times of the runs with a measurement, of a batch workload.
	Runs []time.Time
	// OOMRaised says that MemoryBytes was raised by an out-of-memory kill.
	OOMRaised bool
	// Summary says in a few words where the CPU target comes from; empty without one.
	Summary string
	// Trail explains each number.
	Trail []string
}

// ReplicaProposal is the proposed number of pods.
type ReplicaProposal struct {
	// Target number; 0 means no proposal.
	Target int32
	Min    int32
	Max    int32
	// Unbounded says why the number stays as it is for lack of a most; empty if it does not.
	Unbounded string
	// AutoscalerMin is the number of pods that advice asks of an autoscaler within the lead time; 0 if it asks for none.
	AutoscalerMin int32
	// Schedule of the windows to come.
	Schedule []ReplicaWindow
	Trail    []string
}

// ReplicaWindow is a number of pods for a time.
type ReplicaWindow struct {
	From, Until time.Time
	Replicas    int32
}

// Finding is something that a person should look at.
type Finding struct {
	// Type is a stable CamelCase name.
	Type string
	// Severity is info, warning or critical.
	Severity string
	// Container is empty if the finding concerns the whole workload.
	Container string
	Message   string
}

// Finding types.
const (
	FindingMemoryLeak   = "MemoryLeakSuspected"
	FindingThrottling   = "CPUThrottled"
	FindingOOMKilled    = "OOMKilled"
	FindingNoRequests   = "NoRequests"
	FindingPeakAhead    = "PeakAheadOverRequest"
	FindingCorruptInput = "CorruptHistory"
	FindingNoMaximum    = "ReplicasWithoutMaximum"
)
