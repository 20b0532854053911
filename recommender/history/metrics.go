package history

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// readerMetrics tell what reading costs and what was wrong with the answers.
type readerMetrics struct {
	queries           *prometheus.CounterVec
	dropped           *prometheus.CounterVec
	warnings          prometheus.Counter
	containersRefused prometheus.Counter
}

func newReaderMetrics(registerer prometheus.Registerer) (*readerMetrics, error) {
	m := &readerMetrics{
		queries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "loadline_history_queries_total",
			Help: "Queries that Prometheus was asked, by result: ok, Unavailable, Refused, TooBig or BadData.",
		}, []string{"result"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "loadline_history_samples_dropped_total",
			Help: "Samples that were not used, by reason: unlabelled, outside_span, not_a_number, negative or absurd.",
		}, []string{"reason"}),
		warnings: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "loadline_history_warnings_total",
			Help: "Warnings that came with answers of Prometheus, such as those about partial answers.",
		}),
		containersRefused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "loadline_history_containers_refused_total",
			Help: "Times that a container was not stored because its workload had too many.",
		}),
	}
	return m, register(registerer, m.queries, m.dropped, m.warnings, m.containersRefused)
}

// register registers all; a nil registerer takes none.
func register(registerer prometheus.Registerer, collectors ...prometheus.Collector) error {
	if registerer == nil {
		return nil
	}
	var failures []error
	for _, c := range collectors {
		failures = append(failures, registerer.Register(c))
	}
	return errors.Join(failures...)
}
