package forecast

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// A quantile lies factor·spread over the logarithm of the forecast, where the spread is that of the block.
const (
	// blockShare of a squared spread is the mean square of the residuals of the block, the rest that of all blocks.
	blockShare = 0.7
	// Standardised residuals are expected to be spread like Student's t with tailFreedom degrees of freedom, scaled to a
	// standard deviation of tailWidth.
	tailFreedom = 4
	tailWidth   = 1.15
	// observedShare is the weight of the observed quantile of standardised residuals against the expected one.
	observedShare = 0.3
)

// calibration turns errors of the past into quantiles. A residual is the logarithm of a measurement minus that of its
// forecast. Standardised with the spread of its block, its quantile at a level is the factor of that level: conformal
// prediction (Vovk et al., "Algorithmic Learning in a Random World", 2005) with scaled scores, averaged with the quantile of
// a distribution with heavy tails, because there are few independent residuals. That makes it semi-parametric: no guarantee of
// conformal prediction holds for the mixture, and its coverage is measured instead.
type calibration struct {
	plan
	actual, predicted [][]float64
	// ceilings by origin; see capOverSeason.
	ceilings []float64
	// residuals by origin and step; NaN where nothing was measured.
	residuals [][]float64
	// all are the scores of all origins, others those without one of them, by origin.
	all    scores
	others []scores
}

// scores are standardised residuals in ascending order, and the spread of each block that they were divided by.
type scores struct {
	spread []float64
	sorted []float64
	// measured tells that there was a residual; one whose spread is 0 has no score.
	measured bool
}

func newCalibration(p plan, actual, predicted [][]float64, ceilings []float64) *calibration {
	c := &calibration{plan: p, actual: actual, predicted: predicted, ceilings: ceilings}
	for k := range actual {
		residuals := make([]float64, len(actual[k]))
		for i, y := range actual[k] {
			residuals[i] = math.NaN()
			if !math.IsNaN(y) {
				residuals[i] = logOf(y) - logOf(predicted[k][i])
			}
		}
		c.residuals = append(c.residuals, residuals)
	}
	c.all = c.scores(-1)
	if len(actual) > 1 {
		for k := range actual {
			c.others = append(c.others, c.scores(k))
		}
	}
	return c
}

// scores standardises the residuals of all origins but one; −1 leaves out none.
func (c *calibration) scores(without int) scores {
	s := scores{spread: c.spreads(without), sorted: make([]float64, 0, len(c.residuals)*c.steps)}
	for k, residuals := range c.residuals {
		if k == without {
			continue
		}
		for i, r := range residuals {
			if math.IsNaN(r) {
				continue
			}
			s.measured = true
			if spread := s.spread[i/c.block]; spread > 0 {
				s.sorted = append(s.sorted, r/spread)
			}
		}
	}
	slices.Sort(s.sorted)
	return s
}

// spreads returns the spread of each block. Residuals of the origin without are left out; −1 leaves out none.
func (c *calibration) spreads(without int) []float64 {
	squares, counts := make([]float64, c.blocks()), make([]float64, c.blocks())
	total, count := 0.0, 0.0
	for k, residuals := range c.residuals {
		if k == without {
			continue
		}
		for i, r := range residuals {
			if !math.IsNaN(r) {
				squares[i/c.block] += r * r
				counts[i/c.block]++
				total += r * r
				count++
			}
		}
	}
	result := make([]float64, c.blocks())
	for b := range result {
		whole := total / max(1, count)
		own := whole
		if counts[b] > 0 {
			own = squares[b] / counts[b]
		}
		result[b] = math.Sqrt(blockShare*own + (1-blockShare)*whole)
	}
	return result
}

// factor returns how many spreads a quantile lies over the forecast, or under it if negative. A quantile from the median up
// is never under the forecast, one below the median never over it.
func (s scores) factor(level float64) float64 {
	t := distuv.StudentsT{Sigma: 1, Nu: tailFreedom}
	mixed := tailWidth * math.Sqrt((tailFreedom-2.)/tailFreedom) * t.Quantile(level)
	if n := len(s.sorted); n > 0 {
		const rounding = 1e-9 // 20 × 0.95 must not become 20.
		rank := int(math.Ceil(float64(n+1)*level - rounding))
		mixed += observedShare * (s.sorted[min(max(rank, 1), n)-1] - mixed)
	}
	if level >= 0.5 {
		return max(0, mixed)
	}
	return min(0, mixed)
}

// test returns the factor of a level, and measures it: what came after each origin is compared with the quantile that follows
// from all other origins, capped with what was known at its own. Coverage is the share at or under it, pinball the mean pinball
// loss divided by the mean of what was measured. Both are NaN if anything was measured after less than two origins, pinball also if
// all measurements are zero.
func (c *calibration) test(level float64) testedLevel {
	result := testedLevel{level: level, factor: c.all.factor(level), coverage: math.NaN(), pinball: math.NaN()}
	covered, count, loss, total := 0.0, 0.0, 0.0, 0.0
	for k, others := range c.others {
		if !others.measured {
			continue
		}
		factor := others.factor(level)
		for i, y := range c.actual[k] {
			if math.IsNaN(y) {
				continue
			}
			mean := c.predicted[k][i]
			over := y - min(quantileAt(mean, factor*others.spread[i/c.block]), max(mean, c.ceilings[k]))
			if over <= 0 {
				covered++
			}
			loss += max(level*over, (level-1)*over)
			total += y
			count++
		}
	}
	if count > 0 {
		result.coverage = covered / count
	}
	if total > 0 {
		result.pinball = loss / total
	}
	return result
}
