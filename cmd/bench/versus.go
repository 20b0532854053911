package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/loadline-dev/loadline/internal/bootstrap"
	"github.com/loadline-dev/loadline/replay"
)

// row is what one policy did with a trace, beside VPA.
type row struct {
	replay.PolicyResult
	// Versus is zero for VPA itself.
	Versus replay.Versus `json:"versus"`
	// point is the row as a point, with its workloads.
	point replay.Point
}

// number is a measurement with its 95 % bootstrap interval over workloads. NaN is not known, and an infinite end is open.
type number struct {
	value, low, high float64
	// bySeed is what each seed alone gives, if chance has a part.
	bySeed []float64
}

// unknown is a number without one.
func unknown() number { return exactly(math.NaN()) }

// exactly is a number without an interval.
func exactly(value float64) number { return number{value: value, low: math.NaN(), high: math.NaN()} }

// withSeeds returns the number with what a statistic is for each seed of a row.
func (n number) withSeeds(r row, statistic func(replay.SeedResult) float64) number {
	for _, s := range r.BySeed {
		n.bySeed = append(n.bySeed, statistic(s))
	}
	return n
}

// seeds writes the least and the most that a seed gives with a format such as "%+.1f", and a dash where chance has no part.
func (n number) seeds(format string) string {
	if len(n.bySeed) == 0 || slices.ContainsFunc(n.bySeed, math.IsNaN) {
		return "–"
	}
	return fmt.Sprintf(format+" to "+format, slices.Min(n.bySeed), slices.Max(n.bySeed))
}

// inPoints reads a difference in slack, in percentage points.
func inPoints(difference *float64, r *replay.Range) number {
	if difference == nil {
		return unknown()
	}
	n := exactly(100 * *difference)
	if r == nil {
		return n
	}
	n.low, n.high = math.Inf(-1), math.Inf(1)
	if r.Low != nil {
		n.low = 100 * *r.Low
	}
	if r.High != nil {
		n.high = 100 * *r.High
	}
	return n
}

// between writes the interval with a format such as "%+.1f", and a dash where there is none.
func (n number) between(format string) string {
	switch openLow, openHigh := math.IsInf(n.low, 0), math.IsInf(n.high, 0); {
	case math.IsNaN(n.low) || math.IsNaN(n.high) || openLow && openHigh:
		return "–"
	case openLow:
		return "under " + fmt.Sprintf(format, n.high)
	case openHigh:
		return "over " + fmt.Sprintf(format, n.low)
	default:
		return fmt.Sprintf(format+" to "+format, n.low, n.high)
	}
}

// atViolation is how many points more slack a row has than VPA where that violates as often; negative is better.
func (r row) atViolation() number {
	return inPoints(r.Versus.AtEqualViolation, r.Versus.ViolationRange)
}

// atUnmet is the same where VPA leaves as much demand unmet.
func (r row) atUnmet() number { return inPoints(r.Versus.AtEqualUnmet, r.Versus.UnmetRange) }

// fewest workloads for which an interval says anything.
const fewest = 10

// drawn computes a number for all workloads, and its interval from the same draws of them for both rows and VPA.
func drawn(a, b row, vpa replay.Curve, statistic func(a, b replay.Point, vpa replay.Curve) float64) number {
	n := exactly(statistic(a.point, b.point, vpa))
	workloads := len(a.point.Workloads)
	if math.IsNaN(n.value) || workloads < fewest {
		return n
	}
	var values []float64
	for some := range bootstrap.Draws(workloads, seed) {
		v := statistic(a.point.Over(some), b.point.Over(some), vpa.Over(some))
		if math.IsNaN(v) {
			return n // There are draws for which nothing can be said.
		}
		values = append(values, v)
	}
	n.low, n.high = bootstrap.Range(values)
	return n
}

// advantage is how many points less slack a needs than b, each against VPA where that violates as often; negative is better.
func advantage(a, b row, vpa replay.Curve) number {
	if math.IsNaN(a.atViolation().value) || math.IsNaN(b.atViolation().value) {
		return unknown()
	}
	against := func(p replay.Point, vpa replay.Curve) float64 {
		return p.Slack - vpa.At(p.Violation, violation, slack)
	}
	n := drawn(a, b, vpa, func(a, b replay.Point, vpa replay.Curve) float64 {
		return 100 * (against(a, vpa) - against(b, vpa))
	})
	for i := range min(len(a.BySeed), len(b.BySeed)) {
		n.bySeed = append(n.bySeed, seedAgainst(vpa)(a.BySeed[i])-seedAgainst(vpa)(b.BySeed[i]))
	}
	return n
}

// seedAgainst tells how many points more slack one seed gives than VPA has where that violates as often.
func seedAgainst(vpa replay.Curve) func(replay.SeedResult) float64 {
	return func(s replay.SeedResult) float64 { return 100 * (s.Slack - vpa.At(s.Violation, violation, slack)) }
}

func seedUnmet(s replay.SeedResult) float64 { return 100 * s.Unmet }

func seedRequested(s replay.SeedResult) float64 { return s.RequestedPerUsed }

func slack(p replay.Point) float64       { return p.Slack }
func violation(p replay.Point) float64   { return p.Violation }
func memorySlack(p replay.Point) float64 { return p.MemorySlack }
func kills(p replay.Point) float64       { return p.OOMPerWeek }

// killsAtSlack is by how many percent more often a row's workloads are killed for lack of memory than VPA's where that has the
// same memory slack, and slackAtKills how much more memory slack there is where VPA's are killed as often. Negative is better.
func killsAtSlack(r row, vpa replay.Curve) number { return relativeTo(r, vpa, memorySlack, kills) }

func slackAtKills(r row, vpa replay.Curve) number { return relativeTo(r, vpa, kills, memorySlack) }

func relativeTo(r row, vpa replay.Curve, same, compared func(replay.Point) float64) number {
	if r.Memory == nil {
		return unknown()
	}
	n := drawn(r, r, vpa, func(p, _ replay.Point, vpa replay.Curve) float64 { return more(p, vpa, same, compared) })
	if math.IsInf(n.value, 0) {
		return unknown()
	}
	return n
}

// more is by how many percent a number of a point is over that of a curve where another one is the same. Beyond the curve it is
// −Inf if the point has less of that than all of it, which VPA could only have at the cost of the first, and +Inf if more.
func more(p replay.Point, vpa replay.Curve, same, compared func(replay.Point) float64) float64 {
	theirs := vpa.At(same(p), same, compared)
	switch {
	case theirs > 0:
		return 100 * (compared(p)/theirs - 1)
	case theirs == 0 && compared(p) == 0:
		return 0
	case theirs == 0:
		return math.Inf(1)
	}
	for _, other := range vpa.Points {
		if same(other) < same(p) {
			return math.Inf(1)
		}
	}
	return math.Inf(-1)
}

// better returns the smaller of two numbers; one that is not known is not smaller.
func better(a, b number) number {
	if math.IsNaN(a.value) || b.value < a.value {
		return b
	}
	return a
}
