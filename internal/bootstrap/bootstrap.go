// Package bootstrap says how far a number would move if other items of the same kind had been measured: it is computed again
// from items drawn with replacement.
package bootstrap

import (
	"iter"
	"math/rand/v2"
	"slices"
)

// resamples is how often items are drawn: enough that another seed moves a bound by about a hundredth of their distance.
const resamples = 4000

// Draws yields the indices of n items drawn with replacement from n, many times over. The same seed yields the same draws, so
// numbers that are computed from the same ones are paired. The slice is good until the next draw. It panics if n is not positive.
func Draws(n int, seed uint64) iter.Seq[[]int] {
	return func(yield func([]int) bool) {
		random := rand.New(rand.NewPCG(seed, 0))
		drawn := make([]int, n)
		for range resamples {
			for i := range drawn {
				drawn[i] = random.IntN(n)
			}
			if !yield(drawn) {
				return
			}
		}
	}
}

// Range returns the 2.5th and the 97.5th percentile of what a number was over all draws: a 95 % interval for it. It sorts the
// values, infinite ones too, and panics without any.
func Range(values []float64) (low, high float64) {
	slices.Sort(values)
	cut := len(values) / 40
	return values[cut], values[len(values)-1-cut]
}

// Mean returns a 95 % interval for the mean of values. It panics without values.
func Mean(values []float64, seed uint64) (low, high float64) {
	means := make([]float64, 0, resamples)
	for drawn := range Draws(len(values), seed) {
		total := 0.0
		for _, i := range drawn {
			total += values[i]
		}
		means = append(means, total/float64(len(values)))
	}
	return Range(means)
}
