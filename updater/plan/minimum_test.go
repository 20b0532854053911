package plan_test

import (
	"testing"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/updater/plan"
)

func TestTheMinimumOfAnAutoscaler(t *testing.T) {
	ours := plan.Autoscaler{Min: 6, Original: 2, Raised: 6}
	optedOut := func(w *plan.Workload) { w.Mode = v1alpha1.ModeOff }
	cases := map[string]struct {
		autoscaler plan.Autoscaler
		wanted     int32 // 0 is nothing
		change     func(*plan.Workload)
		to, before int32 // to 0 is left alone
		// always: also while the gate is closed or the breaker open
		always bool
	}{
		"is raised for an event":                           {autoscaler: plan.Autoscaler{Min: 2}, wanted: 6, to: 6, before: 2},
		"is raised further":                                {autoscaler: ours, wanted: 8, to: 8, before: 2},
		"is not lowered inside an event":                   {autoscaler: ours, wanted: 4},
		"goes back after it":                               {autoscaler: ours, to: 2},
		"goes back when a namespace opts out":              {autoscaler: ours, wanted: 6, change: optedOut, to: 2, always: true},
		"goes back when replicas is no longer auto":        {autoscaler: ours, wanted: 6, change: func(w *plan.Workload) { w.ScaleReplicas = false }, to: 2, always: true},
		"goes back when the workload is gone":              {autoscaler: ours, change: func(w *plan.Workload) { w.Name = "another" }, to: 2, always: true},
		"is left alone where KEDA keeps it":                {autoscaler: plan.Autoscaler{Min: 2, KeptBy: "KEDA"}, wanted: 6},
		"is left alone where it is high enough":            {autoscaler: plan.Autoscaler{Min: 7}, wanted: 6},
		"is left alone on hold":                            {autoscaler: plan.Autoscaler{Min: 2}, wanted: 6, change: hold},
		"stays raised on hold":                             {autoscaler: ours, change: hold},
		"goes back when a namespace on hold opts out":      {autoscaler: ours, change: func(w *plan.Workload) { hold(w); optedOut(w) }, to: 2, always: true},
		"is raised again where going back ended half-way":  {autoscaler: plan.Autoscaler{Min: 2, Original: 2, Raised: 6, Ours: true}, wanted: 6, to: 6, before: 2},
		"loses its note where going back ended half-way":   {autoscaler: plan.Autoscaler{Min: 2, Original: 2, Raised: 6, Ours: true}, to: 2},
		"stays where somebody put it back by hand":         {autoscaler: plan.Autoscaler{Min: 2, Original: 2, Raised: 6}, wanted: 6},
		"stays what somebody wrote in between":             {autoscaler: plan.Autoscaler{Min: 3, Original: 2, Raised: 6}, wanted: 8},
		"stays what somebody wrote, and the note goes":     {autoscaler: plan.Autoscaler{Min: 3, Original: 2, Raised: 6}, to: 3},
		"of nothing that we raised or want is left alone":  {autoscaler: plan.Autoscaler{Min: 2}},
		"goes back though somebody has begun to apply it":  {autoscaler: plan.Autoscaler{Min: 6, Original: 2, Raised: 6, KeptBy: "git"}, to: 2},
		"is not raised further when somebody applies that": {autoscaler: plan.Autoscaler{Min: 6, Original: 2, Raised: 6, KeptBy: "git"}, wanted: 8},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := checkout()
			c.autoscaler.Name, c.autoscaler.Target = "checkout", w.Key
			w.ScaleReplicas, w.Autoscaler, w.Values.Containers = true, "checkout", nil
			if c.wanted > 0 {
				w.Values.AutoscalerMin = &c.wanted
			}
			if c.change != nil {
				c.change(&w)
			}
			snapshot := open(w)
			snapshot.Autoscalers = []plan.Autoscaler{c.autoscaler}
			actions := plan.Plan(now, snapshot, plan.Budget{}).Actions
			if c.to == 0 {
				if len(actions) != 0 {
					t.Fatalf("actions = %+v, want none", actions)
				}
				return
			}
			if len(actions) != 1 || actions[0].Kind != plan.Minimum || actions[0].To != c.to || actions[0].Before != c.before || actions[0].Raise != (c.before > 0) {
				t.Fatalf("actions = %+v, want the minimum to become %d, and %d to be kept", actions, c.to, c.before)
			}
			snapshot.KillSwitch = "incident"
			if actions := plan.Plan(now, snapshot, plan.Budget{}).Actions; len(actions) != 0 {
				t.Errorf("with the kill switch on: %+v", actions)
			}
			snapshot.KillSwitch, snapshot.Breaker = "", "open"
			if actions := plan.Plan(now, snapshot, plan.Budget{}).Actions; len(actions) > 0 != c.always {
				t.Errorf("with an open breaker: %+v", actions)
			}
			snapshot.Breaker, snapshot.Gate.Open = "", false
			if actions := plan.Plan(now, snapshot, plan.Budget{}).Actions; len(actions) > 0 != c.always {
				t.Errorf("with a closed gate: %+v", actions)
			}
		})
	}
}

func hold(w *plan.Workload) { w.Hold = &v1alpha1.Hold{Reason: "audit"} }

func TestAMinimumThatStaysTooLowIsTold(t *testing.T) {
	cases := map[string]struct {
		change func(*plan.Snapshot)
		says   string
	}{
		"the gate is closed":         {func(s *plan.Snapshot) { s.Gate = plan.Gate{Ready: true, Reason: "no webhook"} }, "raised to 6 for the demand that is expected; the admission gate is closed: no webhook"},
		"the breaker is open":        {func(s *plan.Snapshot) { s.Breaker, s.GivesBack = "the breaker is open", true }, "the breaker is open"},
		"the kill switch is pulled":  {func(s *plan.Snapshot) { s.KillSwitch = "incident" }, "incident"},
		"somebody wrote another one": {func(s *plan.Snapshot) { s.Autoscalers[0].Original, s.Autoscalers[0].Raised = 2, 5 }, "minReplicas is 2, which somebody else wrote after it was raised to 5, and 6 are needed"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := checkout()
			w.ScaleReplicas, w.Autoscaler, w.Values.AutoscalerMin = true, "checkout", new(int32(6))
			snapshot := open(w)
			snapshot.Autoscalers = []plan.Autoscaler{{Name: "checkout", Target: w.Key, Min: 2}}
			c.change(&snapshot)
			wantNumber(t, plan.Plan(now, snapshot, plenty), 2, 2, c.says, true)
		})
	}
}

func TestHarmKeepsNoMinimumLow(t *testing.T) {
	w := checkout()
	w.ScaleReplicas, w.Autoscaler, w.Values.AutoscalerMin, w.Harm = true, "checkout", new(int32(6)), "a pod crashed"
	snapshot := open(w)
	snapshot.Autoscalers = []plan.Autoscaler{{Name: "checkout", Target: w.Key, Min: 2}}
	wantNumber(t, plan.Plan(now, snapshot, plenty), 2, 6, "raised to 6", false)
	snapshot.Workloads[0].Values.AutoscalerMin = nil
	snapshot.Autoscalers[0].Min, snapshot.Autoscalers[0].Original, snapshot.Autoscalers[0].Raised = 6, 2, 6
	wantNumber(t, plan.Plan(now, snapshot, plenty), 6, 6, "", false)
}
