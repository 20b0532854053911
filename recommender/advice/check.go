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
)

// Check looks at every accepted adjustment again, whoever gave it, and moves what does not hold to Rejected with a sentence
// that says why. It never returns an adjustment that would lower the forecast.
//
//   - its kind is known, and its evidence exists: 1 to 8 ids;
//   - its window is at most 31 days long and meets the horizon;
//   - its confidence is from 0 to 100;
//   - Demand: 100 % or more. An expectation may raise the forecast and never lower it: if the demand does fall, the
//     measurements say so. More than MaxDemandPercent is cut down to it, and the reason says so.
//
// Accepted adjustments come out in the order of their windows, and a repeated one once. Check does not write to its input;
// checking twice gives the same.
func Check(a Advice, e Evidence) Advice {
	known := ids(e)
	out := a
	out.Accepted, out.Rejected = nil, slices.Clone(a.Rejected)
	for _, adjustment := range a.Accepted {
		checked, why := check(adjustment, e, known)
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

// check returns the adjustment, clamped, or why it is refused.
func check(a Adjustment, e Evidence, known map[string]bool) (Adjustment, string) {
	if why := refuseEvidence(a, known); why != "" {
		return a, why
	}
	if why := refuseWindow(a, e); why != "" {
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
		if most := max(e.MaxDemandPercent, plainPercent); a.Percent > most {
			a.Reason = fmt.Sprintf("cut from %d%% to the %d%% that the policy allows (maxDemandPercent): %s", a.Percent, most, a.Reason)
			a.Percent = most
		}
	default:
		return a, fmt.Sprintf("%q is not a kind of adjustment; legal are %s, %s, %s and %s", a.Kind, Demand, Hold, NeverShrink, IgnoreHistory)
	}
	if len(a.Reason) > maxReasonLength {
		a.Reason = strings.ToValidUTF8(a.Reason[:maxReasonLength-len("…")], "") + "…"
	}
	return a, ""
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
	case !a.Start.Before(a.End):
		return fmt.Sprintf("its window ends at %s, which is not after its start at %s", stamp(a.End), stamp(a.Start))
	case a.End.Sub(a.Start) > maxWindow:
		return fmt.Sprintf("its window is longer than %d days", int(maxWindow/(24*time.Hour)))
	case !a.End.After(e.Now) || !a.Start.Before(end):
		return fmt.Sprintf("its window from %s to %s lies outside the horizon until %s", stamp(a.Start), stamp(a.End), stamp(end))
	}
	return ""
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func ids(e Evidence) map[string]bool {
	known := map[string]bool{}
	for _, n := range e.Annotations {
		known[n.ID] = true
	}
	for _, n := range e.Events {
		known[n.ID] = true
	}
	for _, n := range e.Windows {
		known[n.ID] = true
	}
	delete(known, "")
	return known
}

func equal(a, b Adjustment) bool {
	return a.Kind == b.Kind && a.Percent == b.Percent && a.Start.Equal(b.Start) && a.End.Equal(b.End) && slices.Equal(a.Evidence, b.Evidence)
}
