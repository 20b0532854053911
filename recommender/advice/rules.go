package advice

import (
	"fmt"
	"slices"
	"time"
)

// Bounds of what rules take from evidence.
const (
	// maxOccurrences of one event in a horizon that are looked at.
	maxOccurrences = 64
	// plainPercent is the forecast as it is.
	plainPercent = 100
	// afterRolloutTime in which nothing shrinks.
	afterRolloutTime = 24 * time.Hour
	// throttledPercent of the CPU periods from which on usage says little about need.
	throttledPercent = 10
	// throttledStep is the granularity of the windows that follow throttling, so that they stay the same for a while.
	throttledStep = 6 * time.Hour
	// maximumNews is how long an autoscaler's stop at its maximum stays a finding.
	maximumNews = 24 * time.Hour
)

// Rules is the advisor without a model: it takes typed events at their word and leaves free text alone.
//
//   - Every occurrence of an event that meets the horizon becomes a Demand adjustment, with the event's annotation as its
//     evidence. What cannot be used is in Rejected with a sentence.
//   - For 24 hours after the last rollout nothing shrinks: start-up and cold caches say little about the new version.
//   - Where a CPU limit throttles a tenth of the periods or more, CPU does not shrink: usage under a limit says little about
//     need.
//   - An autoscaler that stands at its maximum is a finding.
//
// Kubernetes events are no rule's input: anyone who may create them can write in them what he likes. The result has passed
// Check.
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
	a.Accepted = slices.Concat(a.Accepted, afterRollout(e), throttled(e))
	a.Findings = atMaximum(e)
	a = Check(a, e)
	announced := 0
	for _, accepted := range a.Accepted {
		if accepted.Kind == Demand {
			announced++
		}
	}
	a.Summary = fmt.Sprintf("%d windows of typed events in the horizon", announced)
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

// afterRollout lets nothing shrink for a while after the last rollout.
func afterRollout(e Evidence) []Adjustment {
	var last Rollout
	for _, r := range e.Rollouts {
		if r.Time.After(last.Time) && !r.Time.After(e.Now) {
			last = r
		}
	}
	if last.ID == "" || e.Now.Sub(last.Time) >= afterRolloutTime {
		return nil
	}
	return []Adjustment{{
		Kind: NeverShrink, Evidence: []string{last.ID}, Start: last.Time, End: last.Time.Add(afterRolloutTime), Confidence: 100,
		Reason: fmt.Sprintf("rolled out at %s; nothing is lowered for %d hours after that", stamp(last.Time), int(afterRolloutTime.Hours())),
	}}
}

// throttled keeps CPU where a limit holds it back.
func throttled(e Evidence) []Adjustment {
	var out []Adjustment
	start := e.Now.UTC().Truncate(throttledStep)
	for _, t := range e.Throttling {
		if t.Percent >= throttledPercent {
			out = append(out, Adjustment{
				Kind: NeverShrink, Evidence: []string{t.ID}, Start: start, End: start.Add(2 * throttledStep), Confidence: 100,
				Resources: []Resource{CPU},
				Reason:    fmt.Sprintf("the CPU limit of container %q throttles %d%% of the periods, so usage does not show what it needs", t.Container, t.Percent),
			})
		}
	}
	return out
}

// atMaximum tells of an autoscaler that could not go on.
func atMaximum(e Evidence) []Finding {
	var last Scaling
	for _, h := range e.Scalings {
		if h.Time.After(last.Time) && !h.Time.After(e.Now) {
			last = h
		}
	}
	if !last.AtMaximum || e.Now.Sub(last.Time) > maximumNews {
		return nil
	}
	return []Finding{{
		Type: FindingAutoscalerAtMaximum, Severity: "warning", Evidence: []string{last.ID},
		Summary: fmt.Sprintf("the autoscaler stands at its maximum of %d replicas since %s", last.To, stamp(last.Time)),
	}}
}
