package forecast

import (
	"math"
	"slices"
)

// A back-test repeats the forecast at earlier times, its origins, which lie whole short seasons apart, so that each is at
// the same time of the day as the forecast to come. None has less than half of the history before it.
const mostOrigins = 10

// blocksPerSeason is how many parts of the short season have weights and spreads of their own.
const blocksPerSeason = 4

// plan says what is back-tested.
type plan struct {
	// origins in ascending order, without the end of the history.
	origins []int
	// steps that are predicted from each origin.
	steps int
	// block is a quarter of the short season: the steps of the horizon that share weights.
	block int
	// season is the short season.
	season int
}

// newPlan returns what to test: two short seasons ahead, or up to two days if the horizon is as long, and one short season
// where that would be more than a quarter of the history. Without any origin there is too little to test.
func newPlan(h *history, horizon int) plan {
	m, n := h.short, h.len()
	if m == 0 {
		return plan{}
	}
	steps := max(2*m, min(horizon, 2*h.day))
	if steps > n/4 {
		steps = m
	}
	result := plan{steps: steps, block: max(1, m/blocksPerSeason), season: m}
	least := max(n/2, m)
	for k := mostOrigins - 1; k >= 0; k-- {
		if origin := n - steps - k*m; origin >= least {
			result.origins = append(result.origins, origin)
		}
	}
	return result
}

// blockOf returns the block of a step of any horizon. Steps after the back-tested ones are those a season, or several,
// before.
func (p plan) blockOf(step int) int {
	if step >= p.steps {
		step = p.steps - p.season + (step-p.steps)%p.season
	}
	return step / p.block
}

// blocks returns the number of blocks.
func (p plan) blocks() int { return (p.steps + p.block - 1) / p.block }

// backtest is what the models of the pool predicted at each origin, and what came.
type backtest struct {
	plan
	models []model
	// fitted are the models with their parameters from the whole history.
	fitted []predictor
	// predicted by model, origin and step.
	predicted [][][]float64
	// actual by origin and step; NaN where nothing was measured.
	actual [][]float64
	// ceilings by origin: what the quantiles that are predicted from it are capped with.
	ceilings []float64
	// scale is the mean absolute difference between values one short season apart.
	scale float64
}

// runBacktest lets every model that has enough history at the oldest origin predict from each origin.
func runBacktest(h *history, todo plan) *backtest {
	t := &training{history: h, origins: append(slices.Clip(todo.origins), h.len())}
	for _, n := range t.origins {
		t.profiles = append(t.profiles, learnProfile(h, n))
	}
	b := &backtest{plan: todo, scale: seasonalError(h)}
	for _, origin := range todo.origins {
		b.actual = append(b.actual, h.actual[origin:origin+todo.steps])
		b.ceilings = append(b.ceilings, capOverSeason*largestKnown(h.actual[max(0, origin-h.capSteps(h.day)):origin]))
	}
	for _, m := range pool() {
		if m.least(h.seasons) > t.origins[0] {
			continue
		}
		predictors := m.fit(t)
		last := len(predictors) - 1
		b.models, b.fitted = append(b.models, m), append(b.fitted, predictors[last])
		predicted := make([][]float64, last)
		for k, predictor := range predictors[:last] {
			predicted[k] = predictWithin(h, t.origins[k], predictor, todo.steps)
		}
		b.predicted = append(b.predicted, predicted)
	}
	return b
}

// predictWithin returns what a predictor expects after the first n values, held within limits and never negative.
func predictWithin(h *history, n int, m predictor, steps int) []float64 {
	out := make([]float64, steps)
	m.predict(h, n, out)
	within := limitsOf(h.values[:n])
	within.low = max(0, within.low)
	for i, v := range out {
		out[i] = within.hold(v)
	}
	return out
}

// largestKnown returns the largest value that is not NaN, or 0.
func largestKnown(values []float64) float64 {
	largest := 0.0
	for _, v := range values {
		if v > largest {
			largest = v
		}
	}
	return largest
}

// seasonalError returns the mean absolute difference between measured values one short season apart, at least a
// millionth of a unit.
func seasonalError(h *history) float64 {
	sum, n := 0.0, 0.0
	for t := h.short; t < h.len(); t++ {
		if e := math.Abs(h.actual[t] - h.actual[t-h.short]); !math.IsNaN(e) {
			sum += e
			n++
		}
	}
	return max(1e-6, sum/max(1, n))
}
