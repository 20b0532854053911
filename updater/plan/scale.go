package plan

import (
	"fmt"
	"time"

	"github.com/loadline-dev/loadline/apply"
)

// Cooldowns between two changes of a workload's number of pods. Lowering has the policy's lowerAfter behind it already; the
// cooldown here only keeps a number that two parties fight over from flapping.
const (
	scaleUpCooldown   = time.Minute
	scaleDownCooldown = 10 * time.Minute
)

// number is the change of the number of pods that is made now. What stops a workload, or everything, may let it pass. Otherwise it is told.
func (p *planner) number(w Workload, stopped *Refused) []candidate {
	if stopped != nil && !stopped.letsMorePass() && stopped.Reason != SkipOnHold {
		return nil // The number is not Loadline's to set.
	}
	action, refused := p.scale(w)
	if action.Kind == Scale {
		action, refused = p.pass(w, action, stopped)
	}
	if refused != nil {
		p.skipNumber(w, *w.Values.Replicas > w.Replicas, refused)
		return nil
	}
	if action.Kind != Scale {
		return nil
	}
	return []candidate{{Action: action, workload: w}}
}

// letsMorePass reports whether a workload that is stopped for this reason may get more pods: sizes that did not stay, or did harm, say
// nothing against their number.
func (r Refused) letsMorePass() bool { return r.Reason == SkipHarmed || r.Reason == SkipDidNotStick }

// pass is as much of a change of the number as is made although the workload, or everything, is stopped, or why nothing of it is. Pods up to
// what the manifest asks for are given back under the same condition as what was taken from running ones: nobody else decides on them, no
// admission is needed for it, and no manifest that is applied again takes them away.
func (p *planner) pass(w Workload, action Action, stopped *Refused) (Action, *Refused) {
	switch most := min(action.To, w.Declared); {
	case stopped != nil && (!action.Raise || !stopped.letsMorePass()):
		return action, refuse(stopped.Reason, "%s; %s", action.Reason, stopped.Message)
	case p.result.Closed == "":
		return action, nil
	case !p.exempt.givesBack || most <= action.From:
		return action, refuse(SkipClosed, "%s; %s", action.Reason, p.result.Closed)
	case most < action.To:
		action.To = most
		action.Reason += fmt.Sprintf("; %d, as the manifest asks for, are set now: %s", most, p.result.Closed)
	}
	return action, nil
}

// scale sets the number of pods, if it may be set and is not as recommended, or says what it waits for: a rollout, or the next try where
// the last one failed. It is never set to 0.
func (p *planner) scale(w Workload) (Action, *Refused) {
	if !scalable(w) || !apply.DriftedReplicas(w.Values, w.Replicas) {
		return Action{}, numberWaits(w)
	}
	target := *w.Values.Replicas
	raise := target > w.Replicas
	cooldown := scaleUpCooldown
	if !raise {
		cooldown = scaleDownCooldown
	}
	if target == 0 || !raise && w.Stale {
		return Action{}, nil
	}
	next := p.account.lastScaled[w.Key].Add(cooldown)
	if w.NotScaledFor != "" {
		next = latest(next, w.NotScaledBefore)
		what := fmt.Sprintf("%d pods run, %d are recommended, which could not be set", w.Replicas, target)
		if refused := backingOff(p.now, next, what, w.NotScaledFor); refused != nil {
			return Action{}, refused
		}
	}
	if p.now.Before(next) {
		return Action{}, nil
	}
	return Action{
		Kind: Scale, Workload: w.Key, Revision: w.Revision, From: w.Replicas, To: target, Raise: raise,
		Reason:   fmt.Sprintf("%d pods run, %d are recommended", w.Replicas, target),
		shortage: float64(target) / float64(w.Replicas),
	}, nil
}

// numberWaits says that a number is not set because a rollout is in progress, or nil. A rollout that hangs would hide that more pods do
// not come.
func numberWaits(w Workload) *Refused {
	if !w.RolloutInProgress || !apply.DriftedReplicas(w.Values, w.Replicas) {
		return nil
	}
	if w.RolloutInProgress = false; !scalable(w) {
		return nil
	}
	return refuse(SkipRollout, "%d pods run, %d are recommended, and a rollout is in progress", w.Replicas, *w.Values.Replicas)
}

// scalable reports whether the number of pods is Loadline's to set: somebody asked for it, no autoscaler owns it, nobody else set
// it lately, or to 0, or paused the rollout, and none is in progress.
func scalable(w Workload) bool {
	return w.ScaleReplicas && w.Autoscaler == "" && w.Yields == "" && w.Replicas > 0 && !w.Paused && !w.RolloutInProgress && countedKind(w)
}

// lower is how far the number of pods goes down now: not at all where that loses more than pods, or outside the policy's windows, and as far as the budgets let it.
func (p *planner) lower(c candidate) (Action, *Refused) {
	if why := c.workload.KeepsPods; why != "" {
		return c.Action, refuse(SkipKeepsPods, "%s, and none goes: %s", c.Reason, why)
	}
	if open, reason := p.windows.open(p.now, c.workload.Disruption.Windows); !open {
		return c.Action, refuse(SkipOutsideWindow, "%s, and none goes now: %s", c.Reason, reason)
	}
	return p.account.lower(c.workload, c.Action)
}
