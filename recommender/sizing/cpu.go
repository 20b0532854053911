package sizing

import (
	"fmt"
	"math"
	"time"

	"github.com/loadline-dev/loadline/forecast"
)

// recently is how far back the use of CPU counts as that of the present: two 5-minute values, so that none is missed.
const recently = 10 * time.Minute

// cpuSize is the CPU of one container.
type cpuSize struct {
	container ContainerInput
	demand    Demand
	// cores that a pod gets without advice, margin included.
	cores float64
	// targetMillis includes what advice adds, plainMillis does not.
	targetMillis, plainMillis int64
	inPlaceMillis, peakMillis int64
	usedMillis                int64
	summary                   string
	trail                     []string
}

// Demand is what one pod of a container needs of CPU, in cores, by its history alone. The zero Demand is not measured.
type Demand struct {
	measured bool
	// average is what is covered of all pods divided by their number; NaN if the number is not known.
	average cover
	// hottest is hottestQuantile of the busiest pod; NaN if it was not measured, or is not more than the average's quantile.
	hottest         float64
	hottestQuantile float64
	// perPod is the larger of both.
	perPod float64
	// leastImbalance was measured otherwise, and holds whatever these say; see measureWithout.
	leastImbalance float64
}

// Measure computes the demand of one pod at the policy's quantile q: that of the average pod, and rarer peaks of it that are cheap to
// cover. The busiest pod may go over q twice as often as the average one: it is measured at 2q−1, which is the p90 for a policy of p95. At
// q itself the busiest pod, by luck a different one each time, would size all; without it, a pod that does more than its share would starve.
//
// Propose does the same where ContainerInput.Demand is not measured. Who proposes several times from one history can spare that.
func Measure(c ContainerInput, q float64, pods forecast.Usage, now time.Time) Demand {
	c, _ = cleanContainer(c)
	pods, _ = cleanUsage(pods, maxPods)
	return measure(c, q, pods, now)
}

// measure is Measure of a history without corrupt values.
func measure(c ContainerInput, q float64, pods forecast.Usage, now time.Time) Demand {
	d := Demand{measured: true, hottestQuantile: max(0.5, 2*q-1)}
	samples := make([]forecast.Sample, 0, max(sampleCount(c.CPUTotal), sampleCount(c.CPUHottest)))
	d.average = covering(weighted(samples, c.CPUTotal, &pods, now), q)
	if math.IsNaN(d.average.least) {
		d.hottestQuantile = q
	}
	d.hottest = quantileAbove(weighted(samples, c.CPUHottest, nil, now), d.hottestQuantile, d.average.least)
	d.perPod = d.average.cores
	if d.byHottest() {
		d.perPod = d.hottest
	}
	return d
}

// byHottest reports whether the busiest pod decides.
func (d Demand) byHottest() bool {
	return !math.IsNaN(d.hottest) && !(d.hottest <= d.average.cores) // The average may be unknown.
}

// imbalance is how many times the average a pod has to be sized for: at least 1, and at most the number of pods, because
// no pod uses more than all together.
func (d Demand) imbalance(pods float64) float64 {
	imbalance := max(1, d.leastImbalance)
	if d.average.least > 0 && d.hottest > d.average.least {
		imbalance = max(imbalance, d.hottest/d.average.least)
	}
	return min(imbalance, pods)
}

// measureCPU computes what a pod needs by the history alone.
func measureCPU(in Input, c ContainerInput, pods forecast.Usage) cpuSize {
	size := cpuSize{container: c}
	if highest, ok := peak(c.CPUHottest); ok {
		size.peakMillis = int64(math.Ceil(highest * 1000))
	}
	policy := in.Policy.CPU
	var leftOut []string
	size.demand, leftOut = measureWithout(in, c, pods)
	if math.IsNaN(size.demand.perPod) {
		size.trail = []string{"CPU: no usable history, so nothing is proposed."}
		return size
	}
	size.setCores(size.demand.perPod * (1 + policy.Margin))
	size.summary = fmt.Sprintf("a pod uses %dm of CPU (%s), plus %s", atLeast(size.demand.perPod*1000), size.demand.level(), percent(policy.Margin))
	size.trail = append(size.trail, leftOut...)
	size.trail = append(size.trail, size.demand.sentence(policy, size.plainMillis, knownHours(c.CPUTotal)))
	return size
}

// setCores sets what a pod gets without advice.
func (s *cpuSize) setCores(cores float64) {
	s.cores, s.plainMillis = cores, max(1, atLeast(cores*1000)) // Zero would mean no proposal.
}

// level names the quantile that decides.
func (d Demand) level() string {
	if d.byHottest() {
		return quantileName(d.hottestQuantile)
	}
	return quantileName(d.average.level)
}

// quantileName is p95 for 0.95.
func quantileName(q float64) string { return fmt.Sprintf("p%.3g", q*100) }

func (d Demand) sentence(policy ResourcePolicy, millis int64, hours int) string {
	history := fmt.Sprintf("of the last %s, recent days weighing more (half-life 24 h), is %.3f cores", span(hours), d.perPod)
	who := fmt.Sprintf("%s %s per pod", d.level(), history)
	switch {
	case d.byHottest():
		who = fmt.Sprintf("%s of the busiest pod %s", d.level(), history)
		if !math.IsNaN(d.average.cores) {
			who += fmt.Sprintf(", more than the %s of the average pod, %.3f", quantileName(d.average.level), d.average.cores)
		}
	case d.average.rarer():
		who += fmt.Sprintf(", little more than the %.3f of p%.4g", d.average.least, policy.Quantile*100)
	}
	return fmt.Sprintf("CPU: %s; plus %s margin: %dm.", who, percent(policy.Margin), millis)
}

// decide settles target and in-place size once it is known how many pods share the demand; 0 means as many as there were.
func (s *cpuSize) decide(in Input, pods forecast.Usage, sharedBy float64) {
	if s.plainMillis == 0 {
		return
	}
	s.share(in, sharedBy)
	s.targetMillis = s.plainMillis
	if in.DemandPercent > 100 && !in.Autoscaled {
		s.targetMillis = max(s.plainMillis, atLeast(s.cores*1000*float64(in.DemandPercent)/100))
		s.trail = append(s.trail, fmt.Sprintf("CPU: raised to %d %% of that, %dm: %s", in.DemandPercent, s.targetMillis, in.DemandReason))
	}
	s.sizeInPlace(in, pods)
}

// sizeInPlace follows the hour that runs and gives back at most the policy's share of the target. Advice is provided for by
// the target: the bound is raised by it, but not beyond the target.
func (s *cpuSize) sizeInPlace(in Input, pods forecast.Usage) {
	running := podsNow(in, pods)
	imbalance := s.demand.imbalance(running)
	s.inPlaceMillis = s.targetMillis
	if bound := s.container.NextHour; bound.Known() && in.Now.Before(bound.Start.Add(2*time.Hour)) {
		perPod := bound.Upper / running * imbalance
		expected := atLeast(perPod * 1000)
		advised := min(atLeast(perPod*1000*float64(in.DemandPercent)/100), s.targetMillis)
		giveBack := min(max(in.Policy.MaxGiveBack, 0), 1)
		s.inPlaceMillis = max(1, atLeast((1-giveBack)*float64(s.targetMillis)), expected, advised)
		s.trail = append(s.trail, fmt.Sprintf("CPU in place: this hour needs at most %.3f cores per pod (p%.4g); "+
			"giving back at most %s of the target: %dm.", perPod, bound.Level*100, percent(giveBack), s.inPlaceMillis))
	} else {
		s.trail = append(s.trail, "CPU in place: there is no bound for this hour, so running pods get the target.")
	}
	s.usedMillis = atLeast(s.usedRecently(in.Now, &pods) * imbalance * 1000)
}

// highest returns the largest value of an upper quantile in the steps that overlap the window; of the mean if the forecast
// does not hold the level. It is false if no step overlaps.
func highest(f forecast.Forecast, level float64, from, until time.Time) (float64, bool) {
	values, ok := f.Quantile(level)
	if !ok {
		values = f.Mean
	}
	if f.Step <= 0 || !from.Before(until) {
		return 0, false
	}
	first := max(0, int(floorDiv(from.Sub(f.Start), f.Step)))
	last := min(len(values)-1, int(floorDiv(until.Sub(f.Start)-1, f.Step)))
	largest := 0.0
	for i := first; i <= last; i++ {
		largest = max(largest, values[i])
	}
	return largest, first <= last
}

// floorDiv divides and rounds down.
func floorDiv(a, b time.Duration) time.Duration {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// podsNow returns how many pods run, at least 1.
func podsNow(in Input, pods forecast.Usage) float64 {
	n := known(lastKnown(pods.Recent), lastKnown(pods.HourlyMean))
	return max(1, known(n, float64(in.CurrentReplicas)))
}

// usedRecently returns the largest 5-minute demand of one pod, on average over all, that began a moment ago.
func (s *cpuSize) usedRecently(now time.Time, pods *forecast.Usage) float64 {
	recent := s.container.CPUTotal.Recent.Since(now.Add(-recently))
	count := newPodCount(pods, recent)
	largest := 0.0
	for i, v := range recent.Values {
		if x := float64(v) / count.at(i); x > largest {
			largest = x
		}
	}
	return largest
}
