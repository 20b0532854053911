package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/loadline-dev/loadline/apply"
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

// raisedAfter resizes the pod once more, to another revision that only raises.
func raisedAfter(p *plan.Pod, later time.Duration) {
	last := p.Mark
	p.Touched, p.TouchedBy = now.Add(later), "raised"
	p.Mark = &plan.Mark{UID: p.UID, Revision: "raised", At: p.Touched, Asked: plan.Digest(p.Present), Before: last}
}

func TestTroubleIsHarmOnlyWhereTheChangeCanBeToBlame(t *testing.T) {
	trouble := func(what plan.TroubleKind, after time.Duration) plan.Trouble {
		container := "app"
		if what == plan.TroubleNotReady {
			container = ""
		}
		return plan.Trouble{Container: container, What: what, At: now.Add(after)}
	}
	admitted := func(p *plan.Pod) { p.Mark, p.Created, p.Restarts, p.Original = nil, now, 1, large }
	newVersion := func(p *plan.Pod) { admitted(p); p.Original, p.Template, p.Restarts = requests(2000, 1024), "broken", 2 }
	unchanged := pod("sibling", fits)
	limited := requests(500, 512)
	limited["app"] = apply.Resources{Requests: limited["app"].Requests, Limits: apply.Amounts{MemoryBytes: 600 * apply.MiB}}
	cases := map[string]struct {
		change  func(changed, sibling *plan.Pod)
		trouble plan.Trouble
		later   time.Duration
		// tried is the template that the present revision was tried with, good the CPU in millicores that was good before it.
		tried string
		good  int64
		want  bool
	}{
		"a kill after the change":                                 {trouble: trouble(plan.TroubleOOM, time.Minute), want: true},
		"a kill at the end of the watch":                          {trouble: trouble(plan.TroubleOOM, 10*time.Minute), want: true},
		"a kill after the watch":                                  {trouble: trouble(plan.TroubleOOM, 11*time.Minute)},
		"a kill before the change":                                {trouble: trouble(plan.TroubleOOM, -time.Minute)},
		"a kill of a pod that was not changed":                    {trouble: trouble(plan.TroubleOOM, time.Minute), change: func(p, _ *plan.Pod) { p.Touched = time.Time{} }},
		"a kill of a pod that was only given more":                {trouble: trouble(plan.TroubleOOM, time.Minute), change: func(p, _ *plan.Pod) { p.Mark.Lowers = false }},
		"a kill of a pod that was in trouble before":              {trouble: trouble(plan.TroubleOOM, time.Minute), change: func(p, _ *plan.Pod) { p.Mark.Troubled = true }},
		"a kill of a new pod":                                     {trouble: trouble(plan.TroubleOOM, time.Minute), change: func(p, _ *plan.Pod) { admitted(p) }, want: true},
		"a kill while pods without it are killed, too":            {trouble: trouble(plan.TroubleOOM, time.Minute), change: func(_, s *plan.Pod) { s.Troubles = []plan.Trouble{trouble(plan.TroubleOOM, -time.Minute)} }},
		"a kill while pods without it crash":                      {trouble: trouble(plan.TroubleOOM, time.Minute), change: func(_, s *plan.Pod) { s.Troubles = []plan.Trouble{trouble(plan.TroubleRestart, 0)} }, want: true},
		"a crash loop":                                            {trouble: trouble(plan.TroubleCrashLoop, time.Minute), want: true},
		"a crash loop that pods without it began":                 {trouble: trouble(plan.TroubleCrashLoop, time.Minute), change: func(_, s *plan.Pod) { s.Troubles = []plan.Trouble{trouble(plan.TroubleRestart, 0)} }},
		"a restart of a running pod":                              {trouble: trouble(plan.TroubleRestart, time.Minute), change: func(p, _ *plan.Pod) { p.Restarts = 1 }, want: true},
		"the first restart of a new pod":                          {trouble: trouble(plan.TroubleRestart, time.Minute), change: func(p, _ *plan.Pod) { admitted(p) }},
		"the second restart of a new pod":                         {trouble: trouble(plan.TroubleRestart, time.Minute), change: func(p, _ *plan.Pod) { admitted(p); p.Restarts = 2 }, want: true},
		"a crash loop of a new pod that was only given more":      {trouble: trouble(plan.TroubleCrashLoop, time.Minute), change: func(p, _ *plan.Pod) { admitted(p); p.Original = requests(100, 128) }},
		"a crash loop of a new pod that got a limit":              {trouble: trouble(plan.TroubleCrashLoop, time.Minute), change: func(p, _ *plan.Pod) { admitted(p); p.Original = requests(100, 128); p.Present = limited }, want: true},
		"a crash loop of a new pod that got less than was good":   {trouble: trouble(plan.TroubleCrashLoop, time.Minute), change: func(p, _ *plan.Pod) { admitted(p); p.Original = requests(100, 128) }, good: 800, want: true},
		"a crash loop of a new version after the trial":           {trouble: trouble(plan.TroubleCrashLoop, time.Minute), change: func(p, _ *plan.Pod) { newVersion(p) }, tried: "works"},
		"a crash loop of a new version after another trial":       {trouble: trouble(plan.TroubleCrashLoop, time.Minute), change: func(p, _ *plan.Pod) { newVersion(p) }, want: true},
		"a crash loop of a new pod of the version that was tried": {trouble: trouble(plan.TroubleCrashLoop, time.Minute), change: func(p, _ *plan.Pod) { newVersion(p) }, tried: "broken", want: true},
		"a kill of a new version that got less than it asks for":  {trouble: trouble(plan.TroubleOOM, time.Minute), change: func(p, _ *plan.Pod) { newVersion(p) }, tried: "works", want: true},
		"a kill of a new version that got the memory it asks for": {trouble: trouble(plan.TroubleOOM, time.Minute), change: func(p, _ *plan.Pod) { newVersion(p); p.Original = requests(2000, 512) }, tried: "works"},
		"a new version that is lowered while it runs and crashes": {trouble: trouble(plan.TroubleCrashLoop, time.Minute), change: func(p, _ *plan.Pod) { p.Template = "new" }, tried: "works", want: true},
		"a kill after a raise that followed the lowering":         {trouble: trouble(plan.TroubleOOM, 6*time.Minute), change: func(p, _ *plan.Pod) { raisedAfter(p, 5*time.Minute) }, want: true},
		"a kill long after a lowering that a raise followed":      {trouble: trouble(plan.TroubleOOM, 12*time.Minute), change: func(p, _ *plan.Pod) { raisedAfter(p, 5*time.Minute) }},
		"a kill after a new pod was raised": {trouble: trouble(plan.TroubleOOM, 6*time.Minute), change: func(p, _ *plan.Pod) {
			admitted(p)
			p.InjectedRevision = revision
			raisedAfter(p, 5*time.Minute)
			p.Mark.Before = nil
		}, want: true},
		"readiness lost for ten seconds":   {trouble: trouble(plan.TroubleNotReady, time.Minute), later: 70 * time.Second},
		"readiness lost for half a minute": {trouble: trouble(plan.TroubleNotReady, time.Minute), later: 90 * time.Second, want: true},
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
			w.Trial = plan.Trial{Revision: revision, Template: c.tried}
			if c.tried == "" {
				w.Trial = plan.Trial{Revision: "another", Template: "works"}
			}
			if c.good > 0 {
				w.Good.Containers = []apply.Container{{Name: "app", Target: apply.Amounts{CPUMillis: c.good}}}
			}
			harm, found := plan.Harm(now.Add(max(c.later, c.trouble.At.Sub(now))), w)
			if found != c.want {
				t.Errorf("harm = %v (%s), want %v", found, harm.Evidence, c.want)
			}
		})
	}
}

func TestAnEvictionByTheNodeIsHarmWhereMemoryWasLowered(t *testing.T) {
	evicted := func(container string, after time.Duration) []plan.Trouble {
		return []plan.Trouble{{Container: container, What: plan.TroubleEvicted, At: now.Add(after)}}
	}
	fresh := func(p *plan.Pod) { p.Mark, p.Created, p.InjectedRevision = nil, now, revision }
	cases := map[string]struct {
		change func(lost, sibling *plan.Pod)
		// good is the memory in MiB that was good before.
		good int64
		want bool
	}{
		"that its template asks for":              {change: func(p, _ *plan.Pod) { p.Original = requests(500, 1024) }, want: true},
		"that it had before a resize":             {change: func(p, _ *plan.Pod) { p.Mark.Had = requests(500, 600) }, want: true},
		"that was good before, in a new pod":      {change: func(p, _ *plan.Pod) { fresh(p) }, good: 600, want: true},
		"in a new pod":                            {change: func(p, _ *plan.Pod) { fresh(p); p.Original = requests(500, 1024) }, want: true},
		"where the node did not name a container": {change: func(p, _ *plan.Pod) { p.Original, p.Troubles = requests(500, 1024), evicted("", time.Minute) }, want: true},
		"in a new version of the workload": {change: func(p, _ *plan.Pod) {
			fresh(p)
			p.Original, p.Template = requests(500, 1024), "broken"
		}, want: true},
		"and not where only CPU was":               {change: func(p, _ *plan.Pod) { p.Original = requests(2000, 512) }},
		"and not where another container has less": {change: func(p, _ *plan.Pod) { p.Original, p.Troubles = requests(500, 1024), evicted("proxy", time.Minute) }},
		"and not after the watch":                  {change: func(p, _ *plan.Pod) { p.Original, p.Troubles = requests(500, 1024), evicted("app", time.Hour) }},
		"and not where pods without it go, too":    {change: func(p, s *plan.Pod) { p.Original, s.Troubles = requests(500, 1024), evicted("app", 0) }},
		"also where pods without it crash meanwhile": {change: func(p, s *plan.Pod) {
			p.Original, s.Troubles = requests(500, 1024), []plan.Trouble{{Container: "app", What: plan.TroubleRestart, At: now}}
		}, want: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			lost, sibling := lowered("lost"), pod("sibling", fits)
			lost.Original, lost.Troubles = fits, evicted("app", time.Minute)
			c.change(&lost, &sibling)
			w := checkout(sibling)
			w.Lost, w.Disruption.Observe = []plan.Pod{lost}, 10*time.Minute
			w.Trial = plan.Trial{Revision: revision, Template: "works"}
			if c.good > 0 {
				w.Good.Containers = []apply.Container{{Name: "app", Target: apply.Amounts{MemoryBytes: c.good * apply.MiB}}}
			}
			harm, found := plan.Harm(now.Add(2*time.Minute), w)
			if found != c.want {
				t.Fatalf("harm = %v (%s), want %v", found, harm.Evidence, c.want)
			}
			if found && (harm.Pod.Name != "lost" || !strings.Contains(harm.Evidence, "EvictedForMemory 1m0s after it got revision "+revision)) {
				t.Errorf("harm = %+v", harm)
			}
		})
	}
}

func TestANewPodWithLessThatDoesNotBecomeReadyIsHarm(t *testing.T) {
	never := []plan.Trouble{{What: plan.TroubleNeverReady, At: now.Add(time.Minute)}}
	cases := map[string]struct {
		later  time.Duration
		change func(fresh, sibling *plan.Pod)
		want   bool
	}{
		"as long as it is watched":              {later: 11 * time.Minute, want: true},
		"not while it may still start":          {later: 10 * time.Minute},
		"twice as long as others took":          {later: 17 * time.Minute, change: func(_, s *plan.Pod) { s.ReadyAfter = 8 * time.Minute }, want: true},
		"not as long as others took":            {later: 16 * time.Minute, change: func(_, s *plan.Pod) { s.ReadyAfter = 8 * time.Minute }},
		"not where it got no less":              {later: time.Hour, change: func(p, _ *plan.Pod) { p.Original = p.Present }},
		"not where others are not ready either": {later: time.Hour, change: func(_, s *plan.Pod) { s.Troubles = never }},
		"not where others lost their readiness": {later: time.Hour, change: func(p, s *plan.Pod) {
			p.Template = "" // It was never well.
			s.Ready, s.Troubles = false, []plan.Trouble{{What: plan.TroubleNotReady, At: now.Add(time.Minute)}}
		}},
		"not where nobody is ready who was before": {later: time.Hour, change: func(_, s *plan.Pod) { s.Ready = false }},
		"where nobody ever was":                    {later: time.Hour, change: func(p, s *plan.Pod) { s.Ready, p.Template = false, "" }, want: true},
		"not of a pod that was held back":          {later: time.Hour, change: func(p, _ *plan.Pod) { p.HeldBack = true }},
		"not of a new version":                     {later: time.Hour, change: func(p, _ *plan.Pod) { p.Template = "broken" }},
		"not of a pod that was there before":       {later: time.Hour, change: func(p, _ *plan.Pod) { *p = lowered("canary"); p.Troubles = never }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			fresh, sibling := pod("fresh", requests(500, 512)), pod("sibling", requests(2000, 512))
			fresh.Original, fresh.Ready, fresh.Troubles, fresh.Template = requests(2000, 512), false, never, "works"
			fresh.Created, fresh.Touched, fresh.TouchedBy = now, now, revision
			if c.change != nil {
				c.change(&fresh, &sibling)
			}
			w := checkout(fresh, sibling)
			w.Disruption.Observe, w.Trial = 10*time.Minute, plan.Trial{Revision: revision, Template: "works"}
			harm, found := plan.Harm(now.Add(c.later), w)
			if found != c.want {
				t.Errorf("harm = %v (%s), want %v", found, harm.Evidence, c.want)
			}
		})
	}
}

func TestEvidenceOfHarmNamesPodContainerTimeAndNumbers(t *testing.T) {
	changed := lowered("canary")
	changed.Troubles = []plan.Trouble{{Container: "app", What: plan.TroubleOOM, At: now.Add(90 * time.Second)}}
	w := checkout(changed)
	w.Disruption.Observe = 10 * time.Minute
	harm, _ := plan.Harm(now.Add(2*time.Minute), w)
	for _, want := range []string{"container app", "pod canary", "OOMKilled", "1m30s after", revision, "500m CPU", "512Mi"} {
		if !strings.Contains(harm.Evidence, want) {
			t.Errorf("evidence = %q, want %q in it", harm.Evidence, want)
		}
	}
}

func TestHarmThatWasAnsweredIsNotFoundAgain(t *testing.T) {
	changed := lowered("canary")
	changed.Troubles = []plan.Trouble{{Container: "app", What: plan.TroubleOOM, At: now.Add(time.Minute)}}
	w := checkout(changed)
	w.Disruption.Observe, w.Answered = 10*time.Minute, now.Add(2*time.Minute)
	if harm, found := plan.Harm(now.Add(3*time.Minute), w); found {
		t.Errorf("found %q, which was answered", harm.Evidence)
	}
	w.Answered = now.Add(30 * time.Second)
	if harm, found := plan.Harm(now.Add(3*time.Minute), w); found {
		t.Errorf("found %q, which a clock that is ahead puts after the answer", harm.Evidence)
	}
	w.Answered = now.Add(-time.Second)
	if _, found := plan.Harm(now.Add(3*time.Minute), w); !found {
		t.Error("not found, which came after the answer")
	}
}

func TestAPodThatWasResizedShowsThatNewOnesStartOnlyWhereTheyMayUseAsMuch(t *testing.T) {
	guaranteed := map[string]apply.Resources{"app": {
		Requests: apply.Amounts{CPUMillis: 4000, MemoryBytes: 512 * apply.MiB}, Limits: apply.Amounts{CPUMillis: 4000, MemoryBytes: 512 * apply.MiB},
	}}
	burstable := map[string]apply.Resources{"app": {Requests: guaranteed["app"].Requests, Limits: apply.Amounts{CPUMillis: 4000, MemoryBytes: 1024 * apply.MiB}}}
	admitted := func(p *plan.Pod) { p.Mark, p.InjectedRevision = nil, revision }
	cases := map[string]struct {
		original map[string]apply.Resources
		change   func(*plan.Pod)
		want     bool
	}{
		"resized, with the limit of its template for new pods":   {original: burstable, want: true},
		"resized, without a limit":                               {original: requests(4000, 512), want: true},
		"resized, where new pods get a lower limit":              {original: guaranteed},
		"admitted, with a lower limit than that of its template": {original: guaranteed, change: admitted, want: true},
		"admitted, with the limit of its template":               {original: burstable, change: admitted, want: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := lowered("canary")
			p.Original, p.Template = c.original, "old"
			if c.change != nil {
				c.change(&p)
			}
			w := checkout(p)
			w.Disruption.Observe = 10 * time.Minute
			trial, passed := plan.Passed(now.Add(11*time.Minute), w)
			if passed != c.want {
				t.Fatalf("passed = %v, want %v", passed, c.want)
			}
			if passed {
				w.Trial = trial
			}
			fresh := pod("fresh", fits)
			fresh.Original, fresh.Template, fresh.Touched, fresh.TouchedBy = c.original, "new", now, revision
			fresh.Troubles = []plan.Trouble{{Container: "app", What: plan.TroubleCrashLoop, At: now.Add(5 * time.Minute)}}
			w.Pods = append(w.Pods, fresh)
			if harm, found := plan.Harm(now.Add(11*time.Minute), w); found == c.want {
				t.Errorf("harm = %v (%s) for a new pod of another template that crashes", found, harm.Evidence)
			}
		})
	}
}
