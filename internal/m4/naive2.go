package m4

import "math"

// The methods below are the competition's benchmarks, after its published R code. Each takes the past of one series, longer
// than a season, and the number of hours to forecast.

// SeasonalNaive repeats the last season.
func SeasonalNaive(past []float64, horizon int) []float64 {
	last := past[len(past)-Season:]
	f := make([]float64, horizon)
	for h := range f {
		f[h] = last[h%Season]
	}
	return f
}

// Naive2 repeats the last value of the seasonally adjusted series, and puts the season back.
func Naive2(past []float64, horizon int) []float64 {
	adjusted, index := deseasonalise(past)
	f := make([]float64, horizon)
	for h := range f {
		f[h] = adjusted[len(past)-1] * index[(len(past)+h)%Season]
	}
	return f
}

// deseasonalise divides a seasonal series by its seasonal indices, of which index[t % Season] belongs to time t. If the
// series is not seasonal, the indices are 1.
func deseasonalise(past []float64) (adjusted, index []float64) {
	index = make([]float64, Season)
	for i := range index {
		index[i] = 1
	}
	if isSeasonal(past) {
		index = seasonalIndices(past)
	}
	adjusted = make([]float64, len(past))
	for t, y := range past {
		adjusted[t] = y / index[t%Season]
	}
	return adjusted, index
}

// isSeasonal tests at 90 % whether the autocorrelation r at lag Season differs from 0, given those before it:
//
//	|r[m]| > 1.645 · √((1 + 2·(r[1]² + … + r[m−1]²)) / n)
//
// Fewer than three seasons, and constant series, are not seasonal.
func isSeasonal(past []float64) bool {
	n := len(past)
	if n < 3*Season {
		return false
	}
	mean := mean(past)
	covariance := func(lag int) float64 {
		total := 0.0
		for t := lag; t < n; t++ {
			total += (past[t] - mean) * (past[t-lag] - mean)
		}
		return total
	}
	variance := covariance(0)
	if variance == 0 {
		return false
	}
	spread := 1.0
	for lag := 1; lag < Season; lag++ {
		r := covariance(lag) / variance
		spread += 2 * r * r
	}
	return math.Abs(covariance(Season)/variance) > 1.645*math.Sqrt(spread/float64(n))
}

// seasonalIndices is the classical multiplicative decomposition: the series divided by its centred moving average over one
// season, averaged for each hour of the season, and scaled so that the indices average 1. It takes two seasons or more.
func seasonalIndices(past []float64) []float64 {
	index := make([]float64, Season)
	count := make([]float64, Season)
	const half = Season / 2
	for t := half; t < len(past)-half; t++ {
		trend := (past[t-half] + past[t+half]) / 2
		for _, y := range past[t-half+1 : t+half] {
			trend += y
		}
		index[t%Season] += past[t] / (trend / Season)
		count[t%Season]++
	}
	for i := range index {
		index[i] /= count[i]
	}
	level := mean(index)
	for i := range index {
		index[i] /= level
	}
	return index
}

func mean(values []float64) float64 {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return total / float64(len(values))
}
