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

// Harm finds the first trouble that the last change did to a pod of the workload. It returns the pod's index and the trouble in
// words, or false. The change need not be to the present revision: a kill makes the recommender raise the memory at once, so that
// there may be other sizes by the time the harm is seen.
//
// A trouble counts if it came while the pod was watched after the change, and if the change can be to blame for it: not if
// the pod was in trouble before, if it was only given more, or if a pod without the revision has the same trouble.
func Harm(now time.Time, w Workload) (pod int, evidence string, found bool) {
	for i, p := range w.Pods {
		if p.Touched.IsZero() || excused(p) {
			continue
		}
		for _, t := range p.Troubles {
			if t.At.After(p.Touched) && t.At.After(w.Answered) && t.At.Sub(p.Touched) <= w.Disruption.Observe && counts(now, p, t) && !common(w, p, t) {
				return i, describeHarm(p, t), true
			}
		}
	}
	return 0, "", false
}

// excused reports whether nothing that happens to the pod is the doing of what it was resized to.
func excused(p Pod) bool { return p.Mark != nil && (p.Mark.Troubled || !p.Mark.Lowers) }

// counts reports whether the trouble is more than a pause, or the start of a new pod: many containers end once or twice until what
// they need is there.
func counts(now time.Time, p Pod, t Trouble) bool {
	switch t.What {
	case TroubleNotReady:
		return now.Sub(t.At) >= unreadyFor
	case TroubleRestart:
		resized := p.Mark != nil
		return resized && p.Restarts > p.Mark.Restarts || !resized && p.Restarts > 1
	default:
		return true
	}
}

// common reports whether a pod that does not have the revision had the same kind of trouble at about that time.
func common(w Workload, changed Pod, t Trouble) bool {
	return slices.ContainsFunc(w.Pods, func(other Pod) bool {
		return other.TouchedBy != changed.TouchedBy && slices.ContainsFunc(other.Troubles, func(o Trouble) bool {
			return alike(o.What, t.What) && o.At.After(t.At.Add(-w.Disruption.Observe-time.Hour))
		})
	})
}

// alike: a crash loop begins as a restart.
func alike(a, b TroubleKind) bool {
	crash := func(k TroubleKind) bool { return k == TroubleCrashLoop || k == TroubleRestart }
	return a == b || crash(a) && crash(b)
}

func describeHarm(p Pod, t Trouble) string {
	after := t.At.Sub(p.Touched).Round(time.Second)
	if t.Container == "" {
		return fmt.Sprintf("pod %s: %s %s after it got revision %s", p.Name, t.What, after, p.TouchedBy)
	}
	has := p.Present[t.Container]
	return fmt.Sprintf("container %s of pod %s: %s %s after it got revision %s, with %s CPU and %s memory requested and a memory limit of %s",
		t.Container, p.Name, t.What, after, p.TouchedBy, apply.FormatCPU(has.Requests.CPUMillis), apply.FormatMemory(has.Requests.MemoryBytes),
		limitText(has.Limits.MemoryBytes))
}

func limitText(bytes int64) string {
	if bytes == 0 {
		return "none"
	}
	return apply.FormatMemory(bytes)
}
