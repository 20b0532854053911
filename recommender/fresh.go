package recommender

import (
	"math"
	"time"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/forecast"
)

// silence is how long a workload may go unmeasured before its history no longer counts as up to date. It bridges restarts,
// late scrapes and a short outage of whatever collects the measurements.
const silence = time.Hour

// trouble tells why the history is not up to date, as a condition's reason and in words; both are empty if it is, or if there
// is none yet. Prometheus may answer and still have nothing new: when nobody scrapes the nodes any more, what it remembers
// says nothing about today.
func (in Input) trouble(now time.Time) (reason, text string) {
	if in.HistoryProblem != "" {
		return v1alpha1.ReasonHistoryUnavailable, in.HistoryProblem
	}
	if !measured(in) || in.batch() { // A CronJob may be silent for weeks.
		return "", ""
	}
	last := lastMeasured(in)
	switch {
	case last.IsZero():
		return v1alpha1.ReasonMeasurementsStopped, "Prometheus answers, but has no measurement of this workload of the last 24 hours"
	case now.Sub(last) > silence:
		return v1alpha1.ReasonMeasurementsStopped,
			"Prometheus answers, but its last measurement of this workload is of " + last.UTC().Format(time.RFC3339)
	default:
		return "", ""
	}
}

// measured reports whether there is any measurement of a container that is sized.
func measured(in Input) bool {
	if in.batch() {
		return len(in.History.Runs) > 0
	}
	for _, c := range in.Containers {
		past := in.History.Containers[c.Name]
		for _, u := range []forecast.Usage{past.CPUTotal, past.WorkingSet, past.RSS} {
			if u.Recent.Known() > 0 || u.KnownHours() > 0 {
				return true
			}
		}
	}
	return false
}

// lastMeasured returns the end of the last five minutes in which a container that is sized was measured, or the workload's
// pods were counted; zero if that is longer ago than a day. A count of none is a measurement too: others were seen.
func lastMeasured(in Input) time.Time {
	last := lastKnown(in.History.Pods.Recent)
	for _, c := range in.Containers {
		past := in.History.Containers[c.Name]
		for _, u := range []forecast.Usage{past.CPUTotal, past.WorkingSet, past.RSS} {
			if at := lastKnown(u.Recent); at.After(last) {
				last = at
			}
		}
	}
	return last
}

// lastKnown returns the end of the last step with a value, or zero.
func lastKnown(s forecast.Series) time.Time {
	for i := s.Len() - 1; i >= 0; i-- {
		if !math.IsNaN(float64(s.Values[i])) {
			return s.TimeAt(i + 1)
		}
	}
	return time.Time{}
}
