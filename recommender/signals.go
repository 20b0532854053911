package recommender

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/forecast"
	"github.com/loadline-dev/loadline/recommender/advice"
	"github.com/loadline-dev/loadline/recommender/history"
)

const (
	// signalsEvery is how often the signals of one workload are read, and signalsTime how long that may take in all.
	signalsEvery = 15 * time.Minute
	signalsTime  = 5 * time.Second
	// signalsKept is how long values count after Prometheus stopped to answer.
	signalsKept = 6 * time.Hour
	// signalsSpan is a week and a day, so that a day can be compared with the same day of the week before.
	signalsSpan = 8 * 24 * time.Hour
	// maxSignals of one workload are read.
	maxSignals = 5
)

// Signals reads the measurements that policies name as drivers of the demand. What it cannot read is left out and told; a
// decision never fails for it.
type Signals struct {
	Querier history.Querier

	mu    sync.Mutex
	known map[Target]signalValues
}

// signalValues is what was read last for one workload.
type signalValues struct {
	of        []v1alpha1.Signal
	next      time.Time
	confirmed time.Time
	values    []advice.Signal
	problems  []string
}

// Read returns the workload's signals of the role driver, and what is wrong with those that are missing. Within a quarter of
// an hour the answer is the same.
func (s *Signals) Read(ctx context.Context, target Target, all []v1alpha1.Signal, now time.Time) ([]advice.Signal, []string) {
	wanted := slices.DeleteFunc(slices.Clone(all), func(signal v1alpha1.Signal) bool { return signal.Role != v1alpha1.SignalDriver })
	wanted = wanted[:min(len(wanted), maxSignals)]
	s.mu.Lock()
	before := s.known[target]
	s.mu.Unlock()
	if slices.Equal(before.of, wanted) && now.Before(before.next) {
		return before.values, before.problems
	}
	read := s.readAll(ctx, target, wanted, now)
	if len(read.problems) > 0 && slices.Equal(before.of, wanted) && now.Sub(before.confirmed) < signalsKept {
		read.values, read.confirmed = before.values, before.confirmed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[Target]signalValues{}
	}
	s.known[target] = read
	return read.values, read.problems
}

// Forget drops what is known for a target.
func (s *Signals) Forget(target Target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, target)
}

func (s *Signals) readAll(ctx context.Context, target Target, wanted []v1alpha1.Signal, now time.Time) signalValues {
	read := signalValues{of: wanted, next: now.Add(signalsEvery), confirmed: now}
	ctx, cancel := context.WithTimeout(ctx, signalsTime)
	defer cancel()
	for i, signal := range wanted {
		values, err := s.query(ctx, target, signal.PromQL, now)
		if err == nil {
			summary, known := advice.SummarizeSignal(i+1, signal.Name, values, now)
			if known {
				read.values = append(read.values, summary)
				continue
			}
			err = errors.New("it has no value of the last 24 hours")
		}
		read.problems = append(read.problems, fmt.Sprintf("signal %s is not read: %v", signal.Name, err))
	}
	return read
}

// query reads one series by the hour. A query that gives several does not say which is meant.
func (s *Signals) query(ctx context.Context, target Target, promQL string, now time.Time) (forecast.Series, error) {
	query := strings.NewReplacer("$namespace", target.Namespace, "$workload", target.Name).Replace(promQL)
	end := now.Truncate(time.Hour)
	r := promv1.Range{Start: end.Add(-signalsSpan), End: end, Step: time.Hour}
	answer, _, _, err := s.Querier.QueryRange(ctx, query, r, promv1.WithLimit(2), promv1.WithTimeout(signalsTime))
	if err != nil {
		return forecast.Series{}, err
	}
	matrix, ok := answer.(model.Matrix)
	switch {
	case !ok:
		return forecast.Series{}, errors.New("it gives no series")
	case len(matrix) != 1:
		return forecast.Series{}, fmt.Errorf("it gives %d series, and one is wanted; wrap it in sum() or max()", len(matrix))
	}
	values := forecast.Series{Start: r.Start, Step: r.Step, Values: make([]float32, int(signalsSpan/r.Step)+1)}
	for i := range values.Values {
		values.Values[i] = float32(math.NaN())
	}
	for _, sample := range matrix[0].Values {
		if i := int(sample.Timestamp.Time().Sub(r.Start) / r.Step); i >= 0 && i < values.Len() {
			values.Values[i] = float32(sample.Value)
		}
	}
	return values, nil
}
