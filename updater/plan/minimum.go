package plan

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Autoscaler is a HorizontalPodAutoscaler whose minReplicas Loadline has raised, or is asked to raise.
type Autoscaler struct {
	Name string
	// Target is the workload that it scales.
	Target Key
	// Min is its minReplicas.
	Min int32
	// Original is what is put back, and Raised what Loadline wrote; Raised is 0 where it wrote nothing.
	Original, Raised int32
	// Ours says that Loadline wrote Min.
	Ours bool
	// KeptBy says who would put the minimum back; empty means nobody.
	KeptBy string
	// UID of the autoscaler, when it may be changed again after that could not be, and why it could not, in words.
	UID          types.UID
	NotBefore    time.Time
	NotBeforeFor string
}

// minimums raises the minimum of autoscalers for an event, and puts it back afterwards. It goes back also where the namespace opted
// out, or the workload or its Recommendation is gone. Nobody is overruled who wrote another number in between.
//
//	not raised, more is wanted, nobody keeps it  ──▶ raised, with a note of what was there
//	raised, more is wanted                       ──▶ raised further
//	raised, nothing is wanted                    ──▶ what was there before
//	somebody wrote another number since          ──▶ left alone; the note goes when nothing is wanted
//
// While the gate is closed or the breaker open, only those are put back whose owners opted out: that was asked for, rests on no
// admission, and leaves the number of pods to the autoscaler. The end of an event can wait. The kill switch stops this as well.
func (p *planner) minimums(s Snapshot) []candidate {
	if s.KillSwitch != "" {
		return nil
	}
	workloads := make(map[Key]Workload, len(s.Workloads))
	for _, w := range s.Workloads {
		workloads[w.Key] = w
	}
	var candidates []candidate
	for _, a := range s.Autoscalers {
		w := workloads[a.Target]
		w.Key = a.Target
		if p.result.Closed != "" && !optedOut(p.now, w) {
			continue
		}
		want, decided := wantedMinimum(p.now, w)
		action, moves := a.move(want, w.Revision)
		if !decided || !moves {
			continue
		}
		if refused := backingOff(p.now, a.NotBefore, action.Reason+", which could not be done", a.NotBeforeFor); refused != nil {
			p.skip(w, "", refused)
			continue
		}
		candidates = append(candidates, candidate{Action: action, workload: w})
	}
	return candidates
}

// optedOut reports whether Loadline may not move the number of pods of the workload, or the workload is gone.
func optedOut(now time.Time, w Workload) bool { return automatic(now, w) != nil || !w.ScaleReplicas }

// wantedMinimum is what the minimum of the workload's autoscaler should be raised to; 0 if to nothing. It is false while a
// person's hold or harm leaves everything as it is.
func wantedMinimum(now time.Time, w Workload) (want int32, decided bool) {
	switch {
	case optedOut(now, w):
		return 0, true
	case notOnHold(now, w) != nil, unharmed(now, w) != nil:
		return 0, false
	case w.Values.AutoscalerMin == nil:
		return 0, true
	}
	return *w.Values.AutoscalerMin, true
}

// move is the change that brings the minimum to what is wanted, or false if there is nothing to do.
func (a Autoscaler) move(want int32, revision string) (Action, bool) {
	action := Action{Kind: Minimum, Workload: a.Target, Autoscaler: a.Name, UID: a.UID, Revision: revision, From: a.Min, To: a.Min, shortage: 1}
	raised := a.Raised > 0
	// An updater that ended before it took the note away leaves the original.
	ours := a.Min == a.Raised || a.Min == a.Original && a.Ours
	switch {
	case want > a.Min && a.KeptBy == "" && (!raised || ours):
		action.To, action.Raise, action.Before = want, true, a.Min
		if raised {
			action.Before = a.Original
		}
		action.shortage = float64(want) / float64(max(a.Min, 1))
		action.Reason = fmt.Sprintf("minReplicas %d is raised to %d for the demand that is expected", a.Min, want)
	case !raised || want != 0:
		return Action{}, false
	case ours:
		action.To = a.Original
		action.Reason = fmt.Sprintf("minReplicas goes back from %d to %d", a.Raised, a.Original)
	default:
		action.Reason = fmt.Sprintf("minReplicas stays at %d, which somebody else wrote", a.Min)
	}
	return action, true
}
