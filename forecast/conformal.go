package forecast

import (
	"cmp"
	"math"
	"slices"
)

// A block of the horizon is a quarter of a day. Because origins are whole days apart, the errors of a block belong to the
// same hours of the day as the block itself. A block with fewer errors than minResiduals uses those of the whole horizon.
const (
	blocksPerDay = 4
	minResiduals = 12
)

// residual is a measurement minus its forecast.
type residual struct {
	value  float64
	origin int
}

// calibration turns past errors into upper quantiles: split conformal prediction (Vovk et al., "Algorithmic Learning in a
// Random World", 2005), per block of the horizon.
type calibration struct {
	steps   int
	blocks  [][]residual
	pooled  []residual
	origins int
	// mean of the measurements that the residuals come from.
	mean float64
}

func newCalibration(p past, actual, predicted [][]float64, steps int) calibration {
	c := calibration{steps: max(1, p.day/blocksPerDay), origins: len(actual)}
	c.blocks = make([][]residual, (steps+c.steps-1)/c.steps)
	total := 0.0
	for k, truth := range actual {
		for h, y := range truth {
			if math.IsNaN(y) {
				continue
			}
			r := residual{value: y - predicted[k][h], origin: k}
			c.blocks[h/c.steps] = append(c.blocks[h/c.steps], r)
			c.pooled = append(c.pooled, r)
			total += y
		}
	}
	byValue := func(a, b residual) int { return cmp.Compare(a.value, b.value) }
	slices.SortFunc(c.pooled, byValue)
	for _, block := range c.blocks {
		slices.SortFunc(block, byValue)
	}
	c.mean = total / float64(len(c.pooled))
	return c
}

// residuals returns those that the given block uses, in ascending order.
func (c calibration) residuals(block int) []residual {
	if own := c.blocks[block]; len(own) >= minResiduals {
		return own
	}
	return c.pooled
}

// margin is what has to be added to the forecast in a block so that the given share of outcomes lies at or under it: the
// ⌈(n+1)·level⌉-th smallest of the n residuals, or the largest if there are not as many. Never negative. Residuals of the
// origin without are left out; −1 leaves out none.
func (c calibration) margin(block int, level float64, without int) float64 {
	const rounding = 1e-9 // 20 × 0.95 must not become 20.
	residuals := c.residuals(block)
	n := 0
	for _, r := range residuals {
		if r.origin != without {
			n++
		}
	}
	rank := min(n, int(math.Ceil(float64(n+1)*level-rounding)))
	for _, r := range residuals {
		if r.origin == without {
			continue
		}
		if rank--; rank <= 0 {
			return max(0, r.value)
		}
	}
	return 0
}

// upper returns the upper quantile of a forecast. It is never over ceiling unless the forecast itself is.
func (c calibration) upper(mean []float64, level, ceiling float64) Quantile {
	values := make([]float64, len(mean))
	margin := 0.0
	for h, m := range mean {
		if h%c.steps == 0 {
			margin = c.margin(h/c.steps, level, -1)
		}
		values[h] = max(m, min(m+margin, ceiling))
	}
	coverage, pinball := c.test(level)
	return Quantile{Level: level, Coverage: coverage, Pinball: pinball, Values: values}
}

// test measures an upper quantile honestly: the outcomes after each origin are compared with the margin that follows from
// the residuals of all other origins. It returns the share at or under the quantile, and the mean pinball loss divided by
// the mean demand. NaN for both if there are fewer than two origins.
func (c calibration) test(level float64) (coverage, pinball float64) {
	if c.origins < 2 {
		return math.NaN(), math.NaN()
	}
	covered, count, loss := 0, 0, 0.0
	for b, block := range c.blocks {
		margins := make([]float64, c.origins)
		for k := range margins {
			margins[k] = c.margin(b, level, k)
		}
		for _, r := range block {
			over := r.value - margins[r.origin]
			if over <= 0 {
				covered++
			}
			loss += max(level*over, (level-1)*over)
			count++
		}
	}
	if count == 0 {
		return math.NaN(), math.NaN()
	}
	pinball = loss / float64(count) / c.mean
	if c.mean == 0 {
		pinball = math.NaN()
	}
	return float64(covered) / float64(count), pinball
}
