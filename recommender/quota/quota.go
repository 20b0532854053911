// Package quota shares what ResourceQuotas leave among the workloads of a namespace.
//
// A quota counts the whole namespace, so each workload alone may fit and all together fail: the API server then refuses pods,
// and a rollout stops half way. The package is pure: numbers in, numbers out.
package quota

import (
	"cmp"
	"math"
	"slices"
)

// Resource is what a quota bounds.
type Resource int

// Resources: requests and limits of CPU in millicores and of memory in bytes; pods that have not ended, and all that there are.
const (
	RequestsCPU Resource = iota
	RequestsMemory
	LimitsCPU
	LimitsMemory
	Pods
	PodObjects
	resources
)

// Amounts is one number for each Resource.
type Amounts [resources]int64

// Quota is one ResourceQuota.
type Quota struct {
	Name string
	// Hard bounds the resources that are Bounded.
	Hard    Amounts
	Bounded [resources]bool
	// Others is what pods use that belong to no claim.
	Others Amounts
}

// Claim is what one workload has and would like to have, with all its pods and those that a rollout adds for a while.
type Claim struct {
	// Workload names it, as kind/name; no two claims have the same name.
	Workload string
	// Rank is 0 for the workloads that come first; a larger number comes later.
	Rank int
	// Used is what its pods have, and what those to come are given at present. It is never taken away.
	Used Amounts
	// Reserved is what its pods ask for as they are written. Nobody else is raised out of it, so that they still fit where nothing sizes
	// them: while the webhook is away, after opting out, or after a rollback.
	Reserved Amounts
	// Always is the part of Reserved that is sure to be needed: without the pods that a rollout or an autoscaler added.
	Always Amounts
	// Needed is what out-of-memory kills taught that it needs, whatever the rest of Wanted is for.
	Needed Amounts
	// Granted is what it may have since the last time, Wanted what it would have without a quota.
	Granted, Wanted Amounts
}

// Allot returns what each workload may have, by name: never less than it uses, never more than the larger of that and what it
// wants. Lowering is never refused. Raises together never exceed what the quota leaves beside everything that is used. Of those over
// what is reserved, what kills taught never exceeds what it leaves beside everything that is used or sure to be asked for as it is written,
// and all else what it leaves beside everything that is used or reserved.
//
// They are allotted by rank. Within a rank those come first that were granted before, so that nobody loses a raise to their
// equals, and then by shortage: the most wanted for each unit that is used. The order of the claims does not matter.
func Allot(q Quota, claims []Claim) map[string]Amounts {
	allotted := make(map[string]Amounts, len(claims))
	sorted := slices.Clone(claims)
	nothing := func(Claim) int64 { return 0 }
	for r := range resources {
		slices.SortFunc(sorted, func(a, b Claim) int { return order(a, b, r) })
		always, reserved := func(c Claim) int64 { return c.Always[r] }, func(c Claim) int64 { return c.Reserved[r] }
		needed, wanted := func(c Claim) int64 { return c.Needed[r] }, func(c Claim) int64 { return c.Wanted[r] }
		for _, step := range []struct{ until, beside func(Claim) int64 }{
			{reserved, nothing}, {needed, always}, {wanted, reserved},
		} {
			raise(allotted, sorted, r, left(q, claims, allotted, r, step.beside), func(c Claim) int64 { return min(c.Wanted[r], step.until(c)) })
		}
	}
	return allotted
}

// left is the room that remains where every claim keeps what it has or uses, and at least what is to be left beside.
func left(q Quota, claims []Claim, allotted map[string]Amounts, r Resource, beside func(Claim) int64) int64 {
	if !q.Bounded[r] {
		return math.MaxInt64
	}
	room := q.Hard[r] - q.Others[r]
	for _, c := range claims {
		room -= max(c.Used[r], allotted[c.Workload][r], beside(c), 0)
	}
	return room
}

// raise hands out room to claims, which are sorted: rank by rank, first up to what they were granted and then up to a most.
func raise(allotted map[string]Amounts, sorted []Claim, r Resource, room int64, most func(Claim) int64) {
	for len(sorted) > 0 {
		equals := sorted
		if n := slices.IndexFunc(sorted, func(c Claim) bool { return c.Rank != sorted[0].Rank }); n >= 0 {
			equals = sorted[:n]
		}
		sorted = sorted[len(equals):]
		for _, until := range []func(Claim) int64{func(c Claim) int64 { return min(c.Granted[r], most(c)) }, most} {
			for _, c := range equals {
				has := allotted[c.Workload]
				has[r] = max(has[r], c.Used[r], 0)
				more := min(max(until(c)-has[r], 0), max(room, 0))
				has[r], room = has[r]+more, room-more
				allotted[c.Workload] = has
			}
		}
	}
}

// order sorts by rank, then by shortage, then by name.
func order(a, b Claim, r Resource) int {
	return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(shortage(b, r), shortage(a, r)), cmp.Compare(a.Workload, b.Workload))
}

// shortage is how many times what it uses a workload wants; one that uses nothing is as short as one that uses 1.
func shortage(c Claim, r Resource) float64 {
	return float64(c.Wanted[r]) / float64(max(c.Used[r], 1))
}
