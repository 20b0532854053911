package forecast

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// A level shift is a new level that has held since: after a deployment, or a change of what callers send. It is looked for
// in the daily levels, which are medians of what the profile leaves.
//
// Nothing tells a lower level from days off that have not ended. Too little is worse than too much, so that demand is expected
// back: by everything for three days, and by the quantiles over the median for a week. Days off that have ended are replaced.
const (
	// leastShiftDays to mostShiftDays is how long ago it may be, leastDaysBefore to mostDaysBefore how much is compared. It is a day
	// more than the longest one-off, because a holiday must not become the level.
	leastShiftDays, mostShiftDays   = longestOneOffDays + 1, 14
	leastDaysBefore, mostDaysBefore = 5, 14
	// It is over so many spreads of the daily levels before and after, and over this, a factor of 1.35.
	shiftSpreads, shiftLeast = 5.0, 0.3
	// What is lower for less than so many days may be days off: a whole week, and a day for what is not found exactly.
	mostDaysOff = 8
)

// levelShift is at the index of the first value after it; at 0 is none.
type levelShift struct {
	at int
	// back is the index of the first value at which the level from before is there again, or the length of the history.
	back int
	// before and after are the logarithms of the levels.
	before, after float64
}

// off reports whether demand was lower for less than a number of steps.
func (s levelShift) off(steps int) bool { return s.after < s.before && s.back-s.at < steps }

// isOff reports whether a shift is taken for days off: it is young, or demand has been back for a quarter of a day.
func (h *history) isOff(s levelShift) bool {
	back := h.len()-s.back >= max(1, h.short/blocksPerSeason)
	return s.off(leastShiftDays*h.short) || back && h.mayBeOff(s)
}

// mayBeOff reports whether a shift can still turn out to be days off.
func (h *history) mayBeOff(s levelShift) bool { return s.off(mostDaysOff * h.day) }

// findShift looks for a level shift that is confirmed, or for days off that have ended since. One day is enough for a shift
// downwards, if the long season is known and all of one was measured before: else a weekend looks like a holiday.
func (h *history) findShift(f *seasonalProfile) levelShift {
	days := min(h.len()/h.short, mostShiftDays+mostDaysBefore)
	levels, scratch := h.dailyLevels(f, days), h.take(days)
	defer h.give(days)
	leastDown, leastBefore := leastShiftDays, leastDaysBefore
	if len(f.long) > 0 {
		leastDown, leastBefore = 1, min(len(f.long)/h.short, mostDaysBefore)
	}
	for ended := 0; ended <= mostShiftDays && ended < days; ended++ {
		s := confirmedShift(levels[:days-ended], leastDown, leastBefore, scratch)
		if s.at == 0 {
			continue
		}
		near := h.len() - (days-s.at)*h.short
		s.at = h.locate(f, s, max(1, near-h.short), min(h.len(), near+h.short))
		s.back = h.locate(f, levelShift{before: s.after, after: s.before}, s.at, h.len())
		if ended == 0 || h.isOff(s) {
			return s
		}
	}
	return levelShift{}
}

// confirmedShift returns the clearest level shift after which every daily level lies on one side of the middle between the two
// levels, and before which every one lies on the other. It is at a day.
func confirmedShift(levels []float64, leastDown, leastBefore int, scratch []float64) levelShift {
	var found levelShift
	strongest, days := 1.0, len(levels)
	for recent := leastDown; recent <= mostShiftDays && recent+leastDaysBefore <= days; recent++ {
		old, now := levels[max(0, days-recent-mostDaysBefore):days-recent], levels[days-recent:]
		s := levelShift{at: days - recent, before: middleOf(old, scratch), after: middleOf(now, scratch)}
		if recent < leastShiftDays && (s.after > s.before || len(old) < leastBefore) {
			continue
		}
		spread := max(spreadOf(old, s.before, scratch), spreadOf(now, s.after, scratch))
		strength := math.Abs(s.after-s.before) / max(shiftLeast, shiftSpreads*spread)
		if strength > strongest && separate(old, now, (s.before+s.after)/2) {
			strongest, found = strength, s
		}
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

// locate returns the step between two others at which the shift was, or the last of them: the one that leaves the least absolute
// deviation from the two levels.
func (h *history) locate(f *seasonalProfile, s levelShift, from, until int) int {
	best, least, gained := from, 0.0, 0.0
	for t := from; t < until; t++ {
		v := h.logs[t] - f.at(h.first+t)
		if gained += math.Abs(v-s.before) - math.Abs(v-s.after); gained < least {
			best, least = t+1, gained
		}
	}
	return best
}

// follow brings h to the level that is expected to go on.
func (h *history) follow(f *seasonalProfile, s levelShift) {
	if h.isOff(s) {
		h.lift(f, s)
	} else {
		h.rebase(s)
	}
}

// rebase brings everything before a level shift to the new level, also what forecasts are scored on.
func (h *history) rebase(s levelShift) {
	factor := math.Exp(s.after - s.before)
	h.multiply(s.at, factor)
	for t := range min(s.at, len(h.actual)) {
		h.actual[t] *= factor
	}
}

// multiply multiplies the first values by a factor.
func (h *history) multiply(n int, factor float64) {
	for t := range n {
		h.values[t] *= factor
		h.logs[t] = logOf(h.values[t])
	}
}

// lift replaces days off by what was to be expected. Forecasts are not scored on them, because quantiles of other days would be
// far apart.
func (h *history) lift(f *seasonalProfile, s levelShift) {
	for t := s.at; t < s.back; t++ {
		h.logs[t] = s.before + f.at(h.first+t)
		h.values[t] = math.Exp(h.logs[t])
	}
	for t := s.at; t < min(s.back, len(h.trust)); t++ {
		h.trust[t], h.actual[t] = 0, math.NaN()
	}
}
