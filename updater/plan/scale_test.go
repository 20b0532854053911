package plan_test

import (
	"cmp"
	"strings"
	"testing"
	"time"

	"github.com/loadline-dev/loadline/updater/plan"
)

func TestTheNumberOfPodsIsSet(t *testing.T) {
	cases := map[string]struct {
		change   func(*plan.Workload)
		scaled   time.Duration // ago; 0 is never
		kind     plan.Kind     // of that; up where none is given
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
		"not down within ten minutes of a lower":  {from: 5, to: 2, scaled: 9 * time.Minute, kind: plan.Lower},
		"down ten minutes after a lower one":      {from: 5, to: 2, scaled: 10 * time.Minute, kind: plan.Lower, want: true},
		"not in mode initial":                     {from: 2, to: 5, change: func(w *plan.Workload) { w.Mode = "initial" }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := checkout()
			w.ScaleReplicas, w.Replicas, w.Values.Replicas = true, c.from, &c.to
			if c.change != nil {
				c.change(&w)
			}
			budget := plenty
			if c.scaled > 0 {
				budget.Spent = []plan.Spent{{At: now.Add(-c.scaled), Kind: cmp.Or(c.kind, plan.Scale), Workload: w.Key}}
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

func TestANumberThatWaitsForARolloutIsTold(t *testing.T) {
	w := checkout()
	w.ScaleReplicas, w.Replicas, w.Values.Replicas, w.RolloutInProgress = true, 2, new(int32(5)), true
	skips := plan.Plan(now, open(w), plenty).Skips
	if len(skips) != 1 || !skips[0].OfNumber || skips[0].Message != "2 pods run, 5 are recommended, and a rollout is in progress" {
		t.Errorf("skips = %+v", skips)
	}
	w.Autoscaler = "checkout" // whose number it is
	if skips := plan.Plan(now, open(w), plenty).Skips; len(skips) != 0 {
		t.Errorf("skips = %+v, want none", skips)
	}
}

func TestANumberThatCouldNotBeSetIsTold(t *testing.T) {
	w := checkout()
	w.ScaleReplicas, w.Replicas, w.Values.Replicas = true, 2, new(int32(5))
	w.NotScaledBefore, w.NotScaledFor = now.Add(20*time.Second), "a webhook is down"
	skips := plan.Plan(now, open(w), plenty).Skips
	const want = "2 pods run, 5 are recommended, which could not be set, the next try is at 2026-11-18T12:00:20Z: a webhook is down"
	if len(skips) != 1 || !skips[0].OfNumber || skips[0].Message != want {
		t.Errorf("skips = %+v, want %s", skips, want)
	}
	for name, budget := range map[string]plan.Budget{"then": {}, "after its cooldown": {Spent: []plan.Spent{{At: now.Add(-40 * time.Second), Kind: plan.Scale, Workload: w.Key}}}} {
		if result := plan.Plan(now.Add(20*time.Second), open(w), budget); len(result.Actions) != 1 || len(result.Skips) != 0 {
			t.Errorf("%s: %+v, want it to be asked for again", name, result)
		}
	}
	w.Replicas = 5
	if skips := plan.Plan(now, open(w), plenty).Skips; len(skips) != 0 {
		t.Errorf("skips = %+v of a number that is as recommended", skips)
	}
}

func TestAMinimumThatCouldNotBeSetIsTold(t *testing.T) {
	w := checkout()
	w.ScaleReplicas, w.Autoscaler, w.Values.AutoscalerMin = true, "checkout", new(int32(6))
	snapshot := open(w)
	snapshot.Autoscalers = []plan.Autoscaler{{Name: "checkout", Target: w.Key, Min: 2, NotBefore: now.Add(20 * time.Second), NotBeforeFor: "a webhook is down"}}
	result := plan.Plan(now, snapshot, plenty)
	if len(result.Actions) != 0 || len(result.Skips) != 1 || !result.Skips[0].OfNumber || !strings.HasSuffix(result.Skips[0].Message, "a webhook is down") {
		t.Errorf("%+v, want it to wait and say why", result)
	}
}

// lowering is a workload of so many pods of which fewer are recommended.
func lowering(namespace, name string, from, to int32) plan.Workload {
	w := checkout()
	w.Namespace, w.Name = namespace, name
	w.ScaleReplicas, w.Replicas, w.Values.Replicas = true, from, &to
	return w
}

// gone is n pods of a namespace that went so long ago, evicted or because of a lower number.
func gone(kind plan.Kind, namespace string, n int, ago time.Duration) []plan.Spent {
	w := plan.Key{Namespace: namespace, Kind: "Deployment", Name: "other"}
	var spent []plan.Spent
	for range n {
		spent = append(spent, plan.Spent{At: now.Add(-ago), Kind: kind, Workload: w})
	}
	return spent
}

func TestAPodThatGoesForALowerNumberCountsAsAnEviction(t *testing.T) {
	cases := map[string]struct {
		from, to                   int32
		perMinute, namespaceAnHour int
		trial                      bool
		spent                      []plan.Spent
		want                       int32 // from is that none goes
		says                       string
	}{
		"as many as the cluster may lose in a minute":       {from: 20, to: 8, perMinute: 5, namespaceAnHour: 60, want: 15, says: "let 5 go now"},
		"as many as the namespace may lose in an hour":      {from: 20, to: 8, perMinute: 10, namespaceAnHour: 3, want: 17, says: "let 3 go now"},
		"all where that is enough":                          {from: 20, to: 8, perMinute: 12, namespaceAnHour: 12, want: 8, says: "20 pods run, 8 are recommended"},
		"less what was evicted":                             {from: 20, to: 8, perMinute: 5, namespaceAnHour: 60, spent: gone(plan.Evict, "shop", 2, 0), want: 17},
		"less what other numbers took":                      {from: 20, to: 8, perMinute: 5, namespaceAnHour: 60, spent: gone(plan.Lower, "bank", 2, 0), want: 17},
		"less what other numbers took in the hour":          {from: 20, to: 8, perMinute: 60, namespaceAnHour: 9, spent: gone(plan.Lower, "shop", 2, 59*time.Minute), want: 13},
		"regardless of what was before":                     {from: 20, to: 8, perMinute: 60, namespaceAnHour: 60, spent: gone(plan.Lower, "shop", 60, time.Hour), want: 8},
		"regardless of what was raised":                     {from: 20, to: 8, perMinute: 12, namespaceAnHour: 12, spent: gone(plan.Scale, "shop", 9, 0), want: 8},
		"none where the minute's budget is spent":           {from: 20, to: 8, perMinute: 5, namespaceAnHour: 60, spent: gone(plan.Lower, "bank", 5, 0), want: 20, says: "the cluster's budget of 5 evictions per minute is spent"},
		"none where the hour's is":                          {from: 20, to: 8, perMinute: 5, namespaceAnHour: 3, spent: gone(plan.Evict, "shop", 3, 0), want: 20, says: "the namespace's budget of 3 evictions per hour is spent"},
		"none where there is no budget for the cluster":     {from: 20, to: 8, namespaceAnHour: 60, want: 20, says: "the cluster's budget of 0 evictions per minute is spent"},
		"none where there is no budget for namespaces":      {from: 20, to: 8, perMinute: 60, want: 20, says: "the namespace's budget of 0 evictions per hour is spent"},
		"none while the circuit breaker tries":              {from: 20, to: 8, perMinute: 60, namespaceAnHour: 60, trial: true, want: 20, says: "20 pods run, 8 are recommended, and none goes now: the circuit breaker tries"},
		"and more pods cost nothing":                        {from: 8, to: 20, want: 20},
		"and more pods wait for no trial":                   {from: 8, to: 20, perMinute: 60, namespaceAnHour: 60, trial: true, want: 20},
		"and more pods come although the budgets are spent": {from: 8, to: 20, perMinute: 5, namespaceAnHour: 5, spent: gone(plan.Lower, "shop", 50, 0), want: 20},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			budget := plan.Budget{EvictionsPerMinute: c.perMinute, NamespaceEvictionsPerHour: c.namespaceAnHour, Spent: c.spent}
			if c.trial {
				budget = budget.Tenth()
			}
			result := plan.Plan(now, open(lowering("shop", "checkout", c.from, c.to)), budget)
			got, says := numberOfPods(t, result, c.from)
			if got != c.want || !strings.Contains(says, c.says) {
				t.Errorf("%d pods (%s), want %d (%s)", got, says, c.want, c.says)
			}
		})
	}
}

// numberOfPods is what a plan about nothing else makes of the number that is, and what it says of it.
func numberOfPods(t *testing.T, result plan.Result, number int32) (becomes int32, says string) {
	t.Helper()
	for _, a := range result.Actions {
		number, says = a.To, a.Reason
	}
	for _, s := range result.Skips {
		if !s.OfNumber {
			t.Errorf("skip %+v is not told as one of the number of pods", s)
		}
		says = s.Message
	}
	return number, says
}

func TestALowerNumberWaitsForAWindowAndKeepsWhatADisruptionBudgetAsksFor(t *testing.T) {
	atNight := time.Date(2026, 11, 18, 2, 0, 0, 0, time.UTC)
	keeps := func(name string, keeps, healthy int32) func(*plan.Workload) {
		return func(w *plan.Workload) {
			fine := requests(500, 512)
			w.Pods = append(w.Pods, pod("a", fine), pod("b", fine))
			each(w, func(p *plan.Pod) {
				p.DisruptionBudgets = append(p.DisruptionBudgets, plan.DisruptionBudget{Name: name, Keeps: keeps, Healthy: healthy})
			})
		}
	}
	cases := map[string]struct {
		change   func(*plan.Workload)
		from, to int32
		at       time.Time
		want     int32
		says     string
	}{
		"inside a window": {change: onlyAtNight, from: 20, to: 8, at: atNight, want: 8, says: "20 pods run, 8 are recommended"},
		"never where pods take their data along": {
			change: func(w *plan.Workload) { w.KeepsPods = "its volumes would go" }, from: 20, to: 8, at: atNight, want: 20, says: "none goes: its volumes would go",
		},
		"not outside":                             {change: onlyAtNight, from: 20, to: 8, at: now, want: 20, says: "none goes now: outside the policy's 1 windows"},
		"more pods need no window":                {change: onlyAtNight, from: 8, to: 20, at: now, want: 20},
		"one more than is kept":                   {change: keeps("web", 9, 20), from: 20, to: 8, want: 10, says: "PodDisruptionBudget web lets 10 go now"},
		"none where one more than is kept is all": {change: keeps("web", 19, 20), from: 20, to: 8, want: 20, says: "PodDisruptionBudget web keeps 19 of 20 healthy pods"},
		"as if only healthy pods went":            {change: keeps("web", 9, 12), from: 20, to: 8, want: 18},
		"none while nobody knows who is healthy":  {change: keeps("web", 9, 0), from: 20, to: 8, want: 20},
		"all where a share is asked for":          {change: keeps("web", 0, 20), from: 20, to: 8, want: 8},
		"more pods ask no disruption budget":      {change: keeps("web", 9, 8), from: 8, to: 20, want: 20},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := lowering("shop", "checkout", c.from, c.to)
			c.change(&w)
			if c.at.IsZero() {
				c.at = now
			}
			got, says := numberOfPods(t, plan.Plan(c.at, open(w), plenty), c.from)
			if got != c.want || !strings.Contains(says, c.says) {
				t.Errorf("%d pods (%s), want %d (%s)", got, says, c.want, c.says)
			}
		})
	}
}

func TestWorkloadsThatShareADisruptionBudgetLowerTogetherByWhatItSpares(t *testing.T) {
	var workloads []plan.Workload
	for _, name := range []string{"a", "b"} {
		w := lowering("shop", name, 10, 2)
		w.Pods = []plan.Pod{pod(name, requests(500, 512))}
		w.Pods[0].DisruptionBudgets = []plan.DisruptionBudget{{Name: "both", Keeps: 9, Healthy: 20}}
		workloads = append(workloads, w)
	}
	left := 20
	for _, a := range plan.Plan(now, open(workloads...), plenty).Actions {
		left -= int(a.From - a.To)
	}
	if left != 10 {
		t.Errorf("%d pods are left, want 10: nine are kept, and one more", left)
	}
}

func TestALowerNumberForEveryWorkloadAtOnceTakesNoMorePodsThanTheBudgets(t *testing.T) {
	var workloads []plan.Workload
	for _, namespace := range []string{"bank", "shop", "test"} {
		for _, name := range []string{"a", "b", "c"} {
			workloads = append(workloads, lowering(namespace, name, 10, 5))
		}
	}
	budget := plan.Budget{EvictionsPerMinute: 12, NamespaceEvictionsPerHour: 7}
	lost, inNamespace := 0, map[string]int{}
	for _, a := range plan.Plan(now, open(workloads...), budget).Actions {
		lost += int(a.From - a.To)
		inNamespace[a.Workload.Namespace] += int(a.From - a.To)
	}
	if lost != 12 || inNamespace["bank"] != 7 || inNamespace["shop"] != 5 {
		t.Errorf("%d pods go, %v; want 12, at most 7 of a namespace", lost, inNamespace)
	}
}

func TestPodsThatWentForALowerNumberLeaveFewerEvictions(t *testing.T) {
	w := checkout(pod("a", small), pod("b", small))
	w.Updater = "evict"
	w.Disruption.MinReplicas = 1
	budget := plan.Budget{EvictionsPerMinute: 3, NamespaceEvictionsPerHour: 60, Spent: gone(plan.Lower, "bank", 3, 0)}
	result := plan.Plan(now, open(w), budget)
	if len(result.Actions) != 0 {
		t.Errorf("actions = %+v, want none: three pods of the cluster went in this minute", result.Actions)
	}
	budget.EvictionsPerMinute++
	if result = plan.Plan(now, open(w), budget); len(result.Actions) != 1 {
		t.Errorf("actions = %+v, want the one eviction that is left", result.Actions)
	}
}

func TestALowerNumberCostsOneForEachPodAndAHigherOneNothing(t *testing.T) {
	lower := plan.Action{Kind: plan.Scale, From: 9, To: 4}.Costs(now)
	if len(lower) != 5 || lower[0].Kind != plan.Lower {
		t.Errorf("costs %+v, want five pods", lower)
	}
	if higher := (plan.Action{Kind: plan.Scale, From: 4, To: 9}).Costs(now); len(higher) != 1 || higher[0].Kind != plan.Scale {
		t.Errorf("costs %+v, want the cooldown alone", higher)
	}
}

func TestPodsThatTheManifestAsksForAreGivenBackWhileNothingElseMayBeDone(t *testing.T) {
	closed := plan.Gate{Ready: true, Reason: "the webhook is not called"}
	cases := map[string]struct {
		cluster            plan.Snapshot
		from, to, declared int32
		change             func(*plan.Workload)
		want               int32
		says               string
		more               bool
	}{
		"admission does not work":                 {cluster: plan.Snapshot{Gate: closed}, from: 2, to: 5, declared: 5, want: 5},
		"the breaker is open":                     {cluster: plan.Snapshot{Gate: plan.Gate{Open: true}, Breaker: "open", GivesBack: true}, from: 2, to: 5, declared: 9, want: 5},
		"no further than the manifest asks for":   {cluster: plan.Snapshot{Gate: closed}, from: 2, to: 5, declared: 3, want: 3, says: "5 are recommended; 3, as the manifest asks for, are set now"},
		"none where as many run":                  {cluster: plan.Snapshot{Gate: closed}, from: 3, to: 5, declared: 3, want: 3, says: "3 pods run, 5 are recommended; the admission gate is closed: the webhook is not called", more: true},
		"none where the manifest is not known":    {cluster: plan.Snapshot{Gate: closed}, from: 2, to: 5, want: 2, says: "the admission gate is closed", more: true},
		"none where what was spent is not known":  {cluster: plan.Snapshot{Gate: plan.Gate{Reason: "no record"}}, from: 2, to: 5, declared: 5, want: 2, says: "no record", more: true},
		"none while the API server is in trouble": {cluster: plan.Snapshot{Gate: plan.Gate{Open: true}, Breaker: "open"}, from: 2, to: 5, declared: 5, want: 2, says: "open", more: true},
		"none with the kill switch":               {cluster: plan.Snapshot{Gate: plan.Gate{Open: true}, KillSwitch: "incident"}, from: 2, to: 5, declared: 5, want: 2, says: "incident", more: true},
		"none on hold":                            {cluster: plan.Snapshot{Gate: closed}, from: 2, to: 5, declared: 5, change: hold, want: 2, says: "on hold: audit", more: true},
		"and none is taken":                       {cluster: plan.Snapshot{Gate: closed}, from: 5, to: 2, declared: 1, want: 5, says: "the admission gate is closed"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := lowering("shop", "checkout", c.from, c.to)
			w.Declared = c.declared
			if c.change != nil {
				c.change(&w)
			}
			c.cluster.Workloads = []plan.Workload{w}
			wantNumber(t, plan.Plan(now, c.cluster, plenty), c.from, c.want, c.says, c.more)
		})
	}
}

// wantNumber checks what a plan makes of a number of pods, and, where it stays, whether the skip says that more are wanted.
func wantNumber(t *testing.T, result plan.Result, from, want int32, says string, more bool) {
	t.Helper()
	got, told := from, ""
	for _, a := range result.Actions {
		got, told = a.To, a.Reason
	}
	for _, s := range result.Skips {
		if s.OfNumber {
			told = s.Message
			if s.More != more {
				t.Errorf("%+v, want it to say that more are wanted: %v", s, more)
			}
		}
	}
	if got != want || !strings.Contains(told, says) {
		t.Errorf("%d pods (%s), want %d (%s)", got, told, want, says)
	}
}

func TestSizesThatDidNotStayOrDidHarmKeepNoPodsAway(t *testing.T) {
	for name, change := range map[string]func(*plan.Workload){
		"did not stay": func(w *plan.Workload) { w.Unstuck = plan.Unstuck{Times: 2, Last: now, Message: "a LimitRange"} },
		"did harm":     func(w *plan.Workload) { w.Harm = "a pod crashed" },
	} {
		t.Run(name, func(t *testing.T) {
			w := lowering("shop", "checkout", 2, 5)
			change(&w)
			wantNumber(t, plan.Plan(now, open(w), plenty), 2, 5, "5 are recommended", false)
			w = lowering("shop", "checkout", 5, 2)
			change(&w)
			wantNumber(t, plan.Plan(now, open(w), plenty), 5, 5, "2 are recommended", false)
		})
	}
}
