package advice

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Bounds of what is taken from Kubernetes events.
const (
	maxEvents       = 12
	maxEventAge     = 24 * time.Hour
	maxMessageRunes = 160
	maxReasonRunes  = 64
)

// RawEvent is a Kubernetes event as the API server holds it.
type RawEvent struct {
	// Type is Normal or Warning.
	Type, Reason, Message string
	// Count of occurrences that the event stands for; 0 counts as 1.
	Count       int32
	First, Last time.Time
}

// Events turns raw events into evidence: cleaned, of the last 24 hours, equal ones added up, the newest first, at most 12 with
// the ids E1, E2, …. Warnings come before normal events where there are too many. Two events are equal if type, reason and
// message are, names and numbers with digits in them aside: ten pods that fail alike are one event seen ten times.
func Events(raw []RawEvent, now time.Time) []KubernetesEvent {
	var events []KubernetesEvent
	index := map[string]int{}
	for _, r := range newestFirst(raw) {
		if r.Last.After(now) || now.Sub(r.Last) > maxEventAge {
			continue
		}
		e := KubernetesEvent{
			Type: Clean(r.Type, maxReasonRunes), Reason: Clean(r.Reason, maxReasonRunes), Message: Clean(r.Message, maxMessageRunes),
			Count: max(r.Count, 1), First: r.First, Last: r.Last,
		}
		key := e.Type + "\n" + e.Reason + "\n" + shape(e.Message)
		at, seen := index[key]
		if !seen {
			index[key] = len(events)
			events = append(events, e)
			continue
		}
		known := &events[at]
		known.Count = addCounts(known.Count, e.Count)
		if !e.First.IsZero() && (known.First.IsZero() || e.First.Before(known.First)) {
			known.First = e.First
		}
	}
	slices.SortStableFunc(events, func(a, b KubernetesEvent) int { return cmp.Compare(a.rank(), b.rank()) })
	events = events[:min(len(events), maxEvents)]
	slices.SortStableFunc(events, func(a, b KubernetesEvent) int { return b.Last.Compare(a.Last) })
	for i := range events {
		events[i].ID = fmt.Sprintf("E%d", i+1)
	}
	return events
}

// newestFirst orders raw events so that the result does not depend on the order in which the API server lists them.
func newestFirst(raw []RawEvent) []RawEvent {
	return slices.SortedFunc(slices.Values(raw), func(a, b RawEvent) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Message, b.Message),
			cmp.Compare(a.Type, b.Type), cmp.Compare(a.Count, b.Count), a.First.Compare(b.First))
	})
}

func (e KubernetesEvent) rank() int {
	if e.Type == "Warning" {
		return 0
	}
	return 1
}

// shape is a message without what differs from pod to pod: every name or number, joined by such as '-', '.' or '/', that holds
// a digit.
func shape(message string) string {
	words := strings.FieldsFunc(message, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._/:", r)
	})
	words = slices.DeleteFunc(words, func(w string) bool { return strings.ContainsFunc(w, unicode.IsDigit) })
	return strings.Join(words, " ")
}

func addCounts(a, b int32) int32 { return int32(min(int64(a)+int64(b), 1<<31-1)) }
