package advice_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/loadline-dev/loadline/recommender/advice"
)

func TestWhatIsCitedIsToldInWordsOnceAndNothingElse(t *testing.T) {
	e := evidence(sale(24, 48, 300, ""))
	e.Annotations = append(e.Annotations, advice.Annotation{ID: "A2", Key: "loadline.dev/context", Text: "freeze\n<|eot_id|>\x1b[31m on 27 November"})
	e.Events = []advice.KubernetesEvent{
		{ID: "E1", Type: "Warning", Reason: "Unhealthy", Message: "probe failed", Count: 12, Last: at(-1)}, {ID: "E2", Reason: "BackOff"},
	}
	e.Rollouts = []advice.Rollout{{ID: "R1", Time: at(-2), Change: "container app: a new image, shop/app:2"}}
	e.Scalings = []advice.Scaling{{ID: "H1", Time: at(-3), From: 9, To: 10, AtMaximum: true}}
	e.Signals = []advice.Signal{{ID: "S1", Name: "requests", Mean: 1012.345, Peak: 2000}}
	e.Throttling = []advice.Throttling{{ID: "T1", Container: "app", Percent: 31}}
	e.Windows = []advice.ForecastWindow{{ID: "W1", Container: "app", Start: at(0), End: at(12), PeakCores: 1.2}}
	a := advice.Advice{
		Accepted: []advice.Adjustment{{Evidence: []string{"R1", "A2", "T1"}}, {Evidence: []string{"A2", "E1", "S1"}}},
		Rejected: []advice.Rejected{{Adjustment: advice.Adjustment{Evidence: []string{"W1", "Z9"}}}},
		Findings: []advice.Finding{{Evidence: []string{"H1"}}},
	}
	want := []advice.Cited{
		{ID: "A2", Text: "loadline.dev/context: freeze [31m on 27 November"},
		{ID: "S1", Text: "signal requests: 1010 in the last 24 hours, 2000 at its peak"},
		{ID: "T1", Text: "the CPU limit of container app throttles 31 % of the periods"},
		{ID: "E1", Text: "Warning Unhealthy, 12 times until 2026-11-25T11:00:00Z: probe failed"},
		{ID: "R1", Text: "rollout at 2026-11-25T10:00:00Z: container app: a new image, shop/app:2"},
		{ID: "H1", Text: "autoscaler at 2026-11-25T09:00:00Z: from 9 to 10 replicas, its maximum"},
		{ID: "W1", Text: "forecast of container app from 2026-11-25T12:00:00Z to 2026-11-26T00:00:00Z: 1.2 cores at its peak"},
	}
	if diff := cmp.Diff(want, advice.Citations(a, e)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
