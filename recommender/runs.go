package recommender

import (
	"fmt"
	"math"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/recommender/history"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

// FindingRunsUnmeasured says that runs of a CronJob are too short to be measured.
const FindingRunsUnmeasured = "RunsTooShortToMeasure"

// runsNeeded before a CronJob is sized, see guard's ladder.
const runsNeeded = 3

// measuredLate is how long after its end a run is measured at the latest: Prometheus is read in steps of five minutes.
const measuredLate = 15 * time.Minute

// runsOf returns what the runs of a CronJob used, by the memory metric of the policy.
func (in Input) runsOf(container string) []sizing.Run {
	var out []sizing.Run
	for _, run := range in.History.Runs {
		peak, ok := run.Containers[container]
		if !ok {
			continue
		}
		memory := peak.WorkingSet
		if *in.Policy.Memory.Metric == v1alpha1.MemoryRSS {
			memory = peak.RSS
		}
		if !math.IsNaN(peak.CPU) || !math.IsNaN(memory) {
			out = append(out, sizing.Run{Scheduled: run.Scheduled, CPU: peak.CPU, Memory: memory})
		}
	}
	return out
}

// Unmeasured are finished runs that left no measurement: they were over before anybody looked.
type Unmeasured struct {
	// Finished pods of which the end is long enough ago, and how many of those were not measured.
	Finished, Missed int
	// Shortest and Longest of those that were missed.
	Shortest, Longest time.Duration
}

// add looks at a pod of a CronJob. What it used has its pod's Job in the name; whether that was measured is known from the runs.
func (u *Unmeasured) add(in Input, pod *corev1.Pod, now time.Time) {
	ref := metav1.GetControllerOfNoCopy(pod)
	if !in.batch() || ref == nil || in.HistoryProblem != "" {
		return
	}
	started, ended := ranFrom(pod)
	if ended.IsZero() || now.Sub(ended) < measuredLate {
		return
	}
	u.Finished++
	if slices.ContainsFunc(in.History.Runs, func(r history.Run) bool {
		return ref.Name == fmt.Sprintf("%s-%d", in.Target.Name, r.Scheduled.Unix()/60)
	}) {
		return
	}
	length := ended.Sub(started)
	if u.Missed == 0 || length < u.Shortest {
		u.Shortest = length
	}
	u.Missed, u.Longest = u.Missed+1, max(u.Longest, length)
}

// ranFrom returns when the first container of a pod began and the last one ended; zero if one has not ended.
func ranFrom(pod *corev1.Pod) (started, ended time.Time) {
	for _, s := range pod.Status.ContainerStatuses {
		t := s.State.Terminated
		if t == nil {
			return time.Time{}, time.Time{}
		}
		if started.IsZero() || t.StartedAt.Time.Before(started) {
			started = t.StartedAt.Time
		}
		if t.FinishedAt.After(ended) {
			ended = t.FinishedAt.Time
		}
	}
	return started, ended
}

func (u *Unmeasured) finding() (v1alpha1.Finding, bool) {
	if u.Missed == 0 {
		return v1alpha1.Finding{}, false
	}
	return v1alpha1.Finding{
		Type: FindingRunsUnmeasured, Severity: v1alpha1.SeverityWarning,
		Message: fmt.Sprintf("%d of %d finished pods left no measurement: they took %s to %s, and a run has to outlast two scrapes to be seen. "+
			"Only out-of-memory kills are known of such runs.", u.Missed, u.Finished, u.Shortest.Round(time.Second), u.Longest.Round(time.Second)),
	}, true
}

// mostRuns is how many runs of the container that is known best were measured.
func mostRuns(d Decision) int {
	most := 0
	for _, c := range d.Proposal.Containers {
		most = max(most, len(c.Runs))
	}
	return most
}

func fewRuns(d Decision) bool { return mostRuns(d) < runsNeeded }

func runsText(d Decision) string {
	if fewRuns(d) {
		return fmt.Sprintf("%d runs were measured; %d are needed before anything is applied", mostRuns(d), runsNeeded)
	}
	return fmt.Sprintf("at least %d runs were measured", runsNeeded)
}

func runsReason(d Decision) string {
	if fewRuns(d) {
		return v1alpha1.ReasonHistoryTooShort
	}
	return v1alpha1.ReasonHistoryRead
}
