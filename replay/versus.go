package replay

import (
	"math"

	"github.com/loadline-dev/loadline/internal/bootstrap"
)

const (
	// rangeSeed draws the workloads of every range, so that the same replay gives the same ranges.
	rangeSeed = 4
	// fewest workloads for which a range says anything.
	fewest = 10
)

// reference is the curve that others are compared with, and the same curve over every draw of the workloads.
type reference struct {
	Curve
	drawn []Curve
}

func newReference(c Curve) reference {
	r := reference{Curve: c}
	if n := c.workloads(); n >= fewest {
		for drawn := range bootstrap.Draws(n, rangeSeed) {
			r.drawn = append(r.drawn, c.Over(drawn))
		}
	}
	return r
}

// workloads are how many the curve's points are averages of.
func (c Curve) workloads() int {
	if len(c.Points) == 0 {
		return 0
	}
	return len(c.Points[0].Workloads)
}

// Over returns the curve of other workloads: those at the given indices, each as often as it is named. Only slack, violation, unmet
// demand, memory slack and kills are set.
func (c Curve) Over(drawn []int) Curve {
	out := Curve{Policy: c.Policy, Label: c.Label, Points: make([]Point, len(c.Points))}
	for i, p := range c.Points {
		out.Points[i] = p.Over(drawn)
	}
	return out
}

// Over returns the point of other workloads, as Curve.Over does.
func (p Point) Over(drawn []int) Point {
	out := Point{Knob: p.Knob, Shipped: p.Shipped}
	cpu, memory, weeks := 0.0, 0.0, 0.0
	for _, i := range drawn {
		w := &p.Workloads[i]
		if w.CPU.Requested > 0 { // Else there was no sample.
			cpu++
			out.Slack += w.CPU.Slack
			out.Violation += w.CPU.Violation
			out.Unmet += w.CPU.Unmet
		}
		if w.Memory != nil {
			memory++
			out.MemorySlack += w.Memory.Slack
			out.OOMPerWeek += w.Memory.OOMPerWeek * float64(w.ScoredSeconds)
			weeks += float64(w.ScoredSeconds)
		}
	}
	out.Slack, out.Violation, out.Unmet = ratio(out.Slack, cpu), ratio(out.Violation, cpu), ratio(out.Unmet, cpu)
	out.MemorySlack, out.OOMPerWeek = ratio(out.MemorySlack, memory), ratio(out.OOMPerWeek, weeks)
	return out
}

func slackOf(p Point) float64       { return p.Slack }
func violationOf(p Point) float64   { return p.Violation }
func unmetOf(p Point) float64       { return p.Unmet }
func memorySlackOf(p Point) float64 { return p.MemorySlack }
func killsOf(p Point) float64       { return p.OOMPerWeek }

func (r reference) versus(points []Point) []Versus {
	out := make([]Versus, len(points))
	for i, p := range points {
		v := Versus{Knob: p.Knob}
		v.AtEqualViolation, v.ViolationRange = r.compare(p, slackOf, violationOf)
		v.AtEqualUnmet, v.UnmetRange = r.compare(p, slackOf, unmetOf)
		if p.MemorySlack > 0 {
			v.AtEqualOOM, v.OOMRange = r.compare(p, memorySlackOf, killsOf)
		}
		out[i] = v
	}
	return out
}

// compare returns how much more slack a point has where the reference does the same harm, and the range of that.
func (r reference) compare(p Point, slack, harm func(Point) float64) (*float64, *Range) {
	found := known(difference(p, r.Curve, slack, harm))
	if found == nil || len(r.drawn) == 0 {
		return found, nil
	}
	values := make([]float64, 0, len(r.drawn))
	for drawn := range bootstrap.Draws(len(p.Workloads), rangeSeed) {
		values = append(values, difference(p.Over(drawn), r.drawn[len(values)], slack, harm))
	}
	low, high := bootstrap.Range(values)
	return found, &Range{known(low), known(high)}
}

// difference is how much more slack p has than the reference where that does the same harm. Beyond the reference's curve it is
// −Inf if p does less harm than all of it, because there the reference would need yet more slack, and else +Inf.
func difference(p Point, reference Curve, slack, harm func(Point) float64) float64 {
	if theirs := reference.At(harm(p), harm, slack); !math.IsNaN(theirs) {
		return slack(p) - theirs
	}
	for _, other := range reference.Points {
		if harm(other) < harm(p) {
			return math.Inf(1)
		}
	}
	return math.Inf(-1)
}

// known is nil for what is infinite.
func known(v float64) *float64 {
	if math.IsInf(v, 0) {
		return nil
	}
	return &v
}
