package plan

import (
	"slices"
	"time"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// SkipReason is a stable CamelCase name of why something is not done.
type SkipReason string

// Reasons why a workload or a pod is left alone.
const (
	SkipClosed            SkipReason = "Closed"
	SkipNotAutomatic      SkipReason = "NotAutomatic"
	SkipNothingApplicable SkipReason = "NothingApplicable"
	SkipOnHold            SkipReason = "OnHold"
	SkipHarmed            SkipReason = "Harmed"
	SkipStale             SkipReason = "Stale"
	SkipNotRunning        SkipReason = "NotRunning"
	SkipJustTouched       SkipReason = "JustTouched"
	SkipResizeInProgress  SkipReason = "ResizeInProgress"
	SkipResizeDeferred    SkipReason = "ResizeDeferred"
	SkipResizeRefused     SkipReason = "ResizeRefused"
	SkipCannotResize      SkipReason = "CannotResize"
	SkipOnlyLowering      SkipReason = "OnlyLowering"
	SkipKind              SkipReason = "Kind"
	SkipNoEviction        SkipReason = "NoEviction"
	SkipPinned            SkipReason = "Pinned"
	SkipDidNotStick       SkipReason = "DidNotStick"
	SkipWatching          SkipReason = "Watching"
	SkipStartingUp        SkipReason = "StartingUp"
	SkipDisruptionBudget  SkipReason = "DisruptionBudget"
	SkipSeveralBudgets    SkipReason = "SeveralDisruptionBudgets"
	SkipTooFewReady       SkipReason = "TooFewReady"
	SkipUnavailable       SkipReason = "Unavailable"
	SkipRollout           SkipReason = "RolloutInProgress"
	SkipOutsideWindow     SkipReason = "OutsideWindow"
	SkipBackingOff        SkipReason = "BackingOff"
	SkipBudget            SkipReason = "Budget"
	SkipKeepsPods         SkipReason = "KeepsPods"
	SkipOverwritten       SkipReason = "Overwritten"
)

// workloadRule says why a whole workload is left alone, or nil.
type workloadRule func(now time.Time, w Workload) *Refused

// evictionRule says why a pod is not evicted, or nil. What changes from one eviction to the next is in account.
type evictionRule func(now time.Time, w Workload, p Pod) *Refused

// firstRefusal is the answer of the first rule that objects.
func firstRefusal[R any](rules []R, ask func(R) *Refused) *Refused {
	for _, rule := range rules {
		if refused := ask(rule); refused != nil {
			return refused
		}
	}
	return nil
}

func workloadRules() []workloadRule {
	return []workloadRule{automatic, applicable, notOnHold, unharmed, sticking}
}

func automatic(_ time.Time, w Workload) *Refused {
	if w.Mode == v1alpha1.ModeAuto {
		return nil
	}
	return refuse(SkipNotAutomatic, "mode is %s: running pods are left as they are", w.Mode)
}

func applicable(_ time.Time, w Workload) *Refused {
	if w.Revision != "" {
		return nil
	}
	return refuse(SkipNothingApplicable, "nothing is applicable yet")
}

func notOnHold(now time.Time, w Workload) *Refused {
	switch {
	case w.Hold == nil || w.Hold.Until != nil && !now.Before(w.Hold.Until.Time):
		return nil
	case w.Hold.Until == nil:
		return refuse(SkipOnHold, "on hold: %s", w.Hold.Reason)
	default:
		return refuse(SkipOnHold, "on hold until %s: %s", w.Hold.Until.UTC().Format(time.RFC3339), w.Hold.Reason)
	}
}

func unharmed(_ time.Time, w Workload) *Refused {
	if w.Harm == "" {
		return nil
	}
	return refuse(SkipHarmed, "a change did harm, and nothing more is changed until it is taken back: %s", w.Harm)
}

// evictionRules are those for an eviction that takes a pod away which serves, or may serve again, and for one that takes nothing.
func (p *planner) evictionRules(takes bool) []evictionRule {
	if !takes {
		return []evictionRule{evictableKind, replaceable, notPinned, sticks, oneDisruptionBudget, notBackingOff}
	}
	return []evictionRule{evictableKind, replaceable, notPinned, sticks, oneDisruptionBudget, budgetAllows, notRollingOut, p.insideWindow, notBackingOff}
}

func evictableKind(_ time.Time, w Workload, _ Pod) *Refused {
	if countedKind(w) {
		return nil
	}
	return refuse(SkipKind, "pods of a %s are never evicted", w.Kind)
}

// countedKind reports whether the workload asks for a number of pods, and replaces one that is gone by a new one that can run
// anywhere.
func countedKind(w Workload) bool {
	return w.Kind == "Deployment" || w.Kind == "StatefulSet" || w.Custom
}

// replaceable keeps a pod whose successor would not get the sizes, or would not come at all. A lowering that is refused says nothing about
// its successor, whose limits go down with its requests.
func replaceable(_ time.Time, w Workload, p Pod) *Refused {
	switch {
	case w.NoEviction != "":
		return refuse(SkipNoEviction, "no pod is evicted: %s", w.NoEviction)
	case w.NoSuccessor != "":
		return refuse(SkipNoEviction, "no other pod is evicted: %s", w.NoSuccessor)
	case p.ResizeRefused != "" && p.RefusedByNamespace && !refusedToLower(w, p):
		return refuse(SkipNoEviction, "a new pod would be refused as well: %s", p.ResizeRefused)
	default:
		return nil
	}
}

func notPinned(_ time.Time, _ Workload, p Pod) *Refused {
	if p.Pinned == "" {
		return nil
	}
	return refuse(SkipPinned, "annotation %s asks for no eviction", p.Pinned)
}

// sticks stops a loop: the successor of a pod that does not have what it was given would be no better. A pod that was created with
// this revision and still has other sizes for running pods is such a one as well.
func sticks(_ time.Time, w Workload, p Pod) *Refused {
	if mismatch := Mismatch(w, p); mismatch != "" {
		return refuse(SkipDidNotStick, "%s", mismatch)
	}
	if p.InjectedRevision != w.Revision || p.Resize.State != ResizeNone || p.ResizeRefused != "" {
		return nil
	}
	drifts := drifted(w, p)
	if len(slices.DeleteFunc(drifts, p.keptItself)) > 0 {
		return refuse(SkipDidNotStick, "the pod got revision %s at admission and has other sizes now: something else changes them", w.Revision)
	}
	return refuse(SkipOnlyLowering, "it kept the memory that it asks for itself, because sizes were stale or older than its template when it came; the next pod or revision brings less")
}

func oneDisruptionBudget(_ time.Time, _ Workload, p Pod) *Refused {
	if len(p.DisruptionBudgets) < 2 {
		return nil
	}
	return refuse(SkipSeveralBudgets, "PodDisruptionBudgets %s and %s both select the pod, which makes eviction impossible",
		p.DisruptionBudgets[0].Name, p.DisruptionBudgets[1].Name)
}

func budgetAllows(_ time.Time, _ Workload, p Pod) *Refused {
	if len(p.DisruptionBudgets) == 0 || p.DisruptionBudgets[0].Allowed > 0 {
		return nil
	}
	return refuse(SkipDisruptionBudget, "PodDisruptionBudget %s allows no disruption now", p.DisruptionBudgets[0].Name)
}

func notRollingOut(_ time.Time, w Workload, _ Pod) *Refused {
	if !w.RolloutInProgress {
		return nil
	}
	return refuse(SkipRollout, "a rollout is in progress")
}

func (p *planner) insideWindow(now time.Time, w Workload, _ Pod) *Refused {
	if open, reason := p.windows.open(now, w.Disruption.Windows); !open {
		return refuse(SkipOutsideWindow, "%s", reason)
	}
	return nil
}

func notBackingOff(now time.Time, _ Workload, p Pod) *Refused {
	return backingOff(now, p.NotBefore, "an eviction was refused", p.NotBeforeFor)
}

// backingOff waits for the time of the next try.
func backingOff(now, until time.Time, what, why string) *Refused {
	if !now.Before(until) {
		return nil
	}
	return refuse(SkipBackingOff, "%s, the next try is at %s: %s", what, until.UTC().Format(time.RFC3339), why)
}

// Passing reports whether the reason goes away by itself within a round or two, because of what the plan does.
func (r Refused) Passing() bool {
	switch r.Reason {
	case SkipJustTouched, SkipResizeInProgress, SkipUnavailable, SkipNotRunning:
		return true
	default:
		return false
	}
}
