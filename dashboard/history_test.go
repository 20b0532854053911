package dashboard_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/dashboard"
	"github.com/loadline-dev/loadline/recommender/history"
)

// prometheus knows one pod of checkout, half a core busy, and answers after some time.
type prometheus struct {
	mu      sync.Mutex
	queries []string
	takes   time.Duration
	broken  error
}

func (p *prometheus) QueryRange(ctx context.Context, query string, r promv1.Range, _ ...promv1.Option) (model.Value, promv1.Warnings, promv1.Infos, error) {
	p.mu.Lock()
	p.queries = append(p.queries, query)
	takes, broken := p.takes, p.broken
	p.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return nil, nil, nil, ctx.Err()
	}
	if broken != nil {
		return nil, nil, nil, broken
	}
	series := &model.SampleStream{Metric: model.Metric{"namespace": "shop", "pod": "checkout-6d4cf56db6-x2k9z", "container": "app"}}
	for at := r.Start; !at.After(r.End); at = at.Add(r.Step) {
		series.Values = append(series.Values, model.SamplePair{Timestamp: model.TimeFromUnix(at.Unix()), Value: 0.5})
	}
	return model.Matrix{series}, nil, nil, nil
}

func (p *prometheus) asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.queries)
}

// histories reads from it.
func (p *prometheus) histories() *dashboard.PrometheusHistories {
	return &dashboard.PrometheusHistories{
		PodLabel: "pod", Horizon: 24 * time.Hour,
		NewReader: func(matcher string) (*history.Reader, error) {
			return history.New(history.Options{
				Querier: p, ExtraMatchers: matcher, Backfill: 48 * time.Hour,
				Queries: history.Queries{CPU: "cpu{$selector}", WorkingSet: "memory{$selector}"}, Labels: history.Labels{Namespace: "namespace", Pod: "pod", Container: "container"},
			})
		},
	}
}

func checkout() *v1alpha1.Recommendation {
	rec := &v1alpha1.Recommendation{Spec: v1alpha1.RecommendationSpec{TargetRef: v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "checkout"}}}
	rec.Namespace, rec.Name = "shop", "deployment-checkout"
	return rec
}

func TestAHistoryIsThatOfTheWorkloadsPodsAndHasAForecast(t *testing.T) {
	p := &prometheus{}
	past, err := p.histories().History(t.Context(), checkout(), now)
	if err != nil {
		t.Fatal(err)
	}
	app := past.Containers["app"]
	if app.CPUTotal.Known() < 40 || app.Forecast.Empty() || len(app.Forecast.Mean) != 24 {
		t.Errorf("%d hours are known, %d are expected", app.CPUTotal.Known(), len(app.Forecast.Mean))
	}
	for _, query := range p.queries {
		if !strings.Contains(query, `pod=~"checkout-.*"`) || !strings.Contains(query, `namespace="shop"`) {
			t.Errorf("asked for more than the workload's pods: %s", query)
		}
	}
}

func TestAHistoryIsReadAgainAfterAWhileAndAFailureSooner(t *testing.T) {
	p := &prometheus{}
	h := p.histories()
	read := func(at time.Time) (int, error) {
		before := p.asked()
		_, err := h.History(t.Context(), checkout(), at)
		return p.asked() - before, err
	}
	if n, err := read(now); n == 0 || err != nil {
		t.Fatalf("%d queries, %v", n, err)
	}
	if n, _ := read(now.Add(4 * time.Minute)); n != 0 {
		t.Errorf("%d queries for what is fresh", n)
	}
	p.broken = errors.New("connection refused")
	if _, err := read(now.Add(6 * time.Minute)); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error %v", err)
	}
	p.broken = nil
	if n, err := read(now.Add(6*time.Minute + 5*time.Second)); n != 0 || err == nil {
		t.Errorf("a failure is tried again at once: %d queries, %v", n, err)
	}
	if n, err := read(now.Add(6*time.Minute + 20*time.Second)); n == 0 || err != nil {
		t.Errorf("a failure stays: %d queries, %v", n, err)
	}
}

func TestASlowPrometheusHoldsUpAPageOnceAndIsThereTheNextTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &prometheus{takes: 10 * time.Second}
		h := p.histories()
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		if _, err := h.History(ctx, checkout(), now); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error %v", err)
		}
		asked := p.asked()
		time.Sleep(time.Minute)
		past, err := h.History(t.Context(), checkout(), now.Add(time.Minute))
		if err != nil || len(past.Containers) == 0 {
			t.Errorf("what was begun is not there: %v", err)
		}
		if asked == 0 || p.asked() == 0 {
			t.Error("nothing was asked")
		}
	})
}
