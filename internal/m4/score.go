package m4

import "math"

// What the competition's Naive2 scored on the hourly part. OWA is relative to these two numbers.
const (
	Naive2SMAPE = 18.383
	Naive2MASE  = 2.395
)

// Score of one forecast, or the mean of many.
type Score struct {
	// SMAPE is the symmetric mean absolute percentage error, from 0 to 200.
	SMAPE float64 `json:"smape"`
	// MASE is the mean absolute error in units of Scale.
	MASE float64 `json:"mase"`
}

// OWA is the overall weighted average: the mean of both errors, each relative to that of Naive2.
//
// It is linear, so the OWA of a mean of scores is the mean of their OWAs.
func (s Score) OWA() float64 { return (s.SMAPE/Naive2SMAPE + s.MASE/Naive2MASE) / 2 }

// Rate scores the point forecast of one case.
//
//	sMAPE = mean of 200·|y−f| / (|y|+|f|), where 0/0 counts as 0
//	MASE  = mean of |y−f|, divided by Scale(past)
//
// It panics if predicted is not as long as the future.
func (c Case) Rate(predicted []float64) Score {
	sameLength(c.Future, predicted)
	var s Score
	for h, y := range c.Future {
		miss := math.Abs(y - predicted[h])
		s.MASE += miss
		if size := math.Abs(y) + math.Abs(predicted[h]); size > 0 {
			s.SMAPE += 200 * miss / size
		}
	}
	n := float64(len(c.Future))
	return Score{SMAPE: s.SMAPE / n, MASE: s.MASE / n / Scale(c.Past)}
}

// IntervalScore says how good the prediction interval of one case was, or the mean of many.
type IntervalScore struct {
	// Coverage is the share of the future inside the interval, bounds included.
	Coverage float64 `json:"coverage"`
	// MSIS is the mean scaled interval score; lower is better.
	MSIS float64 `json:"msis"`
}

// RateInterval scores an interval that leaves out alpha, such as 0.05 for the one from quantile 0.025 to 0.975.
//
//	MSIS = mean of (u−l) + 2/alpha·(l−y)⁺ + 2/alpha·(y−u)⁺, divided by Scale(past)
//
// It panics if a bound is not as long as the future.
func (c Case) RateInterval(lower, upper []float64, alpha float64) IntervalScore {
	sameLength(c.Future, lower)
	sameLength(c.Future, upper)
	var s IntervalScore
	for h, y := range c.Future {
		outside := max(lower[h]-y, y-upper[h], 0)
		if outside == 0 {
			s.Coverage++
		}
		s.MSIS += upper[h] - lower[h] + 2/alpha*outside
	}
	n := float64(len(c.Future))
	return IntervalScore{Coverage: s.Coverage / n, MSIS: s.MSIS / n / Scale(c.Past)}
}

func sameLength(a, b []float64) {
	if len(a) != len(b) {
		panic("m4: forecast and future differ in length")
	}
}

// Scale is what errors are measured in: the mean of |y[t] − y[t−Season]| over the past, which is how far a seasonal naive
// forecast of one step would have been off. NaN if the past is not longer than one season.
func Scale(past []float64) float64 {
	total := 0.0
	for t := Season; t < len(past); t++ {
		total += math.Abs(past[t] - past[t-Season])
	}
	return total / float64(max(len(past)-Season, 0))
}
