package recommender

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// How health signals are compared, see docs/design/0009: minutes of the hour before the first change with those after it, without
// the two in which rates still hold both, and with the same minutes of the days before.
const (
	healthBefore, healthSettle, healthStep = time.Hour, 2 * time.Minute, time.Minute
	healthLeastBefore, healthLeastAfter    = 10, 5
	healthQuantile, healthRise             = 0.95, 1.2
	healthDays                             = 7
	// healthTime is how long all comparisons of one workload may take, so that a slow Prometheus holds up nobody else.
	healthTime = 20 * time.Second
)

// watched is the time since a change, and how long changes are watched.
type watched struct {
	change  time.Time
	observe time.Duration
	// over is true at the end of the watch.
	over bool
	now  time.Time
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

// compare says how one signal is worse after a change than before it; empty if it is not. The days before are asked only where they
// decide: where it looks worse, and at the end of the watch.
func (e *Engine) compare(ctx context.Context, query string, w watched) (worse string, err error) {
	before, after, err := e.healthValues(ctx, query, w, 0)
	if err != nil {
		return "", err
	}
	if len(before) < healthLeastBefore || len(after) < healthLeastAfter {
		return "", fmt.Errorf("it has %d values before the change and %d after it, and at least %d and %d are needed",
			len(before), len(after), healthLeastBefore, healthLeastAfter)
	}
	if !w.over && !above(before, after) {
		return "", nil
	}
	days, err := e.daysBefore(ctx, query, w)
	if err != nil || !above(scaled(before, days.fall()), after) || !days.exceeded(after) {
		return "", err
	}
	worse = fmt.Sprintf("median %.4g since pods were changed at %s, %.4g in the hour before",
		quantile(after, 0.5), w.change.UTC().Format(time.RFC3339), quantile(before, 0.5))
	if len(days) > 0 {
		worse += fmt.Sprintf(", usually at most %.4g at this time of day", days.usual())
	}
	return worse, nil
}

// days are the medians of one signal on the days before, each in the hour before the time of day of the change and after it.
type days []struct{ before, after float64 }

// daysBefore reads the last seven days. Those with too few values are left out.
func (e *Engine) daysBefore(ctx context.Context, query string, w watched) (days, error) {
	var known days
	for day := range healthDays {
		before, after, err := e.healthValues(ctx, query, w, -time.Duration(day+1)*24*time.Hour)
		if err != nil {
			return nil, err
		}
		if len(before) >= healthLeastBefore && len(after) >= healthLeastAfter {
			known = append(known, struct{ before, after float64 }{quantile(before, 0.5), quantile(after, 0.5)})
		}
	}
	return known, nil
}

// fall is by how much the signal usually goes down between the two hours, as a factor of at most 1: in an evening in which it stays
// as high as it was, it is worse.
func (d days) fall() float64 {
	var ratios []float64
	for _, day := range d {
		if day.before > 0 {
			ratios = append(ratios, day.after/day.before)
		}
	}
	if len(ratios) == 0 {
		return 1
	}
	return min(1, quantile(ratios, 0.5))
}

// usual is what the signal comes to at this time of day, on all days but the worst: that may be one on which a change did harm.
func (d days) usual() float64 {
	var medians []float64
	for _, day := range d {
		medians = append(medians, day.after)
	}
	slices.Sort(medians)
	return medians[max(0, len(medians)-2)]
}

// exceeded reports whether the values are clearly above what is usual at this time of day, or nothing is known of that.
func (d days) exceeded(values []float64) bool {
	return len(d) == 0 || quantile(values, 0.5) > healthRise*d.usual()
}

// healthValues reads one signal by the minute, before and after a change, so much later or, if negative, earlier.
func (e *Engine) healthValues(ctx context.Context, query string, w watched, shift time.Duration) (before, after []float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, signalsTime)
	defer cancel()
	change := w.change.Add(shift)
	if before, err = e.minutes(ctx, query, change.Add(-healthBefore), change.Add(-healthStep)); err != nil {
		return nil, nil, err
	}
	after, err = e.minutes(ctx, query, w.after().Add(shift), w.now.Add(shift))
	return before, after, err
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

// above reports whether the median after a change is above what almost all values before were, and clearly above their median.
// Neither side may be empty.
func above(before, after []float64) bool {
	median := quantile(after, 0.5)
	return median > quantile(before, healthQuantile) && median > healthRise*quantile(before, 0.5)
}

// quantile is the smallest value that at least the share q of the values do not exceed.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(max(int(math.Ceil(q*float64(len(sorted))))-1, 0), len(sorted)-1)]
}

func scaled(values []float64, by float64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = v * by
	}
	return out
}
