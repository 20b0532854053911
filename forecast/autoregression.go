package forecast

import (
	"math"
	"slices"
)

// autoregression explains the logarithm of a value by those of the hours, days and the week before it, and by the
// profile, which is known in advance:
//
//	log y(t) = a + c·profile(t) + Σ βᵢ·log y(t−lagᵢ)
//
// For hours the lags are 1–6, 22–26, 47–49, 71–73, 96, 120, 143–145 and 166–170; see lags for other seasons. Parameters
// are found by ridge regression (0.1 on standardised values, half-life 30 short seasons) with Huber weights. Steps further ahead
// than one follow by recursion, held within half of the range beyond what was observed.
//
// Source: Hoerl and Kennard, "Ridge Regression" (1970) and Huber, "Robust Estimation of a Location Parameter" (1964) for the
// parameters; the lags and the profile as a regressor are Loadline's own.
//
// Minimum length: 2·m + 14 values, 62 hours, for the lags of one day only: 1–3, 23–25 and 48. The others take part from the longest
// lag and two values for each lag on, 224 hours.
type autoregression struct{}

func (autoregression) name() string { return "autoregression" }

func (m autoregression) least(s seasons) int {
	lags := m.lags(seasons{short: s.short}, math.MaxInt)
	return lags[len(lags)-1] + 2*len(lags)
}

// lags returns those for a history of n values.
func (autoregression) lags(s seasons, n int) []int {
	m, l := s.short, s.long
	if l > 0 {
		lags := slices.Concat(around(3, 2), []int{6}, around(m, 2), around(2*m, 1), around(3*m, 1), around(l-m, 1), around(l, 2))
		for k := 4; k <= 6 && k*m < l-m; k++ {
			lags = append(lags, k*m)
		}
		if lags = lagSet(lags...); enough(n, 0, lags) {
			return lags
		}
	}
	return lagSet(1, 2, 3, m-1, m, m+1, 2*m)
}

func (m autoregression) fit(t *training) []predictor {
	fits := t.fitLagged(lagFit{x: t.logs, lags: m.lags(t.seasons, t.origins[0]), ridge: 0.1, intercept: true, profile: true})
	result := make([]predictor, len(fits))
	for k, f := range fits {
		result[k] = &fittedAutoregression{f}
	}
	return result
}

type fittedAutoregression struct{ lagged }

func (m *fittedAutoregression) predict(h *history, n int, out []float64) {
	x := h.take(m.longest() + len(out))
	defer h.give(len(x))
	copy(x, h.logs[n-m.longest():n])
	m.extend(x, len(out), h.first+n, limitsOf(h.logs[:n]))
	for i, v := range x[m.longest():] {
		out[i] = math.Exp(v)
	}
}
