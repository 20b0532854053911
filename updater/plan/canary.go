package plan

import (
	"cmp"
	"slices"
	"time"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

// trial is how far a workload's revision was tried on its first pods.
type trial struct {
	// passed means that any number of pods may follow.
	passed bool
	// room is how many more pods may be changed now.
	room int
	// waiting says what is waited for.
	waiting *Refused
	// watched means that enough pods were well, and only the health signals are missing; late, that they are missing for so long
	// that there may be none.
	watched, late bool
}

// signalsLate is how long after the watch health signals are waited for before something is raised without them: those that have
// values are compared within minutes.
const signalsLate = 30 * time.Minute

// enoughFor reports whether an eviction that raises something goes ahead without the health signals, which may never have a value. One
// that lowers something else waits for them for a while.
func (t trial) enoughFor(a Action) bool {
	return a.Kind == Evict && a.Raise && (t.watched && !a.Lowers || t.late)
}

// trialOf derives the state of the trial from the pods alone, so that a restart changes nothing:
//
//	no canary, or enough pods have the revision and were well for long enough ─▶ passed
//	fewer pods than that have the revision ────────────────────────────────────▶ room for the rest
//	else ──────────────────────────────────────────────────────────────────────▶ waiting
//
// A pod that is missing counts as changed: its successor may come with the revision.
func (p *planner) trialOf(w Workload) trial {
	if w.Disruption.CanaryPods <= 0 {
		return trial{passed: true}
	}
	var seen trialCount
	for _, pod := range w.Pods {
		if !pod.Terminating && !p.account.evicted[pod.UID] {
			seen.add(p.now, w, pod)
		}
	}
	needed := min(int(w.Disruption.CanaryPods), max(seen.present, 1))
	if seen.well >= needed {
		return trial{passed: true}
	}
	if missing := int(w.Replicas) - seen.present; missing > 0 && mayHaveEvicted(w) {
		seen.changed += missing
		seen.waiting = cmp.Or(seen.waiting, refuse(SkipWatching, "revision %s is tried on few pods first, and %d pods are missing", w.Revision, missing))
	}
	return trial{room: needed - seen.changed, waiting: seen.waiting, watched: seen.watched >= needed, late: seen.well+seen.late >= needed}
}

// trialCount counts the pods that are there, those of them that show what the revision does, those of them that were well, and those
// of them for which health signals were compared, or are late. The last one that is waited for says why.
type trialCount struct {
	present, changed, watched, well, late int
	waiting                               *Refused
}

func (c *trialCount) add(now time.Time, w Workload, pod Pod) {
	c.present++
	if !tries(w, pod) {
		return
	}
	c.changed++
	if not := notYetWell(now, w, pod); not != nil {
		c.waiting = not
		return
	}
	c.watched++
	if !w.Health.Wanted || w.Health.Checked.After(w.Answered) {
		c.well++
		return
	}
	c.waiting = refuse(SkipWatching, "revision %s is tried on pod %s first, and the health signals have not been compared yet", w.Revision, pod.Name)
	if now.Sub(pod.Change) >= w.Disruption.Observe+signalsLate {
		c.late++
	}
}

// mayHaveEvicted reports whether a pod of the workload that is missing may have been evicted.
func mayHaveEvicted(w Workload) bool {
	return countedKind(w) && w.Updater != v1alpha1.UpdaterInPlace && w.NoEviction == ""
}

// tries reports whether the pod shows what the present revision does: it was lowered to it, or came with it and needs no resize. A
// pod that was only given more shows nothing, and neither does one whose node cannot resize it.
func tries(w Workload, pod Pod) bool {
	if pod.Change.IsZero() || Mismatch(w, pod) != "" || pod.Resize.State == ResizeInfeasible || pod.Resize.State == ResizeError {
		return false
	}
	if pod.Mark != nil && pod.Mark.Revision == w.Revision {
		return pod.Mark.Lowers
	}
	return len(drifted(w, pod)) == 0
}

// notYetWell says what a pod that tries the revision still has to show, health signals aside.
func notYetWell(now time.Time, w Workload, pod Pod) *Refused {
	until := pod.Change.Add(w.Disruption.Observe)
	switch {
	case now.Before(until):
		return refuse(SkipWatching, "revision %s is tried on pod %s first, until %s", w.Revision, pod.Name, until.UTC().Format(time.RFC3339))
	case !pod.Ready:
		return refuse(SkipWatching, "revision %s is tried on pod %s first, which is not ready", w.Revision, pod.Name)
	case pod.Resize.State != ResizeNone:
		return refuse(SkipWatching, "revision %s is tried on pod %s first, which the node has not resized", w.Revision, pod.Name)
	default:
		return nil
	}
}

// needsTrial reports whether an action waits for the trial. A resize that only raises takes nothing away from a pod that runs; of one
// that does both, the raise goes ahead, see raiseOnly.
// An eviction disturbs, so it waits even where it raises; but not for a pod that will be killed if it waits.
func needsTrial(w Workload, pod Pod, action Action) bool {
	switch action.Kind {
	case Resize:
		return action.Lowers
	case Evict:
		return !action.Raise || !endangered(w, pod)
	default:
		return false
	}
}

// raiseOnly is the part of a resize that takes nothing away, and false if there is none.
func (p *planner) raiseOnly(c candidate) (candidate, bool) {
	raised := map[string]apply.Resources{}
	for name, want := range c.Containers {
		have := c.pod.Present[name]
		if want = restrict(want, have, Fixed{}, true); want != have {
			raised[name] = want
		}
	}
	if c.Kind != Resize || len(raised) == 0 || apply.WouldChangeQOS(c.pod.Present, raised) {
		return c, false
	}
	c.Containers, c.Lowers, c.Mark = raised, false, p.mark(c.workload, c.pod, raised)
	return c, true
}

// endangered reports whether a container that is sized runs with less memory than what killed one like it. To others, such as excluded
// ones, an eviction gives nothing.
func endangered(w Workload, pod Pod) bool {
	return slices.ContainsFunc(w.Values.Containers, func(c apply.Container) bool {
		have, runs := pod.Actual[c.Name]
		return runs && memoryBound(have) < w.OOMFloorBytes[c.Name]
	})
}
