package recommender

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/forecast"
)

// How health signals are compared, see docs/design/0009: minutes of the hour before the first change with those after it, without
// the two in which rates still hold both.
const (
	healthBefore, healthSettle, healthStep = time.Hour, 2 * time.Minute, time.Minute
	healthLeastBefore, healthLeastAfter    = 10, 5
	healthQuantile, healthRise             = 0.95, 1.2
)

// Health is what was found out about the time after a change.
type Health struct {
	// Worse says what is worse than before; empty if nothing is.
	Worse string
	// Passed is true where the change was watched for long enough and every signal is no worse.
	Passed bool
	// Problems are why signals could not be compared.
	Problems []string
}

// health compares the policy's health signals, and CPU throttling, after the last change with before it.
func (e *Engine) health(ctx context.Context, in Input, mem Memory, now time.Time) Health {
	change := firstChange(in, mem)
	if change.IsZero() || mem.Rollback.Holds(now) {
		return Health{}
	}
	h := Health{Worse: throttledMore(in, mem, change)}
	signals := slices.DeleteFunc(slices.Clone(in.Policy.Signals), func(s v1alpha1.Signal) bool { return s.Role != v1alpha1.SignalHealth })
	if len(signals) == 0 || e.Querier == nil || now.Sub(change) < healthSettle+healthLeastAfter*healthStep {
		return h
	}
	compared, observe, fill := 0, in.Policy.Disruption.Canary.Observe.Duration, strings.NewReplacer("$namespace", in.Target.Namespace, "$workload", in.Target.Name)
	for _, s := range signals[:min(len(signals), maxSignals)] {
		before, after, err := e.healthValues(ctx, fill.Replace(s.PromQL), watched{change, observe, now})
		switch {
		case err != nil:
			h.Problems = append(h.Problems, fmt.Sprintf("health signal %s is not compared: %v", s.Name, err))
		case worse(before, after):
			h.Worse = fmt.Sprintf("health signal %s: median %.4g since pods were changed at %s, %.4g in the hour before", s.Name,
				quantile(after, 0.5), change.UTC().Format(time.RFC3339), quantile(before, 0.5))
		default:
			compared++
		}
	}
	h.Passed = h.Worse == "" && compared == len(signals) && now.Sub(change) >= observe
	return h
}

// watched is the time since a change, and how long changes are watched.
type watched struct {
	change  time.Time
	observe time.Duration
	now     time.Time
}

// after is when the values after the change begin. They are of the time of a watch at most: Prometheus answers 11,000 minutes at once,
// and a signal that could not be read for a week may be readable again.
func (w watched) after() time.Time {
	begin, latest := w.change.Add(healthSettle), w.now.Add(-max(healthBefore, w.observe))
	if latest.After(begin) {
		return latest
	}
	return begin
}

// healthValues reads one signal by the minute, before and after a change.
func (e *Engine) healthValues(ctx context.Context, query string, w watched) (before, after []float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, signalsTime)
	defer cancel()
	if before, err = e.minutes(ctx, query, w.change.Add(-healthBefore), w.change.Add(-healthStep)); err != nil {
		return nil, nil, err
	}
	if after, err = e.minutes(ctx, query, w.after(), w.now); err != nil {
		return nil, nil, err
	}
	if len(before) < healthLeastBefore || len(after) < healthLeastAfter {
		return nil, nil, fmt.Errorf("it has %d values before the change and %d after it, and at least %d and %d are needed",
			len(before), len(after), healthLeastBefore, healthLeastAfter)
	}
	return before, after, nil
}

// minutes reads the values of one signal by the minute, both ends included, without those that are no number.
func (e *Engine) minutes(ctx context.Context, query string, start, end time.Time) ([]float64, error) {
	r := promv1.Range{Start: start, End: end, Step: healthStep}
	answer, _, _, err := e.Querier.QueryRange(ctx, query, r, promv1.WithLimit(2), promv1.WithTimeout(signalsTime))
	if err != nil {
		return nil, err
	}
	matrix, ok := answer.(model.Matrix)
	switch {
	case !ok:
		return nil, errors.New("it gives no series")
	case len(matrix) > 1:
		return nil, fmt.Errorf("it gives %d series, and one is wanted; wrap it in sum() or max()", len(matrix))
	}
	var values []float64
	for _, stream := range matrix {
		for _, sample := range stream.Values {
			if value := float64(sample.Value); !math.IsNaN(value) && !math.IsInf(value, 0) {
				values = append(values, value)
			}
		}
	}
	return values, nil
}

// worse reports whether the median after a change is above what almost all values before were, and clearly above their median.
// Neither side may be empty.
func worse(before, after []float64) bool {
	median := quantile(after, 0.5)
	return median > quantile(before, healthQuantile) && median > healthRise*quantile(before, 0.5)
}

// quantile is the smallest value that at least the share q of the values do not exceed.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(max(int(math.Ceil(q*float64(len(sorted))))-1, 0), len(sorted)-1)]
}

// How much more throttling is worse: at least a tenth of the time more than in the hour before, and twice as much. Two values of five
// minutes after the change are needed.
const (
	throttledRise, throttledTimes = 0.1, 2
	throttledLeastAfter           = 2
)

// throttledMore says which container is held back clearly more than before a change that lowered its CPU; empty if none is.
func throttledMore(in Input, mem Memory, change time.Time) string {
	if mem.LastGood == nil {
		return ""
	}
	for _, c := range mem.Applicable.Values.Containers {
		good, known := mem.LastGood.Values.Container(c.Name)
		if !known || c.InPlace.CPUMillis >= good.InPlace.CPUMillis && c.Target.CPUMillis >= good.Target.CPUMillis {
			continue
		}
		before, after := around(in.History.Containers[c.Name].Throttled.Recent, change)
		if len(before) == 0 || len(after) < throttledLeastAfter {
			continue
		}
		if was, is := quantile(before, 0.5), quantile(after, 0.5); is >= max(was+throttledRise, throttledTimes*was) {
			return fmt.Sprintf("container %s was throttled in %.0f %% of the CPU periods since its CPU was lowered at %s, and in %.0f %% in the hour before",
				c.Name, 100*is, change.UTC().Format(time.RFC3339), 100*was)
		}
	}
	return ""
}

// around returns the known values of the hour before a change, and those of the hour after it.
func around(series forecast.Series, change time.Time) (before, after []float64) {
	for i, v := range series.Values {
		from, to := series.TimeAt(i), series.TimeAt(i+1)
		switch {
		case math.IsNaN(float64(v)):
		case !to.After(change) && !from.Before(change.Add(-healthBefore)):
			before = append(before, float64(v))
		case !from.Before(change) && !to.After(change.Add(healthBefore)):
			after = append(after, float64(v))
		}
	}
	return before, after
}
