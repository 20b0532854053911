package eval_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/loadline-dev/loadline/recommender/advice"
	"github.com/loadline-dev/loadline/recommender/advice/eval"
	"github.com/loadline-dev/loadline/recommender/advice/testdata"
)

func cases(t *testing.T) []eval.Case {
	t.Helper()
	cases, err := eval.Read(testdata.Cases, "cases")
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

// answer writes what is expected the way a model would.
func answer(t *testing.T, expected ...eval.Expected) []byte {
	t.Helper()
	adjustments := []map[string]any{}
	for _, x := range expected {
		percent := int32(100)
		if len(x.Percent) > 0 {
			percent = x.Percent[0]
		}
		until := x.Until.UTC().Add(59 * time.Minute).Truncate(time.Hour)
		adjustments = append(adjustments, map[string]any{
			"evidence": x.Evidence, "reason": "because it says so", "kind": x.Kind, "percent": percent,
			"from_day": x.From.UTC().Format(time.DateOnly), "from_hour": x.From.UTC().Hour(),
			"until_day": until.Format(time.DateOnly), "until_hour": until.Hour(),
			"resources": []string{}, "confidence": 90,
		})
	}
	text, err := json.Marshal(map[string]any{"adjustments": adjustments, "findings": []string{}, "summary": "a summary"})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTheSetIsLargeAndCoversEveryClassAndManyLanguages(t *testing.T) {
	classes, languages := map[string]int{}, map[string]int{}
	for _, c := range cases(t) {
		classes[c.Class]++
		languages[c.Language]++
	}
	for _, class := range eval.Classes() {
		if classes[class] < 5 {
			t.Errorf("class %s has %d cases", class, classes[class])
		}
	}
	if len(cases(t)) < 60 || len(languages) < 12 {
		t.Errorf("%d cases in the languages %v", len(cases(t)), languages)
	}
}

func TestWhatACarefulPersonWouldAnswerIsAcceptedInEveryLanguage(t *testing.T) {
	for _, c := range cases(t) {
		t.Run(c.Name, func(t *testing.T) {
			e := c.Evidence()
			var wanted []eval.Expected
			for _, want := range c.Want {
				if want.Model {
					wanted = append(wanted, want)
				}
			}
			parsed := advice.Advice{Source: advice.SourceModel}
			if len(wanted) > 0 {
				var err error
				if parsed, err = advice.Parse(answer(t, wanted...), e); err != nil {
					t.Fatal(err)
				}
			}
			refined := advice.Refine(advice.Rules(e), parsed, e)
			if r := eval.Score(c, refined); !r.Correct() {
				t.Errorf("missed %v, wrong %v, rejected %+v", r.Missed, r.Wrong, refined.Rejected)
			}
		})
	}
}

func TestWhatMustBeRefusedIsRefused(t *testing.T) {
	for _, c := range cases(t) {
		for i, refuse := range c.Refuse {
			t.Run(fmt.Sprint(c.Name, "/", i), func(t *testing.T) {
				e := c.Evidence()
				parsed, err := advice.Parse(answer(t, refuse), e)
				if err != nil {
					return // Refused as a whole.
				}
				if got := advice.Check(parsed, e); len(got.Accepted) > 0 || len(got.Rejected) != 1 {
					t.Errorf("accepted %+v", got.Accepted)
				}
			})
		}
	}
}

func TestRulesAloneReadTypedEventsAndTouchNothingElse(t *testing.T) {
	var typed []eval.Result
	for _, c := range cases(t) {
		e := c.Evidence()
		got := advice.Rules(e)
		result := eval.Score(c, got)
		switch {
		case len(c.Typed) > 0:
			typed = append(typed, result)
			if !result.Correct() {
				t.Logf("%s: missed %v, wrong %v", c.Name, result.Missed, result.Wrong)
			}
		case len(c.Rollouts)+len(c.Throttling) == 0 && len(got.Accepted) > 0:
			t.Errorf("%s says nothing that rules can read, and they accepted %+v", c.Name, got.Accepted)
		case !result.Correct():
			t.Errorf("%s: missed %v, wrong %v", c.Name, result.Missed, result.Wrong)
		}
	}
	all := eval.Tally(typed)[len(eval.Tally(typed))-1]
	t.Logf("rules alone: %d of %d cases with typed events", all.Correct, all.Cases)
	if all.Cases < 15 || 100*all.Correct < 95*all.Cases {
		t.Errorf("rules alone: %d of %d cases with typed events", all.Correct, all.Cases)
	}
}

func TestAScoreTellsWhatIsMissingAndWhatIsWrong(t *testing.T) {
	at := func(hour int) time.Time { return time.Date(2026, 11, 27, hour, 0, 0, 0, time.UTC) }
	c := eval.Case{
		Name: "c", Class: "sale",
		Want: []eval.Expected{{Kind: advice.Demand, From: at(0), Until: at(12), SlackHours: 1, Percent: []int32{200, 300}, Evidence: []string{"A1"}}},
	}
	good := advice.Adjustment{Kind: advice.Demand, Start: at(1), End: at(13), Percent: 250, Evidence: []string{"A1", "A2"}}
	for _, test := range []struct {
		name          string
		edit          func(*advice.Adjustment)
		missed, wrong int
	}{
		{"acceptable", func(*advice.Adjustment) {}, 0, 0},
		{"too much", func(a *advice.Adjustment) { a.Percent = 301 }, 1, 1},
		{"too early", func(a *advice.Adjustment) { a.Start = at(0).Add(-2 * time.Hour) }, 1, 1},
		{"another kind", func(a *advice.Adjustment) { a.Kind = advice.NeverShrink }, 1, 1},
		{"without the evidence", func(a *advice.Adjustment) { a.Evidence = []string{"A2"} }, 1, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := good
			got.Evidence = slices.Clone(good.Evidence)
			test.edit(&got)
			r := eval.Score(c, advice.Advice{Source: advice.SourceModel, Accepted: []advice.Adjustment{got}})
			if len(r.Missed) != test.missed || len(r.Wrong) != test.wrong || r.Correct() != (test.missed+test.wrong == 0) {
				t.Errorf("missed %v, wrong %v", r.Missed, r.Wrong)
			}
		})
	}
}

func TestATallySumsByClass(t *testing.T) {
	failed := eval.Fail(eval.Case{Class: "sale"}, errors.New("no answer"))
	got := eval.Tally([]eval.Result{{Class: "vague", Rejected: 2}, failed, {Class: "sale", Wrong: []string{"x"}}, {Class: "sale"}})
	want := []eval.ClassScore{
		{Class: "sale", Cases: 3, Correct: 1, Failed: 1},
		{Class: "vague", Cases: 1, Correct: 1, Rejected: 2},
		{Class: "all", Cases: 4, Correct: 2, Failed: 1, Rejected: 2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestACaseThatIsNoneSaysWhyAndWhere(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"an unknown field": {"class: quiet\nlanguage: en\nabout: x\nnow: 2026-11-25T12:00:00Z\nwants: []", `unknown field "wants"`},
		"an unknown class": {"class: party\nlanguage: en\nabout: x\nnow: 2026-11-25T12:00:00Z", `class "party" is not one of`},
		"no time":          {"class: quiet\nlanguage: en\nabout: x", "now is missing"},
		"an empty window": {
			"class: quiet\nlanguage: en\nabout: x\nnow: 2026-11-25T12:00:00Z\nwant: [{kind: hold, evidence: [A1]}]",
			"until must be after from",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := eval.Read(fstest.MapFS{"cases/odd.yaml": {Data: []byte(test.text)}}, "cases")
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "cases/odd.yaml") {
				t.Errorf("error %v, want one that names the file and says %q", err, test.want)
			}
		})
	}
}
