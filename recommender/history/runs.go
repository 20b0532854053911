package history

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/loadline-dev/loadline/internal/owner"
)

// kindCronJob is the kind whose pods are told apart by their runs.
const kindCronJob = "CronJob"

// keptRuns is how many runs of a CronJob are kept, the latest.
const keptRuns = 20

// maxIndexDigits are those of the index of a pod of an indexed Job.
const maxIndexDigits = 5

// Run is what one run of a CronJob used at most, over all its pods.
type Run struct {
	// Scheduled is when it was to start.
	Scheduled time.Time
	// Containers by name.
	Containers map[string]RunPeak
}

// RunPeak is the largest of the 5-minute values of one container in one run; NaN where nothing was measured.
type RunPeak struct {
	// CPU in cores, WorkingSet and RSS in bytes.
	CPU, WorkingSet, RSS float64
}

// runs are the peaks by the scheduled minute and the container, of the measurements that are kept by the hour.
type runs map[int64]map[string]*[hourlyMeasurements]float32

// cutRun divides the name of a CronJob's pod into the CronJob's name and the scheduled time of the run, in minutes since 1970.
func cutRun(pod string) (name string, minute int64, ok bool) {
	job, random, ok := cutLast(pod)
	if !ok || len(random) != randomLen || !safe(random) {
		return "", 0, false
	}
	if before, index, ok := cutLast(job); ok && len(index) <= maxIndexDigits && isOrdinal(index) { // of an indexed Job
		job = before
	}
	return owner.CutRun(job)
}

// add keeps the largest values of one container of one run.
func (r runs) add(minute int64, container string, m int, values []float32) {
	if r[minute] == nil {
		r[minute] = map[string]*[hourlyMeasurements]float32{}
	}
	into := r[minute][container]
	if into == nil {
		into = &[hourlyMeasurements]float32{}
		for i := range into {
			into[i] = unknown()
		}
		r[minute][container] = into
	}
	for _, v := range values {
		into[m] = larger(into[m], v)
	}
}

// merge adds the peaks of others, and drops all runs but the latest.
func (r runs) merge(others runs) {
	for minute, containers := range others {
		for container, peaks := range containers {
			for m, peak := range peaks {
				r.add(minute, container, m, []float32{peak})
			}
		}
	}
	minutes := slices.Sorted(maps.Keys(r))
	for _, old := range minutes[:max(0, len(minutes)-keptRuns)] {
		delete(r, old)
	}
}

// view copies the runs for the caller, the oldest first.
func (r runs) view() []Run {
	var out []Run
	for minute, containers := range r {
		run := Run{Scheduled: time.Unix(minute*60, 0).UTC(), Containers: make(map[string]RunPeak, len(containers))}
		for name, peaks := range containers {
			run.Containers[name] = RunPeak{CPU: float64(peaks[cpuHottest]), WorkingSet: float64(peaks[workingSet]), RSS: float64(peaks[rss])}
		}
		out = append(out, run)
	}
	slices.SortFunc(out, func(a, b Run) int { return cmp.Compare(a.Scheduled.Unix(), b.Scheduled.Unix()) })
	return out
}
