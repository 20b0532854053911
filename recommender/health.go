package recommender

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/forecast"
)

// Health is what was found out about the time after a change.
type Health struct {
	// Revision that pods got last, of those that are looked at.
	Revision string
	// Worse says what is worse than before; empty if nothing is.
	Worse string
	// Passed is true where the change was watched for long enough and every signal is no worse.
	Passed bool
	// Problems are why signals could not be compared.
	Problems []string
}

// health compares the policy's health signals, and CPU throttling, after pods lost something with before it.
func (e *Engine) health(ctx context.Context, in Input, mem Memory, now time.Time) Health {
	var h Health
	signals := slices.DeleteFunc(slices.Clone(in.Policy.Signals), func(s v1alpha1.Signal) bool { return s.Role != v1alpha1.SignalHealth })
	signals = signals[:min(len(signals), maxSignals)]
	if len(signals) > 0 && e.Querier == nil {
		h.Problems = []string{"health signals are not compared: no Prometheus is configured"}
	}
	change, lowered := unchecked(in, mem)
	if !lowered || mem.Rollback.Holds(now) {
		return h
	}
	h.Revision, h.Worse = change.revision, throttledMore(in, mem, change.first)
	if len(signals) == 0 || e.Querier == nil || now.Sub(change.first) < healthSettle+healthLeastAfter*healthStep {
		return h
	}
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	w := watched{change: change.first, observe: in.Policy.Disruption.Canary.Observe.Duration, now: now}
	e.compareAll(ctx, in.Target, signals, w, &h)
	if now.Sub(change.last) >= w.observe && h.unsuspected() {
		w.over = true
		e.compareAll(ctx, in.Target, signals, w, &h)
		h.Passed = h.unsuspected()
	}
	return h
}

func (h *Health) unsuspected() bool { return h.Worse == "" && len(h.Problems) == 0 }

// compareAll compares each of the signals, and tells which cannot be.
func (e *Engine) compareAll(ctx context.Context, target Target, signals []v1alpha1.Signal, w watched, h *Health) {
	fill := strings.NewReplacer("$namespace", target.Namespace, "$workload", target.Name)
	for _, s := range signals {
		switch worse, err := e.compare(ctx, fill.Replace(s.PromQL), w); {
		case err != nil:
			h.Problems = append(h.Problems, fmt.Sprintf("health signal %s is not compared: %v", s.Name, err))
		case worse != "":
			h.Worse = fmt.Sprintf("health signal %s: %s", s.Name, worse)
		}
	}
}

// lowering is when pods lost something.
type lowering struct {
	// first time at all, and the first time by the revision that came last.
	first, last time.Time
	// revision that came last.
	revision string
}

// unchecked is when pods lost something since the signals were last compared, and false if they did not. Which revision took it does
// not matter: one that is replaced after five minutes may have done the harm.
func unchecked(in Input, mem Memory) (lowering, bool) {
	if mem.Applicable == nil {
		return lowering{}, false
	}
	since := comparedUntil(mem)
	firsts := map[string]time.Time{}
	see := func(revision string, at time.Time) {
		if before, known := firsts[revision]; at.After(since) && (!known || at.Before(before)) {
			firsts[revision] = at
		}
	}
	for _, o := range in.Outcomes {
		if o.Changed() && o.Lowers {
			see(o.Revision, o.Time.Time)
		}
	}
	for _, a := range in.Admissions {
		if !a.wellKnown(in, mem) && a.lowers(mem) {
			see(a.Revision, a.Time)
		}
	}
	return lastOf(firsts), len(firsts) > 0
}

// comparedUntil is when harm was last answered, or the signals last found no worse; zero if neither ever was.
func comparedUntil(mem Memory) time.Time {
	var until time.Time
	if mem.Rollback != nil {
		until = mem.Rollback.HarmTime.Time
	}
	if check := mem.HealthCheck; check != nil && check.Time.After(until) {
		until = check.Time.Time
	}
	return until
}

// lastOf puts together when the revisions first took something.
func lastOf(firsts map[string]time.Time) lowering {
	var l lowering
	for revision, at := range firsts {
		if l.first.IsZero() || at.Before(l.first) {
			l.first = at
		}
		if cmp.Or(at.Compare(l.last), cmp.Compare(revision, l.revision)) > 0 {
			l.last, l.revision = at, revision
		}
	}
	return l
}

// Admission is a pod that came with sizes by itself, in a rollout for instance: what it asked for and what it has.
type Admission struct {
	Revision          string
	Time              time.Time
	Original, Present map[string]apply.Resources
}

// admissionsFor is how long a pod counts as having come just now.
const admissionsFor = 2 * time.Hour

// admissionOf reads off a pod what admission gave it, and false if it came long ago, without sizes, or with those that pods had before.
func admissionOf(pod *corev1.Pod, now time.Time) (Admission, bool) {
	revision, heldBack := apply.Injected(pod)
	if revision == "" || heldBack || now.Sub(pod.CreationTimestamp.Time) > admissionsFor {
		return Admission{}, false
	}
	original, err := apply.Original(pod)
	return Admission{Revision: revision, Time: pod.CreationTimestamp.Time, Original: original, Present: apply.Present(pod)}, err == nil
}

// wellKnown reports whether other pods were well with the revision before this one came.
func (a Admission) wellKnown(in Input, mem Memory) bool {
	compared := mem.HealthCheck != nil && mem.HealthCheck.Revision == a.Revision
	return compared || in.Trial != nil && in.Trial.Revision == a.Revision && in.Trial.Time.Time.Before(a.Time)
}

// lowers reports whether the pod got less than it asked for, or less than was good last.
func (a Admission) lowers(mem Memory) bool {
	if apply.Lowers(a.Original, a.Present) {
		return true
	}
	return mem.LastGood != nil && apply.Lowers(apply.Desired(mem.LastGood.Values, a.Original, apply.ForNewPod), a.Present)
}

// How much more throttling is worse: at least a tenth of the time more than in the hour before, and twice as much. Two values of five
// minutes after the change are needed.
const (
	throttledRise, throttledTimes = 0.1, 2
	throttledLeastAfter           = 2
)

// throttledMore says which container is held back clearly more than before a change that lowered its CPU; empty if none is.
func throttledMore(in Input, mem Memory, change time.Time) string {
	for _, c := range mem.Applicable.Values.Containers {
		if !lowersCPU(in, mem, c) {
			continue
		}
		before, after := around(in.History.Containers[c.Name].Throttled.Recent, change)
		if len(before) == 0 || len(after) < throttledLeastAfter {
			continue
		}
		if was, is := quantile(before, 0.5), quantile(after, 0.5); is >= max(was+throttledRise, throttledTimes*was) {
			return fmt.Sprintf("container %s was throttled in %.0f %% of the CPU periods since its CPU was lowered at %s, and in %.0f %% in the hour before",
				c.Name, 100*is, change.UTC().Format(time.RFC3339), 100*was)
		}
	}
	return ""
}

// lowersCPU reports whether a container gets less CPU than was good last; where nothing is known, than the template asks for.
func lowersCPU(in Input, mem Memory, c apply.Container) bool {
	if mem.LastGood != nil {
		good, known := mem.LastGood.Values.Container(c.Name)
		return known && (c.InPlace.CPUMillis < good.InPlace.CPUMillis || c.Target.CPUMillis < good.Target.CPUMillis)
	}
	return slices.ContainsFunc(in.Containers, func(template corev1.Container) bool {
		asked := apply.ResourcesOf(template.Resources).Requests.CPUMillis
		return template.Name == c.Name && (c.InPlace.CPUMillis < asked || c.Target.CPUMillis < asked)
	})
}

// around returns the known values of the hour before a change, and those of the hour after it.
func around(series forecast.Series, change time.Time) (before, after []float64) {
	for i, v := range series.Values {
		from, to := series.TimeAt(i), series.TimeAt(i+1)
		switch {
		case math.IsNaN(float64(v)):
		case !to.After(change) && !from.Before(change.Add(-healthBefore)):
			before = append(before, float64(v))
		case !from.Before(change) && !to.After(change.Add(healthBefore)):
			after = append(after, float64(v))
		}
	}
	return before, after
}
