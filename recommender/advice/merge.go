package advice

import (
	"cmp"
	"slices"
	"strings"
)

// Merge joins the answers to the questions on one evidence: equal adjustments count once, and those that differ in their windows
// only, and meet, become one. The model and the input are those of the first part. It does not check; Check has to follow.
func Merge(parts []Advice) Advice {
	merged := Advice{Source: SourceModel}
	var all []Adjustment
	var summaries []string
	for _, p := range parts {
		merged.Model, merged.Digest = cmp.Or(merged.Model, p.Model), cmp.Or(merged.Digest, p.Digest)
		merged.InputHash, merged.Reason = cmp.Or(merged.InputHash, p.InputHash), cmp.Or(merged.Reason, p.Reason)
		all = append(all, p.Accepted...)
		merged.Rejected = append(merged.Rejected, p.Rejected...)
		merged.Findings = append(merged.Findings, p.Findings...)
		if p.Summary != "" && !slices.Contains(summaries, p.Summary) {
			summaries = append(summaries, p.Summary)
		}
	}
	slices.SortStableFunc(all, func(a, b Adjustment) int { return cmp.Or(a.Start.Compare(b.Start), a.End.Compare(b.End)) })
	for _, a := range all {
		i := slices.IndexFunc(merged.Accepted, func(b Adjustment) bool { return continues(b, a) })
		if i < 0 {
			merged.Accepted = append(merged.Accepted, a)
		} else if b := &merged.Accepted[i]; a.End.After(b.End) {
			b.End = a.End
		}
	}
	merged.Summary = Clean(strings.Join(summaries, " "), maxReasonLength)
	return merged
}

// continues reports whether b, which does not start before a, says the same as a and begins before a ends, or where it ends.
func continues(a, b Adjustment) bool {
	same := b
	same.Start, same.End = a.Start, a.End
	return equal(a, same) && !b.Start.After(a.End) && b.End.Sub(a.Start) <= maxWindow && a.Start.Before(a.End)
}

// Refine adds a model's advice to that of the rules, and checks both. What the rules accepted stays: a model can announce more, and
// cannot take back what people typed. The hash stays that of the evidence which the model was asked about.
func Refine(rules, model Advice, e Evidence) Advice {
	refined := model
	refined.Source = SourceModel
	refined.Accepted = slices.Concat(rules.Accepted, model.Accepted)
	refined.Rejected = slices.Concat(rules.Rejected, model.Rejected)
	refined.Findings = slices.Concat(rules.Findings, model.Findings)
	refined.Summary = cmp.Or(model.Summary, rules.Summary)
	return Check(refined, e)
}
