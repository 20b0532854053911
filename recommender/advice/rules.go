package advice

import (
	"fmt"
	"time"
)

// Bounds of what rules take from evidence.
const (
	// maxOccurrences of one event in a horizon that are looked at.
	maxOccurrences = 64
	// plainPercent is the forecast as it is.
	plainPercent = 100
)

// Rules is the advisor without a model: it takes typed events at their word and leaves free text alone.
//
// Every occurrence of an event that meets the horizon becomes a Demand adjustment, with the event's annotation as its
// evidence. What cannot be used is in Rejected with a sentence. The result has passed Check.
func Rules(e Evidence) Advice {
	a := Advice{Source: SourceRules, InputHash: Hash(e)}
	texts := 0
	for _, annotation := range e.Annotations {
		if annotation.Event == nil {
			texts++
			continue
		}
		occurrences, err := annotation.Event.occurrences(e.Now, e.Now.Add(e.Horizon))
		if err != nil {
			a.Rejected = append(a.Rejected, Rejected{
				Adjustment: annotation.adjustment(annotation.Event.Start),
				Why:        fmt.Sprintf("event %q: %v", annotation.Event.Name, err),
			})
			continue
		}
		for _, start := range occurrences {
			a.Accepted = append(a.Accepted, annotation.adjustment(start))
		}
	}
	a = Check(a, e)
	a.Summary = fmt.Sprintf("%d windows of typed events in the horizon", len(a.Accepted))
	if texts > 0 {
		a.Summary += fmt.Sprintf("; %d texts were not read, which takes a model", texts)
	}
	return a
}

// adjustment is the demand of one occurrence of an annotation's event.
func (n Annotation) adjustment(start time.Time) Adjustment {
	event := n.Event
	return Adjustment{
		Kind:       Demand,
		Evidence:   []string{n.ID},
		Start:      start,
		End:        start.Add(event.End.Sub(event.Start)),
		Percent:    event.DemandPercent,
		Confidence: 100,
		Reason:     fmt.Sprintf("event %q expects %d%% of the forecast", event.Name, event.DemandPercent),
	}
}
