package forecast

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// lagged is a sparse autoregression: x(t) = intercept + slope·profile(t) + Σ βᵢ·x(t−lagᵢ).
type lagged struct {
	lags      []int
	intercept float64
	slope     float64
	beta      []float64
	// profile is nil if there is none in the regression.
	profile *seasonalProfile
}

// lagFit says how to find the parameters of a lagged: weighted ridge regression, repeated twice with Huber weights.
type lagFit struct {
	// x is the whole series; its first skip values are not defined.
	x    []float64
	skip int
	// lags in ascending order.
	lags []int
	// ridge in units of the variance of x, as if x were standardised.
	ridge float64
	// intercept and profile say whether these are part of the regression.
	intercept, profile bool
}

// A value that is so many short seasons older counts half. There are two rounds of Huber weights.
const (
	lagHalfLife = 30
	huberRounds = 2
)

// fitLagged finds the parameters at each origin. Sums over rows that several origins have in common are built once: from
// one origin to the next the old rows decay and the new ones are added, and Huber's method only takes a share of the
// few rows that are out of line away again. The result is that of separate fits, but for rounding.
func (t *training) fitLagged(f lagFit) []lagged {
	first, last := f.skip+f.lags[len(f.lags)-1], t.origins[len(t.origins)-1]
	scratch := t.take(6 * (last - first))
	defer t.give(len(scratch))
	r := newLagRows(f, first, scratch)
	factor := math.Exp2(-1 / (lagHalfLife * float64(t.short)))
	result, seen := make([]lagged, len(t.origins)), 0
	for k, n := range t.origins {
		rows := n - first
		weight := 1.0
		for i := rows - 1; i >= 0; i-- {
			r.weights[i] = weight * t.trust[first+i]
			weight *= factor
		}
		r.common.decay(math.Pow(factor, float64(rows-seen)))
		fresh := r.part(seen, rows)
		for j := range r.lagColumns {
			r.common.addColumn(j, fresh, r.weights[seen:rows], r.scratch)
		}
		seen = rows
		if f.profile {
			for i := range rows {
				r.profile[i] = t.profiles[k].at(t.first + first + i)
			}
		}
		result[k] = r.solve(rows)
		if f.profile {
			result[k].profile = t.profiles[k]
		}
	}
	return result
}

// lagRows are the rows of the regression for all origins; those of an origin are the first ones.
type lagRows struct {
	design
	lagFit
	// lagColumns is the number of columns that do not depend on the origin: the intercept's and one per lag.
	lagColumns int
	// common are the equations of these columns, whole those of all, robust those with Huber's weights.
	common, whole, robust *equations
	weights, profile      []float64
	scratch, errors       []float64
}

func newLagRows(f lagFit, first int, scratch []float64) *lagRows {
	rows := len(scratch) / 6
	piece := func(i int) []float64 { return scratch[i*rows : (i+1)*rows] }
	r := &lagRows{lagFit: f, lagColumns: 1 + len(f.lags), weights: piece(0), profile: piece(1), scratch: piece(2), errors: piece(3)}
	ones, last := piece(4), first+rows
	for i := range ones {
		ones[i] = 0
		if f.intercept {
			ones[i] = 1
		}
	}
	r.target = f.x[first:last]
	r.columns = append(r.columns, ones)
	for _, lag := range f.lags {
		r.columns = append(r.columns, f.x[first-lag:last-lag])
	}
	if f.profile {
		r.columns = append(r.columns, r.profile)
	}
	r.common, r.whole, r.robust = newEquations(len(r.columns)), newEquations(len(r.columns)), newEquations(len(r.columns))
	return r
}

// solve returns the parameters that follow from the first rows.
func (r *lagRows) solve(rows int) lagged {
	d, weights := r.part(0, rows), r.weights[:rows]
	r.whole.set(r.common)
	if r.lagFit.profile {
		r.whole.addColumn(r.lagColumns, d, weights, r.scratch)
	}
	_, variance := meanAndVariance(d.target, weights)
	penalty := r.ridge*variance + 1e-9
	beta := make([]float64, len(r.columns))
	r.whole.solve(penalty, beta)
	row := make([]float64, len(r.columns))
	for range huberRounds {
		limit := r.absoluteErrors(d, beta)
		r.robust.set(r.whole)
		for i, e := range r.errors[:rows] {
			if e <= limit || weights[i] == 0 {
				continue
			}
			for j, column := range d.columns {
				row[j] = column[i]
			}
			r.robust.addRow(row, d.target[i], weights[i]*(limit/e-1))
		}
		r.robust.solve(penalty, beta)
	}
	result := lagged{lags: r.lags, intercept: beta[0], beta: slices.Clone(beta[1:r.lagColumns])}
	if r.lagFit.profile {
		result.slope = beta[r.lagColumns]
	}
	return result
}

// absoluteErrors sets r.errors and returns Huber's limit for them.
func (r *lagRows) absoluteErrors(d design, beta []float64) float64 {
	errors := r.errors[:len(d.target)]
	d.residuals(beta, errors)
	known := r.scratch[:0]
	for i, e := range errors {
		errors[i] = math.Abs(e)
		if r.weights[i] > 0 {
			known = append(known, errors[i])
		}
	}
	return huberLimit(known)
}

// extend sets the last steps values of x by recursion, each held within limits. The first of them is that of the given step
// since the year 1970.
func (m *lagged) extend(x []float64, steps, step int, within limits) {
	for t := len(x) - steps; t < len(x); t++ {
		v := m.intercept
		if m.profile != nil {
			v += m.slope * m.profile.at(step)
			step++
		}
		for j, lag := range m.lags {
			v += m.beta[j] * x[t-lag]
		}
		x[t] = within.hold(v)
	}
}

// longest returns how far back the recursion reads.
func (m *lagged) longest() int { return m.lags[len(m.lags)-1] }

// lagSet returns the lags that make sense, in ascending order, each once.
func lagSet(lags ...int) []int {
	lags = slices.DeleteFunc(lags, func(l int) bool { return l < 1 })
	slices.Sort(lags)
	return slices.Compact(lags)
}

// around returns center−width … center+width.
func around(center, width int) []int {
	var lags []int
	for l := center - width; l <= center+width; l++ {
		lags = append(lags, l)
	}
	return lags
}

// enough reports whether n values are enough to find one parameter per lag.
func enough(n, skip int, lags []int) bool { return n >= skip+lags[len(lags)-1]+2*len(lags) }

// root sets out to the square roots of values.
func root(values, out []float64) {
	for i, v := range values {
		out[i] = math.Sqrt(v)
	}
}

// difference sets out[i] to x[i] − x[i−lag], and to 0 where there is no x[i−lag].
func difference(x, out []float64, lag int) {
	clear(out[:min(lag, len(out))])
	if lag < len(x) {
		floats.SubTo(out[lag:], x[lag:], x[:len(x)-lag])
	}
}
