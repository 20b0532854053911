package forecast

import "math"

// Implausible is the value above which Clean and Predict take any measurement for corrupt where the caller names no limit
// of its own. It is a petabyte in bytes.
const Implausible = 1e15

// Clean returns a copy of s in which corrupt values are missing, and how many there were.
//
// Corrupt is what demand cannot be: negative, infinite, or larger than limit. A limit that is not positive means
// Implausible. NaN is missing already and not counted. A series without corrupt values is returned as it is, sharing its
// values with s.
func Clean(s Series, limit float64) (Series, int) {
	if !(limit > 0) {
		limit = Implausible
	}
	corrupt := 0
	for _, v := range s.Values {
		if isCorrupt(float64(v), limit) {
			corrupt++
		}
	}
	if corrupt == 0 {
		return s, 0
	}
	values := make([]float32, len(s.Values))
	for i, v := range s.Values {
		values[i] = v
		if isCorrupt(float64(v), limit) {
			values[i] = float32(math.NaN())
		}
	}
	return Series{Start: s.Start, Step: s.Step, Values: values}, corrupt
}

func isCorrupt(v, limit float64) bool { return v < 0 || v > limit }
