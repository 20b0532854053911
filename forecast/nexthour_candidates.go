package forecast

import (
	"math"
	"slices"
)

// The candidates for the maximum of an hour, all of them logarithms and NaN where there is too little before the hour:
//
//   - regressed: a linear regression on earlier maxima and means, see regression;
//   - recent: the largest of the last 3 hours;
//   - profile: the mean of the same hour of the last 7 days, plus the gap to that mean of the last hours (an exponential
//     average in which each hour counts half of what is left);
//   - highest: the largest of the same hour of the last 7 days;
//   - weekly: the mean of the same hour of the last 2 weeks.
const (
	regressed = iota
	recent
	profile
	highest
	weekly
	candidateCount
)

const (
	day  = 24
	week = 7 * day
)

// predict sets out to what a candidate predicts for the last hours, of which the very last is the one that follows the
// history.
func (h hours) predict(candidate int, regressions []regression, out []float64) {
	from := len(h.log) + 1 - len(out)
	if candidate == profile {
		h.profiles(out, from)
		return
	}
	for j := range out {
		i := from + j
		switch candidate {
		case regressed:
			out[j] = h.regress(regressions, i)
		case recent:
			out[j] = largestOf(h.log, i-3, i)
		case highest:
			out[j] = h.highestOfHour(i)
		case weekly:
			out[j] = h.weekly(i)
		}
	}
}

// largestOf returns the largest of the values from index from until index until, or NaN if from lies before the first.
func largestOf(values []float64, from, until int) float64 {
	if from < 0 {
		return math.NaN()
	}
	return slices.Max(values[from:until])
}

// profiles fills in the profile of the hours from index from on. The gap starts as 0 with the second day.
func (h hours) profiles(out []float64, from int) {
	gap := 0.0
	for i := range from + len(out) {
		mean := h.meanOfHour(i)
		if i >= from {
			out[i-from] = mean + gap
		}
		if i >= day && i < len(h.log) {
			gap += (h.log[i] - mean - gap) / 2
		}
	}
}

// meanOfHour is the mean of the same hour of up to 7 days before hour i, NaN in the first day.
func (h hours) meanOfHour(i int) float64 {
	sum, n := 0.0, 0
	for j := i - day; j >= 0 && j >= i-week; j -= day {
		sum += h.log[j]
		n++
	}
	return sum / float64(n)
}

func (h hours) highestOfHour(i int) float64 {
	largest := math.NaN()
	for j := i - day; j >= 0 && j >= i-week; j -= day {
		if !(h.log[j] <= largest) {
			largest = h.log[j]
		}
	}
	return largest
}

func (h hours) weekly(i int) float64 {
	switch {
	case i < week:
		return math.NaN()
	case i < 2*week:
		return h.log[i-week]
	}
	return (h.log[i-week] + h.log[i-2*week]) / 2
}
