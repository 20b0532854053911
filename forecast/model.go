package forecast

import "math"

// model is one way of predicting. Every model keeps to this contract; its file adds formula, source, minimum length, and what is
// different there.
//
// Units: values are in the unit of a history (see there), and logarithms and roots are those of such values. m is the short season
// and L the long one, in steps.
//
// NaN, negative, infinite and absurd measurements never reach a model: newPast has filled them in. Regressions and profiles learn
// nothing from what was filled in or replaced as a one-off; recursions, medians and the naive model read it like any other value.
//
// Zeros are values. Where logarithms are taken, everything under 1 % of the unit, which is about the mean, counts as that.
//
// Constants are continued, zero included: no prediction leaves the limits around what was observed; see predictWithin.
//
// Minimum length: a model that needs more values than were known at the oldest origin of the back-test is not asked. From least on it
// predicts finite values, whatever the history is.
type model interface {
	// name is stable and appears in a Recommendation's status.
	name() string
	// least is the number of values below which the model cannot be fitted to a series with such seasons.
	least(s seasons) int
	// fit learns from what was known at each origin, and returns one predictor per origin.
	fit(t *training) []predictor
}

// predictor is a model with its parameters.
type predictor interface {
	// predict sets out to the expected values of the steps after the first n of h, in the unit of h. The caller bounds them.
	predict(h *history, n int, out []float64)
}

// training is what models learn from: a history, and the earlier times at which it is looked at.
type training struct {
	*history
	// origins are numbers of known values in ascending order. The last one is all of them.
	origins []int
	// profiles by origin.
	profiles []*seasonalProfile
}

// pool returns all models, in a fixed order. Each one is different in kind: near copies of a good model make the mixture
// worse.
func pool() []model {
	return []model{
		autoregression{},
		differences{seasonal: true},
		differences{},
		holtWinters{},
		profileRemainder{},
		cycleMedian{},
		seasonalNaive{},
	}
}

// limits is what a recursion is held within: half of the observed range beyond what was observed. A model that runs away
// does no harm.
type limits struct{ low, high float64 }

func limitsOf(values []float64) limits {
	low, high := values[0], values[0]
	for _, v := range values {
		if v < low {
			low = v
		}
		if v > high {
			high = v
		}
	}
	half := (high - low) / 2
	return limits{low: low - half, high: high + half}
}

// hold returns v if it is inside, otherwise the bound that is nearer. NaN gives the upper one, because too much is safer than
// too little.
func (l limits) hold(v float64) float64 {
	if math.IsNaN(v) {
		return l.high
	}
	return min(max(v, l.low), l.high)
}
