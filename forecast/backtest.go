package forecast

import "math"

// A back-test repeats the forecast at earlier times, its origins, and compares it with what came. Origins are whole days
// before the end, so that each is at the same hour as the forecast to come, and none has less history than half of all.
const maxOrigins = 10

// backtest holds what each model predicted at each origin.
type backtest struct {
	models []Model
	// actual is what came after each origin, NaN where nothing was measured; at most as long as the horizon.
	actual [][]float64
	// predicted by model and origin.
	predicted [][][]float64
}

// runBacktest lets every model that has enough history at the oldest origin predict from each origin. Without any origin
// the result has no models.
func runBacktest(p past, pool []Model, steps int) backtest {
	origins := min(maxOrigins, p.len()/2/max(1, p.day))
	var b backtest
	if origins == 0 {
		return b
	}
	oldest := p.len() - origins*p.day
	for _, m := range pool {
		if m.MinLen() <= oldest {
			b.models = append(b.models, m)
		}
	}
	b.predicted = make([][][]float64, len(b.models))
	for k := 1; k <= origins; k++ {
		origin := p.len() - k*p.day
		seen := p.values[:origin]
		count := min(steps, p.len()-origin)
		b.actual = append(b.actual, p.measurements(origin, count))
		limits := newBounds(seen)
		for i, m := range b.models {
			predicted := m.Predict(seen, count)
			limits.hold(predicted)
			b.predicted[i] = append(b.predicted[i], predicted)
		}
	}
	return b
}

// measurements returns count values from index i on, NaN where nothing was measured.
func (p past) measurements(i, count int) []float64 {
	result := make([]float64, count)
	for j := range result {
		result[j] = math.NaN()
		if p.measured[i+j] {
			result[j] = p.values[i+j]
		}
	}
	return result
}

// relativeError returns the mean absolute error over all origins divided by the mean of what was measured: 0.2 is 20 %.
// NaN if nothing was measured or all of it was zero.
func relativeError(actual, predicted [][]float64) float64 {
	misses, total := 0.0, 0.0
	for k, truth := range actual {
		for h, y := range truth {
			if !math.IsNaN(y) {
				misses += math.Abs(y - predicted[k][h])
				total += y
			}
		}
	}
	if total == 0 {
		return math.NaN()
	}
	return misses / total
}

// shares gives each model a share in proportion to its relative error to the power of −4, leaves out those with less than
// 5 %, and makes the rest sum to 1. Errors below one in a million count as that. Models with an unknown error share
// equally if all are unknown.
func shares(errors []float64) []float64 {
	const power, floor, least = -4, 1e-6, 0.05
	result := make([]float64, len(errors))
	total := 0.0
	for i, e := range errors {
		result[i] = 1
		if !math.IsNaN(e) {
			result[i] = math.Pow(max(e, floor), power)
		}
		total += result[i]
	}
	kept := 0.0
	for i := range result {
		if result[i] /= total; result[i] < least {
			result[i] = 0
		}
		kept += result[i]
	}
	for i := range result {
		result[i] /= kept
	}
	return result
}

// combine adds the predictions of the models by their shares, origin by origin.
func (b backtest) combine(weights []float64) [][]float64 {
	result := make([][]float64, len(b.actual))
	for k := range result {
		result[k] = make([]float64, len(b.actual[k]))
		for i, share := range weights {
			addScaled(result[k], share, b.predicted[i][k])
		}
	}
	return result
}

func addScaled(sum []float64, factor float64, values []float64) {
	for h, v := range values {
		sum[h] += factor * v
	}
}
