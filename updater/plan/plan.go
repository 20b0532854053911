// Package plan decides which running pods are changed, and how: in place where Kubernetes can, by eviction where it cannot
// and a pod has too little, never beyond a budget.
//
// The package is pure. Plan reads a snapshot and the clock it is given; carrying out the actions is its caller's work. An
// action that is refused by the API server shows in the next snapshot.
//
// What becomes of a pod:
//
//	inside every band ───────────────────────────────────────▶ nothing
//	outside, the resize can reach the sizes ─────────────────▶ resize in place (also a part of them: CPU without memory)
//	outside, cannot be resized (any more), has too little ───▶ evict, unless the updater mode is in-place
//	outside, cannot be resized (any more), has too much ─────▶ wait for the pod's own end
//	outside, updater mode evict ─────────────────────────────▶ evict
package plan

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

// Kind of an action.
type Kind string

// Kinds of actions.
const (
	Resize Kind = "resize"
	Evict  Kind = "evict"
	Scale  Kind = "scale"
	// Minimum changes the minReplicas of a HorizontalPodAutoscaler.
	Minimum Kind = "minimum"
	// Lower is what each pod counts as, among what was spent, that a Scale took away. It is no action.
	Lower Kind = "lower"
	// GiveBack is what a Resize counts as, among what was spent, that only gave back what Loadline took. It is no action.
	GiveBack Kind = "giveBack"
)

// Action is one change to make. The UID says which pod is meant: a pod that replaced it under the same name is another one.
type Action struct {
	Kind     Kind
	Workload Key
	Revision string
	// Pod is empty for Scale and Minimum. UID is that of the pod or the autoscaler, and empty for Scale.
	Pod string
	UID types.UID
	// Containers that a resize changes, by name, with all their CPU and memory as it shall be.
	Containers map[string]apply.Resources
	// Original is what the pod had before Loadline changed it, to be kept on the pod.
	Original map[string]apply.Resources
	// Disbelieved is that of the pod: Original replaces what is noted on it.
	Disbelieved bool
	// Mark is how the pod is before a resize, to be kept on the pod as well.
	Mark *Mark
	// From and To are the numbers of pods, for Scale, and the minimum, for Minimum.
	From, To int32
	// Autoscaler whose minimum changes, and the minimum before the first raise, to be kept on it, for Minimum.
	Autoscaler string
	Before     int32
	// Raise is true where something grows, Lowers where a pod loses something.
	Raise, Lowers bool
	// GivesBack is true for a resize that gives a pod no more than what it had before Loadline lowered it, and takes nothing.
	GivesBack bool
	// Reason in words.
	Reason string
	// shortage is how many times the present amount is needed, at least 1 for a raise; the largest goes first.
	shortage float64
	// again is true for a resize that was asked for before in vain, or an eviction that was denied; it goes after everything else.
	again bool
}

// Skip is why a pod that has drifted, or a whole workload, is left as it is.
type Skip struct {
	Workload Key
	// Pod is empty where the whole workload is skipped.
	Pod string
	// OfNumber is true where it is the number of pods, or the minimum of an autoscaler, that stays, and not what a pod has; More where
	// a larger one is wanted.
	OfNumber, More bool
	Refused
}

// Result of a plan.
type Result struct {
	// Actions in the order in which they shall be carried out.
	Actions []Action
	// Skips in the order of workloads and pods.
	Skips []Skip
	// Drifted counts the pods outside their bands or not yet running with what they ask for, per workload.
	Drifted map[Key]int
	// Admit are the workloads whose new pods have to get the present revision, because the next round is to evict a pod for it.
	Admit map[Key]bool
	// Closed says why nothing may be done at all; empty means it may.
	Closed string
}

// Plan says what to do now. Raises come before lowerings, and larger shortages before smaller ones; shortages within a factor
// of two of each other go by the priority of their workloads. What was asked for in vain comes after all others. The same input gives the same result, whatever the order of
// workloads and pods.
func Plan(now time.Time, snapshot Snapshot, budget Budget) Result {
	p := planner{
		now: now, account: newAccount(now, budget), trials: map[Key]trial{}, windows: openings{},
		result: Result{Closed: closed(snapshot), Drifted: map[Key]int{}, Admit: map[Key]bool{}},
	}
	p.exempt = exemptions(snapshot)
	var candidates []candidate
	for _, w := range slices.SortedFunc(slices.Values(snapshot.Workloads), byKey) {
		candidates = append(candidates, p.consider(w)...)
	}
	candidates = append(candidates, p.minimums(snapshot)...)
	slices.SortStableFunc(candidates, mostUrgentFirst)
	p.waiting = scarce(snapshot, candidates)
	for _, c := range candidates {
		action, refused := p.spend(c)
		if refused != nil {
			p.skipCandidate(c, refused)
			continue
		}
		p.result.Actions = append(p.result.Actions, action)
	}
	slices.SortStableFunc(p.result.Skips, func(a, b Skip) int {
		return cmp.Or(compareKeys(a.Workload, b.Workload), cmp.Compare(a.Pod, b.Pod))
	})
	return p.result
}

// closed says why nothing may be done at all.
func closed(s Snapshot) string {
	switch {
	case s.KillSwitch != "":
		return "stopped: " + s.KillSwitch
	case !s.Gate.Open:
		return "the admission gate is closed: " + s.Gate.Reason
	default:
		return s.Breaker
	}
}

// planner collects the result of one plan.
type planner struct {
	now     time.Time
	account *account
	trials  map[Key]trial
	windows openings
	// exempt is what is done although nothing else may be.
	exempt exempt
	result Result
	// waiting are the workloads that get no more pods because others need the room more.
	waiting map[Key]*Refused
}

// candidate is an action that only the budgets can still stop.
type candidate struct {
	Action
	workload Workload
	pod      Pod
}

func (p *planner) skip(w Workload, pod string, refused *Refused) {
	p.result.Skips = append(p.result.Skips, Skip{Workload: w.Key, Pod: pod, Refused: *refused})
}

func (p *planner) skipCandidate(c candidate, refused *Refused) {
	if c.Kind == Scale || c.Kind == Minimum {
		p.skipNumber(c.workload, c.Raise, refused)
		return
	}
	p.skip(c.workload, c.Pod, refused)
}

// skipNumber says that a number stays, and whether a larger one is wanted.
func (p *planner) skipNumber(w Workload, more bool, refused *Refused) {
	p.result.Skips = append(p.result.Skips, Skip{Workload: w.Key, OfNumber: true, More: more, Refused: *refused})
}

// consider lists what should happen to a workload, budgets aside.
func (p *planner) consider(w Workload) []candidate {
	stopped := firstRefusal(workloadRules(), func(rule workloadRule) *Refused { return rule(p.now, w) })
	p.trials[w.Key] = p.trialOf(w)
	var candidates []candidate
	var closed []string
	for _, pod := range slices.SortedFunc(slices.Values(w.Pods), byName) {
		if pod.Terminating || p.account.evicted[pod.UID] {
			continue
		}
		drifts := drifted(w, pod)
		if len(drifts) == 0 {
			continue
		}
		p.result.Drifted[w.Key]++
		if stopped != nil {
			continue
		}
		action, refused := p.allowed(w, pod, drifts)
		switch {
		case refused == nil:
			candidates = append(candidates, candidate{Action: action, workload: w, pod: pod})
		case refused.Reason == SkipClosed:
			closed = append(closed, pod.Name)
		default:
			p.skip(w, pod.Name, refused)
		}
	}
	switch {
	case stopped != nil:
		p.skip(w, "", stopped)
	case p.result.Closed != "":
		p.skipClosed(w, candidates, closed)
	}
	return append(candidates, p.number(w, stopped)...)
}

// skipClosed says of a workload that nothing may be done, or of its pods where something is done to others.
func (p *planner) skipClosed(w Workload, candidates []candidate, pods []string) {
	refused := refuse(SkipClosed, "%s", p.result.Closed)
	if len(candidates) == 0 {
		p.skip(w, "", refused)
		return
	}
	for _, pod := range pods {
		p.skip(w, pod, refused)
	}
}

// allowed is what to do about one pod that has drifted, or why to do nothing.
func (p *planner) allowed(w Workload, pod Pod, drifts []apply.Drift) (Action, *Refused) {
	if p.result.Closed != "" {
		return p.exempted(w, pod)
	}
	return p.choose(w, pod, drifts)
}

// spend takes an action out of the trial's room and the budgets, or says what is in its way. Where the trial has no room, it
// returns the part of the action that does not need any.
func (p *planner) spend(c candidate) (Action, *Refused) {
	if c.Kind == Scale && !c.Raise {
		return p.lower(c)
	}
	if !needsTrial(c.workload, c.pod, c.Action) {
		return p.spendBudget(c)
	}
	trial := p.trials[c.Workload]
	if trial.passed || trial.enoughFor(c.Action) {
		return p.spendTried(c)
	}
	if trial.room <= 0 {
		if relief, ok := p.raiseOnly(c); ok {
			return p.spendBudget(relief)
		}
		if trial.waiting != nil {
			return c.Action, trial.waiting
		}
		return c.Action, refuse(SkipWatching, "revision %s is tried on other pods first", c.Revision)
	}
	action, refused := p.spendTried(c)
	if (refused == nil || p.result.Admit[c.Workload]) && !action.GivesBack {
		trial.room--
		p.trials[c.Workload] = trial
	}
	return action, refused
}

// spendTried takes an action out of the budgets that gives a pod what the trial is about.
func (p *planner) spendTried(c candidate) (Action, *Refused) {
	action, refused := p.spendBudget(c)
	if refused == nil {
		refused = p.admitFirst(c)
	}
	return action, refused
}

// spendBudget takes an action out of the budgets, or says which one is empty. Of a resize that they have no room for it returns the part
// that gives back what was taken.
func (p *planner) spendBudget(c candidate) (Action, *Refused) {
	switch c.Kind {
	case Resize:
		return p.spendResize(c)
	case Evict:
		return c.Action, p.account.evict(c)
	case Scale: // More pods have their cooldown; fewer are spent before.
		return c.Action, p.waiting[c.Workload]
	case Minimum, Lower, GiveBack: // The first has its event, the others are no actions.
	}
	return c.Action, nil
}

func byKey(a, b Workload) int { return compareKeys(a.Key, b.Key) }

func byName(a, b Pod) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.UID, b.UID)) }

func compareKeys(a, b Key) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
}

// mostUrgentFirst orders what was not asked for in vain before what was, raises before lowerings, then by shortage in powers of two,
// by priority, and by shortage; the rest only makes the order a total one.
func mostUrgentFirst(a, b candidate) int {
	if a.again != b.again {
		if b.again {
			return -1
		}
		return 1
	}
	if a.Raise != b.Raise {
		if a.Raise {
			return -1
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(doublings(b.shortage), doublings(a.shortage)), cmp.Compare(rank(a.workload.Priority), rank(b.workload.Priority)),
		cmp.Compare(b.shortage, a.shortage), compareKeys(a.Workload, b.Workload), cmp.Compare(a.Pod, b.Pod),
	)
}

// doublings is how often the present amount has to be doubled, rounded down: 0 for a shortage under 2, 1 under 4.
func doublings(shortage float64) int {
	if shortage < 2 {
		return 0
	}
	return math.Ilogb(shortage) // the largest int for what has nothing at all
}

// rank is the place of a priority, the most important first. Whoever says nothing is standard.
func rank(p v1alpha1.Priority) int {
	switch p {
	case v1alpha1.PriorityCritical:
		return 0
	case v1alpha1.PriorityHigh:
		return 1
	case v1alpha1.PriorityLow:
		return 3
	default:
		return 2
	}
}
