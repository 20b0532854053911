package replay

import (
	"math"
	"testing"
)

// spread are workloads that differ by far more than policies do: each has the given slack and violation on top of its own.
func spread(n int, slack, violation float64) Point {
	p := Point{Knob: 0.9}
	for i := range n {
		w := WorkloadResult{CPU: Usage{Requested: 1, Slack: 0.1 + 0.5*float64(i)/float64(n) + slack, Violation: violation}}
		w.CPU.Unmet = w.CPU.Violation
		p.Workloads = append(p.Workloads, w)
	}
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	averages := p.Over(all)
	averages.Workloads = p.Workloads
	return averages
}

func TestARangeIsNarrowWherePoliciesDifferTheSameOnEveryWorkload(t *testing.T) {
	vpa := newReference(Curve{Points: []Point{spread(40, 0, 0.04), spread(40, 0.2, 0.02)}})
	v := vpa.versus([]Point{spread(40, 0.05, 0.03)})[0]
	near(t, "at equal violation", *v.AtEqualViolation, -0.05, 1e-9)
	near(t, "at equal unmet demand", *v.AtEqualUnmet, -0.05, 1e-9)
	for _, r := range []*Range{v.ViolationRange, v.UnmetRange} {
		if r == nil || r.Low == nil || r.High == nil || math.Abs(*r.Low+0.05) > 1e-9 || math.Abs(*r.High+0.05) > 1e-9 {
			t.Errorf("each workload needs 5 points less, and the range is %+v", r)
		}
	}
}

func TestARangeHoldsTheDifferenceOfItsWorkloads(t *testing.T) {
	ours, theirs := spread(40, 0, 0.03), spread(40, 0, 0.03)
	for i := range ours.Workloads { // Half of the workloads gain ten points, the others nothing.
		ours.Workloads[i].CPU.Slack -= 0.1 * float64(i%2)
	}
	ours.Slack -= 0.05
	near, far := theirs, theirs
	near.Violation, far.Violation = 0.02, 0.04
	near.Workloads, far.Workloads = spread(40, 0, 0.02).Workloads, spread(40, 0, 0.04).Workloads
	v := newReference(Curve{Points: []Point{near, far}}).versus([]Point{ours})[0]
	// The standard error of a mean of 40 values that are 0 or −0.1 is 0.0079.
	low, high := *v.ViolationRange.Low, *v.ViolationRange.High
	if math.Abs(low+0.05+0.0155) > 0.003 || math.Abs(high+0.05-0.0155) > 0.003 {
		t.Errorf("the range is %v to %v", low, high)
	}
}

func TestARangeIsOpenWhereTheReferenceDoesNotReach(t *testing.T) {
	ours := spread(40, -0.05, 0)
	for i := range ours.Workloads { // Its mean violation is 0.021, that of many draws is under 0.02.
		ours.Workloads[i].CPU.Violation = 0.042 * float64(i%2)
	}
	ours.Violation = 0.021
	v := newReference(Curve{Points: []Point{spread(40, 0, 0.04), spread(40, 0.2, 0.02)}}).versus([]Point{ours})[0]
	if v.ViolationRange.Low != nil || v.ViolationRange.High == nil {
		t.Fatalf("the range is %+v", v.ViolationRange)
	}
	if got := compared(v.AtEqualViolation, v.ViolationRange, signed); got[:6] != "-24.0 " || got[6:13] != "(under " {
		t.Errorf("it is written %q", got)
	}
}

func TestAFewWorkloadsHaveNoRange(t *testing.T) {
	v := newReference(Curve{Points: []Point{spread(9, 0, 0.04), spread(9, 0.2, 0.02)}}).versus([]Point{spread(9, 0.05, 0.03)})[0]
	if v.AtEqualViolation == nil || v.ViolationRange != nil {
		t.Errorf("of nine workloads it is %v, with the range %+v", v.AtEqualViolation, v.ViolationRange)
	}
	if got := compared(v.AtEqualViolation, v.ViolationRange, signed); got != "-5.0" {
		t.Errorf("it is written %q", got)
	}
}
