package forecast

import (
	"math"
	"slices"
)

// seasonalProfile is what the time of the day and of the week adds to the level of a series, in logarithms:
//
//	log y(t) ≈ level(t) + short(t mod m) + long(t mod L)
//
// It is found by backfitting (Hastie and Tibshirani, "Generalized Additive Models", 1990) with Huber weights, so that a
// holiday leaves no trace. The level is a centred moving mean over the longer season.
type seasonalProfile struct {
	short, long []float32
	// window of the level in steps.
	window int
}

// How a profile is learned. Half-lives are in seasons. The shrinkage is a number of observations of zero that each place
// in the long season is averaged with.
const (
	profileRounds = 3
	shortHalfLife = 14
	longHalfLife  = 3
	longShrinkage = 0.45
)

// at returns what the profile adds in a step, counted from the year 1970.
func (f *seasonalProfile) at(step int) float64 {
	v := float64(f.short[step%len(f.short)])
	if len(f.long) > 0 {
		v += float64(f.long[step%len(f.long)])
	}
	return v
}

// learnProfile learns from the first n values of h, at least one short season. With less than two long seasons there is a
// short one only.
func learnProfile(h *history, n int) *seasonalProfile {
	f := &seasonalProfile{short: make([]float32, h.short), window: h.short}
	if h.hasLong(n) {
		f.long, f.window = make([]float32, h.long), h.long
	}
	rest, weights := h.take(n), h.take(n)
	defer h.give(2 * n)
	movingMean(h.logs[:n], rest, f.window)
	for t := range rest {
		rest[t] = h.logs[t] - rest[t]
	}
	copy(weights, h.trust)
	short := backfit{season: f.short, other: f.long, halfLife: shortHalfLife * float64(h.short), shrinkage: 1e-6}
	long := backfit{season: f.long, other: f.short, halfLife: longHalfLife * float64(h.long), shrinkage: longShrinkage}
	for round := range profileRounds {
		if round > 0 {
			f.reweigh(h, rest, weights)
		}
		short.run(h, rest, weights)
		if len(f.long) > 0 {
			long.run(h, rest, weights)
		}
	}
	return f
}

// movingMean sets out to the mean of x over a window around each value. At both ends it is the mean of the first or last
// whole window. A window that is longer than x is as long as x.
func movingMean(x, out []float64, window int) {
	window = min(window, len(x))
	sum := 0.0
	for _, v := range x[:window] {
		sum += v
	}
	before := window / 2
	for t := range x {
		out[t] = sum / float64(window)
		if leaving := t - before; leaving >= 0 && leaving+window < len(x) {
			sum += x[leaving+window] - x[leaving]
		}
	}
}

// backfit is one season to be learned from what the other one leaves.
type backfit struct {
	season, other []float32
	halfLife      float64
	shrinkage     float64
}

// run sets the season to the weighted mean of the rest, less the other season, at each of its places.
func (b backfit) run(h *history, rest, weights []float64) {
	sums := h.take(2 * len(b.season))
	defer h.give(2 * len(b.season))
	totals := sums[len(b.season):]
	for i := range b.season {
		sums[i], totals[i] = 0, b.shrinkage
	}
	last := h.first + len(rest) - 1
	place, otherPlace := last%len(b.season), 0
	if len(b.other) > 0 {
		otherPlace = last % len(b.other)
	}
	weight, factor := 1.0, math.Exp2(-1/b.halfLife)
	for t, v := range slices.Backward(rest) {
		if len(b.other) > 0 {
			v -= float64(b.other[otherPlace])
			otherPlace = previous(otherPlace, len(b.other))
		}
		sums[place] += weight * weights[t] * v
		totals[place] += weight * weights[t]
		place = previous(place, len(b.season))
		weight *= factor
	}
	for i := range b.season {
		b.season[i] = float32(sums[i] / totals[i])
	}
}

func previous(place, length int) int {
	if place == 0 {
		return length - 1
	}
	return place - 1
}

// reweigh gives every trusted value its Huber weight.
func (f *seasonalProfile) reweigh(h *history, rest, weights []float64) {
	absolute, known := h.take(2*len(rest)), 0
	defer h.give(2 * len(rest))
	errors := absolute[len(rest):]
	for t, v := range rest {
		errors[t] = math.Abs(v - f.at(h.first+t))
		if h.trust[t] > 0 {
			absolute[known] = errors[t]
			known++
		}
	}
	limit := huberLimit(absolute[:known])
	for t, e := range errors {
		weights[t] = h.trust[t]
		if e > limit {
			weights[t] *= limit / e
		}
	}
}
