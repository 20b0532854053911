package advice_test

import (
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
		{"a day later", false, func(e *advice.Evidence) { e.Now = at(24) }},
		{"four times the events", false, func(e *advice.Evidence) { e.Events[0].Count = 20 }},
		{"a higher peak", false, func(e *advice.Evidence) { e.Windows[0].PeakCores = 1.5 }},
		{"another text", false, func(e *advice.Evidence) { e.Annotations[0].Text = "!" }},
		{"another percentage", false, func(e *advice.Evidence) { e.Annotations[0].Event.DemandPercent = 200 }},
		{"another cap", false, func(e *advice.Evidence) { e.MaxDemandPercent = 200 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := base()
			test.edit(&e)
			if same := advice.Hash(base()) == advice.Hash(e); same != test.same {
				t.Errorf("the same hash: %t, want %t", same, test.same)
			}
		})
	}
}
