package guard

import (
	"math"
	"strconv"
)

// maxAmount bounds every amount: 2^50 bytes are a pebibyte, and as many millicores a trillion cores. A number beyond is a
// broken measurement, and a bounded one cannot overflow.
const maxAmount = 1 << 50

// scale multiplies an amount by a factor and rounds up. It stays between 0 and maxAmount; a factor that is NaN or negative
// changes nothing.
func scale(v int64, factor float64) int64 {
	if !(factor >= 0) || v <= 0 {
		return max(v, 0)
	}
	// The subtracted share forgives the representation of factors such as 1.1: scale(100, 1.1) is 110 and not 111.
	product := min(float64(v)*factor, maxAmount)
	return int64(math.Ceil(product - product*1e-12))
}

// share returns f bounded to [0, most], and 0 for NaN.
func share(f, most float64) float64 {
	if math.IsNaN(f) {
		return 0
	}
	return min(max(f, 0), most)
}

// percent formats a share for people: 0.15 is 15 %.
func percent(f float64) string { return strconv.FormatFloat(math.Round(f*1000)/10, 'f', -1, 64) + " %" }
