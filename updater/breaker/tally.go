package breaker

import "math"

// share of the workloads with sizes of Loadline, in hundredths, that has to show a signal at least: five are many of a hundred and
// nothing of five thousand.
const share = 1

// Tally counts who shows a signal in the whole cluster, so that it tells of the cluster and not of one team's bad day. The zero Tally
// is ready.
type Tally struct {
	// ours are the workloads, by namespace, whose pods have sizes of Loadline.
	ours map[string]map[string]bool
	// others are the namespaces in which any other pod shows it.
	others map[string]bool
}

// Add notes that a pod of the workload shows the signal, and whether it has sizes of Loadline.
func (t *Tally) Add(namespace, workload string, ours bool) {
	if !ours {
		if t.others == nil {
			t.others = map[string]bool{}
		}
		t.others[namespace] = true
		return
	}
	if t.ours == nil {
		t.ours = map[string]map[string]bool{}
	}
	if t.ours[namespace] == nil {
		t.ours[namespace] = map[string]bool{}
	}
	t.ours[namespace][workload] = true
}

// Count is what counts of it against a minimum, where Loadline has sized pods in so many namespaces:
//
//	each workload whose pods have sizes of Loadline     1, however many pods it has
//	everything else in a namespace together             1: it may suffer from what Loadline does next door, or from itself
//	one namespace                                       at most half of the minimum, rounded up, unless Loadline works in one alone
//
// Example: of a minimum of 5 with 40 workloads in one of several namespaces, 3.
func (t *Tally) Count(minimum, namespaces int) int {
	most := math.MaxInt
	if namespaces > 1 {
		most = (minimum + 1) / 2
	}
	n := 0
	for namespace, workloads := range t.ours {
		if here := len(workloads); t.others[namespace] {
			n += min(here+1, most)
		} else {
			n += min(here, most)
		}
	}
	for namespace := range t.others {
		if t.ours[namespace] == nil {
			n++
		}
	}
	return n
}

// For are the rules where so many workloads have sizes of Loadline: of what is counted in workloads, one in a hundred has to show it.
func (r Rules) For(workloads int) Rules {
	least := (workloads*share + 99) / 100
	scaled := map[Signal]int{}
	for signal, minimum := range r.Minimum {
		if signal.ofWorkloads() && minimum > 0 {
			minimum = max(minimum, least)
		}
		scaled[signal] = minimum
	}
	r.Minimum = scaled
	return r
}
