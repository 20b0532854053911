package dashboard

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// force says which revision is used.
func force(s v1alpha1.RecommendationStatus) string {
	switch {
	case s.Candidate == nil:
		return "There are no sizes yet."
	case s.Applicable == nil:
		return "Revision " + s.Candidate.Revision + " may not be used yet."
	case s.Applicable.Revision == s.Candidate.Revision:
		return "Revision " + s.Candidate.Revision + " may be used."
	default:
		return "Revision " + s.Applicable.Revision + " is used; this one, " + s.Candidate.Revision + ", is not yet."
	}
}

// rule is the name of a safety rule at the end of a sentence.
var rule = regexp.MustCompile(`^(.*) \[([a-z][a-z0-9 -]*)\]$`)

func story(trail []string) []storyLine {
	var lines []storyLine
	for _, sentence := range trail {
		line := storyLine{Text: sentence}
		if parts := rule.FindStringSubmatch(sentence); parts != nil {
			line = storyLine{parts[1], parts[2]}
		}
		lines = append(lines, line)
	}
	return lines
}

// adviser says who was asked, where it was a model, or why none was.
func adviser(a *v1alpha1.AdviceStatus) []string {
	switch {
	case a == nil:
		return nil
	case a.Model != "":
		lines := []string{"Asked: " + a.Model + "."}
		if a.Summary != "" {
			lines = append(lines, "It sums up: "+a.Summary)
		}
		return lines
	case a.Reason != "":
		return []string{"By rules alone: " + a.Reason}
	default:
		return nil
	}
}

func adviceLines(a *v1alpha1.AdviceStatus) []adviceLine {
	if a == nil {
		return nil
	}
	var lines []adviceLine
	for _, one := range a.Adjustments {
		line := adviceLine{
			Kind: words(one.Kind), Window: "–", Effect: "–", Evidence: orDash(strings.Join(one.Evidence, ", ")),
			Source: map[string]string{"rules": "rules", "llm": "model"}[cmp.Or(one.Source, a.Source)], Reason: one.Reason, Accepted: one.Accepted,
		}
		if one.From != nil && one.Until != nil {
			line.Window = stamp(one.From.Time) + " to " + stamp(one.Until.Time)
		}
		if one.Percent != nil {
			line.Effect = fmt.Sprintf("%d\u00a0%% of the forecast", *one.Percent)
		} else if len(one.Resources) > 0 {
			line.Effect = strings.Join(one.Resources, ", ")
		}
		lines = append(lines, line)
	}
	return lines
}

func podLines(r *v1alpha1.ReplicaStatus) []string {
	if r == nil {
		return nil
	}
	line := fmt.Sprintf("%d now", r.Current)
	if r.Target != nil {
		line += fmt.Sprintf(", %d recommended", *r.Target)
	}
	if r.Min != nil && r.Max != nil {
		line += fmt.Sprintf(", at least %d and at most %d", *r.Min, *r.Max)
	}
	lines := []string{line + "."}
	if r.Owner != "" {
		lines = append(lines, "Decided by "+r.Owner+".")
	}
	if r.YieldsTo != "" {
		lines = append(lines, r.YieldsTo)
	}
	for _, w := range r.Schedule {
		lines = append(lines, fmt.Sprintf("From %s to %s: %d.", stamp(w.From.Time), stamp(w.Until.Time), w.Replicas))
	}
	return lines
}

func toneOf(s v1alpha1.Severity) string {
	switch s {
	case v1alpha1.SeverityCritical:
		return "bad"
	case v1alpha1.SeverityWarning:
		return "warn"
	default:
		return "plain"
	}
}

func outcomeTone(r v1alpha1.OutcomeResult) string {
	switch r {
	case v1alpha1.OutcomeResized, v1alpha1.OutcomeEvicted:
		return "good"
	case v1alpha1.OutcomeFailed, v1alpha1.OutcomeDidNotStick:
		return "bad"
	default:
		return "plain"
	}
}

// factsOf tells a forecast and how good it is.
func factsOf(f v1alpha1.ForecastStatus) []fact {
	facts := []fact{{"History", count(int(f.HistoryHours), "hour")}}
	if f.Peak != nil && f.PeakTime != nil {
		facts = append(facts, fact{"Peak expected, all pods", coresText(f.Peak.AsApproximateFloat64()) + " cores, " + stamp(f.PeakTime.Time)})
	}
	var models []string
	for _, m := range f.Weights {
		models = append(models, fmt.Sprintf("%s %d\u00a0%%", m.Model, m.Percent))
	}
	if len(models) > 0 {
		facts = append(facts, fact{"Models", strings.Join(models, ", ")})
	}
	if f.BacktestErrorPercent != nil {
		facts = append(facts, fact{"Error on the past", fmt.Sprintf("%d\u00a0%%", *f.BacktestErrorPercent)})
	}
	if f.CoveragePercent != nil {
		facts = append(facts, fact{"Past hours under the upper bound", fmt.Sprintf("%d\u00a0%%", *f.CoveragePercent)})
	}
	return facts
}

func orDash(text string) string { return cmp.Or(text, "–") }
