package plan_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/updater/plan"
)

// Whatever happens to a cluster, and whatever API server and nodes answer, over many rounds: no budget is exceeded in any
// minute or hour, and once nothing else happens, neither does the updater.
func TestNoHistoryOfFailuresMakesTheUpdaterExceedABudgetOrGoOnForEver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSimulation(t)
		t.Repeat(map[string]func(*rapid.T){
			"rounds": func(t *rapid.T) {
				for range 5 {
					s.round(t)
					s.pass(time.Duration(rapid.IntRange(0, 40_000).Draw(t, "ms")) * time.Millisecond)
					if rapid.Bool().Draw(t, "settle") {
						s.settleAll()
					}
				}
			},
			"much time passes": func(t *rapid.T) {
				s.pass(time.Duration(rapid.SampledFrom([]int{51, 10, 31}).Draw(t, "minutes")) * time.Minute)
			},
			"caches lag": func(*rapid.T) {
				if s.cached == nil {
					s.cached, s.lagsSince = new(copied(s.truth)), s.now
				}
			},
			"the updater restarts": func(*rapid.T) { s.restart() },
			"the gate": func(t *rapid.T) {
				s.truth.Gate.Open, s.truth.Gate.Ready = rapid.Bool().Draw(t, "open"), rapid.Bool().Draw(t, "ready")
				s.truth.KillSwitch = rapid.SampledFrom([]string{"", "", "incident"}).Draw(t, "killSwitch")
				s.truth.Breaker = rapid.SampledFrom([]string{"", "", "open"}).Draw(t, "breaker")
				s.truth.Cures, s.truth.GivesBack = rapid.Bool().Draw(t, "cures"), rapid.Bool().Draw(t, "givesBack")
			},
			"a pod loses its readiness": func(t *rapid.T) {
				if w, p := s.anyPod(t); p != nil && p.Ready {
					p.Ready = false
					s.allow(w.Namespace, p.DisruptionBudgets, -1)
				}
			},
			"pods drift": func(t *rapid.T) {
				w, _ := s.anyPod(t)
				s.drift(w, rapid.SampledFrom([]int64{25, 50, 400}).Draw(t, "percent"))
			},
			"another number of pods is recommended": func(t *rapid.T) {
				w, _ := s.anyPod(t)
				w.Values.Replicas = new(rapid.Int32Range(1, 9).Draw(t, "replicas"))
			},
			"a rollout": func(t *rapid.T) { w, _ := s.anyPod(t); w.RolloutInProgress = !w.RolloutInProgress },
			"sizes go stale, or are confirmed, and a hold ends": func(t *rapid.T) { w, _ := s.anyPod(t); w.Hold, w.Stale = nil, !w.Stale },
			"somebody disrupts": func(t *rapid.T) {
				if w, p := s.anyPod(t); p != nil {
					s.allow(w.Namespace, p.DisruptionBudgets, int32(rapid.IntRange(-2, 2).Draw(t, "allowed"))) //nolint:gosec // at most 2
				}
			},
		})
		s.comesToRest(t)
	})
}

// round makes a plan, checks it against what the updater can know, and carries it out.
func (s *simulation) round(t *rapid.T) {
	seen := s.view()
	result := plan.Plan(s.now, seen, s.budget)
	checkStops(t, seen, result)
	checkActions(t, s.now, seen, result)
	checkTrial(t, s.now, seen, result)
	checkBudgets(t, s.now, s.withoutEvicted(seen), s.budget, result)
	for _, a := range result.Actions {
		s.checkPause(t, a)
	}
	for _, a := range result.Actions {
		s.pass(time.Duration(rapid.IntRange(0, 2000).Draw(t, "ms")) * time.Millisecond)
		s.ask(t, a)
		s.checkHistory(t)
	}
}

// withoutEvicted is the snapshot without the pods that were evicted, although the caches still show them.
func (s *simulation) withoutEvicted(seen plan.Snapshot) plan.Snapshot {
	seen = copied(seen)
	for i := range seen.Workloads {
		for j := range seen.Workloads[i].Pods {
			p := &seen.Workloads[i].Pods[j]
			for _, d := range s.done {
				p.Ready = p.Ready && (d.Kind != plan.Evict || d.PodUID != p.UID)
			}
		}
	}
	return seen
}

// checkPause: a pod is left alone for a while after it was acted on, and an evicted one for good.
func (s *simulation) checkPause(t *rapid.T, a plan.Action) {
	for _, d := range s.done {
		if a.Kind != plan.Scale && d.PodUID == a.UID && (d.Kind == plan.Evict || s.remembers(d) && s.now.Sub(d.At) < 10*time.Second) {
			t.Fatalf("%s of pod %s, which was asked for %s %s ago", a.Kind, a.Pod, d.Kind, s.now.Sub(d.At))
		}
	}
}

// remembers reports whether the updater has not been restarted since.
func (s *simulation) remembers(d plan.Spent) bool {
	return slices.Contains(s.budget.Spent, d)
}

// checkHistory counts what really happened in the minute and in the hour that end now.
func (s *simulation) checkHistory(t *rapid.T) {
	gone, resizes, givenBack, namespaces, workloads := 0, 0, 0, map[string]int{}, map[plan.Key]int{}
	for _, d := range s.done {
		age := s.now.Sub(d.At)
		switch {
		case d.Kind == plan.Resize && age < time.Minute:
			resizes++
		case d.Kind == plan.GiveBack && age < time.Minute:
			givenBack++
		case (d.Kind == plan.Evict || d.Kind == plan.Lower) && age < time.Hour:
			namespaces[d.Workload.Namespace]++
			if d.Kind == plan.Evict {
				workloads[d.Workload]++
			}
			if age < time.Minute {
				gone++
			}
		}
	}
	if gone > s.budget.EvictionsPerMinute {
		t.Fatalf("%d pods went in a minute, at most %d", gone, s.budget.EvictionsPerMinute)
	}
	if resizes > s.budget.ResizesPerMinute {
		t.Fatalf("%d resizes in a minute, at most %d", resizes, s.budget.ResizesPerMinute)
	}
	if most := 10 * s.budget.ResizesPerMinute; givenBack > most {
		t.Fatalf("%d resizes gave back in a minute, at most %d", givenBack, most)
	}
	for namespace, n := range namespaces {
		if n > s.budget.NamespaceEvictionsPerHour {
			t.Fatalf("%d pods went in an hour in namespace %s, at most %d", n, namespace, s.budget.NamespaceEvictionsPerHour)
		}
	}
	for key, n := range workloads {
		if most := int(s.workload(key).Disruption.EvictionsPerHour); n > most {
			t.Fatalf("%d evictions in an hour of %s, at most %d", n, key, most)
		}
	}
}

// comesToRest lets everything succeed from now on, and gives the updater the time that its budgets need.
func (s *simulation) comesToRest(t *rapid.T) {
	s.perfect, s.cached = true, nil
	s.truth.Gate.Open, s.truth.KillSwitch, s.truth.Breaker = true, "", ""
	for i := range s.truth.Workloads {
		s.truth.Workloads[i].RolloutInProgress = false
	}
	idle := 0
	for round := 0; idle < 3; round++ {
		s.settleAll()
		s.pass(2 * time.Hour)
		before := len(s.done)
		s.round(t)
		if len(s.done) == before {
			idle++
			continue
		}
		if idle = 0; round == 100 {
			t.Fatalf("still acting after %d rounds in which nothing else happened: %+v", round, s.done[before:])
		}
	}
}
