package history

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/go-logr/logr"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"
)

// maxReread is how far back a read may start behind what was read already: two hours. It is used when the newest samples
// are missing, because the server's clock or its remote write is behind.
const maxReread = 2 * hourSlots

// maxPoints of one series in one answer; Prometheus refuses more than 11,000.
const maxPoints = 10_000

// readNew reads all that is new for the workloads that were read before.
func (r *Reader) readNew(ctx context.Context, n *namespace, own owners, end slot) error {
	if n.until >= end {
		return nil
	}
	// From the newest slot with a sample, so that late ones are found, but always with the overlap.
	from := max(min(n.until-r.overlap, max(n.seen, n.until-maxReread)), n.from, end-keptSlots)
	p := part{owners: own, span: span{from, end}, chunk: r.chunk}
	err := r.readParts(ctx, n, p, func(s span, got map[workloadKey]*reading, seen []bool) {
		for k, w := range n.workloads {
			if w.until == n.until {
				r.metrics.containersRefused.Add(float64(w.merge(s, got[k], seen)))
			}
		}
		n.until = max(n.until, s.to)
		if i := lastTrue(seen); i >= 0 {
			n.seen = max(n.seen, s.from+slot(i)+1)
		}
	})
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n.caughtUp = true
	return nil
}

// readNewcomers reads the past of workloads that were not asked for before.
func (r *Reader) readNewcomers(ctx context.Context, n *namespace, own owners, targets []Target) error {
	keys, from := r.newcomers(n)
	if len(keys) == 0 {
		return nil
	}
	p := part{
		owners: own,
		span:   span{from, n.until},
		pods:   podsPattern(keys, targets),
		// Few workloads are few series: their whole past may well fit into one answer.
		chunk: min(r.chunk*max(1, keptHours/slot(len(keys))), maxPoints),
	}
	return r.readParts(ctx, n, p, func(s span, got map[workloadKey]*reading, seen []bool) {
		for _, k := range keys {
			if w := n.workloads[k]; w != nil && w.until >= s.from {
				r.metrics.containersRefused.Add(float64(w.merge(s, got[k], seen)))
			}
		}
	})
}

// part is what to read: all of a namespace, or the pods that match a regular expression.
type part struct {
	owners owners
	span   span
	pods   string
	// chunk is the number of slots to ask for at a time.
	chunk slot
}

// readParts reads a span in parts and stores each when it is complete. A part that is too big is halved, down to an hour.
func (r *Reader) readParts(
	ctx context.Context, n *namespace, p part, store func(span, map[workloadKey]*reading, []bool),
) error {
	for from := p.span.from; from < p.span.to; {
		now := p
		now.span = span{from, min(from+max(p.chunk/n.divisor, hourSlots), p.span.to)}
		got, observed, err := r.readPart(ctx, n, now)
		if err != nil {
			failure, ok := errors.AsType[*Error](err)
			if !ok || !failure.shorterHelps || now.span.len() <= int(hourSlots) {
				return err
			}
			half := max(slot(now.span.len())/2, hourSlots)
			n.divisor = (p.chunk + half - 1) / half
			if failure.Reason == TooBig {
				continue
			}
			return err // The server is slow: the next call asks for less, this one does not keep it busy.
		}
		r.mu.Lock()
		store(now.span, got, observed)
		r.mu.Unlock()
		from = now.span.to
	}
	n.divisor = 1
	return nil
}

// readPart asks all queries for one span.
func (r *Reader) readPart(ctx context.Context, n *namespace, p part) (map[workloadKey]*reading, []bool, error) {
	c := collector{namespace: n.name, labels: r.labels, span: p.span, owners: p.owners}
	group, groupCtx := errgroup.WithContext(ctx)
	var mu sync.Mutex
	answers := make(map[metric]answer, len(r.templates))
	for m, template := range r.templates {
		if template == "" {
			continue
		}
		group.Go(func() error {
			matrix, err := r.ask(groupCtx, m, r.expand(template, n.name, p.pods), p.span)
			if err != nil {
				return r.explain(ctx, err, n, m, p.span)
			}
			a := c.collect(matrix, m.largest())
			mu.Lock()
			defer mu.Unlock()
			answers[m] = a
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	observed := make([]bool, p.span.len())
	for _, a := range answers {
		for i, seen := range a.observed {
			observed[i] = observed[i] || seen
		}
		for why, count := range a.dropped {
			r.metrics.dropped.WithLabelValues(why).Add(float64(count))
		}
	}
	return c.readings(answers), observed, nil
}

// ask asks one query when its turn has come. A value at time t covers the step that ends at t.
func (r *Reader) ask(ctx context.Context, m metric, query string, s span) (model.Matrix, error) {
	select {
	case r.parallel <- struct{}{}:
		defer func() { <-r.parallel }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	over := promv1.Range{Start: (s.from + 1).time(), End: s.to.time(), Step: step}
	value, warnings, _, err := r.querier.QueryRange(ctx, query, over, promv1.WithTimeout(r.timeout))
	if len(warnings) > 0 {
		r.metrics.warnings.Add(float64(len(warnings)))
		logr.FromContextOrDiscard(ctx).Info("Prometheus warned", "query", m, "warnings", warnings)
	}
	if err != nil {
		return nil, err
	}
	matrix, ok := value.(model.Matrix)
	if !ok {
		return nil, &promv1.Error{Type: promv1.ErrBadResponse, Msg: fmt.Sprintf("got a %T instead of a matrix", value)}
	}
	r.metrics.queries.WithLabelValues("ok").Inc()
	return matrix, nil
}

// explain makes a typed error, unless it was the caller who stopped.
func (r *Reader) explain(ctx context.Context, err error, n *namespace, m metric, s span) error {
	if ctx.Err() != nil {
		return fmt.Errorf("read %s of namespace %s: %w", m, n.name, context.Cause(ctx))
	}
	failure := classify(err)
	failure.Namespace, failure.Query, failure.From, failure.Until = n.name, string(m), s.from.time(), s.to.time()
	if !errors.Is(err, context.Canceled) { // Another query of this part failed first.
		r.metrics.queries.WithLabelValues(string(failure.Reason)).Inc()
	}
	return failure
}

// podsPattern matches the pods of some workloads, and perhaps a few others: attribution is not its task.
func podsPattern(keys []workloadKey, targets []Target) string {
	var alternatives []string
	for _, k := range keys {
		start := k.name + "-"
		alternatives = append(alternatives, regexp.QuoteMeta(start[:min(len(start), maxBaseLen)])+".+")
	}
	for _, t := range targets {
		if !slices.Contains(keys, workloadKey{t.Kind, t.Name}) {
			continue
		}
		for _, pod := range t.Pods {
			if !strings.HasPrefix(pod, t.Name+"-") {
				alternatives = append(alternatives, regexp.QuoteMeta(pod))
			}
		}
	}
	return strings.Join(alternatives, "|")
}

// lastTrue returns the index of the last true, or -1.
func lastTrue(values []bool) int {
	for i, v := range slices.Backward(values) {
		if v {
			return i
		}
	}
	return -1
}
