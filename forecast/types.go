package forecast

import "time"

// Forecast is the expected demand over a horizon.
//
// All slices have the same length, one value per step. Values are never NaN, infinite or negative. The zero Forecast is
// empty and means that nothing could be predicted.
type Forecast struct {
	// Start of the first predicted interval.
	Start time.Time
	// Step is the length of each interval, usually one hour.
	Step time.Duration
	// Mean is the point forecast.
	Mean []float64
	// Quantiles in ascending order of level. One of level 0.5 or more is never below Mean, one under 0.5 never above it.
	Quantiles []Quantile
	// Weights are the models that were used and their shares, which sum to 1.
	Weights []Weight
	// BacktestError is the mean absolute error on past data divided by the mean of that data; 0.2 is 20 %.
	// NaN if the history was too short to test.
	BacktestError float64
}

// Quantile is one quantile of the demand.
type Quantile struct {
	// Level between 0 and 1: the share of outcomes expected at or under the value.
	Level float64
	// Coverage is the share of past outcomes that were at or under it in the back-test. NaN if untested.
	Coverage float64
	// Pinball is the mean pinball loss in the back-test divided by the mean demand; lower is better. NaN if untested.
	Pinball float64
	Values  []float64
}

// Weight is the share of one model.
type Weight struct {
	Model string
	Share float64
}

// Empty reports whether there is no forecast.
func (f Forecast) Empty() bool { return len(f.Mean) == 0 }

// End returns the end of the horizon.
func (f Forecast) End() time.Time { return f.Start.Add(time.Duration(len(f.Mean)) * f.Step) }

// Quantile returns the values of the given level, or false if the forecast does not hold it.
func (f Forecast) Quantile(level float64) ([]float64, bool) {
	for _, q := range f.Quantiles {
		if q.Level == level {
			return q.Values, true
		}
	}
	return nil, false
}
