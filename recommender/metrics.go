package recommender

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics of the recommender. A nil *Metrics counts nothing.
type Metrics struct {
	writes *prometheus.CounterVec
}

// NewMetrics registers the recommender's metrics.
func NewMetrics(registerer prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{writes: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "loadline", Subsystem: "recommender", Name: "decisions_total",
		Help: "Decisions by result: published where the status was written, unchanged where nothing in it mattered.",
	}, []string{"result"})}
	if err := registerer.Register(m.writes); err != nil {
		return nil, fmt.Errorf("register recommender metrics: %w", err)
	}
	return m, nil
}

func (m *Metrics) published() { m.count("published") }

func (m *Metrics) skipped() { m.count("unchanged") }

func (m *Metrics) count(result string) {
	if m != nil {
		m.writes.WithLabelValues(result).Inc()
	}
}
