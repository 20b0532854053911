package forecast

import "math"

// scoreHalfLife, in hours, after which a past loss of a candidate counts half. Its share is in proportion to its loss to the
// power of −sharePower.
const (
	scoreHalfLife = 14 * day
	sharePower    = 8
)

// weigh gives each candidate its share: it replays the last boundWindow hours and compares every candidate's bound with what
// came, by the pinball loss on the plain scale.
func (n *NextHour) weigh(h hours) {
	bounds := n.replay(h)
	first := len(h.log) - len(bounds[0])
	least := math.Inf(1)
	var loss [candidateCount]float64
	for k := range loss {
		loss[k] = n.loss(h, bounds[k], first)
		least = min(least, loss[k])
	}
	for k := range loss {
		if !math.IsInf(loss[k], 1) {
			n.shares[k] = math.Pow(max(loss[k], 1e-12)/max(least, 1e-12), -sharePower)
		}
	}
	n.coverage = n.test(h, bounds, first)
}

// replay returns the bounds of the candidates for the last boundWindow hours, each from what was known before the hour; NaN where there
// was none.
func (n *NextHour) replay(h hours) [candidateCount][]float64 {
	weights, ceilings := newWeights(), h.ceilings()
	first := max(leastErrors, len(h.log)-boundWindow)
	errors, predicted := make([]oneError, 0, boundWindow+1), make([]float64, len(h.log)+1)
	var bounds [candidateCount][]float64
	for k := range bounds {
		h.predict(k, n.regressions, predicted)
		w := errorWindow{errors: errors, next: max(0, first-boundWindow), weights: &weights}
		for w.next < first {
			w.slide(h, predicted)
		}
		bounds[k] = make([]float64, 0, len(h.log)-first)
		for i := first; i < len(h.log); i++ {
			bounds[k] = append(bounds[k], min(predicted[i]+w.quantile(n.level), ceilings[i]))
			w.slide(h, predicted)
		}
	}
	return bounds
}

// loss is the mean pinball loss of bounds, recent hours counting more; infinite if fewer than leastErrors could be tested.
func (n *NextHour) loss(h hours, bounds []float64, first int) float64 {
	sum, weight, tested := 0.0, 0.0, 0
	for j, bound := range bounds {
		i := first + j
		if math.IsNaN(bound) || !h.measured[i] {
			continue
		}
		w := math.Exp2(-float64(len(h.log)-1-i) / scoreHalfLife)
		over := math.Exp(h.log[i]) - math.Exp(bound)
		sum += w * max(n.level*over, (n.level-1)*over)
		weight += w
		tested++
	}
	if tested < leastErrors {
		return math.Inf(1)
	}
	return sum / weight
}

// test returns the share of the replayed hours that stayed at or under the combined bound; NaN without leastErrors of them.
// The shares are those that the same hours led to, which flatters it a little.
func (n *NextHour) test(h hours, bounds [candidateCount][]float64, first int) float64 {
	covered, tested := 0, 0
	for j := range bounds[0] {
		sum, whole := 0.0, 0.0
		for k, share := range n.shares {
			if b := bounds[k][j]; share > 0 && !math.IsNaN(b) {
				sum += share * b
				whole += share
			}
		}
		if whole == 0 || !h.measured[first+j] {
			continue
		}
		if h.log[first+j] <= sum/whole {
			covered++
		}
		tested++
	}
	if tested < leastErrors {
		return math.NaN()
	}
	return float64(covered) / float64(tested)
}
