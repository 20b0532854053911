package forecast

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// A level shift is a new level that has held since: after a deployment, or a change of what callers send. It is looked for
// in the daily levels, which are medians of what the profile leaves.
const (
	// leastShiftDays to mostShiftDays is how long ago it may be, leastDaysBefore to mostDaysBefore how much is compared. It is a day
	// more than the longest one-off, because a holiday must not become the level.
	leastShiftDays, mostShiftDays   = longestOneOffDays + 1, 14
	leastDaysBefore, mostDaysBefore = 5, 14
	// It is over so many spreads of the daily levels before and after, and over this, a factor of 1.35.
	shiftSpreads, shiftLeast = 5.0, 0.3
)

// levelShift is at the index of the first value after it; at 0 is none.
type levelShift struct {
	at int
	// before and after are the logarithms of the levels.
	before, after float64
}

// findShift looks for a level shift that is confirmed: every daily level before it lies on one side of the middle between
// the two levels, every one after it on the other.
func (h *history) findShift(f *seasonalProfile) levelShift {
	days := min(h.len()/h.short, mostShiftDays+mostDaysBefore)
	levels := h.dailyLevels(f, days)
	var found levelShift
	strongest, scratch := 1.0, h.take(days)
	defer h.give(days)
	for recent := leastShiftDays; recent <= mostShiftDays && recent+leastDaysBefore <= days; recent++ {
		old, now := levels[max(0, days-recent-mostDaysBefore):days-recent], levels[days-recent:]
		s := levelShift{at: h.len() - recent*h.short, before: middleOf(old, scratch), after: middleOf(now, scratch)}
		spread := max(spreadOf(old, s.before, scratch), spreadOf(now, s.after, scratch))
		strength := math.Abs(s.after-s.before) / max(shiftLeast, shiftSpreads*spread)
		if strength > strongest && separate(old, now, (s.before+s.after)/2) {
			strongest, found = strength, s
		}
	}
	if found.at > 0 {
		found.at = h.locate(f, found)
	}
	return found
}

// dailyLevels returns the median of what the profile leaves for each of the last days.
func (h *history) dailyLevels(f *seasonalProfile, days int) []float64 {
	levels, day := make([]float64, days), h.take(h.short)
	defer h.give(h.short)
	for d := range levels {
		from := h.len() - (days-d)*h.short
		for i := range day {
			day[i] = h.logs[from+i] - f.at(h.first+from+i)
		}
		levels[d] = median(day)
	}
	return levels
}

// separate reports whether all values of a lie on one side of a border and all of b on the other.
func separate(a, b []float64, border float64) bool {
	return floats.Max(a) < border && floats.Min(b) > border || floats.Min(a) > border && floats.Max(b) < border
}

// locate returns the step at which the shift was, within the day before or after the one found: the one that leaves the
// least absolute deviation from the two levels.
func (h *history) locate(f *seasonalProfile, s levelShift) int {
	from, until := max(1, s.at-h.short), min(h.len(), s.at+h.short)
	best, least, gained := from, 0.0, 0.0
	for t := from; t < until; t++ {
		v := h.logs[t] - f.at(h.first+t)
		if gained += math.Abs(v-s.before) - math.Abs(v-s.after); gained < least {
			best, least = t+1, gained
		}
	}
	return best
}

// rebase brings everything before a level shift to the new level, also what forecasts are scored on.
func (h *history) rebase(s levelShift) {
	factor := math.Exp(s.after - s.before)
	for t := range s.at {
		h.values[t] *= factor
		h.logs[t] = logOf(h.values[t])
	}
	for t := range min(s.at, len(h.actual)) {
		h.actual[t] *= factor
	}
}
