package forecast

import (
	"math"
	"slices"
	"time"
)

// Options say what to predict. The zero Options ask for two days of hours and the default levels.
type Options struct {
	// Now is the present: later values do not count, and the forecast starts with the interval that contains it. The zero
	// time means the end of the series.
	Now time.Time
	// Horizon in steps; 0 means 48.
	Horizon int
	// Levels of the upper quantiles, between 0 and 1, both excluded; others are left out. None means 0.85 and 0.95.
	Levels []float64
	// Limit above which a value is corrupt; 0 means Implausible.
	Limit float64
}

// capOverSeason is how far an upper quantile may lie over everything that was observed. Without a cap, the errors of a
// bursty workload ask for many times what it ever used.
const capOverSeason = 1.05

// Predict forecasts a series, which may have holes, corrupt values, or next to no history.
//
// The mean is that of several models, weighted by how well they did in a back-test. The upper quantiles lie over it by as
// much as past forecasts were too low, bounded by 1.05 times the largest value observed. With less than two days there
// is no back-test: the mean is the decayed median, every upper quantile the largest value observed, and Coverage and
// BacktestError are NaN.
//
// The Forecast is empty if no usable value is left (NaN is missing; negative, infinite and values over the limit are
// corrupt), if the last one is more than a week older than Now, or if the step is not positive or longer than a day.
// Constant series give that constant. The result does not depend on anything but the arguments.
func Predict(s Series, o Options) Forecast { return Fit(s, o).Predict(s, o.Now) }

func predict(s Series, o Options) Forecast {
	horizon := o.Horizon
	if horizon <= 0 {
		horizon = 48
	}
	p := newPast(s, o)
	if p.len() == 0 {
		return Forecast{}
	}
	pool := models(p.day)
	limits := newBounds(p.values)
	ceiling := p.largest() * capOverSeason
	f := Forecast{Start: p.end(), Step: p.step, Mean: make([]float64, horizon)}

	b := runBacktest(p, pool, horizon)
	if len(b.models) == 0 {
		f.Mean = pool[0].Predict(p.values, horizon)
		f.Weights = []Weight{{Model: pool[0].Name(), Share: 1}}
		f.BacktestError = math.NaN()
		for _, level := range levels(o.Levels) {
			f.Quantiles = append(f.Quantiles, untested(f.Mean, level, p.largest()))
		}
		return f
	}
	errors := make([]float64, len(b.models))
	for i := range b.models {
		errors[i] = relativeError(b.actual, b.predicted[i])
	}
	weights := shares(errors)
	for i, m := range b.models {
		if weights[i] == 0 {
			continue
		}
		predicted := m.Predict(p.values, horizon)
		limits.hold(predicted)
		addScaled(f.Mean, weights[i], predicted)
		f.Weights = append(f.Weights, Weight{Model: m.Name(), Share: weights[i]})
	}
	combined := b.combine(weights)
	f.BacktestError = relativeError(b.actual, combined)
	c := newCalibration(p, b.actual, combined, horizon)
	for _, level := range levels(o.Levels) {
		f.Quantiles = append(f.Quantiles, c.upper(f.Mean, level, ceiling))
	}
	return f
}

// levels returns the usable ones in ascending order, each once.
func levels(asked []float64) []float64 {
	if len(asked) == 0 {
		return []float64{0.85, 0.95}
	}
	usable := slices.DeleteFunc(slices.Clone(asked), func(l float64) bool { return !(l > 0 && l < 1) })
	slices.Sort(usable)
	return slices.Compact(usable)
}

// untested is the upper quantile where there is too little history to know the errors: the largest value observed.
func untested(mean []float64, level, largest float64) Quantile {
	values := make([]float64, len(mean))
	for h, m := range mean {
		values[h] = max(m, largest)
	}
	return Quantile{Level: level, Coverage: math.NaN(), Pinball: math.NaN(), Values: values}
}

func (p past) largest() float64 {
	largest := 0.0
	for i, v := range p.values {
		if p.measured[i] {
			largest = max(largest, v)
		}
	}
	return largest
}
