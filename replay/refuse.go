package replay

import (
	"hash/fnv"
	"math/rand/v2"
)

// refusals decide which in-place raises a node puts off. A node that refuses a raise is full for a fixed time, whatever is wanted
// meanwhile: it refuses every other raise too. A raise that is still wanted then is carried out, and one that is asked for
// later is refused or not anew.
//
// Chance depends on the seed, the workload and the step alone, so that all policies meet the same nodes, and no order of
// work changes the result.
type refusals struct {
	share float64
	steps int
	seed  uint64
	// until is the first step in which the node has room again; since the step in which the pending raise was asked for, or -1.
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

// raise reports whether a raise that is wanted in step i is carried out, and whether it was asked for only now.
func (r *refusals) raise(i int) (allowed, asked bool) {
	asked = r.since < 0
	if i >= r.until {
		if !asked || r.steps <= 0 || rand.New(rand.NewPCG(r.seed, uint64(i))).Float64() >= r.share {
			r.since = -1
			return true, asked
		}
		r.until = i + r.steps
	}
	if asked {
		r.since = i
	}
	return false, asked
}

// settled tells that no raise is wanted any more. A full node stays full.
func (r *refusals) settled() { r.since = -1 }
