package history

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/prometheus/common/model"
)

// podContainer names one container of one pod.
type podContainer struct{ pod, container string }

func (a podContainer) compare(b podContainer) int {
	return cmp.Or(cmp.Compare(a.pod, b.pod), cmp.Compare(a.container, b.container))
}

// answer is what one query said, per pod and container of the known workloads; slices are as long as the span. Series of the
// same container, be they from two scrapers or two instances, are one: the larger value of each slot.
type answer struct {
	values map[podContainer][]float32
	// observed tells in which slots any pod of the namespace was seen, also one of no known workload.
	observed []bool
	// dropped counts the samples that were not used, by the reason.
	dropped map[string]int
}

// Reasons for dropping samples.
const (
	droppedUnlabelled  = "unlabelled"
	droppedOutsideSpan = "outside_span"
	droppedNotANumber  = "not_a_number"
	droppedNegative    = "negative"
	droppedAbsurd      = "absurd"
)

// collector turns the answers for one namespace and span into readings.
type collector struct {
	namespace string
	labels    Labels
	span      span
	owners    owners
}

// collect takes in one answer. Values above largest are absurd: no machine has that much.
func (c collector) collect(matrix model.Matrix, largest float64) answer {
	a := answer{values: map[podContainer][]float32{}, observed: make([]bool, c.span.len()), dropped: map[string]int{}}
	for _, stream := range matrix {
		key, ok := c.key(stream.Metric)
		if !ok {
			a.dropped[droppedUnlabelled] += len(stream.Values)
			continue
		}
		_, ours := c.owners.of(key.pod)
		if ours && a.values[key] == nil {
			a.values[key] = c.nothing()
		}
		for _, sample := range stream.Values {
			i, why := c.check(sample, largest)
			if why != "" {
				a.dropped[why]++
				continue
			}
			a.observed[i] = true
			if ours {
				into := &a.values[key][i]
				*into = larger(*into, float32(sample.Value))
			}
		}
	}
	return a
}

// nothing returns a span without a value.
func (c collector) nothing() []float32 { return slices.Repeat([]float32{unknown()}, c.span.len()) }

// key reads the labels of a series. A series of another namespace, or without a pod or container, is not ours.
func (c collector) key(metric model.Metric) (podContainer, bool) {
	namespace, ok := metric[model.LabelName(c.labels.Namespace)]
	pod, container := metric[model.LabelName(c.labels.Pod)], metric[model.LabelName(c.labels.Container)]
	return podContainer{string(pod), string(container)},
		pod != "" && container != "" && container != "POD" && (!ok || string(namespace) == c.namespace)
}

// check returns the index of the slot that a sample ends, or why it is dropped.
func (c collector) check(sample model.SamplePair, largest float64) (index int, why string) {
	millis, stepMillis := int64(sample.Timestamp), step.Milliseconds()
	at := slot(millis/stepMillis) - 1
	v := float64(sample.Value)
	switch {
	case millis%stepMillis != 0 || at < c.span.from || at >= c.span.to:
		return 0, droppedOutsideSpan
	case math.IsNaN(v) || math.IsInf(v, 0):
		return 0, droppedNotANumber
	case v < 0:
		return 0, droppedNegative
	case v > largest:
		return 0, droppedAbsurd
	}
	return int(at - c.span.from), ""
}

// readings puts the answers together, per workload.
func (c collector) readings(answers map[metric]answer) map[workloadKey]*reading {
	all := map[workloadKey]*reading{}
	c.addRuns(all, cpuHottest, answers[metricCPU].values)
	c.addRuns(all, workingSet, answers[metricWorkingSet].values)
	c.addRuns(all, rss, answers[metricRSS].values)
	c.add(all, answers[metricCPU].values, func(into *measurements, values []float32) {
		into[cpuTotal] = combine(into[cpuTotal], values, sum)
		into[cpuHottest] = combine(into[cpuHottest], values, larger)
	})
	hottest := func(m int) func(*measurements, []float32) {
		return func(into *measurements, values []float32) { into[m] = combine(into[m], values, larger) }
	}
	c.add(all, answers[metricWorkingSet].values, hottest(workingSet))
	c.add(all, answers[metricRSS].values, hottest(rss))
	c.add(all, throttledShares(answers[metricThrottledPeriods].values, answers[metricPeriods].values), hottest(throttled))
	c.countPods(all, answers)
	return all
}

// add hands every container's values to its workload, in a fixed order because the sum of floats depends on it.
func (c collector) add(
	all map[workloadKey]*reading, values map[podContainer][]float32, put func(into *measurements, values []float32),
) {
	for _, key := range slices.SortedFunc(maps.Keys(values), podContainer.compare) {
		owner, _ := c.owners.of(key.pod)
		c.reading(all, owner)
		into := all[owner].containers[key.container]
		if into == nil {
			into = new(measurements)
			all[owner].containers[key.container] = into
		}
		put(into, values[key])
	}
}

// reading returns that of a workload, a new one if need be.
func (c collector) reading(all map[workloadKey]*reading, owner workloadKey) *reading {
	if all[owner] == nil {
		all[owner] = &reading{containers: map[string]*measurements{}, pods: c.nothing()}
	}
	return all[owner]
}

// addRuns keeps the peaks of the runs of CronJobs.
func (c collector) addRuns(all map[workloadKey]*reading, m int, values map[podContainer][]float32) {
	for key, series := range values {
		owner, _ := c.owners.of(key.pod)
		if owner.kind != kindCronJob {
			continue
		}
		if _, minute, ok := cutRun(key.pod); ok {
			r := c.reading(all, owner)
			if r.runs == nil {
				r.runs = runs{}
			}
			r.runs.add(minute, key.container, m, series)
		}
	}
}

// countPods counts, per slot, the pods that used CPU or memory.
func (c collector) countPods(all map[workloadKey]*reading, answers map[metric]answer) {
	seen := map[string][]float32{}
	for _, m := range []metric{metricCPU, metricWorkingSet} {
		for key, values := range answers[m].values {
			seen[key.pod] = combine(seen[key.pod], values, larger)
		}
	}
	for pod, values := range seen {
		owner, _ := c.owners.of(pod)
		counts := all[owner].pods
		for i, v := range values {
			if known(v) {
				counts[i] = sum(0, counts[i]) + 1
			}
		}
	}
}

// throttledShares divides. A container without a period did not run, so it was not held back. Where either is unknown, so is
// the share.
func throttledShares(throttledPeriods, periods map[podContainer][]float32) map[podContainer][]float32 {
	shares := make(map[podContainer][]float32, len(throttledPeriods))
	for key, values := range throttledPeriods {
		of, ok := periods[key]
		if !ok {
			continue
		}
		share := make([]float32, len(values))
		for i, v := range values {
			share[i] = min(v/of[i], 1) // NaN stays NaN. More than 1 comes of counters that start at different times.
			if of[i] == 0 && known(v) {
				share[i] = 0
			}
		}
		shares[key] = share
	}
	return shares
}

// combine puts values into total, slot by slot, and returns it. A nil total is replaced by a copy of values.
func combine(total, values []float32, with func(a, b float32) float32) []float32 {
	if total == nil {
		return slices.Clone(values)
	}
	for i, v := range values {
		total[i] = with(total[i], v)
	}
	return total
}

// sum adds what is known; it is unknown where both are.
func sum(a, b float32) float32 {
	switch {
	case !known(a):
		return b
	case !known(b):
		return a
	}
	return a + b
}

// larger returns the larger of what is known; it is unknown where both are.
func larger(a, b float32) float32 {
	if !known(a) || b > a {
		return b
	}
	return a
}
