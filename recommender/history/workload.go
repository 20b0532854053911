package history

import "maps"

// The measurements of a container, in the order of its rings: throttled is kept by the slot only.
const (
	cpuTotal = iota
	cpuHottest
	workingSet
	rss
	throttled
	hourlyMeasurements    = throttled
	containerMeasurements = throttled + 1
)

// maxContainers bounds what one workload can cost, whatever a server answers. Recommendations hold 32.
const maxContainers = 64

// workload is the stored history of one workload.
type workload struct {
	// wanted is when it was last asked for.
	wanted slot
	// until is the end of what was read for it.
	until slot
	// firstSeen is the first slot in which a pod was seen, or never.
	firstSeen  slot
	pods       *rings
	containers map[string]*rings
	// runs of a CronJob.
	runs runs
}

// measurements of one container over one span; nil where nothing was read.
type measurements [containerMeasurements][]float32

// reading is what one span of time had to say about one workload. Slices are as long as the span.
type reading struct {
	pods       []float32
	containers map[string]*measurements
	// runs of a CronJob; nil of any other kind.
	runs runs
}

// namespace is the state of one namespace. Whoever has the turn reads for it. All else is guarded by Reader.mu; but for
// Forget, only the holder of the turn changes it, and may look at it without the lock.
type namespace struct {
	name string
	turn chan struct{}
	// wanted is when it was last asked for.
	wanted slot
	// from is where the first read began, until the end of what was read, or never.
	from, until slot
	// seen is the end of the newest slot in which any pod was seen.
	seen slot
	// caughtUp: the first read is complete.
	caughtUp bool
	// divisor makes parts shorter when an answer is too big.
	divisor   slot
	workloads map[workloadKey]*workload
}

// merge stores what was read of a workload. observed tells in which slots any pod of the namespace was seen, and so, where
// the workload has none, that it had no pods.
func (w *workload) merge(s span, got *reading, observed []bool) (tooMany int) {
	if got != nil {
		if w.firstSeen == never {
			w.pods, w.containers = newRings(1, 0), map[string]*rings{}
		}
		w.see(s, got.pods)
		if got.runs != nil {
			if w.runs == nil {
				w.runs = runs{}
			}
			w.runs.merge(got.runs)
		}
		for name, values := range got.containers {
			c, ok := w.containers[name]
			if !ok && len(w.containers) == maxContainers {
				tooMany++
				continue
			}
			if !ok {
				c = newRings(hourlyMeasurements, containerMeasurements-hourlyMeasurements)
				w.containers[name] = c
			}
			c.merge(s, values[:])
		}
	}
	if w.firstSeen != never {
		w.pods.merge(s, [][]float32{w.countPods(s, got, observed)})
		maps.DeleteFunc(w.containers, func(_ string, c *rings) bool { return c.next <= s.to-keptSlots })
	}
	w.until = max(w.until, s.to)
	return tooMany
}

// see moves firstSeen to the first slot with a pod.
func (w *workload) see(s span, pods []float32) {
	for i, n := range pods {
		if known(n) {
			if at := s.from + slot(i); w.firstSeen == never || at < w.firstSeen {
				w.firstSeen = at
			}
			return
		}
	}
}

// countPods adds the zeros: slots since the workload was first seen in which only others were.
func (w *workload) countPods(s span, got *reading, observed []bool) []float32 {
	counts := make([]float32, s.len())
	for i := range counts {
		counts[i] = unknown()
		if got != nil && known(got.pods[i]) {
			counts[i] = got.pods[i]
		} else if observed[i] && s.from+slot(i) > w.firstSeen {
			counts[i] = 0
		}
	}
	return counts
}

// view copies the history for the caller.
func (w *workload) view() Workload {
	from := max(w.firstSeen, (w.until-1).hour()*hourSlots-(keptHours-1)*hourSlots)
	v := Workload{
		Containers: make(map[string]Container, len(w.containers)),
		Pods:       w.pods.view(0, from, w.until),
		From:       from.time(),
		Until:      w.until.time(),
		Runs:       w.runs.view(),
	}
	for name, c := range w.containers {
		v.Containers[name] = Container{
			CPUTotal:   c.view(cpuTotal, from, w.until),
			CPUHottest: c.view(cpuHottest, from, w.until),
			WorkingSet: c.view(workingSet, from, w.until),
			RSS:        c.view(rss, from, w.until),
			Throttled:  c.view(throttled, from, w.until),
		}
	}
	return v
}
