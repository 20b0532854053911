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
// admission, and leaves the number of pods to the autoscaler. The end of an event can wait. The kill switch stops this as well. A raise that
// waits is told, and so is one that somebody else's number is in the way of.
func (p *planner) minimums(s Snapshot) []candidate {
	workloads := make(map[Key]Workload, len(s.Workloads))
	for _, w := range s.Workloads {
		workloads[w.Key] = w
	}
	var candidates []candidate
	for _, a := range s.Autoscalers {
		w := workloads[a.Target]
		w.Key = a.Target
		want, decided := wantedMinimum(p.now, w)
		if !decided {
			continue
		}
		action, moves := a.move(want, w.Revision)
		switch refused := p.minimumWaits(s, w, a, action); {
		case !moves && a.overwritten() && want > a.Min:
			p.skipNumber(w, true, refuse(SkipOverwritten, "minReplicas is %d, which somebody else wrote after it was raised to %d, and %d are needed",
				a.Min, a.Raised, want))
		case !moves:
		case refused == nil:
			candidates = append(candidates, candidate{Action: action, workload: w})
		case refused.Reason != SkipClosed || action.Raise:
			p.skipNumber(w, action.Raise, refused)
		}
	}
	return candidates
}

// minimumWaits says why a minimum is not changed now, or nil.
func (p *planner) minimumWaits(s Snapshot, w Workload, a Autoscaler, action Action) *Refused {
	if p.result.Closed != "" && (s.KillSwitch != "" || !optedOut(p.now, w)) {
		return refuse(SkipClosed, "%s; %s", action.Reason, p.result.Closed)
	}
	return backingOff(p.now, a.NotBefore, action.Reason+", which could not be done", a.NotBeforeFor)
}

// optedOut reports whether Loadline may not move the number of pods of the workload, or the workload is gone.
func optedOut(now time.Time, w Workload) bool { return automatic(now, w) != nil || !w.ScaleReplicas }

// wantedMinimum is what the minimum of the workload's autoscaler should be raised to; 0 if to nothing. It is false while a
// person's hold leaves everything as it is, and while harm leaves everything as it is that is not to be raised.
func wantedMinimum(now time.Time, w Workload) (want int32, decided bool) {
	switch {
	case optedOut(now, w):
		return 0, true
	case notOnHold(now, w) != nil, unharmed(now, w) != nil && w.Values.AutoscalerMin == nil:
		return 0, false
	case w.Values.AutoscalerMin == nil:
		return 0, true
	}
	return *w.Values.AutoscalerMin, true
}

// ours reports whether the minimum is what Loadline wrote, or what it left: an updater may have ended before it took the note away.
func (a Autoscaler) ours() bool { return a.Min == a.Raised || a.Min == a.Original && a.Ours }

// overwritten reports whether somebody else wrote the minimum after it was raised, such as a manifest that is applied again.
func (a Autoscaler) overwritten() bool { return a.Raised > 0 && !a.ours() }

// move is the change that brings the minimum to what is wanted, or false if there is nothing to do.
func (a Autoscaler) move(want int32, revision string) (Action, bool) {
	action := Action{Kind: Minimum, Workload: a.Target, Autoscaler: a.Name, UID: a.UID, Revision: revision, From: a.Min, To: a.Min, shortage: 1}
	raised := a.Raised > 0
	switch {
	case want > a.Min && a.KeptBy == "" && !a.overwritten():
		action.To, action.Raise, action.Before = want, true, a.Min
		if raised {
			action.Before = a.Original
		}
		action.shortage = float64(want) / float64(max(a.Min, 1))
		action.Reason = fmt.Sprintf("minReplicas %d is raised to %d for the demand that is expected", a.Min, want)
	case !raised || want != 0:
		return Action{}, false
	case a.ours():
		action.To = a.Original
		action.Reason = fmt.Sprintf("minReplicas goes back from %d to %d", a.Raised, a.Original)
	default:
		action.Reason = fmt.Sprintf("minReplicas stays at %d, which somebody else wrote", a.Min)
	}
	return action, true
}
