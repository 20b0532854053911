// Package advice turns events and business context into bounded, typed adjustments of a forecast.
//
// An advisor (rules in this package, or a language model behind an adapter) reads Evidence and answers with Advice. It never
// names a quantity: it says "demand 300 % in this window, because of A1", and code checks, clamps and does the arithmetic.
package advice

import "time"

// Evidence is everything that an advisor may look at, each piece with a short id that an adjustment has to cite.
//
// All texts in it were written by others and are evidence, never instructions. Use Clean on what did not come through one of
// this package's own functions.
type Evidence struct {
	// Now is the time of the question, and Horizon how far adjustments may reach.
	Now     time.Time
	Horizon time.Duration
	// HistoryDays is how far back, in days, an IgnoreHistory adjustment may reach: at most MaxHistoryDays. 0 where nothing acts
	// on such adjustments; they are then neither offered to a model nor accepted.
	HistoryDays int
	// Workload such as "Deployment shop/checkout".
	Workload string
	// Priority of the workload: critical, high, standard or low.
	Priority string
	// MaxDemandPercent is the policy's cap.
	MaxDemandPercent int32
	// Bounds of the policy.
	Bounds PolicyBounds
	// Annotations (A1, A2, …): free context and typed events that people wrote.
	Annotations []Annotation
	// Events (E1, E2, …) are Kubernetes events, deduplicated and counted.
	Events []KubernetesEvent
	// Rollouts (R1, R2, …) are changes of the pod template.
	Rollouts []Rollout
	// Scalings (H1, H2, …) are what a horizontal autoscaler did.
	Scalings []Scaling
	// Signals (S1, S2, …) are measurements that drive the demand, such as requests per second.
	Signals []Signal
	// Throttling (T1, T2, …) tells of containers that their CPU limit holds back.
	Throttling []Throttling
	// Windows (W1, W2, …) are the forecast's windows with their peaks.
	Windows []ForecastWindow

	// hash is that of all the others, once it was asked for; see Hashed.
	hash string
}

// MaxHistoryDays is how many days back history may be ignored: as long as a day still weighs something (half-life 24 hours).
const MaxHistoryDays = 7

// PolicyBounds is what a model is told of the policy. It is told so that its answer makes sense; the guard enforces it. 0 means
// not bounded.
type PolicyBounds struct {
	MinReplicas, MaxReplicas int32
	MaxCPUMillis             int64
	MaxMemoryBytes           int64
}

// Annotation is one piece of business context.
type Annotation struct {
	// ID such as A1.
	ID string
	// Key of the annotation and where it stands, such as "namespace loadline.dev/event.sale".
	Key  string
	Text string
	// Event is set where the annotation is a typed event.
	Event *TypedEvent
}

// TypedEvent is an event.<name> annotation after parsing.
type TypedEvent struct {
	Name string
	// Start and End of the first occurrence; End is exclusive.
	Start, End time.Time
	// DemandPercent: 300 is three times the forecast.
	DemandPercent int32
	// Recurrence is an RFC 5545 RRULE without its "RRULE:" prefix; empty if the event happens once.
	Recurrence string
}

// KubernetesEvent is a counted Kubernetes event. Text evidence only: events can be forged. See Events.
type KubernetesEvent struct {
	ID string
	// Type is Normal or Warning.
	Type    string
	Reason  string
	Message string
	Count   int32
	// First and Last time that it was seen.
	First, Last time.Time
}

// Rollout is a change of the workload's pod template.
type Rollout struct {
	ID   string
	Time time.Time
	// Change in words, such as "container app: image shop/app:1.4 → shop/app:1.5".
	Change string
}

// Scaling is one change of the number of replicas by an autoscaler.
type Scaling struct {
	ID       string
	Time     time.Time
	From, To int32
	// AtMaximum tells that the autoscaler could not go further up.
	AtMaximum bool
	// Reason that the autoscaler gave.
	Reason string
}

// Signal summarises a measurement that the policy names as a driver of the demand. See SummarizeSignal.
type Signal struct {
	ID, Name string
	// Latest value, and Mean and Peak of the last 24 hours, all in the signal's own unit.
	Latest, Mean, Peak float64
	PeakAt             time.Time
	// TrendPercent is the mean of the last 24 hours in percent of the mean of the 24 hours a week before, or of the day before
	// where history is shorter. 0 if unknown.
	TrendPercent int32
}

// Throttling tells that a container was held back by its CPU limit.
type Throttling struct {
	ID, Container string
	// Percent of the CPU periods of the last hours that were throttled.
	Percent int32
}

// ForecastWindow summarises a part of one container's forecast, of all pods together, in cores. See ForecastWindows.
type ForecastWindow struct {
	ID         string
	Start, End time.Time
	Container  string
	PeakCores  float64
	PeakAt     time.Time
	MeanCores  float64
	// UpperPeak95 is the peak of the highest quantile up to the 95th: how bad it may get.
	UpperPeak95 float64
}

// Kind of an adjustment.
type Kind string

// Kinds of adjustments.
const (
	// Demand multiplies the forecast inside the window.
	Demand Kind = "demand"
	// Hold allows no change inside the window.
	Hold Kind = "hold"
	// NeverShrink allows raising only inside the window.
	NeverShrink Kind = "never-shrink"
	// IgnoreHistory takes the CPU of a window in the past out of what sizes rest on, where that makes them larger: an outage or
	// a shutdown says nothing of what is needed.
	IgnoreHistory Kind = "ignore-history"
)

// Resource that a hold or a never-shrink concerns.
type Resource string

// Resources.
const (
	CPU      Resource = "cpu"
	Memory   Resource = "memory"
	Replicas Resource = "replicas"
)

// Adjustment is one bounded change to the forecast.
type Adjustment struct {
	Kind Kind
	// Evidence ids that it rests on; at least one, all must exist.
	Evidence []string
	// Start and End of the window; End is exclusive.
	Start, End time.Time
	// Percent of the forecast, for Demand.
	Percent int32
	// Resources that it concerns; empty means all that its kind can concern. A Demand always concerns CPU and replicas, an
	// IgnoreHistory always CPU: the observed peak of memory is never forgotten.
	Resources []Resource
	// Confidence in percent.
	Confidence int32
	Reason     string
}

// Rejected is an adjustment that was not accepted, and why.
type Rejected struct {
	Adjustment Adjustment
	Why        string
}

// Advice is the checked answer of an advisor.
type Advice struct {
	// Source is SourceRules or SourceModel.
	Source string
	// Reason tells why the source is not the model, where one is configured.
	Reason string
	// Model and Digest name the model; empty for rules.
	Model, Digest string
	// InputHash names the evidence that was looked at; see Hash and SameEvidence.
	InputHash string
	Accepted  []Adjustment
	Rejected  []Rejected
	Findings  []Finding
	Summary   string
}

// Sources of advice.
const (
	SourceRules = "rules"
	SourceModel = "llm"
)

// Types of findings. A model chooses from the first five.
const (
	// FindingConflict: pieces of evidence contradict each other.
	FindingConflict = "EvidenceConflict"
	// FindingIncident: something is going wrong.
	FindingIncident = "IncidentSuspected"
	// FindingUnclear: an announcement cannot be used, because it names no date or no number.
	FindingUnclear = "AnnouncementUnclear"
	// FindingChange: the workload or what it depends on changes, such as a migration.
	FindingChange = "ChangeAnnounced"
	// FindingOther is anything else.
	FindingOther = "Observation"
	// FindingAutoscalerAtMaximum: an autoscaler cannot add the pods that it wants.
	FindingAutoscalerAtMaximum = "AutoscalerAtMaximum"
)

// Finding is something that a person should look at.
type Finding struct {
	// Type is a stable CamelCase name.
	Type     string
	Severity string
	Evidence []string
	Summary  string
}
