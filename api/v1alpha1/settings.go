package v1alpha1

import "time"

// Settings are the annotations of one namespace or workload after parsing. A zero field was not set.
type Settings struct {
	Mode              Mode
	Policy            string
	Context           string
	Priority          Priority
	Approval          Approval
	Replicas          ReplicaMode
	Updater           UpdaterMode
	ExcludeContainers []string
	// Events in the order of their names.
	Events []Event
}

// Event is a typed event.<name> annotation.
type Event struct {
	Name string
	// Start and End of the first occurrence, in UTC; End is exclusive.
	Start, End time.Time
	// DemandPercent: 300 is three times the forecast.
	DemandPercent int32
	// Recurrence is an RFC 5545 RRULE without its prefix; empty if the event happens once.
	Recurrence string
}

// AnnotationError is one refused annotation.
type AnnotationError struct {
	// Key and Value as written; the value is shortened for messages.
	Key, Value string
	// Legal says what would have been accepted.
	Legal string
}
