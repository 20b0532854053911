package sizing

import (
	"math"
	"time"

	"github.com/loadline-dev/loadline/forecast"
)

// podCount is how many pods ran in the intervals of a series, at least 1, or NaN where that is not known: the 5-minute
// values, and the hourly means where there is none.
type podCount struct {
	recent, hourly *position
}

// newPodCount counts pods in the intervals of a series; every interval has one if pods is nil.
func newPodCount(pods *forecast.Usage, of forecast.Series) podCount {
	if pods == nil {
		return podCount{}
	}
	return podCount{recent: newPosition(pods.Recent, of), hourly: newPosition(pods.HourlyMean, of)}
}

func (c podCount) at(i int) float64 {
	if c.recent == nil {
		return 1
	}
	n := c.recent.at(i)
	if math.IsNaN(n) {
		n = c.hourly.at(i)
	}
	return max(1, n) // NaN stays NaN.
}

// position finds what one series says at the starts of another's intervals. Where those coincide with starts of its own, which
// is the rule, that takes no arithmetic with times.
type position struct {
	of, starts    forecast.Series
	offset, every int
	aligned       bool
}

func newPosition(of, starts forecast.Series) *position {
	p := &position{of: of, starts: starts}
	if of.Step > 0 && starts.Step%of.Step == 0 {
		shift := starts.Start.Sub(of.Start)
		p.offset, p.every, p.aligned = int(shift/of.Step), int(starts.Step/of.Step), shift%of.Step == 0
	}
	return p
}

func (p *position) at(i int) float64 {
	if !p.aligned {
		return p.of.At(p.starts.TimeAt(i))
	}
	if i = i*p.every + p.offset; i >= 0 && i < len(p.of.Values) {
		return float64(p.of.Values[i])
	}
	return math.NaN()
}

// decay gives 2^(−age ÷ HalfLife) for the intervals of a series, one after the other.
type decay struct {
	of             forecast.Series
	now            time.Time
	i              int
	weight, factor float64
}

func newDecay(s forecast.Series, now time.Time) decay {
	return decay{of: s, now: now, factor: math.Exp2(float64(s.Step) / float64(HalfLife))}
}

// next returns the weight of the present interval, at most 1 for one of the future, and goes on. Every so often it counts from
// the time anew, so that neither rounding nor an age beyond all measure is carried on.
func (d *decay) next() float64 {
	const anew = 64
	if d.i%anew == 0 {
		d.weight = math.Exp2(-float64(d.now.Sub(d.of.TimeAt(d.i))) / float64(HalfLife))
	}
	w := min(d.weight, 1)
	d.weight *= d.factor
	d.i++
	return w
}

// sampleCount is how many samples a usage has at most.
func sampleCount(u forecast.Usage) int { return 2*u.HourlyMax.Len() + u.Recent.Len() }

// weighted turns a usage into samples per pod whose weight is their length in hours, halved for each HalfLife of age. They take
// the place of those in the slice.
//
// The last day is there in 5-minute values. An older hour is only known by its mean and maximum: it counts as one 5-minute
// value at the maximum, and eleven at what then remains for the mean, (12·mean − max) ÷ 11.
func weighted(samples []forecast.Sample, u forecast.Usage, pods *forecast.Usage, now time.Time) []forecast.Sample {
	samples = samples[:0]
	add := func(v, weight float64) {
		if !math.IsNaN(v) && weight > 0 {
			samples = append(samples, forecast.Sample{Value: v, Weight: weight})
		}
	}
	since := recentSince(u)
	count, means, age := newPodCount(pods, u.HourlyMax), newPosition(u.HourlyMean, u.HourlyMax), newDecay(u.HourlyMax, now)
	for i, v := range u.HourlyMax.Values[:hoursUntil(u.HourlyMax, since)] {
		highest, mean, weight, n := float64(v), means.at(i), age.next(), count.at(i)
		if math.IsNaN(highest) || math.IsNaN(mean) {
			highest, mean = known(highest, mean), known(highest, mean)
		}
		rest := (valuesPerHour*mean - highest) / (valuesPerHour - 1)
		add(highest/n, weight/valuesPerHour)
		add(min(max(rest, 0), highest)/n, weight*(1-1.0/valuesPerHour))
	}
	if since.IsZero() {
		return samples
	}
	recent := u.Recent.Since(since)
	count, age = newPodCount(pods, recent), newDecay(recent, now)
	hours := recent.Step.Hours()
	for i, v := range recent.Values {
		add(float64(v)/count.at(i), age.next()*hours)
	}
	return samples
}

// hoursUntil returns how many of the intervals begin before a time; all of them if that is zero.
func hoursUntil(s forecast.Series, t time.Time) int {
	if t.IsZero() {
		return len(s.Values)
	}
	return len(s.Values) - s.Since(t).Len()
}

// recentSince returns the time from which on 5-minute values are used: the start of the first whole hour of the hourly
// history at or after the first known 5-minute value. The zero time means that there is none.
func recentSince(u forecast.Usage) time.Time {
	for i, v := range u.Recent.Values {
		if math.IsNaN(float64(v)) {
			continue
		}
		first := u.Recent.TimeAt(i)
		hourly := u.HourlyMax
		if hourly.Len() == 0 || first.Before(hourly.Start) || !first.Before(hourly.End()) {
			return first
		}
		return hourly.Since(first).Start
	}
	return time.Time{}
}

// quantileAbove is forecast.WeightedQuantile if that is more than least, else NaN. Deciding that takes one look at each sample, so
// that what would not count is not computed. With a least of NaN it is always the quantile.
func quantileAbove(samples []forecast.Sample, q, least float64) float64 {
	under, total := 0.0, 0.0
	for _, s := range samples {
		if s.Value <= least {
			under += s.Weight
		}
		total += s.Weight
	}
	if under > 0 && under >= min(max(q, 0), 1)*total {
		return math.NaN()
	}
	return forecast.WeightedQuantile(samples, q)
}
