package main

import (
	"math"

	"github.com/loadline-dev/loadline/replay"
)

func slack(p replay.Point) float64       { return p.Slack }
func violation(p replay.Point) float64   { return p.Violation }
func memorySlack(p replay.Point) float64 { return p.MemorySlack }
func kills(p replay.Point) float64       { return p.OOMPerWeek }

// slackVersus is how many points more slack a row has than VPA where VPA violates as often. Negative is better.
func slackVersus(row replay.PolicyResult, vpa replay.Curve) float64 {
	return 100 * (row.CPU.Slack - vpa.At(row.CPU.Violation, violation, slack))
}

// memoryVersus compares memory with VPA's, in percent, and takes the better of two ways: how many more kills there are where
// VPA has the same slack, and how much more slack where VPA has the same kills. Negative is better, NaN is not known.
func memoryVersus(row replay.PolicyResult, vpa replay.Curve) float64 {
	if row.Memory == nil {
		return math.NaN()
	}
	more := func(ours, theirs float64) float64 { return 100 * (ours/theirs - 1) }
	byKills := more(row.Memory.OOMPerWeek, vpa.At(row.Memory.Slack, memorySlack, kills))
	bySlack := more(row.Memory.Slack, vpa.At(row.Memory.OOMPerWeek, kills, memorySlack))
	if math.IsNaN(byKills) || bySlack < byKills {
		return bySlack
	}
	return byKills
}
