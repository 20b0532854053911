package recommender

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/loadline-dev/loadline/forecast"
	"github.com/loadline-dev/loadline/recommender/advice"
)

const (
	// throttledSpan is how far back throttling is looked at, and throttledLeast the percentage from which on it is evidence.
	throttledSpan  = 6 * time.Hour
	throttledLeast = 10
	// rolloutNews is how long a rollout is evidence.
	rolloutNews = 3 * 24 * time.Hour
)

// gatherEvidence collects what an advisor may look at.
func gatherEvidence(now time.Time, in Input, mem Memory) advice.Evidence {
	return advice.Evidence{
		Now:              now,
		Horizon:          in.Cadence.Horizon,
		HistoryDays:      advice.MaxHistoryDays,
		Workload:         fmt.Sprintf("%s %s/%s", in.Target.Kind, in.Target.Namespace, in.Target.Name),
		Priority:         string(in.Settings.Priority),
		MaxDemandPercent: *in.Policy.MaxDemandPercent,
		Bounds:           policyBounds(in),
		Annotations:      in.Annotations,
		Events:           in.Events,
		Rollouts:         rollouts(now, in, mem),
		Scalings:         in.Scalings,
		Signals:          in.Signals,
		Throttling:       throttling(now, in),
		Windows:          forecastWindows(in),
	}
}

func policyBounds(in Input) advice.PolicyBounds {
	p := in.Policy
	bounds := advice.PolicyBounds{MinReplicas: *p.Replicas.Min, MaxCPUMillis: millis(p.CPU.Max), MaxMemoryBytes: bytes(p.Memory.Max)}
	if p.Replicas.Max != nil {
		bounds.MaxReplicas = *p.Replicas.Max
	}
	return bounds
}

// rollouts are the changes of images and of the rest of the pod template that were seen, the newest first. What was there before
// is not remembered.
func rollouts(now time.Time, in Input, mem Memory) []advice.Rollout {
	var out []advice.Rollout
	for _, c := range in.Containers {
		known, seen := mem.Guard.Containers[c.Name]
		since := known.ImageSince
		if seen && known.Image != "" && known.Image != imageID(c.Image) {
			since = now // which this decision will remember
		}
		if !since.IsZero() && now.Sub(since) < rolloutNews {
			out = append(out, advice.Rollout{Time: since, Change: fmt.Sprintf("container %s: a new image, %s", c.Name, imageID(c.Image))})
		}
	}
	if since := mem.Template.seen(now, in.Template).Since; !since.IsZero() && now.Sub(since) < rolloutNews {
		out = append(out, advice.Rollout{Time: since, Change: "the pod template, in something else than images and sizes"})
	}
	slices.SortStableFunc(out, func(a, b advice.Rollout) int { return b.Time.Compare(a.Time) })
	for i := range out {
		out[i].ID = fmt.Sprintf("R%d", i+1)
	}
	return out
}

// throttling tells which containers their CPU limit held back in the last hours: the mean of the pod that it hit hardest.
func throttling(now time.Time, in Input) []advice.Throttling {
	var out []advice.Throttling
	for _, c := range in.Containers {
		share, known := meanSince(in.History.Containers[c.Name].Throttled.Recent, now.Add(-throttledSpan))
		if percent := int32(math.Round(100 * share)); known && percent >= throttledLeast {
			out = append(out, advice.Throttling{ID: fmt.Sprintf("T%d", len(out)+1), Container: c.Name, Percent: min(percent, 100)})
		}
	}
	return out
}

// meanSince is the mean of the values from a time on, and false if there are none.
func meanSince(s forecast.Series, from time.Time) (mean float64, known bool) {
	sum, n := 0.0, 0
	for i, v := range s.Values {
		if x := float64(v); !s.TimeAt(i).Before(from) && !math.IsNaN(x) {
			sum, n = sum+x, n+1
		}
	}
	return sum / float64(max(n, 1)), n > 0
}

func forecastWindows(in Input) []advice.ForecastWindow {
	var containers []string
	var forecasts []forecast.Forecast
	for _, c := range in.Containers {
		containers, forecasts = append(containers, c.Name), append(forecasts, in.Forecasts[c.Name].CPU)
	}
	return advice.ForecastWindows(containers, forecasts)
}

// inStableOrder puts counted Kubernetes events into an order that does not change whenever one of them happens again, and
// numbers them anew: an id that a model cites has to mean the same tomorrow.
func inStableOrder(events []advice.KubernetesEvent) []advice.KubernetesEvent {
	slices.SortStableFunc(events, func(a, b advice.KubernetesEvent) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Message, b.Message))
	})
	for i := range events {
		events[i].ID = fmt.Sprintf("E%d", i+1)
	}
	return events
}
