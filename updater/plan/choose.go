package plan

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

const (
	// settleTime is how long a pod that was acted on is left alone, so that the caches show the effect before the next look.
	settleTime = 10 * time.Second
	// stuckAfter is how long a node may take to carry out a resize, or put it off, before it counts as failed.
	stuckAfter = time.Hour
	// urgentAfter is the same for putting off what keeps a pod from being killed for lack of memory, and for an error, after which the
	// kubelet tries again by itself.
	urgentAfter = 5 * time.Minute
	// cureWithin is how long at most such a resize is put off that was not answered.
	cureWithin = time.Minute
)

// drifted lists what a pod has too little or too much of, by what its spec asks for or by what it runs with: a resize that
// the node has not carried out is still a drift. Stale sizes lower nothing.
func drifted(w Workload, p Pod) []apply.Drift {
	return driftedFrom(w, p, tempo(w, p))
}

// tempo is that of running pods where the pod may be resized, else that of its successor.
func tempo(w Workload, p Pod) apply.Tempo {
	if w.Updater == v1alpha1.UpdaterEvict || !p.ResizeSupported {
		return apply.ForNewPod
	}
	return apply.ForRunningPod
}

func driftedFrom(w Workload, p Pod, tempo apply.Tempo) []apply.Drift {
	drifts := apply.Drifted(w.Values, p.Original, p.Present, tempo)
	if len(drifts) == 0 {
		drifts = apply.Drifted(w.Values, p.Original, p.Actual, tempo)
	}
	if !w.Stale {
		return drifts
	}
	return slices.DeleteFunc(drifts, func(d apply.Drift) bool { return d.Direction == apply.Down })
}

// choose finds what to do about one pod that has drifted, or why to do nothing. Budgets come later.
func (p *planner) choose(w Workload, pod Pod, drifts []apply.Drift) (Action, *Refused) {
	if displaced(w, pod) {
		return p.replace(w, pod)
	}
	if refused := p.untouchable(pod); refused != nil {
		return Action{}, refused
	}
	action := Action{
		Workload: w.Key, Revision: w.Revision, Pod: pod.Name, UID: pod.UID, Original: pod.Original, Disbelieved: pod.Disbelieved,
		Raise: slices.ContainsFunc(drifts, isUp), Reason: describe(drifts), shortage: shortage(drifts),
	}
	if w.Updater == v1alpha1.UpdaterEvict {
		return p.evict(w, pod, action)
	}
	changed, obstacle := inPlace(p.now, w, pod)
	switch {
	case obstacle == nil:
		return p.resize(w, pod, action, changed)
	case obstacle.Reason == SkipResizeInProgress || obstacle.Reason == SkipResizeDeferred || obstacle.Reason == SkipStartingUp:
		return Action{}, obstacle
	case !action.Raise:
		return Action{}, refuse(SkipOnlyLowering, "has too much, which waits for the next pod: %s", obstacle.Message)
	case w.Updater == v1alpha1.UpdaterInPlace:
		return Action{}, obstacle
	}
	// Its successor gets the size of new pods: that has to be worth a disruption.
	if drifts = driftedFrom(w, pod, apply.ForNewPod); !slices.ContainsFunc(drifts, isUp) {
		return Action{}, refuse(SkipCannotResize, "has too little for now, and its successor would not have more: %s", obstacle.Message)
	}
	action.Reason, action.shortage = describe(drifts)+"; cannot be resized: "+obstacle.Message, shortage(drifts)
	return p.evict(w, pod, action)
}

// resize completes an action that changes containers in place, or says until when the last one that was not answered is not repeated.
func (p *planner) resize(w Workload, pod Pod, action Action, changed map[string]apply.Resources) (Action, *Refused) {
	until := pod.NoResizeBefore
	if soon := pod.Unanswered.Add(cureWithin); soon.Before(until) && mendsKill(w, pod, changed) {
		until = soon
	}
	if refused := backingOff(p.now, until, "a resize was not carried out", pod.NoResizeFor); refused != nil {
		return Action{}, refused
	}
	action.Kind, action.Containers, action.Mark = Resize, changed, p.mark(w, pod, changed)
	action.again, action.Lowers = pod.InVain(w.Revision) > 0 || !pod.NoResizeBefore.IsZero(), action.Mark.Lowers
	if pod.ResizeRefused != "" {
		action.again = false
		action.Reason += "; only a part of it, because more was refused"
	}
	return action, nil
}

// mendsKill reports whether a resize gives memory to a container that has less than what killed one like it.
func mendsKill(w Workload, pod Pod, changed map[string]apply.Resources) bool {
	for name, to := range changed {
		if has := memoryBound(pod.Actual[name]); has < w.OOMFloorBytes[name] && has < memoryBound(to) {
			return true
		}
	}
	return false
}

// untouchable says why a pod is left alone for now whatever it has, or nil.
func (p *planner) untouchable(pod Pod) *Refused {
	switch touched, ok := p.account.lastTouched[pod.UID]; {
	case !pod.Running:
		return refuse(SkipNotRunning, "the pod is not running")
	case ok && p.now.Sub(touched) < settleTime:
		return refuse(SkipJustTouched, "the last change is less than %s old", settleTime)
	default:
		return nil
	}
}

// displaced reports whether a pod has long found no node with sizes of ours, and its successor would ask for less. Nobody is served by it.
func displaced(w Workload, p Pod) bool {
	return p.Unschedulable && p.Stranded && w.Updater != v1alpha1.UpdaterInPlace && p.InjectedRevision != "" && p.InjectedRevision != w.Revision &&
		slices.ContainsFunc(driftedFrom(w, p, apply.ForNewPod), func(d apply.Drift) bool { return d.Direction == apply.Down })
}

// replace evicts a pod that waits for a node. Its going takes nothing from anybody, so neither a rollout nor a window is waited for:
// the rollout may be waiting for it.
func (p *planner) replace(w Workload, pod Pod) (Action, *Refused) {
	for _, rule := range []evictionRule{evictableKind, replaceable, notPinned, notBackingOff} {
		if refused := rule(p.now, w, pod); refused != nil {
			return Action{}, refused
		}
	}
	return Action{
		Kind: Evict, Workload: w.Key, Revision: w.Revision, Pod: pod.Name, UID: pod.UID, Original: pod.Original, again: pod.Denied,
		Reason: "finds no node; its successor asks for less: " + describe(driftedFrom(w, pod, apply.ForNewPod)),
	}, nil
}

// mark is how the pod is before it is resized.
func (p *planner) mark(w Workload, pod Pod, changed map[string]apply.Resources) *Mark {
	inVain := pod.InVain(w.Revision)
	if pod.ResizeRefused != "" { // The parts of a resize are one try together.
		inVain = pod.Mark.InVain
	}
	recent := func(t Trouble) bool { return p.now.Sub(t.At) <= w.Disruption.Observe }
	return &Mark{
		UID: pod.UID, Revision: w.Revision, At: p.now, Asked: Digest(pod.asked(changed)), Restarts: pod.Restarts, InVain: inVain,
		Troubled: !pod.Ready || slices.ContainsFunc(pod.Troubles, recent), Lowers: apply.Lowers(pod.Present, changed),
		Before: p.stillWatched(w, pod.Mark, Digest(pod.Present)), Had: pod.hadBefore(changed),
	}
}

// asked is what the pod's containers are to have where some of them change.
func (p Pod) asked(changed map[string]apply.Resources) map[string]apply.Resources {
	all := maps.Clone(p.Present)
	maps.Copy(all, changed)
	return all
}

// stillWatched is the last resize that took something away, without what came before it, if the pod, which has what the digest says, is
// still watched for it.
func (p *planner) stillWatched(w Workload, last *Mark, present string) *Mark {
	switch {
	case last == nil:
		return nil
	case !last.Lowers, last.Asked != present: // It took nothing, or was refused, or is undone.
		last = last.Before
	}
	if last == nil || p.now.Sub(last.At) > w.Disruption.Observe {
		return nil
	}
	kept := *last
	kept.Before, kept.Had = nil, nil
	return &kept
}

func (p *planner) evict(w Workload, pod Pod, action Action) (Action, *Refused) {
	refused := firstRefusal(p.evictionRules(!takesNothing(p.now, w, pod)), func(rule evictionRule) *Refused { return rule(p.now, w, pod) })
	if refused != nil {
		return Action{}, refused
	}
	action.Kind, action.again = Evict, pod.Denied
	action.Lowers = apply.Lowers(pod.Present, apply.Desired(w.Values, pod.Original, apply.ForNewPod))
	return action, nil
}

// takesNothing reports whether the eviction of a pod takes nothing from anybody, so that only how many go is bounded: no node has taken
// it, or it is down for lack of the memory that its successor gets. Of such a pod the API server itself says whether a
// PodDisruptionBudget keeps it.
func takesNothing(now time.Time, w Workload, p Pod) bool {
	return p.Unschedulable || downForMemory(now, w, p)
}

// killedLately is how long ago a kill may be that a pod is down for: twelve times the longest pause before a container is started again.
const killedLately = time.Hour

// downForMemory reports whether the pod is not ready, one of its containers was killed for lack of memory lately, and its successor gets
// more. Not being ready is not enough: a pod that has just lost what it depends on would be back in seconds.
func downForMemory(now time.Time, w Workload, p Pod) bool {
	if p.Ready {
		return false
	}
	successor := apply.Desired(w.Values, p.Original, apply.ForNewPod)
	return slices.ContainsFunc(p.Troubles, func(t Trouble) bool {
		has, wants := memoryBound(p.Actual[t.Container]), memoryBound(successor[t.Container])
		return t.What == TroubleOOM && now.Sub(t.At) <= killedLately && has < w.OOMFloorBytes[t.Container] && has < wants
	})
}

// memoryBound is the memory in bytes at which a container is killed: its limit, and without one what it requests, because it is then
// among the first to go.
func memoryBound(r apply.Resources) int64 {
	return cmp.Or(r.Limits.MemoryBytes, r.Requests.MemoryBytes)
}

// inPlace returns the containers that a resize changes, or what is in its way. It changes as much as it can: CPU alone where
// the memory cannot move.
func inPlace(now time.Time, w Workload, p Pod) (map[string]apply.Resources, *Refused) {
	switch {
	case !p.ResizeSupported:
		return nil, refuse(SkipCannotResize, "in-place resize is not offered for this pod")
	case p.ResizeRefused != "":
		if part := nextPart(w, p); part != nil {
			return part, nil
		}
		return nil, refuse(SkipResizeRefused, "the API server refused: %s", p.ResizeRefused)
	}
	drifts := apply.Drifted(w.Values, p.Original, p.Present, apply.ForRunningPod)
	switch {
	case len(drifts) == 0:
		return nil, pending(now, w, p)
	case !slices.ContainsFunc(drifts, p.canMend):
		return nil, refuse(SkipCannotResize, "only a new pod can have these sizes")
	}
	reachable, err := apply.Resize(w.Values, p.Original, p.Present)
	if err != nil {
		return nil, refuse(SkipCannotResize, "%s", err)
	}
	young := now.Sub(p.Started) < w.Disruption.StartupGrace
	changed := p.changes(reachable, w.Stale || young)
	switch {
	case len(changed) == 0 && young && !slices.ContainsFunc(drifts, isUp):
		return nil, refuse(SkipStartingUp, "it started less than %s ago, and is not lowered so soon", w.Disruption.StartupGrace)
	case len(changed) == 0, apply.WouldChangeQOS(p.Present, changed):
		return nil, refuse(SkipCannotResize, "what may be resized without a restart is not enough")
	}
	return changed, nil
}

// changes are the containers that a resize to what is reachable changes.
func (p Pod) changes(reachable map[string]apply.Resources, onlyRaise bool) map[string]apply.Resources {
	changed := map[string]apply.Resources{}
	for name, want := range reachable {
		have := p.Present[name]
		if want = restrict(want, have, p.Fixed[name], onlyRaise); want != have {
			changed[name] = want
		}
	}
	return changed
}

// canMend reports whether a resize of the pod mends the drift.
func (p Pod) canMend(d apply.Drift) bool { return d.InPlace && !p.Fixed[d.Container].has(d.Resource) }

// restrict takes out of a resize what may not move: fixed resources, and under stale sizes every lowering.
func restrict(want, have apply.Resources, fixed Fixed, onlyRaise bool) apply.Resources {
	if onlyRaise {
		want.Requests = larger(want.Requests, have.Requests)
		want.Limits = larger(want.Limits, have.Limits)
	}
	if fixed.CPU {
		want.Requests.CPUMillis, want.Limits.CPUMillis = have.Requests.CPUMillis, have.Limits.CPUMillis
	}
	if fixed.Memory {
		want.Requests.MemoryBytes, want.Limits.MemoryBytes = have.Requests.MemoryBytes, have.Limits.MemoryBytes
	}
	return want
}

func larger(a, b apply.Amounts) apply.Amounts {
	return apply.Amounts{CPUMillis: max(a.CPUMillis, b.CPUMillis), MemoryBytes: max(a.MemoryBytes, b.MemoryBytes)}
}

// pending names the state of a pod that asks for the right sizes and does not run with them.
//
//	Infeasible, in progress for over an hour        → CannotResize: the node will not do it
//	Error for long                                  → CannotResize: the kubelet tries again within minutes, in vain
//	Deferred for long, room on another node         → CannotResize: a new pod could have the sizes there
//	Deferred                                        → ResizeDeferred: the node does it when there is room
//	anything else                                   → ResizeInProgress
func pending(now time.Time, w Workload, p Pod) *Refused {
	switch {
	case p.Resize.State == ResizeInfeasible, p.Resize.State == ResizeError && now.Sub(p.Resize.Since) > urgentAfter:
		return refuse(SkipCannotResize, "the node says %s: %s", p.Resize.State, p.Resize.Message)
	case p.Resize.State == ResizeInProgress && now.Sub(p.Resize.Since) > stuckAfter:
		return refuse(SkipCannotResize, "the node has been resizing since %s", p.Resize.Since.UTC().Format(time.RFC3339))
	case p.PutOff(now, w) && p.RoomOn != "":
		return refuse(SkipCannotResize, "the node has put the resize off since %s, and node %s has room", p.Resize.Since.UTC().Format(time.RFC3339), p.RoomOn)
	case p.Resize.State == ResizeDeferred:
		return refuse(SkipResizeDeferred, "the node has put the resize off: %s", p.Resize.Message)
	case p.Resize.State == ResizeError:
		return refuse(SkipResizeInProgress, "the node failed once, and tries again: %s", p.Resize.Message)
	default:
		return refuse(SkipResizeInProgress, "the node has not carried out the resize yet")
	}
}

// PutOff reports whether the pod's node has put a resize off for so long that another node is worth a disruption: for an hour, or for
// five minutes where the pod has less memory than what killed one like it.
func (p Pod) PutOff(now time.Time, w Workload) bool {
	patience := stuckAfter
	if endangered(w, p) {
		patience = urgentAfter
	}
	return p.Resize.State == ResizeDeferred && now.Sub(p.Resize.Since) > patience
}

func isUp(d apply.Drift) bool { return d.Direction == apply.Up }

// shortage is how many times its present amount the pod needs, at least: the largest of Min ÷ Have over what it has too
// little of, 0 if there is nothing like that. A container that has nothing at all is infinitely short.
func shortage(drifts []apply.Drift) float64 {
	var worst float64
	for _, d := range drifts {
		switch {
		case d.Direction != apply.Up:
		case d.Have <= 0:
			worst = math.Inf(1)
		default:
			worst = max(worst, float64(d.Min)/float64(d.Have))
		}
	}
	return worst
}

func describe(drifts []apply.Drift) string {
	texts := make([]string, 0, len(drifts))
	for _, d := range drifts {
		texts = append(texts, d.String())
	}
	return strings.Join(texts, ", ")
}
