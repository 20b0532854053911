package forecast

import (
	"cmp"
	"math"
	"slices"
)

// shares are the weights of the models in each block of the horizon; those of a block sum to 1.
type shares [][]float64

// Of the weight of the models, sorted by what they predict, this much is left out at either side.
const trimmedShare = 0.2

// owaError is the error that weights follow: half of the relative and half of the scaled error, each divided by what
// the naive method of the M4 competition scores (Makridakis et al., 2020). Both are needed: the relative one sees
// nights, the scaled one peaks.
func owaError(actual, predicted, scale float64) float64 {
	const naiveSMAPE, naiveMASE = 18.383, 2.395
	e := math.Abs(actual - predicted)
	if e == 0 {
		return 0
	}
	return (200*e/(actual+predicted)/naiveSMAPE + e/scale/naiveMASE) / 2
}

// losses are sums of errors by model, origin and block, and how many they are by origin and block.
type losses struct {
	sums   [][][]float64
	counts [][]float64
}

// measure adds up the errors of all models.
func (b *backtest) measure() losses {
	l := losses{}
	for k := range b.actual {
		l.counts = append(l.counts, make([]float64, b.blocks()))
		for i, y := range b.actual[k] {
			if !math.IsNaN(y) {
				l.counts[k][i/b.block]++
			}
		}
	}
	for m := range b.models {
		sums := make([][]float64, len(b.actual))
		for k := range b.actual {
			sums[k] = make([]float64, b.blocks())
			for i, y := range b.actual[k] {
				if !math.IsNaN(y) {
					sums[k][i/b.block] += owaError(y, b.predicted[m][k][i], b.scale)
				}
			}
		}
		l.sums = append(l.sums, sums)
	}
	return l
}

// shares gives each model in each block a weight in proportion to its mean error to the power of −2. Errors of the origin
// without are left out; −1 leaves out none. Errors below a billionth count as that, blocks without any error share equally.
func (l losses) shares(without int) shares {
	const least = 1e-9
	result := make(shares, len(l.counts[0]))
	for block := range result {
		weights, total := make([]float64, len(l.sums)), 0.0
		for m, sums := range l.sums {
			sum, count := 0.0, 0.0
			for k := range sums {
				if k != without {
					sum += sums[k][block]
					count += l.counts[k][block]
				}
			}
			e := max(least, sum/max(1, count))
			weights[m] = 1 / (e * e)
			total += weights[m]
		}
		for m := range weights {
			weights[m] /= total
		}
		result[block] = weights
	}
	return result
}

// mean returns the share of each model over all blocks.
func (s shares) mean() []float64 {
	result := make([]float64, len(s[0]))
	for _, weights := range s {
		for m, w := range weights {
			result[m] += w / float64(len(s))
		}
	}
	return result
}

// vote is what one model predicts, and its weight.
type vote struct{ value, weight float64 }

// trimmedMean returns the weighted mean of the votes between trimmedShare and 1−trimmedShare of the weight, which sums to
// 1. It sorts votes.
func trimmedMean(votes []vote) float64 {
	slices.SortFunc(votes, func(a, b vote) int { return cmp.Compare(a.value, b.value) })
	sum, kept, below := 0.0, 0.0, 0.0
	for _, v := range votes {
		inside := min(below+v.weight, 1-trimmedShare) - max(below, trimmedShare)
		below += v.weight
		if inside > 0 {
			sum += inside * v.value
			kept += inside
		}
	}
	return sum / kept
}

// combine mixes what the models predict for each step.
func (s shares) combine(p plan, predicted [][]float64) []float64 {
	result := make([]float64, len(predicted[0]))
	votes := make([]vote, len(predicted))
	for i := range result {
		weights := s[p.blockOf(i)]
		for m := range predicted {
			votes[m] = vote{predicted[m][i], weights[m]}
		}
		result[i] = trimmedMean(votes)
	}
	return result
}

// combineOthers returns what the mixture would have predicted at each origin with weights from the other origins.
func (b *backtest) combineOthers(l losses) [][]float64 {
	result := make([][]float64, len(b.actual))
	predicted := make([][]float64, len(b.models))
	for k := range result {
		for m := range predicted {
			predicted[m] = b.predicted[m][k]
		}
		without := k
		if len(result) == 1 {
			without = -1
		}
		result[k] = l.shares(without).combine(b.plan, predicted)
	}
	return result
}
