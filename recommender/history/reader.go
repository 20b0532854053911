package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
)

// Querier asks for series. The Prometheus client is one.
type Querier interface {
	QueryRange(ctx context.Context, query string, r promv1.Range, opts ...promv1.Option) (
		model.Value, promv1.Warnings, promv1.Infos, error)
}

// Queries are PromQL templates; see the operator's configuration for the words that are replaced. An empty one is not asked.
type Queries struct {
	// CPU in cores, WorkingSet and RSS in bytes, the periods per second.
	CPU, WorkingSet, RSS, ThrottledPeriods, Periods string
}

// Labels name the labels of the container metrics.
type Labels struct{ Namespace, Pod, Container string }

// Options of a Reader. CPU, WorkingSet, Labels and Querier are required.
type Options struct {
	Querier Querier
	Queries Queries
	Labels  Labels
	// ExtraMatchers are added to every selector.
	ExtraMatchers string
	// RateWindow replaces $rateWindow. Zero means five minutes.
	RateWindow time.Duration
	// Backfill is how far back the first read goes: at most 28 days, which zero means.
	Backfill time.Duration
	// Chunk is the span of one query: at least an hour, at most 28 days. Zero means 24 hours.
	Chunk time.Duration
	// Overlap is read again each time: at most two hours.
	Overlap time.Duration
	// Timeout of one query. Zero means 30 seconds.
	Timeout time.Duration
	// ParallelQueries at the same time, over all namespaces. Zero means 2.
	ParallelQueries int
	// Registerer takes the metrics of the Reader. Nil means none.
	Registerer prometheus.Registerer
}

// Reader reads and keeps history. It is safe for concurrent use.
type Reader struct {
	querier       Querier
	templates     map[metric]string
	labels        Labels
	extraMatchers string
	rateWindow    time.Duration
	backfill      slot
	chunk         slot
	overlap       slot
	timeout       time.Duration
	parallel      chan struct{}
	metrics       *readerMetrics

	mu         sync.RWMutex
	namespaces map[string]*namespace
}

// unwantedAfter is how long a workload is kept that no call of Sync names: a day. It is not dropped at once, so that a list
// that was incomplete for a moment costs nothing.
const unwantedAfter = 24 * hourSlots

// New returns an empty Reader.
func New(o Options) (*Reader, error) {
	if o.Querier == nil || o.Queries.CPU == "" || o.Queries.WorkingSet == "" {
		return nil, errors.New("history needs a querier and the queries for CPU and working set")
	}
	if o.Labels.Namespace == "" || o.Labels.Pod == "" || o.Labels.Container == "" {
		return nil, errors.New("history needs the names of the namespace, pod and container labels")
	}
	metrics, err := newReaderMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("register the metrics of history: %w", err)
	}
	return &Reader{
		querier: o.Querier,
		templates: map[metric]string{
			metricCPU:              o.Queries.CPU,
			metricWorkingSet:       o.Queries.WorkingSet,
			metricRSS:              o.Queries.RSS,
			metricThrottledPeriods: o.Queries.ThrottledPeriods,
			metricPeriods:          o.Queries.Periods,
		},
		labels:        o.Labels,
		extraMatchers: o.ExtraMatchers,
		rateWindow:    cmp.Or(o.RateWindow, step),
		backfill:      min(slotsIn(cmp.Or(o.Backfill, 28*24*time.Hour)), keptSlots),
		chunk:         min(max(slotsIn(cmp.Or(o.Chunk, 24*time.Hour)), hourSlots), keptSlots),
		overlap:       min(max(slotsIn(o.Overlap), 0), maxReread),
		timeout:       cmp.Or(o.Timeout, 30*time.Second),
		parallel:      make(chan struct{}, max(cmp.Or(o.ParallelQueries, 2), 1)),
		metrics:       metrics,
		namespaces:    map[string]*namespace{},
	}, nil
}

// namespace returns the state of a namespace, new if need be. Namespaces that nobody asked for in a day are dropped.
func (r *Reader) namespace(name string, now slot) *namespace {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.namespaces, func(other string, n *namespace) bool {
		return other != name && n.wanted < now-unwantedAfter
	})
	n, ok := r.namespaces[name]
	if !ok {
		n = &namespace{name: name, turn: make(chan struct{}, 1), until: never, divisor: 1, workloads: map[workloadKey]*workload{}}
		r.namespaces[name] = n
	}
	n.wanted = now
	return n
}

// register adds the workloads that are new and returns all. If the clock went back behind what was read, everything is read anew: values
// of a time that has not come must not stand.
func (r *Reader) register(n *namespace, targets []Target, end slot) []workloadKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n.until > end+1 {
		n.until, n.seen, n.caughtUp = never, 0, false
		clear(n.workloads)
	}
	fresh := n.until == never
	if fresh {
		n.from = (end - r.backfill).hour() * hourSlots
		n.until = n.from
	}
	if n.until < end-keptSlots { // Away for so long that nothing of what is held counts any more.
		n.until = end - keptSlots
		for _, w := range n.workloads {
			w.until = n.until
		}
	}
	for _, t := range targets {
		k := workloadKey{t.Kind, t.Name}
		if n.workloads[k] == nil {
			n.workloads[k] = &workload{until: never, firstSeen: never}
			if fresh {
				n.workloads[k].until = n.until
			}
		}
		n.workloads[k].wanted = end
	}
	maps.DeleteFunc(n.workloads, func(_ workloadKey, w *workload) bool { return w.wanted < end-unwantedAfter })
	return slices.Collect(maps.Keys(n.workloads))
}

// query names of a Reader's five queries, as they appear in errors and metrics.
type metric string

const (
	metricCPU              metric = "cpu"
	metricWorkingSet       metric = "workingSet"
	metricRSS              metric = "rss"
	metricThrottledPeriods metric = "throttledPeriods"
	metricPeriods          metric = "periods"
)

// largest returns the value above which a measurement is absurd.
func (m metric) largest() float64 {
	switch m {
	case metricCPU:
		return 100_000 // Cores.
	case metricWorkingSet, metricRSS:
		return 1 << 50 // A pebibyte.
	default:
		return 1e9 // Periods per second; the usual ten.
	}
}

// expand fills in a template. Only pods that match the regular expression pods are asked for, if it is not empty.
func (r *Reader) expand(template, namespace, pods string) string {
	selector := []string{
		r.labels.Namespace + "=" + quote(namespace),
		r.labels.Container + `!=""`,
		r.labels.Container + `!="POD"`,
	}
	if pods != "" {
		selector = append(selector, r.labels.Pod+"=~"+quote(pods))
	}
	if r.extraMatchers != "" {
		selector = append(selector, r.extraMatchers)
	}
	return strings.NewReplacer(
		"$by", strings.Join([]string{r.labels.Namespace, r.labels.Pod, r.labels.Container}, ","),
		"$selector", strings.Join(selector, ","),
		"$namespace", namespace,
		"$rateWindow", promDuration(r.rateWindow),
		"$step", promDuration(step),
	).Replace(template)
}

// Queries returns the queries by which the history of a namespace is read, by their names in the configuration.
func (r *Reader) Queries(namespace string) map[string]string {
	queries := make(map[string]string, len(r.templates))
	for name, template := range r.templates {
		queries[string(name)] = r.expand(template, namespace, "")
	}
	return queries
}

// quote writes a PromQL string.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

func promDuration(d time.Duration) string { return model.Duration(d).String() }

// newcomers returns the workloads that were not read as far as the others, in a fixed order, and where to go on: all of
// them go on from where the slowest was left.
func (r *Reader) newcomers(n *namespace) (keys []workloadKey, from slot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	from = n.until
	first := (n.until - r.backfill).hour() * hourSlots
	for k, w := range n.workloads {
		if w.until != n.until {
			w.until = max(first, w.until)
			from = min(from, w.until)
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b workloadKey) int { return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name)) })
	return keys, from
}
