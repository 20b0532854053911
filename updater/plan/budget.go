package plan

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Budget bounds how much may happen. Nothing in it is derived from the snapshot, so a plan that is not carried out costs
// nothing.
type Budget struct {
	// EvictionsPerMinute and ResizesPerMinute in the cluster, NamespaceEvictionsPerHour in any one namespace. A pod that goes because
	// the number of pods is lowered counts as one that is evicted. Resizes that only give back what was taken have a bound of their own.
	EvictionsPerMinute, NamespaceEvictionsPerHour, ResizesPerMinute int
	// Trial is true while the circuit breaker tries whether the cluster bears changes: no number of pods is lowered.
	Trial bool
	// Spent is what was done in the last hour, in any order; what is older does not count.
	Spent []Spent
}

// giveBackFactor is how many times as many resizes per minute may give back as may do anything else. A night is long enough to lower
// every pod of a cluster, and a morning is not: 15,000 pods would take four hours at 60 a minute, and take 25 minutes at 600.
const giveBackFactor = 10

// GiveBacksPerMinute is how many resizes may only give back what was taken.
func (b Budget) GiveBacksPerMinute() int { return giveBackFactor * b.ResizesPerMinute }

// Tenth is what a trial of the circuit breaker may spend: a tenth of what may happen in a minute, but at least one of what may happen
// at all, and no number of pods is lowered.
func (b Budget) Tenth() Budget {
	tenth := func(n int) int { return (n + 9) / 10 }
	b.EvictionsPerMinute, b.ResizesPerMinute = tenth(b.EvictionsPerMinute), tenth(b.ResizesPerMinute)
	b.Trial = true
	return b
}

// Spent is one action that was carried out, or one pod of a workload whose number of pods was lowered.
type Spent struct {
	At       time.Time
	Kind     Kind
	Workload Key
	// PodUID is empty where a workload was scaled.
	PodUID types.UID
}

// Counts is how long an action counts: against a budget, or for its workload's cooldown.
func (k Kind) Counts() time.Duration {
	if k == Resize || k == GiveBack {
		return time.Minute
	}
	return time.Hour
}

// Costs is what is spent when the action is carried out at the given time: one, or one for each pod that a lower number takes away.
func (a Action) Costs(at time.Time) []Spent {
	cost := Spent{At: at, Kind: a.Kind, Workload: a.Workload, PodUID: a.UID}
	if a.GivesBack {
		cost.Kind = GiveBack
	}
	if a.Kind != Scale || a.To >= a.From {
		return []Spent{cost}
	}
	cost.Kind = Lower
	return slices.Repeat([]Spent{cost}, int(a.From-a.To))
}

// account keeps what is left of the budgets while a plan is drawn up.
type account struct {
	now       time.Time
	budget    Budget
	evictions int            // in the last minute, with pods that went for a lower number
	resizes   int            // in the last minute
	giveBacks int            // in the last minute
	namespace map[string]int // the same in the last hour
	hour      map[Key]int32  // evictions in the last hour
	// disruptionBudgets counts what this plan takes out of each PodDisruptionBudget.
	disruptionBudgets map[string]int32
	// lastTouched is when each pod was last acted on, and evicted which pods are on their way out although the caches may
	// not show it yet; after a minute the caches are right.
	lastTouched map[types.UID]time.Time
	evicted     map[types.UID]bool
	lastScaled  map[Key]time.Time
	// promised are the nodes whose room this plan has given to a pod's successor.
	promised map[string]bool
}

func newAccount(now time.Time, budget Budget) *account {
	a := &account{
		now: now, budget: budget, namespace: map[string]int{}, hour: map[Key]int32{}, disruptionBudgets: map[string]int32{},
		lastTouched: map[types.UID]time.Time{}, evicted: map[types.UID]bool{}, lastScaled: map[Key]time.Time{},
		promised: map[string]bool{},
	}
	for _, spent := range budget.Spent {
		age := now.Sub(spent.At)
		if age >= time.Hour {
			continue
		}
		var lately int // 1 in the last minute
		if age < time.Minute {
			lately = 1
		}
		switch spent.Kind {
		case Minimum: // is bounded by its event
		case Evict:
			a.hour[spent.Workload]++
			a.namespace[spent.Workload.Namespace]++
			a.evictions += lately
			a.evicted[spent.PodUID] = a.evicted[spent.PodUID] || lately > 0
		case Resize:
			a.resizes += lately
		case GiveBack:
			a.giveBacks += lately
		case Scale, Lower:
			if spent.Kind == Lower {
				a.namespace[spent.Workload.Namespace]++
				a.evictions += lately
			}
			a.lastScaled[spent.Workload] = latest(a.lastScaled[spent.Workload], spent.At)
			continue
		}
		a.lastTouched[spent.PodUID] = latest(a.lastTouched[spent.PodUID], spent.At)
	}
	return a
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// resize spends one resize, or says why it may not.
func (a *account) resize() *Refused {
	if a.resizes >= a.budget.ResizesPerMinute {
		return refuse(SkipBudget, "the cluster's budget of %d resizes per minute is spent", a.budget.ResizesPerMinute)
	}
	a.resizes++
	return nil
}

// giveBack spends one resize that only gives back what was taken, or says why it may not.
func (a *account) giveBack() *Refused {
	if a.giveBacks >= a.budget.GiveBacksPerMinute() {
		return refuse(SkipBudget, "the cluster's budget of %d resizes per minute that give back is spent", a.budget.GiveBacksPerMinute())
	}
	a.giveBacks++
	return nil
}

// evict spends one eviction of a pod, or says why it may not. Disruption budgets and unavailability are looked at again here
// because pods that were chosen before count.
func (a *account) evict(c candidate) *Refused {
	w, p, nothing := c.workload, c.pod, takesNothing(a.now, c.workload, c.pod)
	ready, allowed := a.ready(w), maxUnavailable(w)
	unavailable := max(0, w.Replicas-ready)
	if !p.Ready {
		unavailable-- // The pod itself: a container that is killed again and again for lack of memory must not protect its pod.
	}
	switch {
	case a.promised[p.RoomOn]:
		return refuse(SkipResizeDeferred, "the room on node %s is for another pod", p.RoomOn)
	case nothing:
	case ready < w.Disruption.MinReplicas || p.Ready && ready < 2:
		return refuse(SkipTooFewReady, "%d pods are ready, fewer than needed before one more may go", ready)
	case unavailable >= allowed:
		return refuse(SkipUnavailable, "%d other pods of %d are unavailable, %d may be at a time", unavailable, w.Replicas, allowed)
	}
	if a.hour[w.Key] >= w.Disruption.EvictionsPerHour {
		return refuse(SkipBudget, "the workload's budget of %d evictions per hour is spent", w.Disruption.EvictionsPerHour)
	}
	if _, refused := a.mayGo(w.Namespace); refused != nil {
		return refused
	}
	if !nothing {
		if refused := a.spendDisruption(w.Namespace, p); refused != nil {
			return refused
		}
	}
	a.hour[w.Key]++
	a.namespace[w.Namespace]++
	a.evictions++
	a.promised[p.RoomOn] = p.RoomOn != ""
	a.evicted[p.UID] = true
	return nil
}

// mayGo is how many pods of a namespace may go now, at least one, or why none may.
func (a *account) mayGo(namespace string) (int, *Refused) {
	inNamespace, inCluster := a.budget.NamespaceEvictionsPerHour-a.namespace[namespace], a.budget.EvictionsPerMinute-a.evictions
	switch {
	case inNamespace <= 0:
		return 0, refuse(SkipBudget, "the namespace's budget of %d evictions per hour is spent", a.budget.NamespaceEvictionsPerHour)
	case inCluster <= 0:
		return 0, refuse(SkipBudget, "the cluster's budget of %d evictions per minute is spent", a.budget.EvictionsPerMinute)
	}
	return min(inNamespace, inCluster), nil
}

// lower spends as many evictions as a lower number takes pods away, and lowers less where fewer are left; or it says why no pod may go.
// What the number rests on may be wrong for every workload at once, as when half of what was measured is missing.
func (a *account) lower(w Workload, action Action) (Action, *Refused) {
	left, refused := a.mayGo(w.Namespace)
	bound := "the budgets of evictions let"
	if a.budget.Trial {
		refused = refuse(SkipBudget, "the circuit breaker tries whether the cluster bears changes")
	}
	kept := keeping(w)
	for _, pdb := range kept {
		if spare := a.spare(w.Namespace, pdb); spare < left && refused == nil {
			left, bound = spare, "PodDisruptionBudget "+pdb.Name+" lets"
			if spare <= 0 {
				refused = refuse(SkipDisruptionBudget, "PodDisruptionBudget %s keeps %d of %d healthy pods, and one more stays so that a node can be drained",
					pdb.Name, pdb.Keeps, pdb.Healthy)
			}
		}
	}
	if refused != nil {
		return action, refuse(refused.Reason, "%s, and none goes now: %s", action.Reason, refused.Message)
	}
	pods := int(action.From - action.To)
	if left < pods {
		pods = left
		action.To = action.From - int32(left) //nolint:gosec // less than the difference of two int32
		action.Reason += fmt.Sprintf("; %s %d go now", bound, left)
	}
	a.namespace[w.Namespace] += pods
	a.evictions += pods
	for _, pdb := range kept {
		a.disruptionBudgets[w.Namespace+"/"+pdb.Name] += int32(pods) //nolint:gosec // as above
	}
	return action, nil
}

// keeping are the PodDisruptionBudgets of the pods of a workload that keep a number of pods, each once. Nobody but who lowers the number
// of pods asks them: the API server looks at evictions alone.
func keeping(w Workload) []DisruptionBudget {
	var kept []DisruptionBudget
	for _, p := range w.Pods {
		for _, pdb := range p.DisruptionBudgets {
			if pdb.Keeps > 0 && !slices.ContainsFunc(kept, func(k DisruptionBudget) bool { return k.Name == pdb.Name }) {
				kept = append(kept, pdb)
			}
		}
	}
	return kept
}

// spare is how many pods may go, if they all are healthy ones, so that one more than the budget keeps is left.
func (a *account) spare(namespace string, pdb DisruptionBudget) int {
	return int(pdb.Healthy - pdb.Keeps - 1 - a.disruptionBudgets[namespace+"/"+pdb.Name])
}

// spendDisruption takes one disruption out of the PodDisruptionBudget that selects the pod.
func (a *account) spendDisruption(namespace string, p Pod) *Refused {
	if len(p.DisruptionBudgets) == 0 {
		return nil
	}
	pdb := p.DisruptionBudgets[0] // A pod with more than one was refused before.
	key := namespace + "/" + pdb.Name
	if a.disruptionBudgets[key] >= pdb.Allowed {
		return refuse(SkipDisruptionBudget, "PodDisruptionBudget %s allows no disruption now", pdb.Name)
	}
	a.disruptionBudgets[key]++
	return nil
}

// ready counts the pods that are ready and stay.
func (a *account) ready(w Workload) int32 {
	var ready int32
	for _, p := range w.Pods {
		if p.Ready && !p.Terminating && !a.evicted[p.UID] {
			ready++
		}
	}
	return ready
}

// maxUnavailable is the policy's number of pods, or its percentage of the replicas rounded down, but at least one: 25% of 3
// is 1, of 8 is 2.
func maxUnavailable(w Workload) int32 {
	scaled, err := intstr.GetScaledValueFromIntOrPercent(&w.Disruption.MaxUnavailable, int(w.Replicas), false)
	if err != nil {
		return 1
	}
	return int32(min(max(1, scaled), 10000)) //nolint:gosec // bounded on this line
}

// Refused is why something was not done.
type Refused struct {
	Reason  SkipReason
	Message string
}

func refuse(reason SkipReason, format string, args ...any) *Refused {
	return &Refused{Reason: reason, Message: fmt.Sprintf(format, args...)}
}
