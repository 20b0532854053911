package forecast

import "math"

// history is what models work on.
//
// Values are divided by unit, a power of two near their mean, so that it does not matter whether cores or bytes are
// counted.
type history struct {
	*workspace
	seasons
	// first counts the steps from the year 1970 to the first value: it gives every value its place in the seasons.
	first int
	// day is the number of steps in a day.
	day  int
	unit float64
	// values are what models read: known, finite and not negative.
	values []float64
	// logs are the logarithms of the values; see logOf.
	logs []float64
	// actual is what was measured, NaN where nothing was. Models are scored on it.
	actual []float64
	// trust is 1 for values as they were measured and 0 for the others, which no model learns from. Like actual it is nil
	// where a forecast is made and nothing learned.
	trust []float64
}

// logFloor is the least value, in units, whose logarithm is taken, because zero has none.
const logFloor = 0.01

func logOf(v float64) float64 { return math.Log(max(v, logFloor)) }

// newHistory prepares a past that is not empty to be forecast, and takes over its values.
func newHistory(p past, unit float64) *history {
	n := p.len()
	h := &history{
		workspace: newWorkspace(2*n + 256), unit: unit,
		first: max(0, int(p.start.UnixNano()/int64(p.step))), day: stepsOf(dayLength, p.step),
		values: p.values, logs: make([]float64, n),
	}
	for i := range h.values {
		h.values[i] /= unit
		h.logs[i] = logOf(h.values[i])
	}
	return h
}

// newLesson prepares a past that is not empty to be learned from, and takes over its values.
func newLesson(p past, unit float64) *history {
	h := newHistory(p, unit)
	both := make([]float64, 2*h.len())
	h.actual, h.trust = both[:h.len():h.len()], both[h.len():]
	for i, v := range h.values {
		h.actual[i] = math.NaN()
		if p.measured[i] {
			h.actual[i], h.trust[i] = v, 1
		}
	}
	return h
}

func (h *history) len() int { return len(h.values) }

// unitOf returns the power of two next to the mean, and 1 if all values are zero.
func unitOf(p past) float64 {
	sum := 0.0
	for _, v := range p.values {
		sum += v
	}
	if sum == 0 {
		return 1
	}
	return math.Exp2(math.Round(math.Log2(sum / float64(p.len()))))
}
