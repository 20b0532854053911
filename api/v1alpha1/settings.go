package v1alpha1

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Settings are the annotations of one namespace or workload after parsing. A zero field was not set.
//
// +kubebuilder:object:generate=false
type Settings struct {
	Mode   Mode
	Policy string
	// Context is free text of at most 2,000 characters.
	Context           string
	Priority          Priority
	Approval          Approval
	Replicas          ReplicaMode
	Updater           UpdaterMode
	ExcludeContainers []string
	// Events in the order of their names.
	Events []Event
}

// Annotations writes the settings as annotations that ParseAnnotations reads back as the same settings.
func (s Settings) Annotations() map[string]string {
	annotations := map[string]string{
		AnnotationMode:              string(s.Mode),
		AnnotationPolicy:            s.Policy,
		AnnotationContext:           s.Context,
		AnnotationPriority:          string(s.Priority),
		AnnotationApproval:          string(s.Approval),
		AnnotationReplicas:          string(s.Replicas),
		AnnotationUpdater:           string(s.Updater),
		AnnotationExcludeContainers: strings.Join(s.ExcludeContainers, ","),
	}
	for key, value := range annotations {
		if value == "" {
			delete(annotations, key)
		}
	}
	for _, e := range s.Events {
		annotations[AnnotationEventPrefix+e.Name] = e.String()
	}
	return annotations
}

// Event is a typed event.<name> annotation.
//
// +kubebuilder:object:generate=false
type Event struct {
	Name string
	// Start and End of the first occurrence, in UTC and whole seconds; End is exclusive.
	Start, End time.Time
	// DemandPercent: 300 is three times the forecast.
	DemandPercent int32
	// Recurrence is an RFC 5545 RRULE without its prefix; empty if the event happens once. It is counted from Start, in UTC,
	// and gives the starts of the occurrences, of which Start is the first; each is as long as the first.
	Recurrence string
}

// String is the value of the annotation, in the form that ParseAnnotations accepts.
func (e Event) String() string {
	value := fmt.Sprintf("%s/%s demand=%d%%", e.Start.Format(time.RFC3339), e.End.Format(time.RFC3339), e.DemandPercent)
	if e.Recurrence != "" {
		value += " recurrence=" + e.Recurrence
	}
	return value
}

// AnnotationError is one refused annotation.
//
// +kubebuilder:object:generate=false
type AnnotationError struct {
	// Key and Value as written. Error shortens the value.
	Key, Value string
	// Legal says what would have been accepted.
	Legal string
}

// maxShownRunes of a refused value are repeated in the message: enough to recognise it, little enough for a status condition.
const maxShownRunes = 60

// Error names the key, the beginning of the value, and what is legal.
func (e AnnotationError) Error() string {
	shown := e.Value
	if runes := []rune(shown); len(runes) > maxShownRunes {
		shown = string(runes[:maxShownRunes]) + "…"
	}
	return fmt.Sprintf("annotation %s=%s is refused; legal: %s", e.Key, strconv.Quote(shown), e.Legal)
}
