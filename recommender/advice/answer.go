package advice

import (
	"fmt"
	"time"

	"github.com/loadline-dev/loadline/recommender/advice/schema"
)

// answer is what a model may say. Its tags make the JSON schema that the model is held to, and the check of what came back.
//
// The reason and the evidence come first, so that the model has written why before it writes what.
//
// A window is two days out of the list that the question gives, and two hours of the day. A free timestamp could name any year,
// with any offset. An offset in hours from now would make the model do arithmetic, at which it is bad. Copying a day from a list
// is what it is good at, and outside the list the grammar stops it.
type answer struct {
	Adjustments []proposal    `json:"adjustments" schema:"max=adjustments"`
	Findings    []observation `json:"findings" schema:"max=findings"`
	Summary     string        `json:"summary" schema:"max=120"`
}

type proposal struct {
	Evidence   []string `json:"evidence" schema:"in=ids,min=1,max=3"`
	Reason     string   `json:"reason" schema:"max=80"`
	Kind       string   `json:"kind" schema:"in=kinds"`
	FromDay    string   `json:"from_day" schema:"in=days"`
	FromHour   int      `json:"from_hour" schema:"max=23"`
	UntilDay   string   `json:"until_day" schema:"in=days"`
	UntilHour  int      `json:"until_hour" schema:"max=24"`
	Percent    int32    `json:"percent" schema:"min=100,max=percent"`
	Resources  []string `json:"resources" schema:"in=resources,max=3"`
	Confidence int32    `json:"confidence" schema:"max=100"`
}

type observation struct {
	Evidence []string `json:"evidence" schema:"in=ids,min=1,max=3"`
	Type     string   `json:"type" schema:"in=findings"`
	Severity string   `json:"severity" schema:"in=severities"`
	Summary  string   `json:"summary" schema:"max=100"`
}

// Tokens that the parts of an answer take at most, at three bytes a token for names and ids, and one character a token for
// texts: 230 bytes and 80 characters, 90 and 100, 40 and 120, rounded up.
const (
	proposalTokens    = 170
	observationTokens = 130
	summaryTokens     = 140
	// mostProposals is how many adjustments one answer may hold, however much room there is for it.
	mostProposals = 6
)

// What of Budget.AnswerTokens makes sense: with less than the least nothing can be asked, more than the most is not used.
const (
	LeastAnswerTokens = proposalTokens + observationTokens + summaryTokens
	MostAnswerTokens  = mostProposals*proposalTokens + mostProposals/2*observationTokens + summaryTokens
)

// answerTokens returns the room that an answer with so many proposals, and half as many observations, takes at most.
func answerTokens(proposals int) int {
	return proposals*proposalTokens + (proposals+1)/2*observationTokens + summaryTokens
}

// proposalsWithin returns how many proposals an answer of so many tokens can hold: 6 at most, and 0 where there is no room for
// one.
func proposalsWithin(tokens int) int {
	n := 0
	for n < mostProposals && answerTokens(n+1) <= tokens {
		n++
	}
	return n
}

const (
	dayLayout     = time.DateOnly
	maxHorizon    = 35 // days, and today
	hoursOfTheDay = 24
)

// answerSchema is the schema of an answer that may cite these ids and name these days.
func answerSchema(e Evidence, ids, days []string, proposals int) (*schema.Schema, error) {
	kinds := []string{string(Demand), string(Hold), string(NeverShrink)}
	if e.HistoryDays > 0 {
		kinds = append(kinds, string(IgnoreHistory))
	}
	return schema.Of(answer{}, schema.Values{
		Lists: map[string][]string{
			"ids": ids, "days": days, "kinds": kinds,
			"resources":  {string(CPU), string(Memory), string(Replicas)},
			"findings":   {FindingConflict, FindingIncident, FindingUnclear, FindingChange, FindingOther},
			"severities": {"info", "warning", "critical"},
		},
		Bounds: map[string]int64{
			"adjustments": int64(proposals), "findings": int64((proposals + 1) / 2), "percent": int64(demandCap(e)),
		},
	})
}

// demandCap is the most that the policy allows, and at least the plain forecast.
func demandCap(e Evidence) int32 { return max(e.MaxDemandPercent, plainPercent) }

// modelSays stands before a model's words wherever they stand beside our own sentences: nobody shall take them for a fact.
const modelSays = "the model says: "

// Parse reads the answer to one of Questions(e, …) strictly. A field that is unknown or missing, an id or day that was
// not given, a number out of bounds, a text that is too long or anything behind the document is an error that says what and
// where; the whole answer counts for nothing then.
//
// The result is what the model wants. Check decides what of it holds, and has to be called before it is used.
func Parse(data []byte, e Evidence) (Advice, error) {
	s, err := answerSchema(e, idsOf(e), append(pastDays(e), daysAhead(e)...), mostProposals)
	if err != nil {
		return Advice{}, fmt.Errorf("there was nothing to ask: %w", err)
	}
	var parsed answer
	if err := s.Decode(data, &parsed); err != nil {
		return Advice{}, err
	}
	a := Advice{Source: SourceModel, InputHash: Hash(e), Summary: Clean(parsed.Summary, maxReasonLength)}
	for i, p := range parsed.Adjustments {
		adjustment, err := p.adjustment()
		if err != nil {
			return Advice{}, fmt.Errorf("answer.adjustments[%d]: %w", i, err)
		}
		a.Accepted = append(a.Accepted, adjustment)
	}
	for _, o := range parsed.Findings {
		a.Findings = append(a.Findings, Finding{
			Type: o.Type, Severity: o.Severity, Evidence: o.Evidence, Summary: modelSays + Clean(o.Summary, maxReasonLength),
		})
	}
	return a, nil
}

func (p proposal) adjustment() (Adjustment, error) {
	start, err := hourOf(p.FromDay, p.FromHour)
	if err != nil {
		return Adjustment{}, err
	}
	end, err := hourOf(p.UntilDay, p.UntilHour)
	if err != nil {
		return Adjustment{}, err
	}
	a := Adjustment{
		Kind: Kind(p.Kind), Evidence: p.Evidence, Start: start, End: end, Percent: p.Percent, Confidence: p.Confidence,
		Reason: modelSays + Clean(p.Reason, maxReasonLength),
	}
	for _, r := range p.Resources {
		a.Resources = append(a.Resources, Resource(r))
	}
	return a, nil
}

func hourOf(day string, hour int) (time.Time, error) {
	start, err := time.Parse(dayLayout, day)
	return start.Add(time.Duration(hour) * time.Hour), err
}

// daysAhead returns the days in UTC that the horizon touches, the running one first.
func daysAhead(e Evidence) []string {
	end := e.Now.Add(e.Horizon)
	var days []string
	for d := day(e.Now); len(days) == 0 || d.Before(end) && len(days) <= maxHorizon; d = d.AddDate(0, 0, 1) {
		days = append(days, d.Format(dayLayout))
	}
	return days
}

// pastDays returns the days before today that an IgnoreHistory adjustment may name, in order.
func pastDays(e Evidence) []string {
	var days []string
	for back := min(e.HistoryDays, MaxHistoryDays); back > 0; back-- {
		days = append(days, day(e.Now).AddDate(0, 0, -back).Format(dayLayout))
	}
	return days
}

// idsOf returns the ids of all evidence, in the order in which it is asked about.
func idsOf(e Evidence) []string {
	var out []string
	for _, p := range pieces(e) {
		out = append(out, p.id)
	}
	return out
}
