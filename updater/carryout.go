package updater

import (
	"context"
	"time"

	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/updater/plan"
)

// answered is an action and what the API server said to it.
type answered struct {
	plan.Action
	answer  answer
	message string
}

// carryOut does what the plan says, in its order, and notes every answer. It ends early when the leadership is lost, or after the time of a
// whole round: what it rests on, the kill switch and the probe first of all, is looked at again before more is done. Where there is no
// answer, the rest of the namespace waits, because the API server may have to ask a webhook of its own there; if there is none in a
// second one either, everything does.
func (c *controller) carryOut(ctx context.Context, actions []plan.Action) []answered {
	var done []answered
	begun, silent := c.clock.Now(), map[string]bool{}
	for _, action := range actions {
		if ctx.Err() != nil || c.clock.Since(begun) > c.interval || len(silent) > 1 {
			break
		}
		asked := c.clock.Now()
		if answeredAlready(asked, c.ledger, silent, action) {
			continue
		}
		if action.Kind == plan.Evict && !c.probe.beforeEviction(ctx, asked) {
			break
		}
		got, message := c.actor.do(ctx, action)
		if now := c.clock.Now(); got == answerUnavailable || now.Sub(asked) > slowAnswer {
			c.apiTrouble.add(action.Workload.Namespace, now)
		}
		c.metrics.actions.WithLabelValues(string(action.Kind), string(got)).Inc()
		logf.FromContext(ctx).Info("asked the API server for a change", "kind", action.Kind, "answer", got,
			"workload", action.Workload.String(), "pod", action.Pod, "revision", action.Revision, "message", message)
		c.remember(action, got, message)
		done = append(done, answered{action, got, message})
		if got == answerUnavailable {
			silent[action.Workload.Namespace] = true
		}
	}
	if len(actions) > 0 {
		c.settle(ctx)
	}
	return done
}

// answeredAlready reports whether another action of the round was answered for this one, too: by nobody in its namespace, or by whoever denies what
// is done to all pods of its workload.
func answeredAlready(now time.Time, memory *ledger, silent map[string]bool, action plan.Action) bool {
	return silent[action.Workload.Namespace] || now.Before(memory.waits(action.Kind, action.Workload, "").until)
}

// settle writes down what was done in place of what was to be done.
func (c *controller) settle(ctx context.Context) {
	if err := c.record.write(ctx, c.clock.Now(), c.ledger.spent); err != nil {
		logf.FromContext(ctx).Error(err, "what was to be done stays on record as if it all had been")
	}
}

// remember notes the answer to an action.
func (c *controller) remember(action plan.Action, got answer, message string) {
	now := c.clock.Now()
	ofNumber := action.Kind == plan.Scale || action.Kind == plan.Minimum
	if got == answerDone || got.waits() || ofNumber && got == answerRefused {
		c.ledger.backOff(now, action, got, message)
	}
	if action.Kind == plan.Minimum { // The autoscaler itself tells what was done to it.
		return
	}
	c.account(now, action, got)
	var result v1alpha1.OutcomeResult
	switch {
	case action.Kind == plan.Scale:
		return
	case got == answerDone && action.Kind == plan.Resize:
		result = v1alpha1.OutcomeResized
	case got == answerDone:
		result = v1alpha1.OutcomeEvicted
	case got == answerRefused:
		result = v1alpha1.OutcomeRefused
	default:
		return
	}
	c.ledger.note(action.Workload, v1alpha1.Outcome{
		Time: storedTime(now), Pod: action.Pod, PodUID: action.UID, Revision: action.Revision, Result: result, Lowers: action.Lowers,
		Message: shorten(message, maxOutcomeMessage),
	})
}

// account notes what an action costs.
func (c *controller) account(now time.Time, action plan.Action, got answer) {
	switch got {
	case answerDone:
		c.ledger.spend(now, action)
	case answerRefused:
		action.To = action.From         // No pod went, so only the cooldown begins.
		if action.Kind != plan.Resize { // A resize that was refused changed nothing, and the next one is longer in coming each time.
			c.ledger.spend(now, action)
		}
	case answerUnavailable: // It may have been done all the same.
		c.ledger.spend(now, action)
	case answerDisruptionBudget, answerSeveralBudgets, answerDenied, answerNotPermitted, answerGone, answerChanged:
	}
}
