package recommender

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/recommender/advice"
	"github.com/loadline-dev/loadline/recommender/guard"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

// FindingRolledBack says that a change did harm and was taken back.
const FindingRolledBack = "RolledBack"

// FindingPodsRefused says that new pods are refused, and not for their sizes.
const FindingPodsRefused = "PodsRefused"

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
//	new pods are refused ─────────▶ the same, and new pods come as they are written while it holds
//	the same, in other words ─────▶ the same after a while, once, and running pods are left alone
//	they are refused even so ─────▶ over now, and sizes are not blamed for it again
//	such a pod lacks memory ──────▶ over now, where it held for long or was the first to be tried
//	a person released it ─────────▶ over now
//	else ─────────────────────────▶ as it was
func judge(now time.Time, in Input, mem Memory) *v1alpha1.Rollback {
	mem.Rollback = revisited(now, in, mem)
	before, refused := mem.Rollback, denied(now, in, mem)
	if done, found := harm(now, in, mem, refused); found {
		suspected := refused && done.Result != v1alpha1.OutcomeFailed && !apply.DeniedForSizes(in.Refused)
		count := inARow(now, before, suspected)
		return &v1alpha1.Rollback{
			Revision: done.Revision, Time: metav1.NewTime(now), HarmTime: done.Time, Count: count,
			Until: metav1.NewTime(now.Add(rollbackHold(count))), Evidence: shorten(done.Message, maxSentence),
			AsWritten: refused || before.Holds(now) && before.AsWritten,
			Suspected: suspected,
		}
	}
	if released := in.Spec.RollbackReleased; before.Holds(now) && released != nil && !released.Before(&before.Time) {
		after := *before
		after.Until = metav1.NewTime(now)
		return &after
	}
	return before
}

// inARow is which rollback the next one is. Pods that come after a refusal that names no sizes may have come for another reason, so that suspicions
// have to follow each other at once to make the hold longer.
func inARow(now time.Time, before *v1alpha1.Rollback, suspected bool) int32 {
	within := calm
	if suspected {
		within = blamedAgain
	}
	switch {
	case before != nil && before.NotSizes:
		return before.Count
	case before != nil && now.Sub(before.Until.Time) < within:
		return before.Count + 1
	default:
		return 1
	}
}

// revisited is the last rollback with what became known since of pods that came as they are written, or did not.
func revisited(now time.Time, in Input, mem Memory) *v1alpha1.Rollback {
	if mem.Rollback == nil {
		return nil
	}
	r, refused := *mem.Rollback, in.stillRefused(mem.Rollback)
	r.NotSizes = r.NotSizes && refused // Once pods come, the next refusal is another one.
	switch {
	case !r.Holds(now) || !r.AsWritten:
	case !refused && endsByKill(now, &r) && in.killedAsWritten(r.Time.Time):
		r.Until = metav1.NewTime(now)
	case refused && now.Sub(r.Time.Time) >= retried && !in.sized(mem.Applicable):
		r.Until, r.NotSizes = metav1.NewTime(now), true
		r.Evidence = shorten("new pods are refused as they are written, too: "+in.Refused, maxSentence)
	case outdated(now, in, mem, &r):
		r.Until = metav1.NewTime(now) // If pods of the next version come, that says nothing about their sizes.
	}
	return &r
}

// endsByKill reports whether the hold is one that a kill ends: a long one, because the policy may be gone, and the first of a suspicion.
func endsByKill(now time.Time, r *v1alpha1.Rollback) bool {
	return r.Suspected && r.Count == 1 || now.Sub(r.Time.Time) >= blamedAgain
}

// stillRefused reports whether new pods are refused in words like those that led to the rollback.
func (in Input) stillRefused(r *v1alpha1.Rollback) bool {
	return apply.DeniedForSizes(in.Refused) || r.Suspected && apply.PerhapsForSizes(in.Refused)
}

// outdated reports whether anything else than sizes was changed in the template since sizes were suspected.
func outdated(now time.Time, in Input, mem Memory, r *v1alpha1.Rollback) bool {
	return r.Suspected && slices.ContainsFunc(rollouts(now, in, mem), func(of advice.Rollout) bool { return of.Time.After(r.Time.Time) })
}

// killedAsWritten reports whether a container with the memory that its template allows was ended for the lack of it after that time. One that
// still had less would be no better off with sizes.
func (in Input) killedAsWritten(after time.Time) bool {
	written := in.original()
	return slices.ContainsFunc(in.OOMKills, func(kill OOMKill) bool {
		asked, known := written[kill.Container]
		limit := asked.Limits.MemoryBytes
		return known && kill.LimitBytes > 0 && kill.Time.After(after) && (limit == 0 || cmp.Or(kill.MostBytes, kill.LimitBytes) == limit)
	})
}

// sized reports whether new pods get anything else than they ask for.
func (in Input) sized(applicable *Revisioned) bool {
	return applicable != nil && apply.Changes(applicable.Values, in.original())
}

// withhold puts the sizes aside while new pods come as they are written, and back afterwards: what a person approved or holds stays so.
func (m Memory) withhold(now time.Time) Memory {
	switch asWritten := m.Rollback.Holds(now) && m.Rollback.AsWritten; {
	case asWritten:
		m.LastGood = nil // The policy may refuse it as well; only the template is known to be accepted.
		m.Withheld = cmp.Or(m.Withheld, m.Applicable)
	case m.Withheld != nil:
		m.Applicable, m.Withheld = &Revisioned{Values: m.Withheld.Values, Revision: m.Withheld.Revision, Time: now}, nil
	}
	return m
}

// harm finds the newest harm that no rollback answered yet, with the time, the revision that did it, and the evidence. The revision need
// not be in force any more: a kill raises the memory at once, before anybody says what the kill came from.
func harm(now time.Time, in Input, mem Memory, refused bool) (done v1alpha1.Outcome, found bool) {
	if mem.Applicable == nil {
		return v1alpha1.Outcome{}, false
	}
	for _, o := range in.Outcomes { // newest first
		if o.Result == v1alpha1.OutcomeFailed && !mem.Rollback.Answers(o.Time.Time) {
			return o, true
		}
	}
	if refused {
		return v1alpha1.Outcome{Time: metav1.NewTime(now), Revision: mem.Applicable.Revision, Message: "new pods are refused: " + in.Refused}, true
	}
	worse := v1alpha1.Outcome{Time: metav1.NewTime(now), Revision: in.Health.Revision, Message: in.Health.Worse}
	return worse, in.Health.Worse != ""
}

// retried is more than a controller waits before it tries again to create a pod that was refused.
const retried = 20 * time.Minute

// blamedAgain is how often at most it is tried anew what a policy thinks of sizes: of a refusal that sizes did not cause, because behind it may be
// one that they do cause; and where pods as they are written lack memory, because it may be gone.
const blamedAgain = 4 * time.Hour

// denied reports whether new pods are refused for their sizes while they get anything else than they ask for: as they are written, they
// would come, as far as is known. What is said in the first minutes after a rollback may be about the sizes before. Where no words tell
// of sizes, they are tried for it once, and not before whoever rolled out something that is not allowed had time to see it.
func denied(now time.Time, in Input, mem Memory) bool {
	named, r := apply.DeniedForSizes(in.Refused), mem.Rollback
	blamed := named || apply.PerhapsForSizes(in.Refused) && !in.RefusedSince.IsZero() && now.Sub(in.RefusedSince) >= suspectedAfter
	if r != nil && r.NotSizes {
		blamed = named && now.Sub(r.Until.Time) >= blamedAgain
	}
	return blamed && (r == nil || now.Sub(r.Time.Time) >= retried) && in.Settings.Mode.Admits() && in.sized(mem.Applicable)
}

// suspectedAfter is how long new pods are refused without a word about sizes until sizes are tried for it.
const suspectedAfter = 10 * time.Minute

// original is what a new pod asks for itself.
func (in Input) original() map[string]apply.Resources {
	original := map[string]apply.Resources{}
	for _, c := range slices.Concat(in.Containers, in.LeftAlone) {
		original[c.Name] = apply.ResourcesOf(c.Resources).Defaulted()
	}
	return original
}

// asWritten takes out of what is in force next whatever gives new pods anything else than they ask for, while such sizes are refused: also
// during a person's hold, because no pod at all is not what was held.
func (p pass) asWritten(d guard.Decision, containers []guard.Container) guard.Decision {
	r := p.mem.Rollback
	if d.Applicable == nil || !r.Holds(p.now) || !r.AsWritten {
		return d
	}
	if !r.Suspected {
		d.Findings = append(d.Findings, tooLittle(containers, p.in.original())...)
	}
	values := apply.AsWritten(*d.Applicable, p.in.original())
	d.Applicable, d.ApplicableRevision = &values, apply.Revision(values)
	if d.ApplicableRevision == d.Revision {
		return d
	}
	d.Approved = false
	why := "because a policy of the cluster refuses them with other sizes"
	if r.Suspected {
		why = "because they are refused, perhaps for other sizes"
	}
	d.ApprovedReason = guard.Reason{Rule: "rollback", Text: "new pods come as they are written until " + r.Until.UTC().Format(time.RFC3339) + ", " + why}
	d.Trail = append(d.Trail, d.ApprovedReason)
	return d
}

// rollback is what the guard has to know while one holds.
func (p pass) rollback() *guard.Rollback {
	r := p.mem.Rollback
	if !r.Holds(p.now) || r.Suspected {
		return nil
	}
	what := "did harm, and nothing falls below what was good before"
	if r.AsWritten {
		what = "is refused by a policy of the cluster, and nothing falls below what the template asks for"
	}
	return &guard.Rollback{Good: p.good(), Reason: fmt.Sprintf("revision %s %s until %s", r.Revision, what, r.Until.UTC().Format(time.RFC3339))}
}

// good are the sizes that a rollback gives back: those that were good last. Where none are known, where taking back did not help the
// last time, or where new pods are refused, also what the template asks for.
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
		asked := apply.Amounts(resourcesOf(c).Requests)
		if last == nil || p.mem.Rollback.Count > 1 {
			good.Target, good.InPlace = most(good.Target, asked), most(good.InPlace, asked)
		}
		good.Target, good.InPlace = orElse(good.Target, asked), orElse(good.InPlace, asked)
		out.Containers = append(out.Containers, good)
	}
	return apply.Sorted(out)
}

func most(a, b apply.Amounts) apply.Amounts {
	return apply.Amounts{CPUMillis: max(a.CPUMillis, b.CPUMillis), MemoryBytes: max(a.MemoryBytes, b.MemoryBytes)}
}

// orElse is what a pod has of a resource without a size.
func orElse(a, asked apply.Amounts) apply.Amounts {
	return apply.Amounts{CPUMillis: cmp.Or(a.CPUMillis, asked.CPUMillis), MemoryBytes: cmp.Or(a.MemoryBytes, asked.MemoryBytes)}
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

// rollbackFinding tells people of a rollback that holds, and of pods that are still refused after it.
func rollbackFinding(now time.Time, r *v1alpha1.Rollback) []v1alpha1.Finding {
	switch {
	case r != nil && r.NotSizes && !r.Holds(now):
		return []v1alpha1.Finding{{Type: FindingPodsRefused, Severity: v1alpha1.SeverityWarning, Message: r.Evidence}}
	case !r.Holds(now):
		return nil
	case r.Suspected:
		return []v1alpha1.Finding{{Type: FindingRolledBack, Severity: v1alpha1.SeverityCritical, Message: shorten(fmt.Sprintf(
			"to see whether new pods are refused for their sizes they get what their template asks for until %s: %s", r.Until.UTC().Format(time.RFC3339), r.Evidence), maxSentence)}}
	}
	text := fmt.Sprintf("revision %s was taken back until %s (time %d in a row)", r.Revision, r.Until.UTC().Format(time.RFC3339), r.Count)
	if r.AsWritten {
		text += "; new pods get what their template asks for"
	}
	return []v1alpha1.Finding{{
		Type: FindingRolledBack, Severity: v1alpha1.SeverityCritical, Message: shorten(text+": "+r.Evidence, maxSentence),
	}}
}

// tooLittle tells of containers that were seen to use more memory than their template allows, which is all that they get while more is
// refused.
func tooLittle(containers []guard.Container, written map[string]apply.Resources) (found []sizing.Finding) {
	for _, c := range containers {
		need, limit := max(c.PeakMemoryBytes, c.OOMFloorBytes), written[c.Name].Limits.MemoryBytes
		if c.Excluded || limit == 0 || need <= limit {
			continue
		}
		found = append(found, sizing.Finding{
			Type: guard.FindingCeilingBelowPeak, Severity: string(v1alpha1.SeverityCritical), Container: c.Name,
			Message: fmt.Sprintf("It needs %s of memory, a policy of the cluster refuses its new pods with that, and as they are written they have a limit of %s: allow more there.",
				apply.FormatMemory(need), apply.FormatMemory(limit)),
		})
	}
	return found
}
