package forecast

import (
	"math"
	"slices"
	"time"
)

// What the bound of the next hour rests on, in hours.
const (
	// boundWindow is how far back errors, the bound's cap and the scores of the candidates reach.
	boundWindow = 14 * 24
	// boundHalfLife after which an error counts half.
	boundHalfLife = 72
	// leastErrors of a candidate, and of its bounds that can be tested; with fewer it has no part.
	leastErrors = 48
	// leastHistory below which there is no bound.
	leastHistory = 120
)

// HourBound is an upper bound of the largest demand within one hour. The zero HourBound is no bound.
type HourBound struct {
	// Start of the hour; it is the one that runs if the history ends with the last complete one.
	Start time.Time
	// Level is the share of hours that should stay at or under Upper. Coverage is the share of the past hours that did,
	// NaN if too few could be tested.
	Level, Coverage float64
	// Upper bound, in the unit of the history.
	Upper float64
}

// Known reports whether there is a bound.
func (b HourBound) Known() bool { return !b.Start.IsZero() }

// NextHour is what FitNextHour learned: the coefficients of the regressions and the shares of the candidates. It does not
// change, is safe for concurrent use, and is meant to be used for a day.
type NextHour struct {
	level, limit, coverage float64
	shares                 [candidateCount]float64
	regressions            []regression
}

// FitNextHour learns how to bound an hour's maximum at a level between 0 and 1 from hourly maxima and means, as known at
// the time now. Measurements over limit are corrupt; a limit of 0 means Implausible.
//
// It never returns nil: with less than five days of history, or a level outside (0, 1), no bound follows from it. Missing
// and corrupt hours are filled as in Predict and never scored. Constant history gives that constant.
func FitNextHour(u Usage, level, limit float64, now time.Time) *NextHour {
	n := &NextHour{level: level, limit: limit, coverage: math.NaN()}
	h := newHours(u, limit, now)
	if len(h.log) < leastHistory || !(level > 0 && level < 1) {
		return n
	}
	n.regressions = fitRegressions(h)
	n.weigh(h)
	return n
}

// Bound bounds the maximum of the hour that follows the last complete hour before now. The usage is the one of the fit, or
// a newer part of it.
//
// Each candidate's bound is its prediction plus the quantile of its own errors of the last 14 days, in which an error
// counts half after three days (split conformal prediction on the logarithm). The answer is their geometric mean, weighted by the
// shares of the fit. No candidate counts with more than 1.05 times the largest maximum of the last 14 days.
func (n *NextHour) Bound(u Usage, now time.Time) HourBound {
	h := newHours(u, n.limit, now)
	if len(h.log) < leastHistory || n.shares == [candidateCount]float64{} {
		return HourBound{}
	}
	ceiling, weights := h.ceiling(), newWeights()
	errors, predicted := make([]oneError, 0, boundWindow), make([]float64, boundWindow+1)
	predicted = predicted[:min(len(predicted), len(h.log)+1)]
	sum, whole := 0.0, 0.0
	for k, share := range n.shares {
		if share == 0 {
			continue
		}
		h.predict(k, n.regressions, predicted)
		next := predicted[len(predicted)-1]
		if math.IsNaN(next) {
			continue
		}
		w := newErrorWindow(h, predicted, &weights, errors)
		if margin := w.quantile(n.level); !math.IsNaN(margin) {
			sum += share * min(next+margin, ceiling)
			whole += share
		}
	}
	if whole == 0 {
		return HourBound{}
	}
	return HourBound{Start: h.end, Level: n.level, Coverage: n.coverage, Upper: h.value(sum / whole)}
}

// hours is a history by the hour, without holes, in the scales that the candidates work on.
type hours struct {
	end time.Time
	// log of each hour's maximum; root of maximum and of mean.
	log, rootMax, rootMean []float64
	// measured tells which hours were; the others are filled in.
	measured []bool
	// origin is the index of the first hour since the zero of hours, so that an hour has the same number in every history.
	origin int
	floor  float64
}

// newHours prepares a usage. Values under a thousandth of the largest count as that, because the logarithm of next to nothing
// says nothing.
func newHours(u Usage, limit float64, now time.Time) hours {
	p := newPast(u.HourlyMax, Options{Now: now, Limit: limit})
	if p.len() == 0 || p.step != time.Hour {
		return hours{}
	}
	n := p.len()
	buffer := make([]float64, 2*n)
	h := hours{
		end: p.end(), measured: p.measured, log: buffer[:n:n], rootMax: buffer[n:], rootMean: p.values,
		origin: int(p.start.Unix() / int64(time.Hour/time.Second)), floor: p.largest(n) / 1000,
	}
	if h.floor == 0 {
		h.floor = 1e-9
	}
	for i, highest := range p.values { // They make room for the roots of the means, one after the other.
		mean := highest
		if m := meanAt(u.HourlyMean, p.start, i); m >= 0 && m < highest {
			mean = m
		}
		h.log[i] = math.Log(max(highest, h.floor))
		h.rootMax[i], h.rootMean[i] = math.Sqrt(highest), math.Sqrt(mean)
	}
	return h
}

// meanAt returns the mean of the hour that is i hours after start, NaN if it is not known.
func meanAt(means Series, start time.Time, i int) float64 {
	shift := start.Sub(means.Start)
	if i += int(shift / time.Hour); means.Step != time.Hour || shift%time.Hour != 0 || i < 0 || i >= len(means.Values) {
		return math.NaN()
	}
	return float64(means.Values[i])
}

// value turns a logarithm back. What is at the floor is nothing.
func (h hours) value(log float64) float64 {
	if v := math.Exp(log); v > h.floor*(1+1e-9) {
		return v
	}
	return 0
}

// ceiling is the logarithm of the most that a bound for the hour after the history may be.
func (h hours) ceiling() float64 {
	return slices.Max(h.log[max(0, len(h.log)-boundWindow):]) + math.Log(capOverSeason)
}

// ceilings are those of all hours, each from what was known before it; the first hour has none and gets NaN.
func (h hours) ceilings() []float64 {
	result := make([]float64, len(h.log))
	result[0] = math.NaN()
	at := 0 // Of the largest in the window.
	for i := 1; i < len(result); i++ {
		if h.log[i-1] >= h.log[at] {
			at = i - 1
		}
		if at < i-boundWindow {
			at = i - boundWindow
			for j := at + 1; j < i; j++ {
				if h.log[j] >= h.log[at] {
					at = j
				}
			}
		}
		result[i] = h.log[at] + math.Log(capOverSeason)
	}
	return result
}
