package updater

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/internal/owner"
	"github.com/loadline-dev/loadline/updater/breaker"
	"github.com/loadline-dev/loadline/updater/plan"
)

const (
	// slowAnswer is how long a change may take before it counts as trouble of the API server.
	slowAnswer = 3 * time.Second
	// pendingFor is how long a pod has to be without a node for it to count: a new node is there within that time.
	pendingFor = 5 * time.Minute
)

// recent are the times of what happened of late.
type recent []time.Time

func (r *recent) add(at time.Time) { *r = append(*r, at) }

// within counts what happened in the window that ends now, and forgets what is older.
func (r *recent) within(now time.Time, window time.Duration) int {
	*r = slices.DeleteFunc(*r, func(at time.Time) bool { return now.Sub(at) >= window })
	return len(*r)
}

// silences are changes that the API server did not answer, or not in time, by namespace.
type silences map[string]*recent

func (s silences) add(namespace string, at time.Time) {
	if s[namespace] == nil {
		s[namespace] = &recent{}
	}
	s[namespace].add(at)
}

// within counts them against a minimum, where Loadline works in so many namespaces. As of what is counted in workloads, one namespace brings
// at most half of the minimum: the API server may have to ask a webhook that is that namespace's alone.
func (s silences) within(now time.Time, window time.Duration, minimum, namespaces int) int {
	n := 0
	for namespace, times := range s {
		here := times.within(now, window)
		if here == 0 {
			delete(s, namespace)
		}
		if namespaces > 1 {
			here = min(here, (minimum+1)/2)
		}
		n += here
	}
	return n
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
	rules := c.rules.For(v.signs.workloads)
	counts := breaker.Counts{
		breaker.OOMKills:         v.signs.killed.Count(rules.Minimum[breaker.OOMKills], v.signs.namespaces),
		breaker.PendingPods:      v.signs.pending.Count(rules.Minimum[breaker.PendingPods], v.signs.namespaces),
		breaker.UnsizedWorkloads: c.unsized(now, v).Count(rules.Minimum[breaker.UnsizedWorkloads], v.signs.namespaces),
		breaker.ProbeFailures:    c.probe.failures.within(now, rules.Window),
		breaker.APITrouble:       c.apiTrouble.within(now, rules.Window, rules.Minimum[breaker.APITrouble], v.signs.namespaces),
	}
	before := c.record.breaker
	after := breaker.Next(now, before, counts, rules)
	c.record.breaker = after
	c.metrics.judged(after, counts, rules)
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

// admission is what is known of how the pods of a workload come from it.
type admission struct {
	// since when the workload has been seen to be opted in.
	since time.Time
	// sized is true once a pod was seen that came with sizes. Where none ever does, admission leaves them alone on purpose, such as
	// for a LimitRange, and its Events say why.
	sized bool
}

// unsized tallies the workloads that have a pod which came from admission without sizes, although others came with some.
func (c *controller) unsized(now time.Time, v view) *breaker.Tally {
	tally := &breaker.Tally{}
	known := map[plan.Key]admission{}
	for _, s := range v.subjects {
		if !s.Mode.Admits() || !s.labelled || s.Revision == "" {
			continue
		}
		a, met := c.admitted[s.Key]
		if !met {
			a.since = now
		}
		a.sized = a.sized || slices.ContainsFunc(s.Pods, func(p plan.Pod) bool { return p.InjectedRevision != "" })
		known[s.Key] = a
		since := a.since.Add(clockSkew) // The webhook's caches are younger than that.
		if a.sized && slices.ContainsFunc(s.Pods, func(p plan.Pod) bool {
			return p.Created.After(since) && now.Sub(p.Created) < c.rules.Window && cameUnsized(s.Values, p)
		}) {
			tally.Add(s.Namespace, s.String(), true)
		}
	}
	c.admitted = known
	return tally
}

// cameUnsized reports whether admission should have given the pod sizes and did not write that it did.
func cameUnsized(v apply.Values, p plan.Pod) bool {
	return p.InjectedRevision == "" && !p.Terminating && apply.QOSClass(p.Present) != corev1.PodQOSBestEffort &&
		slices.ContainsFunc(v.Containers, func(c apply.Container) bool { _, has := p.Present[c.Name]; return has })
}

// signs are what the status of the cluster's pods tells.
type signs struct {
	killed, pending breaker.Tally
	// workloads of which a pod has sizes of ours, and the namespaces that they are in.
	workloads, namespaces int
}

// signs looks for kills and evictions for lack of memory within the window, and for pods without a node.
func (c *cluster) signs(now time.Time, window time.Duration, kinds owner.Kinds) signs {
	var s signs
	workloads, namespaces := map[plan.Key]bool{}, map[string]bool{}
	for i := range c.pods {
		pod := &c.pods[i]
		of, _ := kinds.Of(pod) // Bare pods of a namespace are taken for one workload.
		key, ours := plan.Key{Namespace: pod.Namespace, Kind: of.Kind, Name: of.Name}, hasSizes(pod)
		if ours {
			workloads[key], namespaces[pod.Namespace] = true, true
		}
		if killedSince(pod, now.Add(-window)) {
			s.killed.Add(key.Namespace, key.String(), ours)
		}
		if waitsForRoom(pod, now) {
			s.pending.Add(key.Namespace, key.String(), ours)
		}
	}
	s.workloads, s.namespaces = len(workloads), len(namespaces)
	return s
}

// hasSizes reports whether the pod has got sizes of ours, at admission or by a resize.
func hasSizes(pod *corev1.Pod) bool {
	return pod.Annotations[v1alpha1.AnnotationRevision] != "" || markOf(pod) != nil
}

func killedSince(pod *corev1.Pod, since time.Time) bool {
	return slices.ContainsFunc(troubles(pod), func(t plan.Trouble) bool {
		return (t.What == plan.TroubleOOM || t.What == plan.TroubleEvicted) && t.At.After(since)
	})
}

func waitsForRoom(pod *corev1.Pod, now time.Time) bool {
	return pod.Status.Phase == corev1.PodPending && pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable &&
			now.Sub(c.LastTransitionTime.Time) >= pendingFor
	})
}
