package forecast

import (
	"math"
	"slices"
)

// oneError is what was measured minus what was predicted, both logarithms, of one hour.
type oneError struct {
	value float64
	hour  int
}

// errorWindow holds the errors of one candidate within boundWindow, in ascending order.
type errorWindow struct {
	errors []oneError
	// next is the hour for which the errors are asked; an error weighs by its distance from it.
	next int
	// weights by that distance, and their sum over the errors.
	weights *weights
	total   float64
}

// weights are 2^(−age ÷ boundHalfLife) by age in hours.
type weights [boundWindow + 1]float64

func newWeights() (w weights) {
	for age := range w {
		w[age] = math.Exp2(-float64(age) / boundHalfLife)
	}
	return w
}

// newErrorWindow takes the errors of the last hours of h. The predictions end with the one for the hour after it. The buffer's
// memory is used for the errors.
func newErrorWindow(h hours, predicted []float64, weights *weights, buffer []oneError) errorWindow {
	next := len(h.log)
	w := errorWindow{errors: buffer[:0], next: next, weights: weights}
	first := next + 1 - len(predicted)
	for i := max(first, next-boundWindow); i < next; i++ {
		if p := predicted[i-first]; h.measured[i] && !math.IsNaN(p) {
			w.errors = append(w.errors, oneError{h.log[i] - p, i})
			w.total += weights[next-i]
		}
	}
	slices.SortFunc(w.errors, compareErrors)
	return w
}

func compareErrors(a, b oneError) int {
	switch {
	case a.value < b.value:
		return -1
	case a.value > b.value:
		return 1
	}
	return a.hour - b.hour
}

// slide moves the window one hour on.
func (w *errorWindow) slide(h hours, predicted []float64) {
	if e, ok := errorAt(h, predicted, w.next-boundWindow); ok {
		if at, found := slices.BinarySearchFunc(w.errors, e, compareErrors); found {
			w.errors = slices.Delete(w.errors, at, at+1)
			w.total -= w.weights[boundWindow]
		}
	}
	if e, ok := errorAt(h, predicted, w.next); ok {
		at, _ := slices.BinarySearchFunc(w.errors, e, compareErrors)
		w.errors = slices.Insert(w.errors, at, e)
		w.total++
	}
	w.next++
	w.total *= w.weights[1]
}

// errorAt returns the error of hour i, and false if it was not measured or not predicted.
func errorAt(h hours, predicted []float64, i int) (oneError, bool) {
	if i < 0 || !h.measured[i] || math.IsNaN(predicted[i]) {
		return oneError{}, false
	}
	return oneError{h.log[i] - predicted[i], i}, true
}

// quantile returns the smallest error such that those at or under it carry the share level of the whole weight; NaN with
// fewer than leastErrors.
func (w *errorWindow) quantile(level float64) float64 {
	if len(w.errors) < leastErrors {
		return math.NaN()
	}
	above, most := 0.0, (1-level)*w.total
	for i := len(w.errors) - 1; i > 0; i-- { // From above, because levels are high.
		if above += w.weights[w.next-w.errors[i].hour]; above > most {
			return w.errors[i].value
		}
	}
	return w.errors[0].value
}
