package forecast

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/lapack/lapack64"
)

// equations are the normal equations of weighted least squares, XᵀWX·β = XᵀWy. The columns of X are slices of equal
// length, which for lagged values are views of one series: no matrix is built.
type equations struct {
	n int
	// gram is XᵀWX, row by row; only the upper triangle is kept.
	gram []float64
	// right is XᵀWy.
	right []float64
	// factor is where solve works.
	factor []float64
}

func newEquations(n int) *equations {
	return &equations{n: n, gram: make([]float64, n*n), right: make([]float64, n), factor: make([]float64, n*n)}
}

// set makes e equal to other.
func (e *equations) set(other *equations) {
	copy(e.gram, other.gram)
	copy(e.right, other.right)
}

// decay multiplies the weights of all rows so far.
func (e *equations) decay(factor float64) {
	floats.Scale(factor, e.gram)
	floats.Scale(factor, e.right)
}

// addColumn adds the products of column j with the target and with the columns up to j. The scratch memory is as long as
// the weights.
func (e *equations) addColumn(j int, rows design, weights, scratch []float64) {
	weighted := floats.MulTo(scratch[:len(weights)], rows.columns[j], weights)
	for i := range j + 1 {
		e.gram[i*e.n+j] += floats.Dot(weighted, rows.columns[i])
	}
	e.right[j] += floats.Dot(weighted, rows.target)
}

// addRow adds one row with a weight. A negative weight takes a row out that is in.
func (e *equations) addRow(row []float64, y, weight float64) {
	for i, x := range row {
		floats.AddScaled(e.gram[i*e.n+i:(i+1)*e.n], weight*x, row[i:])
	}
	floats.AddScaled(e.right, weight*y, row)
}

// solve sets beta to the solution with ridge added to the diagonal of all columns but the first, which is the intercept and
// gets next to none. With a positive ridge there is always one but for rounding; without, beta stays what it was. The method
// is Cholesky's.
func (e *equations) solve(ridge float64, beta []float64) {
	copy(e.factor, e.gram)
	e.factor[0] += 1e-9
	for i := 1; i < e.n; i++ {
		e.factor[i*e.n+i] += ridge
	}
	triangle, ok := lapack64.Potrf(blas64.Symmetric{N: e.n, Stride: e.n, Data: e.factor, Uplo: blas.Upper})
	if !ok {
		return
	}
	copy(beta, e.right)
	lapack64.Potrs(triangle, blas64.General{Rows: e.n, Cols: 1, Stride: 1, Data: beta})
}

// design is what a regression explains, and with what. All slices are equally long.
type design struct {
	columns [][]float64
	target  []float64
}

// part returns rows from one on until another, which is excluded.
func (d design) part(from, until int) design {
	p := design{columns: make([][]float64, len(d.columns)), target: d.target[from:until]}
	for j, column := range d.columns {
		p.columns[j] = column[from:until]
	}
	return p
}

// residuals sets out to target − X·beta.
func (d design) residuals(beta, out []float64) {
	copy(out, d.target)
	for j, column := range d.columns {
		floats.AddScaled(out, -beta[j], column)
	}
}

// huberLimit returns the absolute error above which a value counts less: twice the robust standard deviation, 1.4826
// times the median absolute error (Huber, "Robust Estimation of a Location Parameter", 1964). It reorders its argument.
func huberLimit(absolute []float64) float64 { return 2 * 1.4826 * median(absolute) }

// median returns the upper median of values and reorders them (Hoare's selection). Without values it is 0.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	middle, low, high := len(values)/2, 0, len(values)-1
	for low < high {
		pivot, i, j := values[(low+high)/2], low, high
		for i <= j {
			for values[i] < pivot {
				i++
			}
			for values[j] > pivot {
				j--
			}
			if i <= j {
				values[i], values[j] = values[j], values[i]
				i++
				j--
			}
		}
		switch {
		case middle <= j:
			high = j
		case middle >= i:
			low = i
		default:
			return values[middle]
		}
	}
	return values[middle]
}

// meanAndVariance with weights; both are 0 if all weights are.
func meanAndVariance(values, weights []float64) (mean, variance float64) {
	total := floats.Sum(weights)
	if total == 0 {
		return 0, 0
	}
	mean = floats.Dot(values, weights) / total
	for i, v := range values {
		variance += weights[i] * (v - mean) * (v - mean)
	}
	return mean, math.Max(0, variance/total)
}
