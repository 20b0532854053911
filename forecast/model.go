package forecast

import "math"

// Model is one way of predicting. A model keeps no state: the same history gives the same answer.
type Model interface {
	// Name is stable and appears in a Recommendation's status.
	Name() string
	// MinLen is the number of values below which the model cannot predict.
	MinLen() int
	// Predict fits the model to the history, which holds at least MinLen finite values that are not negative, and returns
	// the expected values of the steps that follow. The caller bounds what comes out.
	Predict(history []float64, steps int) []float64
}

// models returns those that take part, in a fixed order, for a series with the given number of steps in a day. The first
// one can predict from a single value.
func models(day int) []Model {
	pool := []Model{Level{HalfLife: float64(day)}}
	if day < 2 {
		return pool
	}
	return append(pool,
		SeasonalNaive{Label: "seasonal-naive-day", Period: day},
		SeasonalNaive{Label: "seasonal-naive-week", Period: 7 * day},
		HoltWinters{Period: day},
	)
}

// bounds is what a forecast is held within: half of the observed range beyond the observed values, and never negative.
// A model that runs away in its recursion does no harm.
type bounds struct{ low, high float64 }

func newBounds(history []float64) bounds {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range history {
		low, high = min(low, v), max(high, v)
	}
	half := (high - low) / 2
	return bounds{low: max(0, low-half), high: high + half}
}

// hold brings each value inside, in place; NaN becomes the upper bound, because too much is safer than too little.
func (b bounds) hold(values []float64) {
	for i, v := range values {
		if math.IsNaN(v) {
			v = b.high
		}
		values[i] = min(max(v, b.low), b.high)
	}
}
