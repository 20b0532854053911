package main

import (
	"cmp"
	"math"
	"slices"

	"github.com/loadline-dev/loadline/replay"
)

// axis is one of the numbers of a point.
type axis func(replay.Point) float64

func slack(p replay.Point) float64       { return p.Slack }
func violation(p replay.Point) float64   { return p.Violation }
func memorySlack(p replay.Point) float64 { return p.MemorySlack }
func kills(p replay.Point) float64       { return p.OOMPerWeek }

// at returns what y of a curve is where its x has the given value: linear between the points on either side, NaN beyond the
// last ones.
func at(curve replay.Curve, value float64, x, y axis) float64 {
	points := slices.SortedFunc(slices.Values(curve.Points), func(a, b replay.Point) int { return cmp.Compare(x(a), x(b)) })
	for i := 1; i < len(points); i++ {
		left, right := points[i-1], points[i]
		if value < x(left) || value > x(right) {
			continue
		}
		if x(left) == x(right) {
			return y(left)
		}
		share := (value - x(left)) / (x(right) - x(left))
		return y(left) + share*(y(right)-y(left))
	}
	return math.NaN()
}

// slackVersus is how many points more slack a row has than VPA where VPA violates as often. Negative is better.
func slackVersus(row replay.PolicyResult, vpa replay.Curve) float64 {
	return 100 * (row.CPU.Slack - at(vpa, row.CPU.Violation, violation, slack))
}

// memoryVersus compares memory with VPA's, in percent, and takes the better of two ways: how many more kills there are where
// VPA has the same slack, and how much more slack where VPA has the same kills. Negative is better, NaN is not known.
func memoryVersus(row replay.PolicyResult, vpa replay.Curve) float64 {
	if row.Memory == nil {
		return math.NaN()
	}
	more := func(ours, theirs float64) float64 { return 100 * (ours/theirs - 1) }
	byKills := more(row.Memory.OOMPerWeek, at(vpa, row.Memory.Slack, memorySlack, kills))
	bySlack := more(row.Memory.Slack, at(vpa, row.Memory.OOMPerWeek, kills, memorySlack))
	if math.IsNaN(byKills) || bySlack < byKills {
		return bySlack
	}
	return byKills
}
