package forecast

import "math"

// HoltWinters is additive triple exponential smoothing with a damped trend and one season, after Winters (1960) in the
// error-correction form of Hyndman et al., "Forecasting with Exponential Smoothing" (2008), chapter 2:
//
//	e(t) = y(t) − l(t−1) − φ·b(t−1) − s(t−m)
//	l(t) = l(t−1) + φ·b(t−1) + α·e(t)
//	b(t) = φ·b(t−1) + β·e(t)
//	s(t) = s(t−m) + γ·e(t)
//	ŷ(n+h) = l(n) + (φ + … + φ^h)·b(n) + s(n+h−m·⌈h/m⌉)
//
// α and γ are the pair of a fixed grid with the least mean absolute one-step error after the first two seasons; β and φ
// are fixed. There is no search, so the cost is known and the answer is the same everywhere.
type HoltWinters struct {
	// Period m of the season, in steps.
	Period int
}

// Parameters that are not chosen in sample. The trend moves slowly and dies out, so that a steep hour is not prolonged
// into days.
const (
	trendGain    = 0.002 // β
	trendDamping = 0.98  // φ
)

// Name returns "holt-winters-day".
func (m HoltWinters) Name() string { return "holt-winters-day" }

// MinLen is two seasons.
func (m HoltWinters) MinLen() int { return 2 * m.Period }

// Predict chooses the parameters and runs the recursion. Two seasons are enough; constant history gives the constant.
func (m HoltWinters) Predict(history []float64, steps int) []float64 {
	work := smoothing{seasonal: make([]float64, m.Period)}
	best, bestError := smoothing{seasonal: make([]float64, m.Period)}, math.Inf(1)
	for _, level := range [...]float64{0.03, 0.1, 0.3, 0.6} {
		for _, season := range [...]float64{0.05, 0.15, 0.3} {
			work.alpha, work.gamma = level, season
			if e := work.fit(history); e < bestError {
				best, work, bestError = work, best, e
			}
		}
	}
	return best.predict(len(history), steps)
}

// smoothing is one set of parameters and the state after a fit.
type smoothing struct {
	alpha, gamma float64
	level, trend float64
	seasonal     []float64
}

// fit runs over the history and returns the mean absolute one-step error after the first two seasons, or over everything
// if there is no more.
func (s *smoothing) fit(history []float64) float64 {
	m := len(s.seasonal)
	s.start(history)
	scored := 2 * m
	if len(history) < 3*m {
		scored = 0
	}
	sum, position := 0.0, 0
	level, trend := s.level, s.trend // In registers: this loop is most of what a forecast costs.
	for t, y := range history {
		damped := trendDamping * trend
		e := y - level - damped - s.seasonal[position]
		level += damped + s.alpha*e
		trend = damped + trendGain*e
		s.seasonal[position] += s.gamma * e
		if t >= scored {
			sum += math.Abs(e)
		}
		if position++; position == m {
			position = 0
		}
	}
	s.level, s.trend = level, trend
	return sum / float64(len(history)-scored)
}

// start sets the state before the first value: the mean of the first two seasons as level, and the mean distance from it
// as season.
func (s *smoothing) start(history []float64) {
	m := len(s.seasonal)
	s.level, s.trend = 0, 0
	for i, y := range history[:2*m] {
		s.level += (y - s.level) / float64(i+1)
	}
	for i := range s.seasonal {
		s.seasonal[i] = (history[i]+history[m+i])/2 - s.level
	}
}

func (s *smoothing) predict(seen, steps int) []float64 {
	result := make([]float64, steps)
	damping, trend := 1.0, 0.0
	for h := range result {
		damping *= trendDamping
		trend += damping * s.trend
		result[h] = s.level + trend + s.seasonal[(seen+h)%len(s.seasonal)]
	}
	return result
}
