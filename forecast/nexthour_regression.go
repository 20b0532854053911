package forecast

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// The regression behind the candidate "regressed":
//
//	√max(t) = c + Σ a(l)·√max(t−l) + Σ b(l)·√mean(t−l)
//
// over the lags below, on standardised values, by least squares with a ridge of 3, in which an hour counts half after 21
// days. The square root lies between the raw scale, on which peaks rule, and the logarithm, on which idle hours do. Hoerl and
// Kennard, "Ridge Regression" (1970); the lags and half-life are Loadline's own.
//
// Units: maxima and means come in the unit of the usage; what is predicted is a logarithm of it. It needs 209 hours: the longest lag
// and leastRows. Hours without a maximum were filled in as for every forecast, and count like others here; where only the mean is
// missing, corrupt or over the maximum, it counts as the maximum. Zeros are values; a prediction under the floor of newHours counts as
// the floor. Constant history gives that constant.
const (
	countMaxLags  = 10
	countMeanLags = 4
	features      = countMaxLags + countMeanLags
	longestLag    = 169
	// leastRows that a regression is fitted to.
	leastRows          = 40
	regressionRidge    = 3
	regressionHalfLife = 21 * day
	// regressionSlack is how far, as a logarithm, a prediction may lie outside what was observed in boundWindow.
	regressionSlack = 0.3
)

// regression is one fit. It is used for the hours from number from on.
type regression struct {
	from         int
	max, mean    standard
	constant     float64
	coefficients [features]float64
	// low and high bound what is predicted, as logarithms.
	low, high float64
}

func maxLags() [countMaxLags]int   { return [...]int{1, 2, 3, 23, 24, 25, 48, 167, 168, longestLag} }
func meanLags() [countMeanLags]int { return [...]int{1, 2, 24, 168} }

// standard is the mean and the standard deviation that values are standardised by.
type standard struct{ mean, deviation float64 }

func standardOf(values []float64) standard {
	mean, deviation := stat.PopMeanStdDev(values, nil)
	return standard{mean, deviation + 1e-9} // Constant values become zeros.
}

func (s standard) of(v float64) float64 { return (v - s.mean) / s.deviation }

// fitRegressions fits one regression for every day on which there was enough history before it, each from what was known by
// then, so that past predictions are as good as they could have been and no better.
func fitRegressions(h hours) []regression {
	var all []regression
	first := len(h.log) % day
	for until := first; until <= len(h.log); until += day {
		if until >= longestLag+leastRows && until > len(h.log)-2*boundWindow {
			if r, ok := fitRegression(h, until); ok {
				all = append(all, r)
			}
		}
	}
	return all
}

// fitRegression fits the hours before index until.
func fitRegression(h hours, until int) (regression, bool) {
	known := h.log[max(0, until-boundWindow):until]
	r := regression{
		from: h.origin + until, max: standardOf(h.rootMax[:until]), mean: standardOf(h.rootMean[:until]),
		low: slices.Min(known) - regressionSlack, high: slices.Max(known) + regressionSlack,
	}
	var normal [features + 1][features + 1]float64
	var right, x [features + 1]float64
	decay := math.Exp2(1.0 / regressionHalfLife)
	weight := math.Exp2(-float64(until-1-longestLag) / regressionHalfLife)
	for i := longestLag; i < until; i++ {
		r.row(h, i, (*[features]float64)(x[:features]))
		x[features] = 1
		y := r.max.of(h.rootMax[i])
		for a, xa := range x {
			wa := weight * xa
			right[a] += wa * y
			for b, xb := range x[:a+1] {
				normal[a][b] += wa * xb
			}
		}
		weight *= decay
	}
	symmetric := mat.NewSymDense(features+1, nil)
	for a := range normal {
		for b := range a + 1 {
			symmetric.SetSym(a, b, normal[a][b])
		}
		symmetric.SetSym(a, a, normal[a][a]+regressionRidge)
	}
	var cholesky mat.Cholesky
	if !cholesky.Factorize(symmetric) {
		return regression{}, false
	}
	solution := mat.NewVecDense(features+1, nil)
	if err := cholesky.SolveVecTo(solution, mat.NewVecDense(features+1, right[:])); err != nil {
		return regression{}, false
	}
	copy(r.coefficients[:], solution.RawVector().Data)
	r.constant = solution.AtVec(features)
	return r, true
}

// row fills in the regressors of hour i.
func (r *regression) row(h hours, i int, x *[features]float64) {
	for k, lag := range maxLags() {
		x[k] = r.max.of(h.rootMax[i-lag])
	}
	for k, lag := range meanLags() {
		x[countMaxLags+k] = r.mean.of(h.rootMean[i-lag])
	}
}

// regress predicts hour i with the latest regression that was fitted before it; NaN if there is none.
func (h hours) regress(all []regression, i int) float64 {
	for k := len(all) - 1; k >= 0; k-- {
		if r := &all[k]; r.from <= h.origin+i && i >= longestLag {
			root := max(r.predict(h, i), 0)
			return min(max(math.Log(max(root*root, h.floor)), r.low), r.high)
		}
	}
	return math.NaN()
}

// predict returns the square root of the maximum of hour i.
func (r *regression) predict(h hours, i int) float64 {
	var x [features]float64
	r.row(h, i, &x)
	sum := r.constant
	for k, c := range r.coefficients {
		sum += c * x[k]
	}
	return r.max.mean + r.max.deviation*sum
}
