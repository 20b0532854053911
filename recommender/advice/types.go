// Package advice turns events and business context into bounded, typed adjustments of a forecast.
//
// An advisor (rules in this package, or a language model behind an adapter) reads Evidence and answers with Advice. It never
// names a quantity: it says "demand 300 % in this window, because of A1", and code checks, clamps and does the arithmetic.
package advice

import "time"

// Evidence is everything that an advisor may look at, each piece with a short id that an adjustment has to cite.
type Evidence struct {
	// Now is the time of the question, and Horizon how far adjustments may reach.
	Now     time.Time
	Horizon time.Duration
	// MaxDemandPercent is the policy's cap.
	MaxDemandPercent int32
	// Annotations (A1, A2, …): free context and typed events that people wrote.
	Annotations []Annotation
	// Events (E1, E2, …) are Kubernetes events, deduplicated and counted.
	Events []KubernetesEvent
	// Windows (W1, W2, …) are the forecast's windows with their peaks.
	Windows []ForecastWindow
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

// KubernetesEvent is a counted Kubernetes event. Text evidence only: events can be forged.
type KubernetesEvent struct {
	ID      string
	Reason  string
	Message string
	Count   int32
	Last    time.Time
}

// ForecastWindow summarises a part of the forecast.
type ForecastWindow struct {
	ID          string
	Start, End  time.Time
	Container   string
	PeakCores   float64
	PeakAt      time.Time
	MeanCores   float64
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
	// IgnoreHistory takes the window out of the history.
	IgnoreHistory Kind = "ignore-history"
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
	// InputHash names the evidence that was looked at.
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

// Finding is something that a person should look at.
type Finding struct {
	Type     string
	Severity string
	Evidence []string
	Summary  string
}
