package webhook

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of all handlers. The label webhook is the handler's name, outcome one of the constants in serve.go.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	events   *prometheus.CounterVec
}

// RegisterMetrics registers the webhook's metrics for who wants to know them without running it.
func RegisterMetrics(registerer prometheus.Registerer) error {
	_, err := newMetrics(registerer)
	return err
}

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "loadline_webhook_requests_total",
			Help: "Admission requests by what became of them. dry_run tells requests that the API server did not persist.",
		}, []string{"webhook", "outcome", "dry_run"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:                        "loadline_webhook_duration_seconds",
			Help:                        "Time spent in the handler itself, without network and TLS.",
			Buckets:                     []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .1, 1},
			NativeHistogramBucketFactor: 1.1,
		}, []string{"webhook"}),
	}
	m.events = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "loadline_webhook_events_total",
		Help: "Events about workloads by what became of them: told, or left out as a repetition, by the rate limit, or with a full queue.",
	}, []string{"outcome"})
	return m, errors.Join(registerer.Register(m.requests), registerer.Register(m.seconds), registerer.Register(m.events))
}

func (m *metrics) observe(name string, what outcome, dryRun bool, took time.Duration) {
	label := "false"
	if dryRun {
		label = "true"
	}
	m.requests.WithLabelValues(name, string(what), label).Inc()
	m.seconds.WithLabelValues(name).Observe(took.Seconds())
}

func (m *metrics) notice(outcome string) { m.events.WithLabelValues(outcome).Inc() }
