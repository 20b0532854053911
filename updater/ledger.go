package updater

import (
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/updater/plan"
)

const (
	// maxOutcomes is how many outcomes a Recommendation keeps, and maxRemembered how many of one workload the ledger does.
	maxOutcomes, maxRemembered = 10, 2000
	// A pod whose eviction was refused, or whose resize was not answered, is tried again after backOffFirst, then after twice as long, at most backOffMost, each
	// time up to half as long again by chance so that refused pods do not come back together.
	backOffFirst = 15 * time.Second
	backOffMost  = 5 * time.Minute
	// numberMost is the same for a number of pods, which may be what a peak waits for: a minute, with what is added by chance.
	numberMost = 40 * time.Second
	// refusedMost is how long at most a resize is not asked for again after the API server refused it time and again. What made it
	// refuse, such as a quota, may have gone without a sign.
	refusedMost = time.Hour
)

// ledger remembers what was done. It saves waiting for caches and asking what was refused a moment ago. A Recommendation keeps
// a few of the outcomes, from which a new ledger learns; the ledger itself keeps as many as a workload has pods, or what
// is known about one pod would be pushed out by the others.
type ledger struct {
	retryResize time.Duration
	// ahead is how far an action may lie in the future: it is put on record before it is carried out.
	ahead time.Duration
	// admits is the time in which admission is known to have worked. A pod of another time that came without sizes tells nothing
	// about why.
	admits span
	spent  []plan.Spent
	// outcomes of each workload, the newest first.
	outcomes map[plan.Key][]v1alpha1.Outcome
	backOffs map[attempt]backOff
}

// attempt is a kind of change to one pod or autoscaler, by its UID; or, where that is empty, to any pod of a workload.
type attempt struct {
	kind     plan.Kind
	workload plan.Key
	uid      types.UID
}

// attemptsOf are what an answer is about. A policy that refuses to have one pod evicted most likely refuses it for all pods of its workload: to ask for
// each would take the room of others in the budgets. If it protects this one alone, the others have to come first next time.
func attemptsOf(action plan.Action, got answer) []attempt {
	attempts := []attempt{{action.Kind, action.Workload, action.UID}}
	if got == answerDenied && action.Kind == plan.Evict {
		attempts = append(attempts, attempt{kind: action.Kind, workload: action.Workload})
	}
	return attempts
}

// denied reports whether the pod could not be evicted, in a workload of which something denied to have a pod evicted.
func (l *ledger) denied(workload plan.Key, pod types.UID) bool {
	_, own := l.backOffs[attempt{plan.Evict, workload, pod}]
	_, all := l.backOffs[attempt{kind: plan.Evict, workload: workload}]
	return own && all
}

// waits is the back-off of a kind of change to a pod, or to all pods of its workload, whichever ends later.
func (l *ledger) waits(kind plan.Kind, workload plan.Key, pod types.UID) backOff {
	own, all := l.backOffs[attempt{kind, workload, pod}], l.backOffs[attempt{kind: kind, workload: workload}]
	if all.until.After(own.until) {
		return all
	}
	return own
}

// backOff is until when an attempt is not repeated, and when the last one was made and what was said to it.
type backOff struct {
	delay        time.Duration
	since, until time.Time
	why          string
}

func newLedger(cfg config.Updater) *ledger {
	return &ledger{retryResize: cfg.ResizeRetryInterval.Duration, ahead: cfg.Interval.Duration + actTimeout + clockSkew, outcomes: map[plan.Key][]v1alpha1.Outcome{}, backOffs: map[attempt]backOff{}}
}

func budgetOf(cfg config.Updater) plan.Budget {
	return plan.Budget{
		EvictionsPerMinute:        cfg.EvictionsPerMinute,
		NamespaceEvictionsPerHour: cfg.NamespaceEvictionsPerHour,
		ResizesPerMinute:          cfg.ResizesPerMinute,
	}
}

// learn takes over the outcomes of a Recommendation that the ledger has not met. It returns the outcomes that hold: the
// ledger's own are never older than those in a cache.
func (l *ledger) learn(key plan.Key, stored []v1alpha1.Outcome) []v1alpha1.Outcome {
	if known, ok := l.outcomes[key]; ok {
		return known
	}
	l.outcomes[key] = stored
	var spent []plan.Spent
	for _, o := range stored {
		if kind, ok := kindOf(o.Result); ok {
			spent = append(spent, plan.Spent{At: endOfSecond(o.Time.Time), Kind: kind, Workload: key, PodUID: o.PodUID})
		}
	}
	l.recall(spent)
	return stored
}

// endOfSecond is the latest moment that a time kept to the second can mean. Whatever happened counts until it is too old for sure.
func endOfSecond(t time.Time) time.Time { return t.Truncate(time.Second).Add(time.Second - 1) }

// recall adds what was spent according to another source and is not known yet. Sources tell the time to the second: of what was
// done to one workload in one second, the source with the most counts.
func (l *ledger) recall(spent []plan.Spent) {
	type moment struct {
		kind     plan.Kind
		workload plan.Key
		second   int64
	}
	known := map[moment]int{}
	for _, s := range l.spent {
		known[moment{s.Kind, s.Workload, s.At.Unix()}]++
	}
	for _, s := range spent {
		if m := (moment{s.Kind, s.Workload, s.At.Unix()}); known[m] > 0 {
			known[m]--
			continue
		}
		l.spent = append(l.spent, s)
	}
}

func kindOf(result v1alpha1.OutcomeResult) (plan.Kind, bool) {
	switch result {
	case v1alpha1.OutcomeResized:
		return plan.Resize, true
	case v1alpha1.OutcomeEvicted:
		return plan.Evict, true
	default: // What was refused, what the node said later about a resize that is in the list as well, and harm.
		return "", false
	}
}

// withAll is what is spent once all actions are carried out, which happens until the given time.
func (l *ledger) withAll(actions []plan.Action, until time.Time) []plan.Spent {
	spent := slices.Clone(l.spent)
	for _, a := range actions {
		spent = append(spent, a.Costs(until)...)
	}
	return spent
}

// spend notes an action that the API server was asked for.
func (l *ledger) spend(now time.Time, a plan.Action) {
	l.spent = append(l.spent, a.Costs(now)...)
}

// note adds an outcome. Those of other revisions are forgotten once the Recommendation would not keep them either.
func (l *ledger) note(key plan.Key, outcome v1alpha1.Outcome) {
	all := slices.Insert(slices.Clone(l.outcomes[key]), 0, outcome)
	if len(all) > maxOutcomes {
		older := slices.DeleteFunc(slices.Clone(all[maxOutcomes:]), func(o v1alpha1.Outcome) bool {
			return o.Revision != outcome.Revision && !needed(o, outcome)
		})
		all = append(all[:maxOutcomes:maxOutcomes], older...)
	}
	l.outcomes[key] = all[:min(len(all), maxRemembered)]
}

// stuckNoMore forgets that sizes did not stay: they do again, and the next time is the first one. A later round could not tell, because only
// the last trial that was passed is kept.
func (l *ledger) stuckNoMore(key plan.Key) {
	l.outcomes[key] = slices.DeleteFunc(slices.Clone(l.outcomes[key]), func(o v1alpha1.Outcome) bool { return o.Result == v1alpha1.OutcomeDidNotStick })
}

// toStore chooses the outcomes that a Recommendation keeps: those that a later decision needs, and then the newest.
func (l *ledger) toStore(key plan.Key) []v1alpha1.Outcome {
	all := l.outcomes[key]
	if len(all) <= maxOutcomes {
		return all
	}
	first := firstLowering(all)
	room := maxOutcomes
	for i, o := range all {
		if i == first || needed(o, all[0]) {
			room--
		}
	}
	var kept []v1alpha1.Outcome
	for i, o := range all {
		isNeeded := i == first || needed(o, all[0])
		if !isNeeded {
			room--
		}
		if isNeeded || room >= 0 {
			kept = append(kept, o)
		}
	}
	return kept[:min(len(kept), maxOutcomes)]
}

// firstLowering is the place of the oldest outcome that took something away by the revision of the newest, or -1: health signals are
// compared with the time before it.
func firstLowering(all []v1alpha1.Outcome) int {
	first := -1
	for i, o := range all {
		if o.Changed() && o.Lowers && o.Revision == all[0].Revision {
			first = i
		}
	}
	return first
}

// needed reports whether a restarted updater decides by the outcome: an eviction counts against the hourly budget; harm stops the
// workload until it is answered, above all that of the present revision, which is that of the newest outcome; and sizes that did not stay
// stop it for longer each time.
func needed(o, newest v1alpha1.Outcome) bool {
	recent := newest.Time.Sub(o.Time.Time) < time.Hour
	switch o.Result {
	case v1alpha1.OutcomeEvicted, v1alpha1.OutcomeFailed:
		return recent || o.Result == v1alpha1.OutcomeFailed && o.Revision == newest.Revision
	case v1alpha1.OutcomeDidNotStick:
		return newest.Time.Sub(o.Time.Time) < 2*forgetStuck
	default:
		return false
	}
}

// knows reports whether the outcomes of a workload hold this result for a pod and revision.
func (l *ledger) knows(key plan.Key, pod types.UID, revision string, result v1alpha1.OutcomeResult) bool {
	return slices.ContainsFunc(l.outcomes[key], func(o v1alpha1.Outcome) bool {
		return o.PodUID == pod && o.Revision == revision && o.Result == result
	})
}

// patience is how long a resize is not asked for again that was refused so many times in a row: twice as long each time.
func (l *ledger) patience(times int32) time.Duration {
	delay := l.retryResize
	for ; times > 1 && delay < refusedMost; times-- {
		delay *= 2
	}
	return max(l.retryResize, min(delay, refusedMost))
}

// backOff puts off the next attempt at all that an answer is about, or ends that once it was done.
func (l *ledger) backOff(now time.Time, action plan.Action, got answer, why string) {
	for _, a := range attemptsOf(action, got) {
		if got == answerDone {
			delete(l.backOffs, a)
			continue
		}
		delay := min(max(backOffFirst, 2*l.backOffs[a].delay), longestWait(action.Kind, got))
		l.backOffs[a] = backOff{delay: delay, since: now, until: now.Add(wait.Jitter(delay, 0.5)), why: shorten(why, maxOutcomeMessage)}
	}
}

// longestWait is how long at most an attempt is put off, chance aside. Who refuses the minimum of an autoscaler has looked at it; a number of pods
// that is refused has its cooldown.
func longestWait(kind plan.Kind, got answer) time.Duration {
	if kind == plan.Scale || kind == plan.Minimum && got != answerRefused {
		return numberMost
	}
	return backOffMost
}

// tidy forgets what no longer counts: actions of more than an hour ago, workloads that are not among those present, and
// back-offs that ended so long ago that the pod is gone or was evicted. Those of the pods of a workload last as long as that of the workload
// itself, or the first of many that a policy protects would be asked for again before the last one. Actions that lie further ahead than a round puts them on record
// were noted by a clock that ran ahead: they count as of now, or the budgets would stay spent until that time has come.
func (l *ledger) tidy(now time.Time, present map[plan.Key]bool) {
	for i := range l.spent {
		if l.spent[i].At.Sub(now) > l.ahead {
			l.spent[i].At = now
		}
	}
	l.spent = slices.DeleteFunc(l.spent, func(s plan.Spent) bool { return now.Sub(s.At) >= time.Hour })
	for key := range l.outcomes {
		if !present[key] {
			delete(l.outcomes, key)
		}
	}
	maps.DeleteFunc(l.backOffs, func(a attempt, _ backOff) bool {
		return now.Sub(l.waits(a.kind, a.workload, a.uid).until) > 2*backOffMost
	})
}
