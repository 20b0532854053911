package m4

import (
	"math/rand/v2"
	"slices"
)

// resamples is how often the bootstrap draws: enough that another seed moves a bound by about a hundredth of their distance.
const resamples = 4000

// Bootstrap returns a 95 % interval for the mean of values, one value a series: the 2.5th and 97.5th percentile of the mean
// over as many series drawn with replacement. The same seed gives the same interval. It panics without values.
func Bootstrap(values []float64, seed uint64) (low, high float64) {
	random := rand.New(rand.NewPCG(seed, 0))
	means := make([]float64, resamples)
	for i := range means {
		total := 0.0
		for range values {
			total += values[random.IntN(len(values))]
		}
		means[i] = total / float64(len(values))
	}
	slices.Sort(means)
	return means[resamples/40], means[resamples-1-resamples/40]
}
