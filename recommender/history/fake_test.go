package history_test

import (
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/loadline-dev/loadline/recommender/history"
)

// fakePrometheus answers range queries over one metric with matchers, and can be told to misbehave. It knows no PromQL: what
// the shipped queries mean to a real Prometheus is tested end to end.
type fakePrometheus struct {
	server *httptest.Server

	mu       sync.Mutex
	series   []fakeSeries
	requests []fakeRequest
	// fault, if set, may answer a request itself by returning true.
	fault func(w http.ResponseWriter, r *http.Request, ask fakeRequest) bool
}

type fakeSeries struct {
	metric, pod, container string
	// at returns the value of an evaluation at t, and false if there is none.
	at func(t time.Time) (float64, bool)
}

type fakeRequest struct {
	metric, query string
	start, end    time.Time
	header        http.Header
}

func (f fakeRequest) span() time.Duration { return f.end.Sub(f.start) }

func newFakePrometheus(tb testing.TB, series ...fakeSeries) *fakePrometheus {
	tb.Helper()
	f := &fakePrometheus{series: series}
	f.server = httptest.NewServer(f)
	tb.Cleanup(f.server.Close)
	return f
}

var (
	metricOf  = regexp.MustCompile(`container_[a-z_]+`)
	matcherOf = regexp.MustCompile(`(\w+)(=~|!=|=)"((?:[^"\\]|\\.)*)"`)
)

func (f *fakePrometheus) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ask := fakeRequest{
		query: r.FormValue("query"), metric: metricOf.FindString(r.FormValue("query")),
		start: parseTime(r.FormValue("start")), end: parseTime(r.FormValue("end")), header: r.Header,
	}
	f.mu.Lock()
	f.requests = append(f.requests, ask)
	series, fault := f.series, f.fault
	f.mu.Unlock()
	if fault != nil && fault(w, r, ask) {
		return
	}
	result := []any{}
	for _, s := range series {
		labels := map[string]string{"namespace": "shop", "pod": s.pod, "container": s.container}
		if s.metric != ask.metric || !matches(labels, ask.query) {
			continue
		}
		values := [][2]any{}
		for at := ask.start; !at.After(ask.end); at = at.Add(5 * time.Minute) {
			if v, ok := s.at(at); ok {
				values = append(values, [2]any{at.Unix(), strconv.FormatFloat(v, 'g', -1, 64)})
			}
		}
		if len(values) > 0 {
			result = append(result, map[string]any{"metric": labels, "values": values})
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": "matrix", "result": result}})
}

func matches(labels map[string]string, query string) bool {
	for _, m := range matcherOf.FindAllStringSubmatch(query, -1) {
		value, err := strconv.Unquote(`"` + m[3] + `"`)
		if err != nil {
			return false
		}
		got := labels[m[1]]
		if m[2] == "=" && got != value || m[2] == "!=" && got == value ||
			m[2] == "=~" && !regexp.MustCompile("^(?:"+value+")$").MatchString(got) {
			return false
		}
	}
	return true
}

func parseTime(s string) time.Time {
	seconds, _ := strconv.ParseFloat(s, 64)
	return time.Unix(int64(seconds), 0).UTC()
}

// asked returns the requests since the last call.
func (f *fakePrometheus) asked() []fakeRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	asked := f.requests
	f.requests = nil
	return asked
}

func (f *fakePrometheus) misbehave(fault func(w http.ResponseWriter, r *http.Request, ask fakeRequest) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

func (f *fakePrometheus) add(series ...fakeSeries) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.series = append(f.series, series...)
}

// reader returns a Reader of the fake, with the shipped queries unless change says otherwise.
func (f *fakePrometheus) reader(t *testing.T, change ...func(*history.Options, *history.ClientOptions)) *history.Reader {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	co := history.ClientOptions{URL: f.server.URL, Registerer: registry}
	o := options()
	o.Registerer = registry
	for _, c := range change {
		c(&o, &co)
	}
	if o.Querier == nil {
		client, err := history.NewClient(co)
		if err != nil {
			t.Fatal(err)
		}
		o.Querier = client
	}
	r, err := history.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func options() history.Options {
	return history.Options{
		Queries: history.Queries{
			CPU:              `max by ($by) (rate(container_cpu_usage_seconds_total{$selector}[$rateWindow]))`,
			WorkingSet:       `max by ($by) (max_over_time(container_memory_working_set_bytes{$selector}[$step]))`,
			RSS:              `max by ($by) (max_over_time(container_memory_rss{$selector}[$step]))`,
			ThrottledPeriods: `max by ($by) (rate(container_cpu_cfs_throttled_periods_total{$selector}[$rateWindow]))`,
			Periods:          `max by ($by) (rate(container_cpu_cfs_periods_total{$selector}[$rateWindow]))`,
		},
		Labels:   history.Labels{Namespace: "namespace", Pod: "pod", Container: "container"},
		Backfill: 3 * 24 * time.Hour,
		Overlap:  10 * time.Minute,
	}
}

const (
	cpuMetric       = "container_cpu_usage_seconds_total"
	memoryMetric    = "container_memory_working_set_bytes"
	rssMetric       = "container_memory_rss"
	throttledMetric = "container_cpu_cfs_throttled_periods_total"
	periodsMetric   = "container_cpu_cfs_periods_total"
)

// start is a whole hour; now in the tests counts from it.
var start = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

const (
	pod1 = "api-6d4cf56db6-x2k9z"
	pod2 = "api-6d4cf56db6-bbbbb"
	old1 = "api-5bcd7-zzzzz"
)

var api = history.Target{Kind: "Deployment", Name: "api"}

// constant has the same value from the evaluation at from until the one at until.
func constant(v float64, from, until time.Time) func(time.Time) (float64, bool) {
	return func(t time.Time) (float64, bool) { return v, !t.Before(from) && !t.After(until) }
}

func always(v float64) func(time.Time) (float64, bool) {
	return func(time.Time) (float64, bool) { return v, true }
}

func sync1(t *testing.T, r *history.Reader, now time.Time, targets ...history.Target) {
	t.Helper()
	if err := r.Sync(t.Context(), "shop", targets, now); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, r *history.Reader, target history.Target) history.Workload {
	t.Helper()
	w, ok := r.Get("shop", target.Kind, target.Name)
	if !ok {
		t.Fatalf("no history of %s %s", target.Kind, target.Name)
	}
	return w
}

func last(values []float32) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	return float64(values[len(values)-1])
}

func isNaN(v float32) bool { return math.IsNaN(float64(v)) }
