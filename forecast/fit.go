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
	// Levels of the quantiles, between 0 and 1, both excluded; others are left out. None means 0.85 and 0.95.
	Levels []float64
	// Limit above which a value is corrupt; 0 means Implausible.
	Limit float64
}

// complete returns o with its defaults filled in.
func (o Options) complete() Options {
	if o.Horizon <= 0 {
		o.Horizon = 48
	}
	if len(o.Levels) == 0 {
		o.Levels = []float64{0.85, 0.95}
	}
	o.Levels = slices.DeleteFunc(slices.Clone(o.Levels), func(l float64) bool { return !(l > 0 && l < 1) })
	slices.Sort(o.Levels)
	o.Levels = slices.Compact(o.Levels)
	return o
}

// Fitted is what Fit learned from a series: everything about a forecast that is expensive and need not be repeated every
// hour. It does not change, is safe for concurrent use, and small next to the history that it comes from.
type Fitted struct {
	options Options
	step    time.Duration
	seasons seasons
	unit    float64
	// least is the number of values that the models need.
	least int
	plan  plan
	// settled is the profile without the last week, against which a level shift shows; profile that of everything.
	settled, profile *seasonalProfile
	// models and shares are empty if there was too little history for a back-test.
	models []predictor
	shares shares
	// spread of the residuals by block.
	spread []float64
	// levels are the quantiles and how they did in the back-test.
	levels        []testedLevel
	weights       []Weight
	backtestError float64
}

// testedLevel is a quantile without its values: it lies factor spreads over the forecast.
type testedLevel struct {
	level, factor     float64
	coverage, pinball float64
}

// Fit learns how to forecast s. It never returns nil: a series that cannot be forecast gives a Fitted whose forecasts are
// empty. The result depends on nothing but the arguments.
func Fit(s Series, o Options) *Fitted {
	o = o.complete()
	p := newPast(s, o)
	f := &Fitted{options: o, step: s.Step, backtestError: math.NaN()}
	f.options.Now = time.Time{}
	for _, level := range o.Levels {
		f.levels = append(f.levels, testedLevel{level: level, coverage: math.NaN(), pinball: math.NaN()})
	}
	f.weights = []Weight{{Model: levelName, Share: 1}}
	if p.len() == 0 {
		return f
	}
	f.unit = unitOf(p)
	h := newLesson(p, f.unit)
	f.seasons = findSeasons(h)
	h.seasons = f.seasons
	f.plan = newPlan(h, o.Horizon)
	if len(f.plan.origins) > 0 {
		f.settled = learnProfile(h, h.settledLen())
		h.follow(f.settled, h.findShift(f.settled))
		f.profile = learnProfile(h, h.len())
		h.dropOneOffs(f.profile)
		f.train(h)
	}
	return f
}

// settledLen returns how much of a history is sure to lie before a level shift that is less than a long season ago, or
// everything if that is not enough to know the long season.
func (h *history) settledLen() int {
	if n := h.len() - h.long; h.hasLong(n) {
		return n
	}
	return h.len()
}

// train fits and tests the models.
func (f *Fitted) train(h *history) {
	b := runBacktest(h, f.plan)
	l := b.measure()
	combined := b.combineOthers(l)
	f.least = f.plan.origins[0]
	f.models, f.shares = b.fitted, l.shares(-1)
	f.weights = nil
	for m, share := range f.shares.mean() {
		f.weights = append(f.weights, Weight{Model: b.models[m].name(), Share: share})
	}
	f.backtestError = relativeError(b.actual, combined)
	c := newCalibration(f.plan, b.actual, combined, b.ceilings)
	f.spread = c.all.spread
	for i, level := range f.levels {
		f.levels[i] = c.test(level.level)
	}
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
