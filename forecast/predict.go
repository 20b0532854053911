package forecast

import (
	"math"
	"slices"
	"time"
)

// capOverSeason is how far an upper quantile may lie over everything that was observed in capDays, or in the longer season
// if that is more. Without a cap, the errors of a bursty workload ask for many times what it ever used; with one over all of the
// history, quantiles are a little worse.
const (
	capOverSeason = 1.05
	capDays       = 14
)

// capSteps is how many steps the cap looks back, where a day has so many.
func (s seasons) capSteps(day int) int { return max(capDays*day, s.long) }

// Predict is Fit followed by Fitted.Predict on the same series. The result depends on nothing but the arguments.
func Predict(s Series, o Options) Forecast { return Fit(s, o).Predict(s, o.Now) }

// Predict forecasts s, the series that f was fitted to or a newer part of it, as known at the time now; the zero time means
// the end of s. Nothing is learned anew, which makes it cheap: the models start from the newest values with the parameters
// that they have, also if the level has shifted since. If s does not fit f, because its steps are of another length or it
// is too short, the result is that of a new Fit.
//
// The mean is that of several models, weighted by how well they did in a back-test. The quantiles lie over or under it by as
// much as past forecasts were off; upper ones are bounded by 1.05 times the largest value of the last 14 days, and provide for a week
// for the return of demand that went down, because that may be days off. With less than two
// days, or two seasons, there is no back-test: the mean is the decayed median, upper and lower quantiles are the largest and
// the smallest value observed, and Coverage and BacktestError are NaN.
//
// The Forecast is empty if no usable value is left (NaN is missing; negative, infinite and values over the limit are
// corrupt), if the last one is more than a week older than now, or if the step is not positive or longer than a day.
// Constant series give that constant.
func (f *Fitted) Predict(s Series, now time.Time) Forecast {
	o := f.options
	o.Now = now
	p := newPast(s, o)
	if p.len() == 0 {
		return Forecast{}
	}
	if !f.fits(p) {
		return Predict(s, o)
	}
	result := Forecast{Start: p.end(), Step: p.step, Weights: slices.Clone(f.weights), BacktestError: f.backtestError}
	if len(f.models) == 0 {
		f.predictLevel(p, &result)
		return result
	}
	ceiling := p.largest(f.seasons.capSteps(stepsOf(dayLength, p.step))) / f.unit * capOverSeason
	h := newHistory(p, f.unit)
	h.seasons = f.seasons
	mean, upper := f.expect(h)
	result.Mean = mean
	for _, l := range f.levels {
		q := Quantile{Level: l.level, Coverage: l.coverage, Pinball: l.pinball, Values: make([]float64, o.Horizon)}
		base := mean
		if l.level > 0.5 {
			base = upper
		}
		for i, v := range base {
			q.Values[i] = min(quantileAt(v, l.factor*f.spread[f.plan.blockOf(i)]), max(mean[i], ceiling)) * f.unit
		}
		result.Quantiles = append(result.Quantiles, q)
	}
	for i := range result.Mean {
		result.Mean[i] *= f.unit
	}
	return result
}

// expect returns what is to come in units: the mean, and what quantiles over the median lie over. They differ for a week after
// demand went down and stayed.
func (f *Fitted) expect(h *history) (mean, upper []float64) {
	shift := h.findShift(f.settled)
	h.follow(f.settled, shift)
	mean = f.mix(h)
	if h.isOff(shift) || !h.mayBeOff(shift) {
		return mean, mean
	}
	h.multiply(shift.at, math.Exp(shift.before-shift.after))
	h.lift(f.settled, shift)
	upper = f.mix(h)
	for i, v := range mean {
		upper[i] = max(upper[i], v)
	}
	return mean, upper
}

// mix returns what the models together expect after h, whose one-offs it takes out.
func (f *Fitted) mix(h *history) []float64 {
	h.dropOneOffs(f.profile)
	predicted := make([][]float64, len(f.models))
	for m, model := range f.models {
		predicted[m] = predictWithin(h, h.len(), model, f.options.Horizon)
	}
	return f.shares.combine(f.plan, predicted)
}

// fits reports whether f can predict from p.
func (f *Fitted) fits(p past) bool {
	return p.step == f.step && p.len() >= f.least
}

// quantileAt returns what lies the given logarithmic distance over a forecast, under it if negative.
func quantileAt(mean, distance float64) float64 {
	if distance == 0 {
		return mean
	}
	v := max(mean, logFloor) * math.Exp(distance)
	if distance > 0 {
		return min(max(v, mean), math.MaxFloat64)
	}
	return min(v, mean)
}

// predictLevel is the forecast from too little history for a back-test: the decayed median, with the largest value observed
// as every upper and the smallest as every lower quantile.
func (f *Fitted) predictLevel(p past, result *Forecast) {
	result.Mean = constant(decayedMedian(p.values, float64(stepsOf(dayLength, p.step))), f.options.Horizon)
	for _, l := range f.levels {
		v := p.largest(p.len())
		if l.level < 0.5 {
			v = p.smallest()
		}
		result.Quantiles = append(result.Quantiles, Quantile{
			Level: l.level, Coverage: l.coverage, Pinball: l.pinball, Values: constant(v, f.options.Horizon),
		})
	}
}

func constant(v float64, steps int) []float64 {
	values := make([]float64, steps)
	for i := range values {
		values[i] = v
	}
	return values
}
