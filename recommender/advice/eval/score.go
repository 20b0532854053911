package eval

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/loadline-dev/loadline/recommender/advice"
)

// Result is the score of one piece of advice on one case.
type Result struct {
	Case, Class string
	// Missed are wanted adjustments that are not there, Wrong those that are there and not acceptable, as sentences.
	Missed, Wrong []string
	// Rejected is how many adjustments Check refused.
	Rejected int
	// Failed is the error of an advisor that gave no advice; the case is then lost.
	Failed error
}

// Correct reports whether the advice is acceptable.
func (r Result) Correct() bool { return r.Failed == nil && len(r.Missed)+len(r.Wrong) == 0 }

// Score compares checked advice with what is acceptable in the case. Where the advice comes from rules, what only a model can find
// is not missed.
func Score(c Case, a advice.Advice) Result {
	r := Result{Case: c.Name, Class: c.Class, Rejected: len(a.Rejected)}
	for _, want := range c.Want {
		if want.Model && a.Source == advice.SourceRules {
			continue
		}
		if !slices.ContainsFunc(a.Accepted, want.accepts) {
			r.Missed = append(r.Missed, want.String())
		}
	}
	acceptable := slices.Concat(c.Want, c.Allow)
	for _, got := range a.Accepted {
		if !slices.ContainsFunc(acceptable, func(x Expected) bool { return x.accepts(got) }) {
			r.Wrong = append(r.Wrong, fmt.Sprintf("%s %d%% from %s until %s because of %s", got.Kind, got.Percent,
				got.Start.Format(time.RFC3339), got.End.Format(time.RFC3339), strings.Join(got.Evidence, ", ")))
		}
	}
	return r
}

// Fail is the result of an advisor that gave no advice.
func Fail(c Case, err error) Result { return Result{Case: c.Name, Class: c.Class, Failed: err} }

// defaultSlack allows for a text that names a day and no zone.
const defaultSlack = 12

func (x Expected) accepts(a advice.Adjustment) bool {
	if a.Kind != x.Kind || slices.ContainsFunc(x.Evidence, func(id string) bool { return !slices.Contains(a.Evidence, id) }) {
		return false
	}
	if a.Kind == advice.Demand && (a.Percent < slices.Min(x.Percent) || a.Percent > slices.Max(x.Percent)) {
		return false
	}
	slack := time.Duration(x.SlackHours) * time.Hour
	if x.SlackHours == 0 {
		slack = defaultSlack * time.Hour
	}
	near := func(got, want time.Time) bool { return got.Sub(want).Abs() <= slack }
	return x.From.IsZero() || near(a.Start, x.From) && near(a.End, x.Until)
}

// String describes what is expected.
func (x Expected) String() string {
	percent := ""
	if len(x.Percent) > 0 {
		percent = fmt.Sprintf(" %d%% to %d%%", slices.Min(x.Percent), slices.Max(x.Percent))
	}
	return fmt.Sprintf("%s%s from %s until %s because of %s", x.Kind, percent,
		x.From.Format(time.RFC3339), x.Until.Format(time.RFC3339), strings.Join(x.Evidence, ", "))
}

// ClassScore sums up the results of one class, or of all.
type ClassScore struct {
	Class                  string
	Cases, Correct, Failed int
	// Rejected is how many adjustments Check refused, in all cases together.
	Rejected int
}

// Tally sums up results by class, in the order of the classes' names; the last line, of class "all", is the sum of all.
func Tally(results []Result) []ClassScore {
	var scores []ClassScore
	all := ClassScore{Class: "all"}
	for _, r := range slices.SortedStableFunc(slices.Values(results), func(a, b Result) int { return strings.Compare(a.Class, b.Class) }) {
		if len(scores) == 0 || scores[len(scores)-1].Class != r.Class {
			scores = append(scores, ClassScore{Class: r.Class})
		}
		scores[len(scores)-1].add(r)
		all.add(r)
	}
	return append(scores, all)
}

func (s *ClassScore) add(r Result) {
	s.Cases++
	s.Rejected += r.Rejected
	if r.Correct() {
		s.Correct++
	}
	if r.Failed != nil {
		s.Failed++
	}
}
