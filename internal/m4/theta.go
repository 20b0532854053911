package m4

// Theta is the classical Theta method (Assimakopoulos and Nikolopoulos, 2000) on the seasonally adjusted series: the mean of
// its trend line and of a forecast by simple exponential smoothing of the line with doubled curvature, not below zero, with
// the season put back.
func Theta(past []float64, horizon int) []float64 {
	adjusted, index := deseasonalise(past)
	intercept, slope := trendLine(adjusted)
	doubled := make([]float64, len(past))
	for t, y := range adjusted {
		doubled[t] = 2*y - (intercept + slope*float64(t))
	}
	level := smooth(doubled)
	f := make([]float64, horizon)
	for h := range f {
		t := len(past) + h
		f[h] = max((level+intercept+slope*float64(t))/2, 0) * index[t%Season]
	}
	return f
}

// trendLine is the least-squares line through the values at times 0, 1, ….
func trendLine(values []float64) (intercept, slope float64) {
	centre := float64(len(values)-1) / 2
	level := mean(values)
	var with, square float64
	for t, y := range values {
		d := float64(t) - centre
		with += d * (y - level)
		square += d * d
	}
	slope = with / square
	return level - slope*centre, slope
}

// smooth returns the last level of simple exponential smoothing with the weight and the first level that make the sum of
// squared one-step errors smallest. The weight lies between 0.0001 and 0.9999.
func smooth(values []float64) float64 {
	const low, high, steps = 1e-4, 1 - 1e-4, 50
	at := func(i int) float64 { return low + (high-low)*float64(i)/steps }
	best, least := 0, sumOfSquares(values, at(0))
	for i := 1; i <= steps; i++ {
		if s := sumOfSquares(values, at(i)); s < least {
			best, least = i, s
		}
	}
	// Between the neighbours of the best point of the grid the sum has one valley: halve in on it.
	a, b := at(max(best-1, 0)), at(min(best+1, steps))
	for b-a > 1e-7 {
		third := (b - a) / 3
		if sumOfSquares(values, a+third) < sumOfSquares(values, b-third) {
			b -= third
		} else {
			a += third
		}
	}
	return levels(values, (a+b)/2).last
}

func sumOfSquares(values []float64, weight float64) float64 { return levels(values, weight).squares }

type smoothing struct{ last, squares float64 }

// levels smooths with the given weight from the best first level, which has a closed form: the error at time t is
// e[t] − d[t]·first, with e the error when starting from 0 and d = (1−weight)^t.
func levels(values []float64, weight float64) smoothing {
	var level, ee, ed, dd float64
	d := 1.0
	for _, y := range values {
		e := y - level
		ee += e * e
		ed += e * d
		dd += d * d
		level += weight * e
		d *= 1 - weight
	}
	first := ed / dd
	return smoothing{last: level + d*first, squares: ee - first*ed}
}
