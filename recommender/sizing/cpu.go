package sizing

import (
	"fmt"
	"math"
	"time"

	"github.com/loadline-dev/loadline/forecast"
)

// pressureHeadroom is what a pod that went over its size within the last hour gets on top of what it used.
const pressureHeadroom = 1.05

// cpuSize is the CPU of one container.
type cpuSize struct {
	container ContainerInput
	// targetMillis includes what advice adds, plainMillis does not.
	targetMillis, plainMillis int64
	inPlaceMillis, peakMillis int64
	summary                   string
	trail                     []string
}

// demand is what one pod needs, in cores.
type demand struct {
	// average is the policy's quantile of all pods divided by their number; NaN if the number is not known.
	average float64
	// hottest is hottestQuantile of the busiest pod; NaN if it was not measured.
	hottest         float64
	hottestQuantile float64
	// perPod is the larger of both.
	perPod float64
}

// measure computes the demand of one pod. The busiest pod may go over it twice as often as the average one: it is measured
// at 2q−1, which is the p90 for a policy of p95. At q itself the busiest pod, by luck a different one each time, would
// size all; without it, a pod that does more than its share would starve.
func measure(c ContainerInput, q float64, pods forecast.Usage, now time.Time) demand {
	d := demand{hottestQuantile: max(0.5, 2*q-1)}
	d.average = forecast.WeightedQuantile(weighted(c.CPUTotal, countPods(pods), now), q)
	if math.IsNaN(d.average) {
		d.hottestQuantile = q
	}
	d.hottest = forecast.WeightedQuantile(weighted(c.CPUHottest, onePod, now), d.hottestQuantile)
	d.perPod = d.average
	if math.IsNaN(d.average) || d.hottest > d.average {
		d.perPod = d.hottest
	}
	return d
}

// imbalance is how many times the average a pod has to be sized for: at least 1, and at most the number of pods, because
// no pod uses more than all together.
func (d demand) imbalance(pods float64) float64 {
	if d.average > 0 && d.perPod > d.average {
		return min(d.perPod/d.average, pods)
	}
	return 1
}

func sizeCPU(in Input, c ContainerInput, pods forecast.Usage) cpuSize {
	size := cpuSize{container: c}
	if highest, ok := peak(c.CPUHottest); ok {
		size.peakMillis = int64(math.Ceil(highest * 1000))
	}
	policy := in.Policy.CPU
	d := measure(c, policy.Quantile, pods, in.Now)
	if math.IsNaN(d.perPod) {
		size.trail = []string{"CPU: no usable history, so nothing is proposed."}
		return size
	}
	cores := d.perPod * (1 + policy.Margin)
	size.plainMillis = max(1, atLeast(cores*1000)) // Zero would mean no proposal.
	size.targetMillis = size.plainMillis
	size.summary = fmt.Sprintf("a pod uses %dm of CPU (p%.4g), plus %s", atLeast(d.perPod*1000), policy.Quantile*100, percent(policy.Margin))
	size.trail = append(size.trail, d.sentence(policy, size.plainMillis, knownHours(c.CPUTotal)))
	if in.DemandPercent > 100 {
		size.targetMillis = max(size.plainMillis, atLeast(cores*1000*float64(in.DemandPercent)/100))
		size.trail = append(size.trail, fmt.Sprintf("CPU: raised to %d %% of that, %dm: %s",
			in.DemandPercent, size.targetMillis, in.DemandReason))
	}
	size.sizeInPlace(in, d, pods)
	return size
}

func (d demand) sentence(policy ResourcePolicy, millis int64, hours int) string {
	history := fmt.Sprintf("of the last %s, recent days weighing more (half-life 24 h), is %.3f cores", span(hours), d.perPod)
	who := fmt.Sprintf("p%.4g %s per pod", policy.Quantile*100, history)
	if math.IsNaN(d.average) || d.hottest > d.average {
		who = fmt.Sprintf("p%.4g of the busiest pod %s", d.hottestQuantile*100, history)
		if !math.IsNaN(d.average) {
			who += fmt.Sprintf(", more than the p%.4g of the average pod, %.3f", policy.Quantile*100, d.average)
		}
	}
	return fmt.Sprintf("CPU: %s; plus %s margin: %dm.", who, percent(policy.Margin), millis)
}

// sizeInPlace follows the next hour, gives back at most the policy's share of the target, and answers demand of the last
// hour that was over the size at once.
func (s *cpuSize) sizeInPlace(in Input, d demand, pods forecast.Usage) {
	s.inPlaceMillis = s.targetMillis
	expected, ok := nextHour(s.container.CPUForecast, in.Now)
	if !ok {
		s.trail = append(s.trail, "CPU in place: no forecast, so running pods get the target.")
		return
	}
	running := podsNow(in, pods)
	perPod := expected / running * d.imbalance(running)
	giveBack := min(max(in.Policy.MaxGiveBack, 0), 1)
	least := atLeast((1 - giveBack) * float64(s.targetMillis))
	s.inPlaceMillis = max(1, least, atLeast(perPod*1000))
	s.trail = append(s.trail, fmt.Sprintf("CPU in place: the next hour needs at most %.3f cores per pod (p%.4g of the forecast); "+
		"giving back at most %s of the target: %dm.", perPod, InPlaceLevel*100, percent(giveBack), s.inPlaceMillis))

	used := s.lastHour(in.Now, pods) * d.imbalance(running)
	if atLeast(used*1000) > s.inPlaceMillis {
		s.inPlaceMillis = atLeast(used * pressureHeadroom * 1000)
		s.trail = append(s.trail, fmt.Sprintf("CPU in place: %.3f cores per pod were used within the last hour; plus %s: %dm.",
			used, percent(pressureHeadroom-1), s.inPlaceMillis))
	}
}

// nextHour returns the largest demand that is expected within an hour from now, at InPlaceLevel.
func nextHour(f forecast.Forecast, now time.Time) (float64, bool) {
	return highest(f, InPlaceLevel, now, now.Add(time.Hour))
}

// highest returns the largest value of an upper quantile in the steps that overlap the window; of the mean if the forecast
// does not hold the level. It is false if no step overlaps.
func highest(f forecast.Forecast, level float64, from, until time.Time) (float64, bool) {
	values, ok := f.Quantile(level)
	if !ok {
		values = f.Mean
	}
	largest, found := 0.0, false
	for i, v := range values {
		start := f.Start.Add(time.Duration(i) * f.Step)
		if start.Before(until) && start.Add(f.Step).After(from) {
			largest, found = max(largest, v), true
		}
	}
	return largest, found
}

// podsNow returns how many pods run, at least 1.
func podsNow(in Input, pods forecast.Usage) float64 {
	n := known(lastKnown(pods.Recent), lastKnown(pods.HourlyMean))
	return max(1, known(n, float64(in.CurrentReplicas)))
}

// lastHour returns the largest 5-minute demand of one pod, on average over all, that began within the last hour.
func (s *cpuSize) lastHour(now time.Time, pods forecast.Usage) float64 {
	count := countPods(pods)
	recent := s.container.CPUTotal.Recent.Since(now.Add(-time.Hour))
	largest := 0.0
	for i, v := range recent.Values {
		if x := float64(v) / count(recent.TimeAt(i)); x > largest {
			largest = x
		}
	}
	return largest
}
