package forecast

import (
	"math"
	"math/bits"

	"gonum.org/v1/gonum/dsp/fourier"
	"gonum.org/v1/gonum/floats"
)

// seasons are the lengths of the two seasons of a series in steps: of hours, a day and a week are 24 and 168. Zero means
// none; without a short season there is no long one.
type seasons struct{ short, long int }

// hasLong reports whether n values are enough to know the long season: one and a half of it.
func (s seasons) hasLong(n int) bool { return s.long > 0 && 2*n >= 3*s.long }

// A day and a week are assumed unless the autocorrelation says otherwise. A season shows as a local maximum of it that is at
// least leastCorrelation, rises by leastRise from the lowest value before it, and is still there after two seasons. Of
// several the shortest within nearlyAs of the strongest counts. It replaces the day if it is stronger by clearlyMore. Part of
// the day replaces it only until the week is known, because the week holds it. The week gives way to nothing shorter than
// half of it: quiet weekends hardly show in the autocorrelation of hours, and everybody has them.
const (
	leastCorrelation = 0.3
	leastRise        = 0.3
	nearlyAs         = 0.9
	clearlyMore      = 0.1
)

// findSeasons returns the seasons of a history. One that is shorter than two of its seasons has none.
func findSeasons(h *history) seasons {
	calendar := seasons{short: h.day, long: 7 * h.day}
	if h.day < 2 {
		calendar = seasons{short: 7}
	}
	r := autocorrelation(h.logs, h.len()/2)
	found := findPeriod(r)
	day, week := peakNear(r, calendar.short), peakNear(r, calendar.long)
	strength := peakNear(r, found)
	partOfDay := found > 0 && found < calendar.short && calendar.short%found == 0
	switch {
	case found == 0, near(found, calendar.short), near(found, calendar.long), partOfDay && calendar.hasLong(h.len()):
	case partOfDay && strength >= day-0.03:
		return seasons{short: found, long: calendar.short}
	case strength > day+clearlyMore && 2*found <= calendar.long:
		return seasons{short: found, long: calendar.long}
	case strength > max(day, week)+clearlyMore:
		return seasons{short: found}
	}
	if h.len() < 2*calendar.short {
		return seasons{}
	}
	return calendar
}

// near reports whether two lengths differ by at most one step.
func near(a, b int) bool { return a-b <= 1 && b-a <= 1 }

// findPeriod returns the lag of the season that r shows, or 0.
func findPeriod(r []float64) int {
	strongest, lowest := 0.0, math.Inf(1)
	peaks := make([]bool, len(r))
	for p := 2; p < len(r)-1; p++ {
		lowest = min(lowest, r[p-1])
		peaks[p] = r[p] > r[p-1] && r[p] >= r[p+1] && r[p] >= leastCorrelation && r[p]-lowest >= leastRise &&
			2*p < len(r) && peakNear(r, 2*p) >= leastCorrelation
		if peaks[p] {
			strongest = max(strongest, r[p])
		}
	}
	for p, peak := range peaks {
		if peak && r[p] >= nearlyAs*strongest {
			return refine(r, p)
		}
	}
	return 0
}

// refine returns the lag within a twentieth of p at which the correlations of one and two seasons together are largest,
// because noise moves a flat peak.
func refine(r []float64, p int) int {
	best := p
	for q := p - p/20; q <= p+p/20 && 2*q < len(r); q++ {
		if r[q]+r[2*q] > r[best]+r[2*best] {
			best = q
		}
	}
	return best
}

// peakNear returns the largest autocorrelation at a lag or next to it, 0 if the lag is not known.
func peakNear(r []float64, lag int) float64 {
	if lag < 1 || lag >= len(r) {
		return 0
	}
	return floats.Max(r[lag-1 : min(lag+2, len(r))])
}

// autocorrelation returns that of x for the lags below a number, after a moving mean over a third of x was taken off. It is
// all 0 for constant values. The method is that of Wiener and Khinchin.
func autocorrelation(x []float64, lags int) []float64 {
	n := len(x)
	size := 1 << bits.Len(uint(2*n))
	padded := make([]float64, size)
	movingMean(x, padded[:n], max(1, n/3))
	for i, v := range x {
		padded[i] = v - padded[i]
	}
	if floats.Norm(padded, math.Inf(1)) < 1e-9 {
		return make([]float64, lags)
	}
	fft := fourier.NewFFT(size)
	spectrum := fft.Coefficients(nil, padded)
	for i, c := range spectrum {
		spectrum[i] = complex(real(c)*real(c)+imag(c)*imag(c), 0)
	}
	fft.Sequence(padded, spectrum)
	r := padded[:lags]
	for lag := lags - 1; lag >= 0; lag-- {
		r[lag] = r[lag] / r[0] * float64(n) / float64(n-lag)
	}
	return r
}
