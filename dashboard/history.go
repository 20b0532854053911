package dashboard

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/forecast"
	"github.com/loadline-dev/loadline/internal/owner"
	"github.com/loadline-dev/loadline/recommender/history"
)

// Histories tells what workloads used.
type Histories interface {
	// History of one workload. It waits until it is read or ctx ends; what began to be read is there the next time.
	History(ctx context.Context, rec *v1alpha1.Recommendation, now time.Time) (History, error)
}

// History is what a workload used, by the hour, and what is expected of it.
type History struct {
	// Containers by name.
	Containers map[string]ContainerHistory
}

// ContainerHistory is one container. Each value is the largest of its hour.
type ContainerHistory struct {
	// CPUTotal of all pods together and CPUHottest of the busiest, in cores; Memory of the largest, in bytes.
	CPUTotal, CPUHottest, Memory forecast.Series
	// Forecast of CPUTotal, before what is announced.
	Forecast forecast.Forecast
}

// Bounds of what is read and kept.
const (
	keptHistories = 64
	// freshFor is how long a history is shown before it is read again; a failure is tried again sooner.
	freshFor, failureFor = 5 * time.Minute, 10 * time.Second
	readTimeout          = 2 * time.Minute
	parallelReads        = 2
	// podNameBase is how much of a workload's name its pods' names keep at most.
	podNameBase = 58
)

// Level and lowLevel bound the band of the forecast: nine of ten hours are expected in it. The upper one is what the number of
// pods follows.
const (
	upperLevel = 0.95
	lowerLevel = 0.05
)

// maxCores above which a measurement is corrupt.
const maxCores = 1e6

// PrometheusHistories reads each workload's history when its page is asked for, and keeps the last ones.
type PrometheusHistories struct {
	// NewReader returns a reader of the pods that match a matcher of PromQL.
	NewReader func(matcher string) (*history.Reader, error)
	// PodLabel is the label of pods' names.
	PodLabel string
	// Kinds of workloads that the operator configures.
	Kinds owner.Kinds
	// Horizon of the forecast.
	Horizon time.Duration

	mu    sync.Mutex
	turns chan struct{}
	kept  []*kept
}

// kept is the history of one workload. Its fields but done are set before done is closed.
type kept struct {
	key    string
	reader *history.Reader
	begun  time.Time
	done   chan struct{}
	past   History
	err    error
}

// History implements Histories.
func (p *PrometheusHistories) History(ctx context.Context, rec *v1alpha1.Recommendation, now time.Time) (History, error) {
	one := p.current(ctx, rec, now)
	select {
	case <-one.done:
		return one.past, one.err
	case <-ctx.Done():
		return History{}, ctx.Err()
	}
}

// current returns the history that is kept, or begins to read it. The reading goes on when ctx ends: it is dear, and whoever
// asked will ask again.
func (p *PrometheusHistories) current(ctx context.Context, rec *v1alpha1.Recommendation, now time.Time) *kept {
	key := rec.Namespace + "/" + rec.Name
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.turns == nil {
		p.turns = make(chan struct{}, parallelReads)
	}
	at := slices.IndexFunc(p.kept, func(k *kept) bool { return k.key == key })
	next := &kept{key: key, begun: now, done: make(chan struct{})}
	if at >= 0 {
		old := p.kept[at]
		if !old.outdated(now) {
			return old
		}
		next.reader = old.reader
		p.kept = slices.Delete(p.kept, at, at+1)
	}
	p.kept = append(p.kept, next)
	if len(p.kept) > keptHistories {
		p.kept = slices.Delete(p.kept, 0, 1)
	}
	go p.read(context.WithoutCancel(ctx), next, rec)
	return next
}

// outdated reports whether it is time to read again. What is still being read is not.
func (k *kept) outdated(now time.Time) bool {
	select {
	case <-k.done:
	default:
		return false
	}
	if k.err != nil {
		return now.Sub(k.begun) > failureFor
	}
	return now.Sub(k.begun) > freshFor
}

func (p *PrometheusHistories) read(ctx context.Context, k *kept, rec *v1alpha1.Recommendation) {
	defer close(k.done)
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	select {
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
	case <-ctx.Done():
		k.err = ctx.Err()
		return
	}
	target := rec.Spec.TargetRef
	if k.reader == nil {
		base := target.Name[:min(len(target.Name), podNameBase)]
		reader, err := p.NewReader(fmt.Sprintf("%s=~%q", p.PodLabel, regexp.QuoteMeta(base)+"-.*"))
		if err != nil {
			k.err = err
			return
		}
		k.reader = reader
	}
	kind, _ := p.Kinds.Named(target.Kind)
	wanted := []history.Target{{Kind: target.Kind, Name: target.Name, ReplicaSets: kind.HashLabel != ""}}
	if k.err = k.reader.Sync(ctx, rec.Namespace, wanted, k.begun); k.err != nil {
		return
	}
	if past, ok := k.reader.Get(rec.Namespace, target.Kind, target.Name); ok {
		k.past = p.historyOf(past, k.begun)
	}
}

func (p *PrometheusHistories) historyOf(past history.Workload, now time.Time) History {
	h := History{Containers: map[string]ContainerHistory{}}
	for name, c := range past.Containers {
		h.Containers[name] = ContainerHistory{
			CPUTotal: c.CPUTotal.HourlyMax, CPUHottest: c.CPUHottest.HourlyMax, Memory: c.WorkingSet.HourlyMax,
			Forecast: forecast.Predict(c.CPUTotal.HourlyMax, forecast.Options{
				Now: now, Horizon: int(p.Horizon / time.Hour), Levels: []float64{lowerLevel, upperLevel}, Limit: maxCores,
			}),
		}
	}
	return h
}
