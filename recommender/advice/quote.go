package advice

import (
	"fmt"
	"slices"
)

// Cited is a piece of evidence that advice rests on, in the words in which people are shown it.
type Cited struct {
	// ID such as A1.
	ID   string
	Text string
}

// maxQuoteRunes bounds the words of one piece.
const maxQuoteRunes = 160

// Citations returns the evidence that the advice cites, accepted or not, each piece once and in the order in which a model is shown it.
// What is cited and does not exist is left out: a refusal names it.
func Citations(a Advice, e Evidence) []Cited {
	cited := map[string]bool{}
	note := func(ids []string) {
		for _, id := range ids {
			cited[id] = true
		}
	}
	for _, adjustment := range a.Accepted {
		note(adjustment.Evidence)
	}
	for _, rejected := range a.Rejected {
		note(rejected.Adjustment.Evidence)
	}
	for _, f := range a.Findings {
		note(f.Evidence)
	}
	return slices.DeleteFunc(quotes(e), func(c Cited) bool { return !cited[c.ID] })
}

// quotes puts all evidence into words.
func quotes(e Evidence) []Cited {
	var out []Cited
	add := func(id, format string, args ...any) {
		out = append(out, Cited{ID: id, Text: Clean(fmt.Sprintf(format, args...), maxQuoteRunes)})
	}
	for _, n := range e.Annotations {
		add(n.ID, "%s: %s", n.Key, n.Text)
	}
	for _, s := range e.Signals {
		add(s.ID, "signal %s: %g in the last 24 hours, %g at its peak", s.Name, short(s.Mean), short(s.Peak))
	}
	for _, t := range e.Throttling {
		add(t.ID, "the CPU limit of container %s throttles %d %% of the periods", t.Container, t.Percent)
	}
	for _, v := range e.Events {
		add(v.ID, "%s %s, %d times until %s: %s", v.Type, v.Reason, v.Count, stamp(v.Last), v.Message)
	}
	for _, r := range e.Rollouts {
		add(r.ID, "rollout at %s: %s", stamp(r.Time), r.Change)
	}
	for _, h := range e.Scalings {
		atMaximum := ""
		if h.AtMaximum {
			atMaximum = ", its maximum"
		}
		add(h.ID, "autoscaler at %s: from %d to %d replicas%s", stamp(h.Time), h.From, h.To, atMaximum)
	}
	for _, w := range e.Windows {
		add(w.ID, "forecast of container %s from %s to %s: %g cores at its peak", w.Container, stamp(w.Start), stamp(w.End), short(w.PeakCores))
	}
	return out
}
