package plan

import (
	"fmt"
	"slices"
	"time"

	"github.com/loadline-dev/loadline/apply"
)

// unreadyFor is how long a pod has to be without readiness for it to count: a pause of a few seconds is none of a change's
// business.
const unreadyFor = 30 * time.Second

// Harmed is a pod that came to harm by a change.
type Harmed struct {
	Pod Pod
	// Revision that did it, and what happened in words.
	Revision, Evidence string
}

// touch is a change to a pod that may still do harm.
type touch struct {
	at time.Time
	by string
	// fresh is true where the pod was new, restarts how often its containers may have been started again without harm.
	fresh    bool
	restarts int32
	// excused is true where nothing that happens to the pod is the doing of the change.
	excused bool
}

// Harm finds the first trouble that a change did to a pod of the workload, or says false. The change need not be to the present
// revision: a kill makes the recommender raise the memory at once, so that there may be other sizes by the time the harm is seen, and
// pods that a rollout brought may still have the sizes before them.
//
// A trouble counts if it came while the pod was watched after the change, and if the change can be to blame for it: not if the pod was
// in trouble before, if it was only given more, if a pod without the revision has the same trouble, or if it is that of another
// version of the workload.
func Harm(now time.Time, w Workload) (Harmed, bool) {
	for _, p := range slices.Concat(w.Pods, w.Lost) {
		if len(p.Troubles) == 0 {
			continue
		}
		for _, c := range touches(w, p) {
			for _, t := range p.Troubles {
				if c.watches(w, t) && c.counts(now, w, p, t) && !common(w, c, t) && !otherVersion(w, p, c, t) {
					return Harmed{Pod: p, Revision: c.by, Evidence: describeHarm(w, p, c, t)}, true
				}
			}
		}
	}
	return Harmed{}, false
}

// touches lists the changes to a pod that are known, the last one first.
func touches(w Workload, p Pod) []touch {
	admission := func(at time.Time, by string) touch {
		return touch{at: at, by: by, fresh: true, restarts: 1, excused: p.HeldBack || !admittedWithLess(w, p)}
	}
	resize := func(m Mark) touch {
		return touch{at: m.At, by: m.Revision, restarts: m.Restarts, excused: m.Troubled || !m.Lowers}
	}
	var all []touch
	switch {
	case p.Touched.IsZero(): // It has something else by now.
	case p.Mark == nil:
		all = append(all, admission(p.Touched, p.TouchedBy))
	default:
		all = append(all, resize(*p.Mark))
	}
	if p.Mark != nil && p.Mark.Before != nil {
		all = append(all, resize(*p.Mark.Before))
	}
	if p.Mark != nil && p.InjectedRevision != "" {
		all = append(all, admission(p.Created, p.InjectedRevision))
	}
	return all
}

// admittedWithLess reports whether admission gave the pod less than its template asks for, or than what was good before.
func admittedWithLess(w Workload, p Pod) bool {
	return apply.Lowers(p.Original, p.Present) || apply.Lowers(apply.Desired(w.Good, p.Original, apply.ForNewPod), p.Present)
}

// nodesAhead is how far the clock of a node may be ahead: what it saw before an answer may seem to have come after it.
const nodesAhead = time.Minute

// watches reports whether the trouble came within the watch after the change, and was not answered.
func (c touch) watches(w Workload, t Trouble) bool {
	return !c.excused && t.At.After(c.at) && t.At.After(w.Answered.Add(nodesAhead)) && t.At.Sub(c.at) <= w.Disruption.Observe
}

// otherVersion reports whether the trouble is that of a new version of the workload: pods of another template came through the watch
// with the same revision. A kill for lack of memory is ours all the same where the pod has less than its template asks for, and so is an
// eviction for it.
func otherVersion(w Workload, p Pod, c touch, t Trouble) bool {
	if !c.fresh || w.Trial.Revision != c.by || p.Template == "" || p.Template == w.Trial.Template {
		return false
	}
	switch t.What {
	case TroubleOOM:
		return !lowersMemory(p.Original[t.Container], p.Present[t.Container])
	case TroubleEvicted:
		return !requestsLess(w, p, t.Container)
	default:
		return true
	}
}

// requestsLess reports whether Loadline lowered the memory that a container of the pod requests, or that of any of them where none is named:
// compared with its template, with what was good before, or with what it had before a resize. Limits have no part in whom a node evicts.
func requestsLess(w Workload, p Pod, container string) bool {
	good := apply.Desired(w.Good, p.Original, apply.ForNewPod)
	for name, has := range p.Present {
		had := max(p.had(name).Requests.MemoryBytes, good[name].Requests.MemoryBytes)
		if (container == "" || container == name) && has.Requests.MemoryBytes < had {
			return true
		}
	}
	return false
}

func lowersMemory(from, to apply.Resources) bool {
	from.Requests.CPUMillis, from.Limits.CPUMillis = to.Requests.CPUMillis, to.Limits.CPUMillis
	return from.Lowers(to)
}

// Passed returns the revision and the template of the newest pod that came through the watch with the present revision, and false if
// there is none. A pod that was resized counts only where new pods may use as much as their template says: it had started with more, and
// what a container needs for its start shows on none that runs.
func Passed(now time.Time, w Workload) (Trial, bool) {
	var newest Pod
	for _, p := range w.Pods {
		started := p.Mark == nil || !startsWithLess(w, p)
		if p.Template != "" && started && p.cameThrough(now, w) && (newest.Template == "" || p.Created.After(newest.Created)) {
			newest = p
		}
	}
	return Trial{Revision: w.Revision, Template: newest.Template}, newest.Template != ""
}

// startsWithLess reports whether a new pod like this one gets a lower limit than its template asks for, of CPU or of memory.
func startsWithLess(w Workload, p Pod) bool {
	limits := func(all map[string]apply.Resources) map[string]apply.Resources {
		only := make(map[string]apply.Resources, len(all))
		for name, r := range all {
			only[name] = apply.Resources{Limits: r.Limits}
		}
		return only
	}
	return apply.Lowers(limits(p.Original), limits(apply.Desired(w.Values, p.Original, apply.ForNewPod)))
}

// cameThrough reports whether the pod was well with the present revision for as long as changes are watched.
func (p Pod) cameThrough(now time.Time, w Workload) bool {
	if p.Touched.IsZero() || p.TouchedBy != w.Revision || now.Sub(p.Touched) < w.Disruption.Observe {
		return false
	}
	return p.Ready && !p.Terminating && p.Resize.State == ResizeNone &&
		!slices.ContainsFunc(p.Troubles, func(t Trouble) bool { return t.At.After(p.Touched) })
}

// counts reports whether the trouble is more than a pause, or the start of a new pod: many containers end once or twice until what
// they need is there, and take their time to become ready.
func (c touch) counts(now time.Time, w Workload, p Pod, t Trouble) bool {
	switch t.What {
	case TroubleNeverReady:
		return c.fresh && (witness(w) || !proven(w, c, p)) && now.Sub(t.At) >= w.readyWithin()
	case TroubleNotReady:
		return now.Sub(t.At) >= unreadyFor
	case TroubleRestart:
		return p.Restarts > c.restarts
	case TroubleEvicted:
		return requestsLess(w, p, t.Container)
	default:
		return true
	}
}

// witness reports whether a pod of the workload is ready: what it needs is there then.
func witness(w Workload) bool {
	return slices.ContainsFunc(w.Pods, func(p Pod) bool { return p.Ready })
}

// proven reports whether a pod of the same template came through the watch with the revision before.
func proven(w Workload, c touch, p Pod) bool {
	return w.Trial.Revision == c.by && w.Trial.Template == p.Template && p.Template != ""
}

// readyWithin is how long a new pod may take to become ready: twice as long as one that is ready took, and no less than the watch.
func (w Workload) readyWithin() time.Duration {
	var usual time.Duration
	for _, p := range w.Pods {
		if p.ReadyAfter > 0 && (usual == 0 || p.ReadyAfter < usual) {
			usual = p.ReadyAfter // of the others some may have lost it in between
		}
	}
	return max(2*usual, w.Disruption.Observe)
}

// common reports whether a pod that never got the revision had the same kind of trouble at about that time.
func common(w Workload, c touch, t Trouble) bool {
	return slices.ContainsFunc(slices.Concat(w.Pods, w.Lost), func(other Pod) bool {
		got := slices.ContainsFunc(touches(w, other), func(o touch) bool { return o.by == c.by })
		return !got && slices.ContainsFunc(other.Troubles, func(o Trouble) bool {
			return alike(o.What, t.What) && o.At.After(t.At.Add(-w.Disruption.Observe-time.Hour))
		})
	})
}

// alike: a crash loop begins as a restart, and what takes readiness from one pod keeps a new one from getting it.
func alike(a, b TroubleKind) bool {
	crash := func(k TroubleKind) bool { return k == TroubleCrashLoop || k == TroubleRestart }
	unready := func(k TroubleKind) bool { return k == TroubleNotReady || k == TroubleNeverReady }
	return a == b || crash(a) && crash(b) || unready(a) && unready(b)
}

func describeHarm(w Workload, p Pod, c touch, t Trouble) string {
	if t.What == TroubleNeverReady {
		return fmt.Sprintf("pod %s: came with revision %s, and was not ready %s after its containers had started", p.Name, c.by, w.readyWithin())
	}
	after := t.At.Sub(c.at).Round(time.Second)
	if t.Container == "" {
		return fmt.Sprintf("pod %s: %s %s after it got revision %s", p.Name, t.What, after, c.by)
	}
	has := p.Present[t.Container]
	return fmt.Sprintf("container %s of pod %s: %s %s after it got revision %s, with %s CPU and %s memory requested and a memory limit of %s",
		t.Container, p.Name, t.What, after, c.by, apply.FormatCPU(has.Requests.CPUMillis), apply.FormatMemory(has.Requests.MemoryBytes),
		limitText(has.Limits.MemoryBytes))
}

func limitText(bytes int64) string {
	if bytes == 0 {
		return "none"
	}
	return apply.FormatMemory(bytes)
}
