package updater

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/updater/breaker"
	"github.com/loadline-dev/loadline/updater/plan"
)

const (
	// slowAnswer is how long a change may take before it counts as trouble of the API server.
	slowAnswer = 3 * time.Second
	// pendingFor is how long a pod has to be without a node for it to count.
	pendingFor = time.Minute
)

// recent are the times of what happened of late.
type recent []time.Time

func (r *recent) add(at time.Time) { *r = append(*r, at) }

// within counts what happened in the window that ends now, and forgets what is older.
func (r *recent) within(now time.Time, window time.Duration) int {
	*r = slices.DeleteFunc(*r, func(at time.Time) bool { return now.Sub(at) >= window })
	return len(*r)
}

func rulesOf(cfg config.Breaker) breaker.Rules {
	return breaker.Rules{
		Window: cfg.Window.Duration, Quiet: cfg.Quiet.Duration,
		Minimum: map[breaker.Signal]int{
			breaker.OOMKills: cfg.OOMKills, breaker.PendingPods: cfg.PendingPods, breaker.UnsizedWorkloads: cfg.UnsizedWorkloads,
			breaker.ProbeFailures: cfg.ProbeFailures, breaker.APITrouble: cfg.APITrouble,
		},
	}
}

// judge counts what the circuit breaker looks at, and tells when it opens or closes. It looks at nothing while its state cannot
// be read: the gate is closed then.
func (c *controller) judge(ctx context.Context, now time.Time, v view) {
	if c.record.known == nil {
		return
	}
	counts := v.counts
	counts[breaker.UnsizedWorkloads] = c.unsized(now, v)
	counts[breaker.ProbeFailures] = c.probe.failures.within(now, c.rules.Window)
	counts[breaker.APITrouble] = c.apiTrouble.within(now, c.rules.Window)
	before := c.record.breaker
	after := breaker.Next(now, before, counts, c.rules)
	c.record.breaker = after
	c.metrics.judged(after, counts, c.rules)
	if before.Phase != after.Phase && !before.Looked.IsZero() {
		reason := after.Reason()
		if reason == "" {
			reason = "the circuit breaker is closed: a trial went well"
		}
		logf.FromContext(ctx).Info("the circuit breaker has changed", "phase", after.Phase, "reason", reason)
		c.reporter.announce(c.record.name, after.Phase == breaker.Open, "Breaker"+string(after.Phase), reason)
	}
	if c.record.due(now) {
		if err := c.record.write(ctx, now, c.ledger.spent); err != nil {
			logf.FromContext(ctx).Error(err, "the circuit breaker's state is not on record, the next round tries again")
		}
	}
}

// unsized counts the workloads that have a pod which came from admission without sizes although it should have got them.
func (c *controller) unsized(now time.Time, v view) int {
	admitted := map[plan.Key]time.Time{}
	n := 0
	for _, s := range v.subjects {
		if !s.Mode.Admits() || !s.labelled || s.Revision == "" {
			continue
		}
		first, known := c.admitted[s.Key]
		if !known {
			first = now
		}
		admitted[s.Key] = first
		since := first.Add(clockSkew) // The webhook's caches are younger than that.
		if slices.ContainsFunc(s.Pods, func(p plan.Pod) bool {
			return p.Created.After(since) && now.Sub(p.Created) < c.rules.Window && cameUnsized(s.Values, p)
		}) {
			n++
		}
	}
	c.admitted = admitted
	return n
}

// cameUnsized reports whether admission should have given the pod sizes and did not write that it did.
func cameUnsized(v apply.Values, p plan.Pod) bool {
	return p.InjectedRevision == "" && !p.Terminating && apply.QOSClass(p.Present) != corev1.PodQOSBestEffort &&
		slices.ContainsFunc(v.Containers, func(c apply.Container) bool { _, has := p.Present[c.Name]; return has })
}

// counts what the status of the cluster's pods tells: kills for lack of memory within the window, and pods without a node.
func (c *cluster) counts(now time.Time, window time.Duration) breaker.Counts {
	counts := breaker.Counts{}
	for i := range c.pods {
		counts[breaker.OOMKills] += killedSince(&c.pods[i], now.Add(-window))
		if waitsForRoom(&c.pods[i], now) {
			counts[breaker.PendingPods]++
		}
	}
	return counts
}

func killedSince(pod *corev1.Pod, since time.Time) int {
	n := 0
	for _, t := range troubles(pod) {
		if t.What == plan.TroubleOOM && t.At.After(since) {
			n++
		}
	}
	return n
}

func waitsForRoom(pod *corev1.Pod, now time.Time) bool {
	return pod.Status.Phase == corev1.PodPending && pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable &&
			now.Sub(c.LastTransitionTime.Time) >= pendingFor
	})
}
