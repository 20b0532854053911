package updater

import (
	"slices"
	"time"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/updater/plan"
)

// knownHarm is why a revision must not be applied: harm that was not answered yet, whichever revision did it, or a rollback from
// this one that had nothing to give back and holds.
func knownHarm(now time.Time, revision string, outcomes []v1alpha1.Outcome, rollback *v1alpha1.Rollback) string {
	if rollback.Holds(now) && rollback.Revision == revision {
		return rollback.Evidence
	}
	for _, o := range outcomes {
		if o.Result == v1alpha1.OutcomeFailed && !rollback.Answers(o.Time.Time) {
			return o.Message
		}
	}
	return ""
}

// forgetStuck is how long after a workload was left alone for sizes that did not stay the next time is the first one again.
const forgetStuck = 7 * 24 * time.Hour

// unstuck counts how often pods did not have or keep their sizes, whichever revision these were of: who changes them does not ask for it,
// and there are several revisions in a day. What is seen while the workload is left alone for it, on its other pods, is the same failure and
// does not lengthen the time. The count begins anew if nothing was seen for a week; see also ledger.stuckNoMore.
func unstuck(outcomes []v1alpha1.Outcome) plan.Unstuck {
	var u plan.Unstuck
	for _, o := range slices.Backward(outcomes) { // the oldest first
		at := o.Time.Time
		if o.Result != v1alpha1.OutcomeDidNotStick || at.Before(u.Until()) {
			continue
		}
		if at.Sub(u.Since()) > forgetStuck {
			u = plan.Unstuck{}
		}
		u.Times, u.Last, u.Message = u.Times+1, at, o.Message
	}
	return u
}

// lastEviction is when a pod was evicted for the revision last, or zero.
func lastEviction(outcomes []v1alpha1.Outcome, revision string) time.Time {
	for _, o := range outcomes { // newest first
		if o.Result == v1alpha1.OutcomeEvicted && o.Revision == revision {
			return o.Time.Time
		}
	}
	return time.Time{}
}

// health tells whether the policy's health signals have to be compared for the revision, because a pod lost something by it, and when
// they last were since it has been applicable.
func health(past history, signals []v1alpha1.Signal, check *v1alpha1.HealthCheck) plan.Health {
	var h plan.Health
	lowered := slices.ContainsFunc(past.outcomes, func(o v1alpha1.Outcome) bool { return o.Revision == past.revision && o.Changed() && o.Lowers })
	h.Wanted = lowered && slices.ContainsFunc(signals, func(s v1alpha1.Signal) bool { return s.Role == v1alpha1.SignalHealth })
	if check != nil && check.Revision == past.revision && !check.Time.Time.Before(past.since.Truncate(time.Second)) {
		h.Checked = check.Time.Time
	}
	return h
}

func oomFloors(floors []v1alpha1.OOMFloor) map[string]int64 {
	out := make(map[string]int64, len(floors))
	for _, f := range floors {
		out[f.Container] = f.Floor.Value()
	}
	return out
}

// noticeMismatch returns what has to be noted of a pod that does not have, or did not keep, what it was given: once for every
// time that it was given. What was given before the workload was left alone for it, or meanwhile, is the same failure, however many
// pods show it and whoever sees them first.
func noticeMismatch(now time.Time, w plan.Workload, p plan.Pod, outcomes []v1alpha1.Outcome) (v1alpha1.Outcome, bool) {
	message := plan.Mismatch(w, p)
	if message == "" || p.Terminating || given(w.Revision, p).Before(w.Unstuck.Until()) {
		return v1alpha1.Outcome{}, false
	}
	for _, o := range outcomes { // newest first
		switch {
		case o.PodUID != p.UID || o.Revision != w.Revision:
		case o.Result == v1alpha1.OutcomeDidNotStick:
			return v1alpha1.Outcome{}, false
		case o.Result == v1alpha1.OutcomeResized:
			return outcome(now, w, p, v1alpha1.OutcomeDidNotStick, message), true
		}
	}
	return outcome(now, w, p, v1alpha1.OutcomeDidNotStick, message), true
}

// given is when the pod was asked to have the revision, or came from admission.
func given(revision string, p plan.Pod) time.Time {
	if p.Mark != nil && p.Mark.Revision == revision {
		return p.Mark.At
	}
	return p.Created
}
