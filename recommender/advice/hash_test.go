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
		{"the same event in another zone", true, func(e *advice.Evidence) {
			event := *e.Annotations[0].Event
			event.Start = event.Start.In(time.FixedZone("", 3600))
			e.Annotations[0].Event = &event
		}},
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
