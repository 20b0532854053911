package forecast

import "math"

// profileRemainder predicts that the level stays what it was in the last week, adds the profile, and lets what remains of
// today's deviation die out:
//
//	log y(t) = level + profile(t) + r(t),  r(t) = a + β₁·r(t−1) + β₂·r(t−m)
//
// where the level is the mean of the window that the profile names. Parameters are found as those of autoregression.
//
// Source: forecasting with a decomposition, Hyndman and Athanasopoulos, "Forecasting: Principles and Practice"; the robust profile is
// that of profile.go.
//
// Minimum length: three short seasons and one value.
type profileRemainder struct{}

func (profileRemainder) name() string { return "profile" }

func (profileRemainder) least(s seasons) int { return 3*s.short + 1 }

func (profileRemainder) fit(t *training) []predictor {
	result := make([]predictor, len(t.origins))
	for k, n := range t.origins {
		rest := t.take(n)
		remainder(t.history, t.profiles[k], rest)
		at := training{history: t.history, origins: t.origins[k : k+1]}
		fit := at.fitLagged(lagFit{x: rest, lags: lagSet(1, t.short), ridge: 0.1, intercept: true})
		t.give(n)
		result[k] = &fittedRemainder{shape: t.profiles[k], lagged: fit[0]}
	}
	return result
}

// remainder sets out to what level and profile leave of the first values, and returns the last level.
func remainder(h *history, f *seasonalProfile, out []float64) float64 {
	movingMean(h.logs[:len(out)], out, f.window)
	level := out[len(out)-1]
	for t := range out {
		out[t] = h.logs[t] - out[t] - f.at(h.first+t)
	}
	return level
}

type fittedRemainder struct {
	shape *seasonalProfile
	lagged
}

func (m *fittedRemainder) predict(h *history, n int, out []float64) {
	x := h.take(n + len(out))
	defer h.give(len(x))
	level := remainder(h, m.shape, x[:n])
	m.extend(x, len(out), 0, limitsOf(x[:n]))
	for i, rest := range x[n:] {
		out[i] = math.Exp(level + m.shape.at(h.first+n+i) + rest)
	}
}
