package recommender

import (
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/internal/owner"
	"github.com/loadline-dev/loadline/recommender/history"
)

// Engine gathers what decisions look at. Every read of the recommender is in gather.go, workloads.go, nodes.go, quotas.go,
// autoscaler.go, vpa.go, happenings.go, refusal.go, signals.go, health.go and historian.go.
type Engine struct {
	// Client reads from a cache.
	Client client.Reader
	// History reads measurements.
	History *Historian
	// Forecaster makes forecasts of them.
	Forecaster *Forecaster
	// DefaultPolicy applies where a namespace has none; every field is set.
	DefaultPolicy v1alpha1.SizingPolicySpec
	// Advisor asks a model, and Signals reads what only a model can use; both are nil where no model is configured.
	Advisor Advisor
	Signals *Signals
	// Querier reads the health signals of policies; nil means that they are not read, which is a finding where a policy names some.
	Querier history.Querier
	Cadence Cadence
	// YieldFor is how long a number of pods that somebody else set is left alone.
	YieldFor time.Duration
	// Kinds of workloads that the operator configures, besides those of Kubernetes itself.
	Kinds owner.Kinds

	nodes    nodeRooms
	departed departed
}

// NewEngine returns an engine that reads objects through reader and measurements through the history reader.
func NewEngine(reader client.Reader, measurements HistoryReader, cfg config.Config) *Engine {
	engine := &Engine{Client: reader, Forecaster: &Forecaster{}, DefaultPolicy: cfg.Policy, YieldFor: cfg.Scaling.YieldFor.Duration, Kinds: cfg.Scaling.Owners(), Cadence: Cadence{
		Horizon: cfg.Recommender.Horizon.Duration, Confirm: cfg.Recommender.RefreshInterval.Duration, StaleAfter: cfg.Recommender.StaleAfter.Duration,
		Unschedulable: cfg.Recommender.UnschedulableAfter.Duration,
	}}
	engine.History = &Historian{
		Reader: measurements, Engine: engine,
		Every: cfg.Recommender.SyncInterval.Duration, MaxBackoff: cfg.Recommender.RetryBackoffMax.Duration,
	}
	return engine
}

// forget drops everything that is kept of a target that is gone or opted out.
func (e *Engine) forget(target Target) {
	e.History.Forget(target)
	e.Forecaster.Forget(target)
	if e.Advisor != nil {
		e.Advisor.Forget(target.key())
	}
	if e.Signals != nil {
		e.Signals.Forget(target)
	}
}
