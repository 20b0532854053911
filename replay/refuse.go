package replay

import (
	"hash/fnv"
	"math/rand/v2"
)

// refusals decide which in-place raises a node puts off. A raise that is refused stays pending for a fixed time and is then
// carried out if it is still wanted; a new raise is refused or not anew.
//
// Chance depends on the seed, the workload and the step alone, so that all policies meet the same nodes, and no order of
// work changes the result.
type refusals struct {
	share float64
	steps int
	seed  uint64
	// until is the first step in which the pending raise is carried out; since the step in which it was asked for, or -1.
	until, since int
}

func newRefusals(s Setting, seed uint64, workload string) refusals {
	h := fnv.New64a()
	_, _ = h.Write([]byte(workload)) // never fails
	return refusals{
		share: s.Refused, steps: s.RefusedForSeconds / int(Step.Seconds()),
		seed: seed ^ h.Sum64(), since: -1,
	}
}

// raise reports whether a raise that is wanted in step i is carried out.
func (r *refusals) raise(i int) (allowed, asked bool) {
	switch {
	case r.share <= 0 || r.steps <= 0:
		return true, true
	case r.since >= 0 && i < r.until:
		return false, false
	case r.since >= 0:
		r.since = -1
		return true, false
	}
	if rand.New(rand.NewPCG(r.seed, uint64(i))).Float64() >= r.share {
		return true, true
	}
	r.since, r.until = i, i+r.steps
	return false, true
}

// settled tells that no raise is wanted any more.
func (r *refusals) settled() { r.since = -1 }
