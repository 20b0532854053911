package llm

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics of asking a model. A nil *Metrics counts nothing.
type Metrics struct {
	questions *prometheus.CounterVec
	advice    *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	tokens    *prometheus.CounterVec
	resting   prometheus.Gauge
	waiting   prometheus.Gauge
}

// NewMetrics registers the metrics.
func NewMetrics(registerer prometheus.Registerer) (*Metrics, error) {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "loadline", Subsystem: "llm", Name: name, Help: help}
	}
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts(opts(name, help)), []string{label})
	}
	m := &Metrics{
		questions: counter("questions_total", "Questions to the model, each try counted, by outcome.", "outcome"),
		advice:    counter("advice_total", "Pieces of advice that were asked for, by outcome; one takes one or more questions.", "outcome"),
		tokens:    counter("tokens_total", "Tokens of prompts and of whole answers, as the server counts them.", "direction"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "loadline", Subsystem: "llm", Name: "question_seconds",
			Help:    "Time from sending a question to the end of its answer, or to its failure, by outcome.",
			Buckets: prometheus.ExponentialBuckets(0.05, 2.5, 10), // 50 ms to 190 s.
		}, []string{"outcome"}),
		resting: prometheus.NewGauge(prometheus.GaugeOpts(opts("resting", "1 while the model is not asked because too many questions failed."))),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts(opts("waiting", "Workloads whose advice waits for its turn."))),
	}
	var refused []error
	for _, c := range []prometheus.Collector{m.questions, m.advice, m.seconds, m.tokens, m.resting, m.waiting} {
		refused = append(refused, registerer.Register(c))
	}
	if err := errors.Join(refused...); err != nil {
		return nil, fmt.Errorf("register the model's metrics: %w", err)
	}
	return m, nil
}

// asked counts one try.
func (m *Metrics) asked(outcome Outcome, answer Answer, took time.Duration) {
	if m == nil {
		return
	}
	m.questions.WithLabelValues(string(outcome)).Inc()
	m.seconds.WithLabelValues(string(outcome)).Observe(took.Seconds())
	m.tokens.WithLabelValues("prompt").Add(float64(answer.PromptTokens))
	m.tokens.WithLabelValues("answer").Add(float64(answer.AnswerTokens))
}

func (m *Metrics) advised(outcome Outcome, resting bool) {
	if m == nil {
		return
	}
	m.advice.WithLabelValues(string(outcome)).Inc()
	m.resting.Set(0)
	if resting {
		m.resting.Set(1)
	}
}

func (m *Metrics) queued(n int) {
	if m != nil {
		m.waiting.Set(float64(n))
	}
}
