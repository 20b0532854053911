package sizing

import (
	"cmp"
	"math"
	"slices"

	"github.com/loadline-dev/loadline/forecast"
)

// restWorth is by how much a request may grow to cover all of the time that the policy's quantile leaves out, as a logarithm: with 0.5
// and p95, by 10 % for each 1 % of the time.
const restWorth = 0.5

// cover is a demand that a request covers.
type cover struct {
	// least is the policy's quantile of the samples; cores is what is covered: that, or a rarer peak that costs little.
	least, cores float64
	// level is the share of the time in which use is at or under cores; the policy's quantile where that is least.
	level float64
}

// covering finds how much demand to cover: of the quantile q of the samples and all values over it, the v that is smallest in
//
//	ln v + restWorth · (share of the time over v) ÷ (1 − q).
//
// So a peak is covered where it costs little for how often it comes, and one that towers over the rest is left to the node. What is covered
// is at most exp(restWorth) = 1.65 times the quantile.
//
// Example: p95 0.50 cores, for 1 % of the time 0.56. ln 0.56 − ln 0.50 = 0.113 is more than 0.5 · 0.01 ÷ 0.05 = 0.1, so 0.50 are covered.
// Were the peak 0.55, 0.55 would be.
//
// Without a sample all but the level is NaN. It changes the order of the samples.
func covering(samples []forecast.Sample, q float64) cover {
	least := forecast.WeightedQuantile(samples, q)
	c := cover{least: least, cores: least, level: q}
	if !(least > 0) { // NaN, too.
		return c
	}
	total, over := 0.0, 0.0
	var peaks []forecast.Sample
	for _, s := range samples {
		total += s.Weight
		if s.Value > least {
			peaks = append(peaks, s)
			over += s.Weight
		}
	}
	if len(peaks) == 0 {
		return c
	}
	slices.SortFunc(peaks, func(a, b forecast.Sample) int { return cmp.Compare(a.Value, b.Value) })
	perWeight := restWorth / ((1 - q) * total)
	cheapest := math.Log(least) + perWeight*over
	for _, peak := range peaks {
		over = max(0, over-peak.Weight)
		if cost := math.Log(peak.Value) + perWeight*over; cost < cheapest {
			cheapest, c.cores, c.level = cost, peak.Value, 1-over/total
		}
	}
	return c
}

// rarer reports whether more is covered than the policy asks for.
func (c cover) rarer() bool { return c.cores > c.least }
