package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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

	// evidence that adjustments and findings name, in words.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Evidence []EvidenceStatus `json:"evidence,omitempty"`

	// omitted is how many adjustments found no room in adjustments.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Omitted int32 `json:"omitted,omitempty"`
}

// EvidenceStatus is one piece of evidence: what somebody wrote, or what was seen.
type EvidenceStatus struct {
	// id by which adjustments and findings name it, such as A1.
	// +kubebuilder:validation:MaxLength=64
	ID string `json:"id"`

	// text says what it is. Others may have written it.
	// +kubebuilder:validation:MaxLength=256
	Text string `json:"text"`
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

	// resources that a hold or a never-shrink concerns: cpu, memory, replicas. Empty means all.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=3
	// +kubebuilder:validation:items:MaxLength=16
	Resources []string `json:"resources,omitempty"`

	// confidencePercent that the advisor has in it.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	ConfidencePercent int32 `json:"confidencePercent,omitempty"`

	// source that proposed it: "rules" or "llm".
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Source string `json:"source,omitempty"`

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

	// evidence that it rests on, as ids separated by commas; empty where it comes from measurements or settings.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Evidence string `json:"evidence,omitempty"`
}
