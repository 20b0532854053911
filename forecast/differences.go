package forecast

import (
	"math"
	"slices"
)

// differences is an autoregression on changes of the square root of the values, which has no level of its own and so
// follows one that moved: either on changes from one season to the next,
//
//	u(t) = √y(t) − √y(t−m) = Σ βᵢ·u(t−lagᵢ)
//
// with the lags 1–4, 23–25, 48, 72, 96, 120, 144 and 167–169 for hours, or on changes from one step to the next, where m
// is 1 and the lags are 1–4, 22–26, 47–49, 72, 96, 120, 144 and 167–169. Parameters are found as those of
// autoregression, without profile, and for steps also without intercept, so that there is no drift.
//
// Source: Box and Jenkins, "Time Series Analysis" (1970) for differences; the root, which needs no least value, and the lags
// are Loadline's own.
//
// Minimum length: the distance of the differences, the longest lag and two values for each lag. With the lags of one day only (1, 2
// and 24; for changes from step to step 1, 2, 23–25) that is 54 hours, or 36; the others take part from 223 and 208 hours on. Zero is
// a value like any other, since its root exists.
type differences struct{ seasonal bool }

func (m differences) name() string {
	if m.seasonal {
		return "seasonal-differences"
	}
	return "differences"
}

func (m differences) least(s seasons) int {
	lags := m.lags(seasons{short: s.short}, math.MaxInt)
	return m.distance(s) + lags[len(lags)-1] + 2*len(lags)
}

// distance is how far apart the values are whose difference is taken.
func (m differences) distance(s seasons) int {
	if m.seasonal {
		return s.short
	}
	return 1
}

// lags returns those for a history of n values.
func (m differences) lags(s seasons, n int) []int {
	if s.long > 0 {
		lags := slices.Concat(around(2, 1), []int{4}, around(s.long, 1))
		for k := 3; k <= 6 && k*s.short < s.long; k++ {
			lags = append(lags, k*s.short)
		}
		if m.seasonal {
			lags = slices.Concat(lags, around(s.short, 1), []int{2 * s.short})
		} else {
			lags = slices.Concat(lags, around(s.short, 2), around(2*s.short, 1))
		}
		if lags = lagSet(lags...); enough(n, m.distance(s), lags) {
			return lags
		}
	}
	if m.seasonal {
		return lagSet(1, 2, s.short)
	}
	return lagSet(1, 2, s.short-1, s.short, s.short+1)
}

func (m differences) fit(t *training) []predictor {
	distance := m.distance(t.seasons)
	x := t.take(2 * t.len())
	defer t.give(len(x))
	roots, changes := x[:t.len()], x[t.len():]
	root(t.values, roots)
	difference(roots, changes, distance)
	fits := t.fitLagged(lagFit{
		x: changes, skip: distance, lags: m.lags(t.seasons, t.origins[0]), ridge: 0.1, intercept: m.seasonal,
	})
	result := make([]predictor, len(fits))
	for k, f := range fits {
		result[k] = &fittedDifferences{lagged: f, distance: distance}
	}
	return result
}

type fittedDifferences struct {
	lagged
	distance int
}

func (m *fittedDifferences) predict(h *history, n int, out []float64) {
	x := h.take(2*n + len(out))
	defer h.give(len(x))
	roots, changes := x[:n], x[n:]
	root(h.values[:n], roots)
	difference(roots, changes[:n], m.distance)
	m.extend(changes, len(out), 0, limitsOf(changes[m.distance:n]))
	within := limitsOf(roots)
	for i, change := range changes[n:] {
		before := roots[n-m.distance+i%m.distance]
		v := within.hold(before + change)
		roots[n-m.distance+i%m.distance] = v
		out[i] = max(0, v) * max(0, v)
	}
}
