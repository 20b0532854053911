package bootstrap

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// uneven are values without an order.
func uneven(n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = float64(i * i * 7919 % 101)
	}
	return values
}

func TestARangeOfAMeanDependsOnTheSeedAlone(t *testing.T) {
	values := uneven(100)
	low, high := Mean(values, 1)
	if again, _ := Mean(values, 1); again != low {
		t.Errorf("the same seed gave %g and %g", low, again)
	}
	if other, _ := Mean(values, 2); other == low {
		t.Errorf("another seed gave %g too", low)
	}
	// The interval of a mean is about 2 standard errors to either side.
	average, square := 0.0, 0.0
	for _, v := range values {
		average += v / float64(len(values))
	}
	for _, v := range values {
		square += (v - average) * (v - average)
	}
	wide := 1.96 * math.Sqrt(square) / float64(len(values))
	if math.Abs(low-(average-wide)) > wide/10 || math.Abs(high-(average+wide)) > wide/10 {
		t.Errorf("the interval is %g to %g; a normal one is %g to %g", low, high, average-wide, average+wide)
	}
}

func TestTheSameSeedDrawsTheSameItems(t *testing.T) {
	var first [][]int
	for drawn := range Draws(5, 3) {
		first = append(first, slices.Clone(drawn))
		if len(first) == 20 {
			break
		}
	}
	i := 0
	for drawn := range Draws(5, 3) {
		if i == len(first) {
			break
		}
		if diff := cmp.Diff(first[i], drawn); diff != "" {
			t.Fatalf("draw %d (-first time +second):\n%s", i, diff)
		}
		i++
	}
}

func TestARangeLeavesOutOneInFortyAtEachEnd(t *testing.T) {
	values := []float64{math.Inf(1), math.Inf(-1)}
	for i := range 78 {
		values = append(values, float64(i))
	}
	if low, high := Range(values); low != 1 || high != 76 {
		t.Errorf("the range is %g to %g, want 1 to 76", low, high)
	}
	values = append(values, math.Inf(-1), math.Inf(-1))
	if low, _ := Range(values); !math.IsInf(low, -1) {
		t.Errorf("with three of 82 beyond every bound the range begins at %g", low)
	}
}
