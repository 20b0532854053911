package plan_test

import (
	"testing"
	"time"

	"github.com/loadline-dev/loadline/updater/plan"
)

func TestTheNumberOfPodsIsSet(t *testing.T) {
	cases := map[string]struct {
		change   func(*plan.Workload)
		scaled   time.Duration // ago; 0 is never
		from, to int32
		want     bool
	}{
		"up to what is recommended":               {from: 2, to: 5, want: true},
		"down to what is recommended":             {from: 5, to: 2, want: true},
		"not where it is right":                   {from: 5, to: 5},
		"not unless asked":                        {from: 2, to: 5, change: func(w *plan.Workload) { w.ScaleReplicas = false }},
		"not where no number is recommended":      {from: 2, to: 5, change: func(w *plan.Workload) { w.Values.Replicas = nil }},
		"not against an autoscaler":               {from: 2, to: 5, change: func(w *plan.Workload) { w.Autoscaler = "checkout" }},
		"not where somebody set it lately":        {from: 2, to: 5, change: func(w *plan.Workload) { w.Yields = "kubectl set it" }},
		"not where a person set 0":                {from: 0, to: 5},
		"not to no pods at all":                   {from: 2, to: 0},
		"not while paused":                        {from: 2, to: 5, change: func(w *plan.Workload) { w.Paused = true }},
		"not during a rollout":                    {from: 2, to: 5, change: func(w *plan.Workload) { w.RolloutInProgress = true }},
		"not for a DaemonSet":                     {from: 2, to: 5, change: func(w *plan.Workload) { w.Kind = "DaemonSet" }},
		"up on stale sizes":                       {from: 2, to: 5, change: func(w *plan.Workload) { w.Stale = true }, want: true},
		"not down on stale sizes":                 {from: 5, to: 2, change: func(w *plan.Workload) { w.Stale = true }},
		"not up within a minute of the last time": {from: 2, to: 5, scaled: 59 * time.Second},
		"up a minute after the last time":         {from: 2, to: 5, scaled: time.Minute, want: true},
		"not down within ten minutes of the last": {from: 5, to: 2, scaled: 9 * time.Minute},
		"not in mode initial":                     {from: 2, to: 5, change: func(w *plan.Workload) { w.Mode = "initial" }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := checkout()
			w.ScaleReplicas, w.Replicas, w.Values.Replicas = true, c.from, &c.to
			if c.change != nil {
				c.change(&w)
			}
			budget := plan.Budget{}
			if c.scaled > 0 {
				budget.Spent = []plan.Spent{{At: now.Add(-c.scaled), Kind: plan.Scale, Workload: w.Key}}
			}
			actions := plan.Plan(now, open(w), budget).Actions
			if got := len(actions) == 1; got != c.want {
				t.Fatalf("actions = %+v, want scaling: %v", actions, c.want)
			}
			if c.want && (actions[0].Kind != plan.Scale || actions[0].From != c.from || actions[0].To != c.to) {
				t.Errorf("action = %+v, want scale from %d to %d", actions[0], c.from, c.to)
			}
		})
	}
}
