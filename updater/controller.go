package updater

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/updater/breaker"
	"github.com/loadline-dev/loadline/updater/plan"
)

// controller runs one round after the other, on the leader.
type controller struct {
	interval, warmUp time.Duration
	clock            clock.WithTicker
	gatherer         gatherer
	informers        podInformers
	probe            *probe
	actor            actor
	reporter         reporter
	ledger           *ledger
	record           *record
	budget           plan.Budget
	rules            breaker.Rules
	metrics          *metrics

	started time.Time
	// wasClosed is why the last round did not act, so that only a change is logged.
	wasClosed string
	// wasKilled is what the kill switch said in the last round.
	wasKilled string
	// apiTrouble are changes that the API server did not answer, or not in time.
	apiTrouble silences
	// admitted is how the pods of workloads come from admission.
	admitted map[plan.Key]admission
}

// NeedLeaderElection makes the manager run the updater on one replica only.
func (*controller) NeedLeaderElection() bool { return true }

// Start runs a round per interval until the context ends, which also happens when leadership is lost.
func (c *controller) Start(ctx context.Context) error {
	ctx = logf.IntoContext(ctx, ctrl.Log.WithName("updater"))
	if err := c.gatherer.lost.follow(ctx, c.informers); err != nil {
		return err
	}
	c.started = c.clock.Now()
	ticker := c.clock.NewTicker(c.interval)
	defer ticker.Stop()
	for {
		if err := c.round(ctx); err != nil && ctx.Err() == nil {
			logf.FromContext(ctx).Error(err, "round failed, the next one tries again")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
	}
}

// round looks at the whole cluster once and does what the plan says.
func (c *controller) round(ctx context.Context) error {
	now := c.clock.Now()
	defer func() { c.metrics.roundSeconds.Observe(c.clock.Since(now).Seconds()) }()
	gate := c.gate(ctx, now)
	v, err := c.gatherer.gather(ctx, now, c.ledger)
	if err != nil {
		c.metrics.roundErrors.WithLabelValues("gather").Inc()
		return fmt.Errorf("gather: %w", err)
	}
	c.observe(now, v)
	c.judge(ctx, now, v)
	c.tellKillSwitch(v.killSwitch)
	result := plan.Plan(now, c.snapshot(gate, v), c.spendable())
	c.measure(ctx, result)
	done := c.carryOut(ctx, c.reserve(ctx, result.Actions))
	err = c.report(ctx, now, v, result)
	c.reporter.tell(v, done)
	if err != nil {
		c.metrics.roundErrors.WithLabelValues("report").Inc()
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// report writes what there is to tell for the time of a round at most. What is left is told after the next look at the kill switch.
func (c *controller) report(ctx context.Context, now time.Time, v view, result plan.Result) error {
	ctx, cancel := context.WithTimeout(ctx, c.interval)
	defer cancel()
	return c.reporter.report(ctx, now, v, result, c.ledger)
}

// snapshot is what the plan rests on.
func (c *controller) snapshot(gate plan.Gate, v view) plan.Snapshot {
	state := c.record.breaker
	snapshot := plan.Snapshot{Gate: gate, KillSwitch: v.killSwitch, Cures: state.OnlyOOMKills(), GivesBack: mayGiveBack(state), Autoscalers: v.autoscalers, Free: v.free}
	if state.Phase == breaker.Open {
		snapshot.Breaker = state.Reason()
	}
	for _, s := range v.subjects {
		snapshot.Workloads = append(snapshot.Workloads, s.Workload)
	}
	return snapshot
}

// mayGiveBack reports whether the circuit breaker, if it is open, lets pass what was taken from pods. An API server in trouble is not helped by
// more requests, and a cluster whose pods find no node not by larger ones: what was taken may be the room that they wait for.
func mayGiveBack(state breaker.State) bool {
	return !state.HasCause(breaker.APITrouble) && !state.HasCause(breaker.PendingPods)
}

// spendable is the budget with what is spent of it, and little of it while the circuit breaker tries whether the cluster bears more.
func (c *controller) spendable() plan.Budget {
	budget := c.budget
	if c.record.breaker.Phase == breaker.Trial {
		budget = budget.Tenth()
	}
	budget.Spent = c.ledger.spent
	return budget
}

// tellKillSwitch records an Event when somebody stops the updater or lets it go on.
func (c *controller) tellKillSwitch(stop string) {
	c.metrics.killSwitch.Set(0)
	if stop != "" {
		c.metrics.killSwitch.Set(1)
	}
	if stop == c.wasKilled {
		return
	}
	name := types.NamespacedName{Namespace: c.gatherer.config.Namespace, Name: c.gatherer.config.Updater.KillSwitchConfigMap}
	if stop != "" {
		c.reporter.announce(name, true, "Stopped", "every change is stopped: "+stop)
	} else {
		c.reporter.announce(name, false, "Resumed", "the kill switch is off")
	}
	c.wasKilled = stop
}

// gate stays closed while a new leader warms up: what the one before did shows in the caches by then.
func (c *controller) gate(ctx context.Context, now time.Time) plan.Gate {
	if err := c.record.read(ctx, c.ledger); err != nil {
		logf.FromContext(ctx).Error(err, "cannot tell what was done in the last hour")
		return plan.Gate{Reason: fmt.Sprintf("what was done in the last hour cannot be read from ConfigMap %s", c.record.name)}
	}
	gate := c.probe.gate(ctx, now)
	c.ledger.admits = c.probe.works()
	until := c.started.Add(c.warmUp)
	if gate.Open && now.Before(until) {
		return plan.Gate{Reason: "warming up until " + until.UTC().Format(time.RFC3339)}
	}
	gate.Ready = !now.Before(until)
	return gate
}

// reserve writes down what is about to be done. It returns the actions, the most urgent of them if the record has no room for all, or
// none if it could not write.
func (c *controller) reserve(ctx context.Context, actions []plan.Action) []plan.Action {
	if len(actions) == 0 {
		return nil
	}
	now := c.clock.Now()
	until, planned := now.Add(c.interval+actTimeout), len(actions)
	for len(actions) > 0 && !fits(now, c.ledger.withAll(actions, until)) {
		actions = actions[:len(actions)/2]
	}
	if len(actions) < planned {
		logf.FromContext(ctx).Info("the record of the last hour is full, the rest waits", "record", c.record.name, "planned", planned, "changed", len(actions))
	}
	if err := c.record.write(ctx, now, c.ledger.withAll(actions, until)); err != nil {
		c.metrics.roundErrors.WithLabelValues("reserve").Inc()
		logf.FromContext(ctx).Error(err, "nothing is changed that is not on record first, the next round tries again")
		return nil
	}
	return actions
}

// observe notes what became of earlier changes: harm, sizes that did not stay, and what nodes said about resizes.
func (c *controller) observe(now time.Time, v view) {
	present := map[plan.Key]bool{}
	stale, unhealthy := 0, 0
	for i := range v.subjects {
		s := &v.subjects[i]
		present[s.Key] = true
		if s.Stale && s.Mode != v1alpha1.ModeOff { // Nobody refreshes what has opted out.
			stale++
		}
		if s.Mode.Admits() && s.Revision != "" {
			c.watch(now, s)
			if healthyCondition(now, *s).Status == metav1.ConditionFalse {
				unhealthy++
			}
		}
	}
	c.metrics.stale.Set(float64(stale))
	c.metrics.unhealthy.Set(float64(unhealthy))
	c.ledger.tidy(now, present)
}

// watch notes what became of the changes to one workload.
func (c *controller) watch(now time.Time, s *subject) {
	if s.Harm == "" {
		if harm, found := plan.Harm(now, s.Workload); found {
			s.Harm = harm.Evidence
			failed := outcome(now, s.Workload, harm.Pod, v1alpha1.OutcomeFailed, harm.Evidence)
			failed.Revision = harm.Revision
			c.ledger.note(s.Key, failed)
		}
	}
	if trial, passed := plan.Passed(now, s.Workload); passed && s.Harm == "" && trial != s.Trial {
		s.Trial = trial
	}
	if s.Mode != v1alpha1.ModeAuto {
		return
	}
	for _, p := range s.Pods {
		if o, noticed := noticeMismatch(now, s.Workload, p, c.ledger.outcomes[s.Key]); noticed {
			c.ledger.note(s.Key, o)
			s.Unstuck = unstuck(c.ledger.outcomes[s.Key])
		}
		if result, refused := refusedByNode(p.Resize.State); refused && !c.ledger.knows(s.Key, p.UID, s.Revision, result) {
			c.ledger.note(s.Key, outcome(now, s.Workload, p, result, p.Resize.Message))
		}
	}
	c.countAnew(now, s)
}

// countAnew forgets that sizes did not stay once they do again.
func (c *controller) countAnew(now time.Time, s *subject) {
	if s.Unstuck.Times > 0 && plan.Sticks(now, s.Workload) {
		c.ledger.stuckNoMore(s.Key)
		s.Unstuck = plan.Unstuck{}
	}
}

func refusedByNode(state plan.ResizeState) (v1alpha1.OutcomeResult, bool) {
	switch state {
	case plan.ResizeDeferred:
		return v1alpha1.OutcomeDeferred, true
	case plan.ResizeInfeasible, plan.ResizeError:
		return v1alpha1.OutcomeInfeasible, true
	default:
		return "", false
	}
}

func outcome(now time.Time, w plan.Workload, p plan.Pod, result v1alpha1.OutcomeResult, message string) v1alpha1.Outcome {
	return v1alpha1.Outcome{
		Time: storedTime(now), Pod: p.Name, PodUID: p.UID, Revision: w.Revision, Result: result,
		Message: shorten(message, maxOutcomeMessage),
	}
}

// storedTime is a time as the API keeps it, to the second: finer, it would differ from what was stored in every round.
func storedTime(t time.Time) metav1.Time { return metav1.NewTime(t.Truncate(time.Second)) }

// measure publishes what a plan says, and logs when the gate opens or closes.
func (c *controller) measure(ctx context.Context, result plan.Result) {
	c.metrics.skips.Reset()
	for _, s := range result.Skips {
		c.metrics.skips.WithLabelValues(string(s.Reason)).Inc()
	}
	drifted := 0
	for _, n := range result.Drifted {
		drifted += n
	}
	for _, s := range result.Skips {
		if s.Reason == plan.SkipOnlyLowering {
			drifted-- // It is in skipped: nothing is left to do about it.
		}
	}
	c.metrics.drifted.Set(float64(drifted))
	c.metrics.gateOpen.Set(0)
	if result.Closed == "" {
		c.metrics.gateOpen.Set(1)
	}
	if result.Closed != c.wasClosed {
		logf.FromContext(ctx).Info("whether the updater may act has changed", "open", result.Closed == "", "reason", result.Closed)
		c.wasClosed = result.Closed
	}
}
