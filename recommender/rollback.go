package recommender

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/recommender/guard"
)

// FindingRolledBack says that a change did harm and was taken back.
const FindingRolledBack = "RolledBack"

// calm is how long after a rollback without harm the next one is the first again.
const calm = 7 * 24 * time.Hour

// rollbackHold is how long the first, second, third, and every later rollback in a row holds. See updater/plan for sizes that do not
// stay, which are left alone in the same steps.
func rollbackHold(count int32) time.Duration {
	holds := []time.Duration{time.Hour, 4 * time.Hour, 24 * time.Hour, calm}
	return holds[min(max(int(count), 1), len(holds))-1]
}

// judge decides whether what is in force is taken back:
//
//	new harm ─────────────────────▶ a rollback, the longer the more there were in a row
//	a person released it ─────────▶ over now
//	else ─────────────────────────▶ as it was
func judge(now time.Time, in Input, mem Memory) *v1alpha1.Rollback {
	before := mem.Rollback
	if done, found := harm(now, in, mem); found {
		count := int32(1)
		if before != nil && now.Sub(before.Until.Time) < calm {
			count = before.Count + 1
		}
		return &v1alpha1.Rollback{
			Revision: done.Revision, Time: metav1.NewTime(now), HarmTime: done.Time, Count: count,
			Until: metav1.NewTime(now.Add(rollbackHold(count))), Evidence: shorten(done.Message, maxSentence),
		}
	}
	if released := in.Spec.RollbackReleased; before.Holds(now) && released != nil && !released.Before(&before.Time) {
		after := *before
		after.Until = metav1.NewTime(now)
		return &after
	}
	return before
}

// harm finds the newest harm that no rollback answered yet, with the time, the revision that did it, and the evidence. The revision need
// not be in force any more: a kill raises the memory at once, before anybody says what the kill came from.
func harm(now time.Time, in Input, mem Memory) (done v1alpha1.Outcome, found bool) {
	if mem.Applicable == nil {
		return v1alpha1.Outcome{}, false
	}
	for _, o := range in.Outcomes { // newest first
		if o.Result == v1alpha1.OutcomeFailed && !mem.Rollback.Answers(o.Time.Time) {
			return o, true
		}
	}
	if denied(now, in, mem) {
		return v1alpha1.Outcome{Time: metav1.NewTime(now), Revision: mem.Applicable.Revision, Message: "new pods are refused: " + in.Refused}, true
	}
	worse := v1alpha1.Outcome{Time: metav1.NewTime(now), Revision: in.Health.Revision, Message: in.Health.Worse}
	return worse, in.Health.Worse != ""
}

// retried is more than a controller waits before it tries again to create a pod that was refused.
const retried = 20 * time.Minute

// denied reports whether a policy of the cluster refuses new pods for their sizes while they get less than the template asks for: as
// they are written, they would come. What it says in the first minutes after a rollback may be about the sizes before.
func denied(now time.Time, in Input, mem Memory) bool {
	if !in.Settings.Mode.Admits() || !apply.DeniedForSizes(in.Refused) || mem.Rollback != nil && now.Sub(mem.Rollback.Time.Time) < retried {
		return false
	}
	original := map[string]apply.Resources{}
	for _, c := range slices.Concat(in.Containers, in.LeftAlone) {
		original[c.Name] = apply.ResourcesOf(c.Resources)
	}
	return apply.Lowers(original, apply.Desired(mem.Applicable.Values, original, apply.ForNewPod))
}

// rollback is what the guard has to know while one holds.
func (p pass) rollback() *guard.Rollback {
	r := p.mem.Rollback
	if !r.Holds(p.now) {
		return nil
	}
	return &guard.Rollback{
		Good:   p.good(),
		Reason: fmt.Sprintf("revision %s did harm, and nothing falls below what was good before until %s", r.Revision, r.Until.UTC().Format(time.RFC3339)),
	}
}

// good are the sizes that a rollback gives back: those that were good last. Where none are known, or where taking back did not help the
// last time, also what the template asks for.
func (p pass) good() apply.Values {
	var out apply.Values
	last := p.mem.LastGood
	if last != nil {
		out.Replicas = last.Values.Replicas
	}
	for _, c := range p.in.Containers {
		var good apply.Container
		if last != nil {
			good, _ = last.Values.Container(c.Name)
		}
		good.Name = c.Name
		if last == nil || p.mem.Rollback.Count > 1 {
			asked := apply.Amounts(resourcesOf(c).Requests)
			good.Target, good.InPlace = most(good.Target, asked), most(good.InPlace, asked)
		}
		out.Containers = append(out.Containers, good)
	}
	return apply.Sorted(out)
}

func most(a, b apply.Amounts) apply.Amounts {
	return apply.Amounts{CPUMillis: max(a.CPUMillis, b.CPUMillis), MemoryBytes: max(a.MemoryBytes, b.MemoryBytes)}
}

// lastGood is what was good last, seen from the sizes that are in force next. What was in force until now is, if pods carried it
// for as long as changes are watched and it did no harm.
func (p pass) lastGood(next *Revisioned) *Revisioned {
	last, until := p.mem.LastGood, p.mem.Applicable
	rollback := p.mem.Rollback
	switch {
	case rollback != nil && last != nil && last.Revision == rollback.Revision:
		return nil
	case rollback.Holds(p.now), until == nil, next == nil, next.Revision == until.Revision, !p.in.Applied,
		p.now.Sub(until.Time) < p.in.Policy.Disruption.Canary.Observe.Duration:
		return last
	default:
		return until
	}
}

// rollbackFinding tells people of a rollback that holds.
func rollbackFinding(now time.Time, r *v1alpha1.Rollback) []v1alpha1.Finding {
	if !r.Holds(now) {
		return nil
	}
	return []v1alpha1.Finding{{
		Type: FindingRolledBack, Severity: v1alpha1.SeverityCritical,
		Message: shorten(fmt.Sprintf("revision %s was taken back until %s (time %d in a row): %s", r.Revision,
			r.Until.UTC().Format(time.RFC3339), r.Count, r.Evidence), maxSentence),
	}}
}
