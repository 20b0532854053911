package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/loadline-dev/loadline/updater/plan"
)

// lowered is a pod that was resized at noon and lost something.
func lowered(name string) plan.Pod {
	p := pod(name, fits)
	p.Created, p.Started, p.Change = now.Add(-time.Hour), now.Add(-time.Hour), now
	p.Touched, p.TouchedBy = now, revision
	p.Mark = &plan.Mark{UID: p.UID, Revision: revision, At: now, Asked: plan.Digest(p.Present), Lowers: true}
	return p
}

func TestTroubleIsHarmOnlyWhereTheChangeCanBeToBlame(t *testing.T) {
	trouble := func(what plan.TroubleKind, after time.Duration) plan.Trouble {
		container := "app"
		if what == plan.TroubleNotReady {
			container = ""
		}
		return plan.Trouble{Container: container, What: what, At: now.Add(after)}
	}
	admitted := func(p *plan.Pod) { p.Mark, p.Created, p.Restarts = nil, now, 1 }
	unchanged := pod("sibling", fits)
	cases := map[string]struct {
		change  func(changed, sibling *plan.Pod)
		trouble plan.Trouble
		later   time.Duration
		want    bool
	}{
		"a kill after the change":                      {trouble: trouble(plan.TroubleOOM, time.Minute), want: true},
		"a kill at the end of the watch":               {trouble: trouble(plan.TroubleOOM, 10*time.Minute), want: true},
		"a kill after the watch":                       {trouble: trouble(plan.TroubleOOM, 11*time.Minute)},
		"a kill before the change":                     {trouble: trouble(plan.TroubleOOM, -time.Minute)},
		"a kill of a pod that was not changed":         {trouble: trouble(plan.TroubleOOM, time.Minute), change: func(p, _ *plan.Pod) { p.Touched = time.Time{} }},
		"a kill of a pod that was only given more":     {trouble: trouble(plan.TroubleOOM, time.Minute), change: func(p, _ *plan.Pod) { p.Mark.Lowers = false }},
		"a kill of a pod that was in trouble before":   {trouble: trouble(plan.TroubleOOM, time.Minute), change: func(p, _ *plan.Pod) { p.Mark.Troubled = true }},
		"a kill of a new pod":                          {trouble: trouble(plan.TroubleOOM, time.Minute), change: func(p, _ *plan.Pod) { admitted(p) }, want: true},
		"a kill while pods without it are killed, too": {trouble: trouble(plan.TroubleOOM, time.Minute), change: func(_, s *plan.Pod) { s.Troubles = []plan.Trouble{trouble(plan.TroubleOOM, -time.Minute)} }},
		"a kill while pods without it crash":           {trouble: trouble(plan.TroubleOOM, time.Minute), change: func(_, s *plan.Pod) { s.Troubles = []plan.Trouble{trouble(plan.TroubleRestart, 0)} }, want: true},
		"a crash loop":                                 {trouble: trouble(plan.TroubleCrashLoop, time.Minute), want: true},
		"a crash loop that pods without it began":      {trouble: trouble(plan.TroubleCrashLoop, time.Minute), change: func(_, s *plan.Pod) { s.Troubles = []plan.Trouble{trouble(plan.TroubleRestart, 0)} }},
		"a restart of a running pod":                   {trouble: trouble(plan.TroubleRestart, time.Minute), change: func(p, _ *plan.Pod) { p.Restarts = 1 }, want: true},
		"the first restart of a new pod":               {trouble: trouble(plan.TroubleRestart, time.Minute), change: func(p, _ *plan.Pod) { admitted(p) }},
		"the second restart of a new pod":              {trouble: trouble(plan.TroubleRestart, time.Minute), change: func(p, _ *plan.Pod) { admitted(p); p.Restarts = 2 }, want: true},
		"readiness lost for ten seconds":               {trouble: trouble(plan.TroubleNotReady, time.Minute), later: 70 * time.Second},
		"readiness lost for half a minute":             {trouble: trouble(plan.TroubleNotReady, time.Minute), later: 90 * time.Second, want: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			changed, sibling := lowered("canary"), unchanged
			if c.change != nil {
				c.change(&changed, &sibling)
			}
			changed.Troubles = []plan.Trouble{c.trouble}
			w := checkout(sibling, changed)
			w.Disruption.Observe = 10 * time.Minute
			_, evidence, found := plan.Harm(now.Add(max(c.later, c.trouble.At.Sub(now))), w)
			if found != c.want {
				t.Errorf("harm = %v (%s), want %v", found, evidence, c.want)
			}
		})
	}
}

func TestEvidenceOfHarmNamesPodContainerTimeAndNumbers(t *testing.T) {
	changed := lowered("canary")
	changed.Troubles = []plan.Trouble{{Container: "app", What: plan.TroubleOOM, At: now.Add(90 * time.Second)}}
	w := checkout(changed)
	w.Disruption.Observe = 10 * time.Minute
	_, evidence, _ := plan.Harm(now.Add(2*time.Minute), w)
	for _, want := range []string{"container app", "pod canary", "OOMKilled", "1m30s after", revision, "500m CPU", "512Mi"} {
		if !strings.Contains(evidence, want) {
			t.Errorf("evidence = %q, want %q in it", evidence, want)
		}
	}
}

func TestHarmThatWasAnsweredIsNotFoundAgain(t *testing.T) {
	changed := lowered("canary")
	changed.Troubles = []plan.Trouble{{Container: "app", What: plan.TroubleOOM, At: now.Add(time.Minute)}}
	w := checkout(changed)
	w.Disruption.Observe, w.Answered = 10*time.Minute, now.Add(2*time.Minute)
	if _, evidence, found := plan.Harm(now.Add(3*time.Minute), w); found {
		t.Errorf("found %q, which was answered", evidence)
	}
}
