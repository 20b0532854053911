package advice_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/recommender/advice"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) // A Wednesday.

func at(hours int) time.Time { return now.Add(time.Duration(hours) * time.Hour) }

// evidence looks a week ahead and holds these events, with ids from A1 on.
func evidence(events ...advice.TypedEvent) advice.Evidence {
	e := advice.Evidence{Now: now, Horizon: 7 * 24 * time.Hour, MaxDemandPercent: 500}
	for i, event := range events {
		e.Annotations = append(e.Annotations, advice.Annotation{
			ID: "A" + string(rune('1'+i)), Key: "namespace loadline.dev/event." + event.Name, Event: &event,
		})
	}
	return e
}

func sale(start, end int, percent int32, recurrence string) advice.TypedEvent {
	return advice.TypedEvent{Name: "sale", Start: at(start), End: at(end), DemandPercent: percent, Recurrence: recurrence}
}

// windows writes adjustments as "from..until percent" in hours from now.
func windows(adjustments []advice.Adjustment) []string {
	var out []string
	for _, a := range adjustments {
		out = append(out, a.Start.Sub(now).String()+".."+a.End.Sub(now).String()+" "+string(a.Kind))
	}
	return out
}

func TestRulesTakeTypedEventsAtTheirWord(t *testing.T) {
	for _, test := range []struct {
		name  string
		event advice.TypedEvent
		want  []string
	}{
		{"an event ahead", sale(24, 48, 300, ""), []string{"24h0m0s..48h0m0s demand"}},
		{"an event that runs", sale(-10, 5, 300, ""), []string{"-10h0m0s..5h0m0s demand"}},
		{"an event that is over", sale(-10, 0, 300, ""), nil},
		{"an event beyond the horizon", sale(7*24, 7*24+5, 300, ""), nil},
		{"every day for three hours", sale(-48, -45, 200, "FREQ=DAILY;COUNT=5"), []string{"0s..3h0m0s demand", "24h0m0s..27h0m0s demand", "48h0m0s..51h0m0s demand"}},
		{"every week, started years ago", sale(-24*7*300, -24*7*300+2, 200, "FREQ=WEEKLY"), []string{"0s..2h0m0s demand"}},
		{"every week until yesterday", sale(-24*14, -24*14+2, 200, "FREQ=WEEKLY;UNTIL=20261124T000000Z"), nil},
		{"last Friday in November, by the calendar", advice.TypedEvent{
			Name: "black-friday", DemandPercent: 300, Recurrence: "FREQ=YEARLY;BYMONTH=11;BYDAY=-1FR",
			Start: time.Date(2024, 11, 29, 0, 0, 0, 0, time.UTC), End: time.Date(2024, 11, 30, 0, 0, 0, 0, time.UTC),
		}, []string{"36h0m0s..60h0m0s demand"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := advice.Rules(evidence(test.event))
			if diff := cmp.Diff(test.want, windows(got.Accepted)); diff != "" || len(got.Rejected) > 0 {
				t.Errorf("rejected %v, accepted (-want +got):\n%s", got.Rejected, diff)
			}
			for _, a := range got.Accepted {
				if a.Percent != test.event.DemandPercent || !cmp.Equal(a.Evidence, []string{"A1"}) {
					t.Errorf("adjustment %+v does not say %d%% because of A1", a, test.event.DemandPercent)
				}
			}
		})
	}
}

func TestRulesRefuseWithASentence(t *testing.T) {
	for _, test := range []struct {
		name  string
		event advice.TypedEvent
		want  string
	}{
		{"a lull", sale(24, 48, 20, ""), "would lower the forecast"},
		{"an empty window", sale(24, 24, 300, ""), "not after its start"},
		{"a rule that is none", sale(24, 48, 300, "FREQ=SOMETIMES"), `recurrence "FREQ=SOMETIMES"`},
		{"every second", sale(0, 1, 300, "FREQ=SECONDLY"), "FREQ must be DAILY"},
		{"an interval beyond reason", sale(0, 1, 300, "FREQ=DAILY;INTERVAL=2000000000"), "INTERVAL must be"},
		{"every second of a day", sale(0, 1, 300, "FREQ=DAILY;BYHOUR=1,2;BYSECOND=1,2,3"), "only INTERVAL"},
		{"the ninth Monday", sale(0, 1, 300, "FREQ=MONTHLY;BYDAY=9MO"), "BYDAY"},
		{"an event before the calendar", advice.TypedEvent{Name: "old", Start: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC), Recurrence: "FREQ=DAILY", DemandPercent: 200}, "between the years"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := advice.Rules(evidence(test.event))
			if len(got.Accepted) > 0 || len(got.Rejected) != 1 || !strings.Contains(got.Rejected[0].Why, test.want) {
				t.Errorf("accepted %v, rejected %+v, want one refusal that says %q", got.Accepted, got.Rejected, test.want)
			}
		})
	}
}

func TestADateThatNeverComesEndsSoon(t *testing.T) {
	// The search goes on to the library's last year; computed from 2026 it takes hundreds of times longer.
	got := advice.Rules(evidence(sale(0, 1, 300, "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30")))
	if len(got.Accepted) > 0 {
		t.Errorf("30 February came: %v", got.Accepted)
	}
}

func TestDemandIsCutToThePolicyAndSaysSo(t *testing.T) {
	got := advice.Rules(evidence(sale(24, 48, 900, "")))
	if len(got.Accepted) != 1 || got.Accepted[0].Percent != 500 || !strings.Contains(got.Accepted[0].Reason, "cut from 900% to the 500%") {
		t.Errorf("accepted %+v", got.Accepted)
	}
}

func TestFreeTextIsLeftToAModel(t *testing.T) {
	e := evidence()
	e.Annotations = []advice.Annotation{{ID: "A1", Key: "namespace loadline.dev/context", Text: "three times the traffic on Friday"}}
	got := advice.Rules(e)
	if len(got.Accepted)+len(got.Rejected) > 0 || !strings.Contains(got.Summary, "1 texts were not read") {
		t.Errorf("advice %+v", got)
	}
}

func TestCheckRefusesWhatDoesNotHold(t *testing.T) {
	good := advice.Adjustment{Kind: advice.Demand, Evidence: []string{"A1"}, Start: at(1), End: at(2), Percent: 200, Confidence: 80}
	for _, test := range []struct {
		name string
		edit func(*advice.Adjustment)
		want string
	}{
		{"a good one", func(*advice.Adjustment) {}, ""},
		{"no evidence", func(a *advice.Adjustment) { a.Evidence = nil }, "0 pieces of evidence"},
		{"invented evidence", func(a *advice.Adjustment) { a.Evidence = []string{"A1", "E7"} }, `no evidence "E7"`},
		{"an unknown kind", func(a *advice.Adjustment) { a.Kind = "delete-everything" }, "not a kind"},
		{"a window backwards", func(a *advice.Adjustment) { a.End = at(0) }, "not after its start"},
		{"a window in the past", func(a *advice.Adjustment) { a.Start, a.End = at(-5), at(-4) }, "outside the horizon"},
		{"a window far ahead", func(a *advice.Adjustment) { a.Start, a.End = at(1000), at(1001) }, "outside the horizon"},
		{"a window of a year", func(a *advice.Adjustment) { a.End = at(9000) }, "longer than 31 days"},
		{"too sure", func(a *advice.Adjustment) { a.Confidence = 101 }, "confidence"},
		{"less demand", func(a *advice.Adjustment) { a.Percent = 99 }, "would lower"},
		{"a hold", func(a *advice.Adjustment) { a.Kind, a.Percent = advice.Hold, 0 }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			adjustment := good
			test.edit(&adjustment)
			e := evidence(sale(1, 2, 200, ""))
			got := advice.Check(advice.Advice{Accepted: []advice.Adjustment{adjustment}}, e)
			if test.want == "" {
				if len(got.Accepted) != 1 || len(got.Rejected) > 0 {
					t.Errorf("refused: %+v", got.Rejected)
				}
				return
			}
			if len(got.Accepted) > 0 || len(got.Rejected) != 1 || !strings.Contains(got.Rejected[0].Why, test.want) {
				t.Errorf("accepted %v, rejected %+v, want a refusal that says %q", got.Accepted, got.Rejected, test.want)
			}
		})
	}
}

func TestCheckIsBoundedAndCheckingTwiceGivesTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := evidence(sale(1, 2, 200, ""))
		var a advice.Advice
		for range rapid.IntRange(0, 80).Draw(t, "adjustments") {
			start := at(rapid.IntRange(-50, 200).Draw(t, "start"))
			a.Accepted = append(a.Accepted, advice.Adjustment{
				Kind:     rapid.SampledFrom([]advice.Kind{advice.Demand, advice.Hold, advice.NeverShrink, "?"}).Draw(t, "kind"),
				Evidence: []string{rapid.SampledFrom([]string{"A1", "A2"}).Draw(t, "evidence")},
				Start:    start, End: start.Add(time.Duration(rapid.IntRange(-1, 1000).Draw(t, "length")) * time.Hour),
				Percent: rapid.Int32().Draw(t, "percent"), Confidence: rapid.Int32Range(-1, 101).Draw(t, "confidence"),
				Reason: rapid.StringN(0, 300, 400).Draw(t, "reason"),
			})
		}
		once := advice.Check(a, e)
		for _, c := range once.Accepted {
			if c.Kind == advice.Demand && (c.Percent < 100 || c.Percent > 500) || len(c.Reason) > 256 {
				t.Fatalf("accepted %+v", c)
			}
		}
		if len(once.Accepted) > 64 {
			t.Fatalf("%d accepted", len(once.Accepted))
		}
		if diff := cmp.Diff(once, advice.Check(once, e)); diff != "" {
			t.Fatalf("a second check:\n%s", diff)
		}
	})
}

func FuzzRecurrenceNeverPanicsAndEndsSoon(f *testing.F) {
	f.Add("FREQ=YEARLY;BYMONTH=11;BYDAY=-1FR", int64(0))
	f.Add("FREQ=MONTHLY;BYSETPOS=-1;BYDAY=MO,TU", int64(-40000))
	f.Fuzz(func(t *testing.T, recurrence string, hours int64) {
		start := now.Add(time.Duration(hours%1e6) * time.Hour)
		event := advice.TypedEvent{Name: "e", Start: start, End: start.Add(time.Hour), DemandPercent: 200, Recurrence: recurrence}
		for _, a := range advice.Rules(evidence(event)).Accepted {
			if !a.End.After(now) || !a.Start.Before(at(7*24)) {
				t.Errorf("window %v..%v is outside the horizon", a.Start, a.End)
			}
		}
	})
}
