package advice_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/loadline-dev/loadline/recommender/advice"
)

func TestHashNoticesWhatMattersOnly(t *testing.T) {
	base := func() advice.Evidence {
		e := evidence(sale(24, 48, 300, ""))
		e.Events = []advice.KubernetesEvent{{ID: "E1", Reason: "Unhealthy", Message: "readiness probe failed", Count: 5, Last: now}}
		e.Windows = []advice.ForecastWindow{{ID: "W1", Container: "app", Start: now, End: at(24), PeakCores: 1.201, MeanCores: 0.5}}
		e.Signals = []advice.Signal{{ID: "S1", Name: "requests", Latest: 900, Mean: 1010, Peak: 2000, TrendPercent: 104}}
		e.Throttling = []advice.Throttling{{ID: "T1", Container: "app", Percent: 31}}
		e.Scalings = []advice.Scaling{{ID: "H1", Time: at(-2), From: 2, To: 3}, {ID: "H2", Time: at(-1), From: 3, To: 4}}
		e.Rollouts = []advice.Rollout{{ID: "R1", Time: at(-9), Change: "image"}}
		return e
	}
	for _, test := range []struct {
		name string
		same bool
		edit func(*advice.Evidence)
	}{
		{"nothing", true, func(*advice.Evidence) {}},
		{"an hour later", true, func(e *advice.Evidence) { e.Now = at(1) }},
		{"one event more", true, func(e *advice.Evidence) { e.Events[0].Count = 6; e.Events[0].Last = at(1) }},
		{"a peak that is hardly different", true, func(e *advice.Evidence) { e.Windows[0].PeakCores = 1.21 }},
		{"a quarter more", true, func(e *advice.Evidence) { e.Windows[0].PeakCores = 1.5 }},
		{"another half day", true, func(e *advice.Evidence) {
			e.Windows[0].Start, e.Windows[0].End, e.Windows[0].MeanCores = at(12), at(36), 0.7
		}},
		{"the same event of another pod", true, func(e *advice.Evidence) { e.Events[0].Message = "readiness probe failed (checkout-7d4b9c-x2k1z)" }},
		{"the same event in another zone", true, func(e *advice.Evidence) {
			event := *e.Annotations[0].Event
			event.Start = event.Start.In(time.FixedZone("", 3600))
			e.Annotations[0].Event = &event
		}},
		{"a signal that moves as always", true, func(e *advice.Evidence) {
			e.Signals[0].Latest, e.Signals[0].Mean, e.Signals[0].Peak, e.Signals[0].TrendPercent = 700, 1040, 2100, 110
		}},
		{"an autoscaler at its daily work", true, func(e *advice.Evidence) { e.Scalings[1].From, e.Scalings[1].To, e.Scalings[1].Time = 4, 3, now }},
		{"throttled a little more", true, func(e *advice.Evidence) { e.Throttling[0].Percent = 33 }},
		{"the rollout in another zone", true, func(e *advice.Evidence) { e.Rollouts[0].Time = e.Rollouts[0].Time.In(time.FixedZone("", 3600)) }},
		{"twice the signal", false, func(e *advice.Evidence) { e.Signals[0].Mean = 2000 }},
		{"throttled much more", false, func(e *advice.Evidence) { e.Throttling[0].Percent = 55 }},
		{"an autoscaler at its maximum", false, func(e *advice.Evidence) { e.Scalings[1].AtMaximum = true }},
		{"another rollout", false, func(e *advice.Evidence) { e.Rollouts[0].Time = now }},
		{"a day later, while something is going on", false, func(e *advice.Evidence) { e.Now = at(24) }},
		{"four times the events", false, func(e *advice.Evidence) { e.Events[0].Count = 20 }},
		{"twice the peak", false, func(e *advice.Evidence) { e.Windows[0].PeakCores = 2.4 }},
		{"half the peak", false, func(e *advice.Evidence) { e.Windows[0].PeakCores = 0.6 }},
		{"the forecast of another container", false, func(e *advice.Evidence) { e.Windows[0].Container = "proxy" }},
		{"another signal", false, func(e *advice.Evidence) { e.Signals[0].Name = "queue" }},
		{"another policy", false, func(e *advice.Evidence) { e.Bounds.MaxReplicas = 7 }},
		{"another text", false, func(e *advice.Evidence) { e.Annotations[0].Text = "!" }},
		{"another percentage", false, func(e *advice.Evidence) { e.Annotations[0].Event.DemandPercent = 200 }},
		{"another cap", false, func(e *advice.Evidence) { e.MaxDemandPercent = 200 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := base()
			test.edit(&e)
			if same := advice.SameEvidence(advice.Hash(base()), advice.Hash(e)); same != test.same {
				t.Errorf("the same hash: %t, want %t", same, test.same)
			}
		})
	}
}

// changes returns after how many hours of the next days the evidence is another one.
func changes(e advice.Evidence, days int) []int {
	var out []int
	before := advice.Hash(e)
	for hour := 1; hour <= 24*days; hour++ {
		e.Now = at(hour)
		if next := advice.Hash(e); !advice.SameEvidence(before, next) {
			out, before = append(out, hour), next
		}
	}
	return out
}

// spoken is evidence of nothing but a text.
func spoken(workload, text string) advice.Evidence {
	return advice.Evidence{
		Now: now, Horizon: 48 * time.Hour, Workload: workload, MaxDemandPercent: 500,
		Annotations: []advice.Annotation{{ID: "A1", Text: text}},
	}
}

func TestAMidnightAloneAsksNobody(t *testing.T) {
	for name, e := range map[string]advice.Evidence{
		"a date that is far away": spoken("shop/checkout", "Sale on 2027-03-01, three times the traffic"),
		"a date that is over":     spoken("shop/checkout", "Sale on 2025-03-01, three times the traffic"),
		"a rollout":               {Now: now, Horizon: 48 * time.Hour, Rollouts: []advice.Rollout{{ID: "R1", Time: at(-1), Change: "image"}}},
	} {
		if got := changes(e, 5); len(got) > 0 {
			t.Errorf("%s: it is asked about again after hours %v", name, got)
		}
	}
}

func TestEachDayOfASaleIsAskedAboutWhenAnAnswerCanNameAllOfIt(t *testing.T) {
	day := func(n int) string { return now.AddDate(0, 0, n).Format(time.DateOnly) }
	for text, want := range map[string]int{
		"Sale on " + day(4) + ", three times the traffic":                      1,
		"Sale from " + day(4) + " to " + day(6) + ", three times the traffic":  3,
		"Sale on " + day(4) + ", and on " + day(40) + " again, three times it": 1,
	} {
		got := changes(spoken("shop/checkout", text), 10)
		if len(got) != want {
			t.Fatalf("%s: asked again after hours %v, want %d times", text, got, want)
		}
		begins := now.AddDate(0, 0, 4).Truncate(24 * time.Hour)
		if first := at(got[0]); first.Add(48*time.Hour).Before(begins.Add(24*time.Hour)) || begins.Sub(first) < 11*time.Hour {
			t.Errorf("%s: asked about at %s, it begins at %s", text, first, begins)
		}
	}
}

func TestWhatHasToBeReadEachDayIsSpreadOverTheDay(t *testing.T) {
	for _, text := range []string{"every Friday three times the traffic", "we hope for many visitors soon"} {
		hours := map[int]int{}
		for i := range 100 {
			got := changes(spoken(fmt.Sprintf("shop/checkout-%d", i), text), 2)
			if len(got) != 2 || got[1]-got[0] != 24 {
				t.Fatalf("%q is read after hours %v, want once a day", text, got)
			}
			hours[got[0]]++
		}
		for hour, n := range hours {
			if n > 100/24*4 {
				t.Errorf("%q: %d of 100 workloads are asked about in hour %d", text, n, hour)
			}
		}
	}
}

func TestAnEventComesIntoTheHorizonOnce(t *testing.T) {
	e := spoken("shop/checkout", "Sale on 2025-03-01")
	event := sale(72, 80, 300, "")
	e.Annotations = append(e.Annotations, advice.Annotation{ID: "A2", Event: &event})
	if got := changes(e, 8); len(got) != 1 || got[0] < 24 || got[0] > 36 {
		t.Errorf("asked again after hours %v, want once, when an event in 72 hours comes into the horizon of 48", got)
	}
}
