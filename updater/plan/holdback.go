package plan

import (
	"slices"
	"time"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

// comesWithin is how long the successor of an evicted pod is expected, and shownWithin how long the caches may still show the pod itself.
const comesWithin, shownWithin = 10 * time.Minute, 10 * time.Second

// Tried reports whether the present revision has been tried, and did well.
func Tried(now time.Time, w Workload) bool {
	p := planner{now: now, account: newAccount(now, Budget{})}
	return p.trialOf(w).passed
}

// Trying reports whether the present revision is tried on pods that run, or will be as soon as something permits it. New pods should
// not get it as long as that is so. Where only new pods can show what it does, they have to get it; and so have those whose former
// sizes have long found no node. What health signals that give no values would say is not waited for without end.
func Trying(now time.Time, w Workload) bool {
	p := planner{now: now, account: newAccount(now, Budget{})}
	trial := p.trialOf(w)
	if trial.passed || trial.late || slices.ContainsFunc(w.Pods, func(pod Pod) bool { return displaced(w, pod) }) {
		return false
	}
	w.Stale, w.Disruption.StartupGrace = false, 0 // They only put it off.
	if w.Updater == v1alpha1.UpdaterEvict {
		return triedByEviction(now, w)
	}
	return slices.ContainsFunc(w.Pods, func(pod Pod) bool {
		changed, obstacle := inPlace(now, w, pod)
		return tries(w, pod) || obstacle == nil && apply.Lowers(pod.Present, changed)
	})
}

// triedByEviction is Trying where a revision comes to pods by eviction alone. The first one that has it is the successor of an evicted
// pod, which nobody can tell from other new pods; so all of them get it from the round before the eviction until that one has come:
//
//	pods may be evicted, none has the revision ───────▶ new pods are kept from it
//	the next round is to evict the first one ─────────▶ they get it, see planner.admitFirst
//	its successor is awaited ─────────────────────────▶ they get it
//	a pod has it ─────────────────────────────────────▶ they are kept from it until the trial is passed
//	no pod may ever be evicted ───────────────────────▶ they get it: nobody else could try it
//
// What pods are already well with, within the band, is not tried again.
func triedByEviction(now time.Time, w Workload) bool {
	switch {
	case !evictable(w), awaited(now, w),
		slices.ContainsFunc(w.Pods, func(pod Pod) bool { return bears(now, w, pod) }):
		return false
	default:
		return slices.ContainsFunc(w.Pods, func(pod Pod) bool { return tries(w, pod) || toBeLowered(now, w, pod) })
	}
}

// evictable reports whether pods of the workload are evicted at all. Of others, those that were kept from a revision would never get it.
func evictable(w Workload) bool {
	return countedKind(w) && w.NoEviction == "" && w.NoSuccessor == "" && w.Replicas >= max(w.Disruption.MinReplicas, 2) && w.Disruption.EvictionsPerHour > 0
}

// awaited reports whether the successor of a pod that was evicted for the revision has not come yet. That of a pod of a StatefulSet comes only after
// the pod has ended, however long that takes. Where no pod is missing, the successor is there, whatever its time of creation says: that is of
// the API server's clock, and an eviction's is of the updater's.
func awaited(now time.Time, w Workload) bool {
	after, present, going, came := w.Evicted.Truncate(time.Second), 0, false, false
	for _, pod := range w.Pods {
		if pod.Terminating {
			going = true
			continue
		}
		present++
		came = came || !pod.Created.Before(after)
	}
	age := now.Sub(w.Evicted)
	switch {
	case w.Evicted.IsZero(), came, present >= int(w.Replicas) && age >= shownWithin:
		return false
	default:
		return age < comesWithin || going
	}
}

// bears reports whether the pod has been well for a whole watch with no more than what new pods get, within the band.
func bears(now time.Time, w Workload, pod Pod) bool {
	since := pod.Created
	if pod.Touched.After(since) {
		since = pod.Touched
	}
	return pod.Running && pod.Ready && !pod.Terminating && now.Sub(since) >= w.Disruption.Observe && !hasTooMuch(w, pod)
}

func hasTooMuch(w Workload, pod Pod) bool {
	return slices.ContainsFunc(driftedFrom(w, pod, apply.ForNewPod), func(d apply.Drift) bool { return d.Direction == apply.Down })
}

// toBeLowered reports whether the pod will be evicted because it has too much, once a window, a budget or a rollout permits it.
func toBeLowered(now time.Time, w Workload, pod Pod) bool {
	if pod.Terminating || !pod.Running || pod.Denied || !hasTooMuch(w, pod) {
		return false
	}
	// A budget that allows nothing although all pods are ready never does.
	if budgetAllows(now, w, pod) != nil && !slices.ContainsFunc(w.Pods, func(other Pod) bool { return !other.Ready || other.Terminating }) {
		return false
	}
	rules := []evictionRule{replaceable, notPinned, sticks, oneDisruptionBudget}
	return firstRefusal(rules, func(rule evictionRule) *Refused { return rule(now, w, pod) }) == nil
}

// admitFirst puts an eviction that tries the revision off to the next round, if new pods are still kept from it: the successor would be, too.
func (p *planner) admitFirst(c candidate) *Refused {
	if c.Kind != Evict || c.workload.Updater != v1alpha1.UpdaterEvict || !c.workload.HeldBack {
		return nil
	}
	p.result.Admit[c.Workload] = true
	return refuse(SkipWatching, "new pods get revision %s from now on, and the pod is evicted in the next round", c.Revision)
}
