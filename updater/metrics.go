package updater

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/loadline-dev/loadline/updater/breaker"
)

// metrics of the updater. No label holds a namespace or a workload, so their number does not grow with the cluster.
type metrics struct {
	actions       *prometheus.CounterVec
	skips         *prometheus.GaugeVec
	drifted       prometheus.Gauge
	stale         prometheus.Gauge
	unhealthy     prometheus.Gauge
	gateOpen      prometheus.Gauge
	killSwitch    prometheus.Gauge
	breaker       *prometheus.GaugeVec
	signals       *prometheus.GaugeVec
	thresholds    *prometheus.GaugeVec
	probeSeconds  prometheus.Histogram
	probeFailures prometheus.Counter
	roundSeconds  prometheus.Histogram
	roundErrors   *prometheus.CounterVec
	badOriginals  prometheus.Counter
}

// judged publishes what the circuit breaker counted, and its phase.
func (m *metrics) judged(s breaker.State, counts breaker.Counts, rules breaker.Rules) {
	for _, phase := range []breaker.Phase{breaker.Closed, breaker.Open, breaker.Trial} {
		m.breaker.WithLabelValues(string(phase)).Set(0)
	}
	m.breaker.WithLabelValues(string(s.Phase)).Set(1)
	for _, signal := range breaker.Signals() {
		m.signals.WithLabelValues(string(signal)).Set(float64(counts[signal]))
		m.thresholds.WithLabelValues(string(signal)).Set(float64(s.Threshold(signal, rules)))
	}
}

// RegisterMetrics registers the updater's metrics for who wants to know them without running it.
func RegisterMetrics(registerer prometheus.Registerer) error {
	_, err := newMetrics(registerer)
	return err
}

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	const namespace, subsystem = "loadline", "updater"
	m := &metrics{
		actions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "actions_total",
			Help: "Changes asked of the API server, by kind (resize, evict, scale, minimum) and answer.",
		}, []string{"kind", "answer"}),
		skips: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "skipped",
			Help: "Pods and workloads that the last round left alone, by reason.",
		}, []string{"reason"}),
		drifted: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "drifted_pods",
			Help: "Pods that differed from their Recommendation in the last round, without those that only have too much and keep it until they are replaced.",
		}),
		stale: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "stale_recommendations",
			Help: "Recommendations of opted-in workloads whose sizes the recommender has not confirmed for too long, in the last round.",
		}),
		unhealthy: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "unhealthy_workloads",
			Help: "Workloads whose condition Healthy was False in the last round: sizes did harm, and are taken back or held back for a while.",
		}),
		gateOpen: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "gate_open",
			Help: "1 if the last round was allowed to act: probe passed, warmed up, kill switch off, circuit breaker not open.",
		}),
		killSwitch: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "kill_switch",
			Help: "1 while the kill switch stops every change.",
		}),
		breaker: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "breaker",
			Help: "1 for the phase in which the circuit breaker is: Closed, Open (nothing is changed) or Trial (a little is).",
		}, []string{"phase"}),
		signals: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "breaker_signal",
			Help: "What the circuit breaker counted in the whole cluster in the last round.",
		}, []string{"signal"}),
		thresholds: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "breaker_threshold",
			Help: "The count from which on a signal opens the circuit breaker; 0 if it is not looked at.",
		}, []string{"signal"}),
		probeSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "probe_duration_seconds",
			Help:    "Duration of the admission round trip, failed ones included.",
			Buckets: prometheus.ExponentialBuckets(0.002, 2, 12), NativeHistogramBucketFactor: 1.1,
		}),
		probeFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "probe_failures_total",
			Help: "Admission round trips that failed or came back without the sizes.",
		}),
		roundSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "round_duration_seconds",
			Help:    "Duration of a whole round.",
			Buckets: prometheus.ExponentialBuckets(0.01, 2, 12), NativeHistogramBucketFactor: 1.1,
		}),
		roundErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "errors_total",
			Help: "Rounds that could not gather or write down what they were about to do, and statuses that could not be written, by step.",
		}, []string{"step"}),
		badOriginals: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "unreadable_originals_total",
			Help: "Times that a pod's annotation loadline.dev/original could not be read.",
		}),
	}
	var errs []error
	for _, c := range m.all() {
		errs = append(errs, registerer.Register(c))
	}
	return m, errors.Join(errs...)
}

// all lists what is registered.
func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{
		m.actions, m.skips, m.drifted, m.stale, m.unhealthy, m.gateOpen, m.killSwitch, m.breaker, m.signals, m.thresholds, m.probeSeconds, m.probeFailures, m.roundSeconds, m.roundErrors, m.badOriginals,
	}
}
