package advice

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Bounds that Check enforces.
const (
	maxAdjustments  = 64
	maxWindow       = 31 * 24 * time.Hour
	maxReasonLength = 256
	maxEvidence     = 8
	maxFindings     = 16
)

// Check looks at every accepted adjustment again, whoever gave it, and moves what does not hold to Rejected with a sentence
// that says why. It never returns an adjustment that would lower the forecast.
//
//   - its kind is known, its evidence exists (1 to 8 ids), and so do its resources;
//   - its window is at most 31 days long and meets the horizon; that of an IgnoreHistory lies in the last HistoryDays;
//   - its confidence is from 0 to 100;
//   - Demand: 100 % or more. An expectation may raise the forecast and never lower it: if the demand does fall, the
//     measurements say so. More than MaxDemandPercent is cut down to it, and the reason says so;
//   - Demand, Hold and IgnoreHistory cite an annotation. A typed event carries exactly what it says. A text carries a Demand if
//     it names a date on which the window begins, or, where it names no dates, a number that the percentage can come from; it
//     carries a Hold unless it names other dates, and an IgnoreHistory only if it names the date.
//
// Findings whose evidence does not exist are dropped, and at most 16 are kept.
//
// Accepted adjustments come out in the order of their windows, and a repeated one once. Check does not write to its input;
// checking twice gives the same.
func Check(a Advice, e Evidence) Advice {
	c := checker{evidence: e, known: ids(e), starts: map[string][]time.Time{}}
	out := a
	out.Accepted, out.Rejected, out.Findings = nil, slices.Clone(a.Rejected), checkFindings(a.Findings, c.known)
	for _, adjustment := range a.Accepted {
		checked, why := c.check(adjustment)
		switch {
		case why == "" && len(out.Accepted) >= maxAdjustments:
			why = fmt.Sprintf("at most %d adjustments are taken", maxAdjustments)
			fallthrough
		case why != "":
			out.Rejected = append(out.Rejected, Rejected{Adjustment: adjustment, Why: why})
		case !slices.ContainsFunc(out.Accepted, func(b Adjustment) bool { return equal(b, checked) }):
			out.Accepted = append(out.Accepted, checked)
		}
	}
	slices.SortStableFunc(out.Accepted, func(x, y Adjustment) int {
		return cmp.Or(x.Start.Compare(y.Start), x.End.Compare(y.End))
	})
	return out
}

// checker is one call of Check.
type checker struct {
	evidence Evidence
	known    map[string]bool
	// starts of the occurrences in the horizon of the typed events that were looked at, by id.
	starts map[string][]time.Time
}

// check returns the adjustment, clamped, or why it is refused.
func (c checker) check(a Adjustment) (Adjustment, string) {
	if why := refuseEvidence(a, c.known); why != "" {
		return a, why
	}
	if why := refuseWindow(a, c.evidence); why != "" {
		return a, why
	}
	if why := refuseResources(a); why != "" {
		return a, why
	}
	if a.Confidence < 0 || a.Confidence > 100 {
		return a, fmt.Sprintf("a confidence of %d%% is not between 0%% and 100%%", a.Confidence)
	}
	switch a.Kind {
	case Hold, NeverShrink, IgnoreHistory:
		a.Percent = 0
	case Demand:
		if a.Percent < plainPercent {
			return a, fmt.Sprintf("a demand of %d%% would lower the forecast; an expectation may only raise it, and measurements lower it", a.Percent)
		}
	default:
		return a, fmt.Sprintf("%q is not a kind of adjustment; legal are %s, %s, %s and %s", a.Kind, Demand, Hold, NeverShrink, IgnoreHistory)
	}
	if why := c.refuseGrounds(a); why != "" {
		return a, why
	}
	return clamp(a, c.evidence), ""
}

// clamp cuts what is legal and too much.
func clamp(a Adjustment, e Evidence) Adjustment {
	switch a.Kind {
	case Demand:
		a.Resources = nil
		if most := demandCap(e); a.Percent > most {
			a.Reason = fmt.Sprintf("cut from %d%% to the %d%% that the policy allows (maxDemandPercent): %s", a.Percent, most, a.Reason)
			a.Percent = most
		}
	case IgnoreHistory:
		a.Resources = nil
	default:
		a.Resources = slices.Compact(slices.Sorted(slices.Values(a.Resources)))
	}
	if len(a.Reason) > maxReasonLength {
		a.Reason = strings.ToValidUTF8(a.Reason[:maxReasonLength-len("…")], "") + "…"
	}
	return a
}

// checkFindings keeps the findings that rest on evidence, each once.
func checkFindings(findings []Finding, known map[string]bool) []Finding {
	var out []Finding
	for _, f := range findings {
		unfounded := len(f.Evidence) == 0 || slices.ContainsFunc(f.Evidence, func(id string) bool { return !known[id] })
		again := slices.ContainsFunc(out, func(g Finding) bool { return g.Type == f.Type && slices.Equal(g.Evidence, f.Evidence) })
		if !unfounded && !again && len(out) < maxFindings {
			out = append(out, f)
		}
	}
	return out
}

func refuseResources(a Adjustment) string {
	for _, r := range a.Resources {
		if r != CPU && r != Memory && r != Replicas {
			return fmt.Sprintf("%q is not a resource; legal are %s, %s and %s", r, CPU, Memory, Replicas)
		}
	}
	return ""
}

func refuseEvidence(a Adjustment, known map[string]bool) string {
	if len(a.Evidence) == 0 || len(a.Evidence) > maxEvidence {
		return fmt.Sprintf("it rests on %d pieces of evidence, 1 to %d are legal", len(a.Evidence), maxEvidence)
	}
	for _, id := range a.Evidence {
		if !known[id] {
			return fmt.Sprintf("there is no evidence %q", id)
		}
	}
	return ""
}

func refuseWindow(a Adjustment, e Evidence) string {
	end := e.Now.Add(e.Horizon)
	switch {
	case a.Kind == IgnoreHistory && e.HistoryDays == 0:
		return "nothing acts on history that is to be ignored"
	case !a.Start.Before(a.End):
		return fmt.Sprintf("its window ends at %s, which is not after its start at %s", stamp(a.End), stamp(a.Start))
	case a.End.Sub(a.Start) > maxWindow:
		return fmt.Sprintf("its window is longer than %d days", int(maxWindow/(24*time.Hour)))
	case a.Kind == IgnoreHistory:
		if past := day(e.Now).AddDate(0, 0, -min(e.HistoryDays, MaxHistoryDays)); a.Start.Before(past) || a.End.After(e.Now) {
			return fmt.Sprintf("its window from %s to %s does not lie in the history from %s to now", stamp(a.Start), stamp(a.End), stamp(past))
		}
	case !a.End.After(e.Now) || !a.Start.Before(end):
		return fmt.Sprintf("its window from %s to %s lies outside the horizon until %s", stamp(a.Start), stamp(a.End), stamp(end))
	}
	return ""
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// ids returns the ids of all evidence.
func ids(e Evidence) map[string]bool {
	known := map[string]bool{}
	for _, n := range e.Annotations {
		known[n.ID] = true
	}
	for _, n := range e.Events {
		known[n.ID] = true
	}
	for _, n := range e.Rollouts {
		known[n.ID] = true
	}
	for _, n := range e.Scalings {
		known[n.ID] = true
	}
	for _, n := range e.Signals {
		known[n.ID] = true
	}
	for _, n := range e.Throttling {
		known[n.ID] = true
	}
	for _, n := range e.Windows {
		known[n.ID] = true
	}
	delete(known, "")
	return known
}

func equal(a, b Adjustment) bool {
	return a.Kind == b.Kind && a.Percent == b.Percent && a.Start.Equal(b.Start) && a.End.Equal(b.End) && slices.Equal(a.Evidence, b.Evidence) &&
		slices.Equal(a.Resources, b.Resources)
}
