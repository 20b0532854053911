package updater

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/loadline-dev/loadline/config"
)

// Options of the updater. Every field is needed.
type Options struct {
	Config     config.Config
	Clock      clock.WithTicker
	Registerer prometheus.Registerer
}

// Setup adds the updater to a manager whose cache has CacheOptions. It runs on the leader only, if the manager elects one.
func Setup(mgr ctrl.Manager, options Options) error {
	metrics, err := newMetrics(options.Registerer)
	if err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	resources, err := discovery.NewDiscoveryClientForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("create discovery client: %w", err)
	}
	cfg := options.Config.Updater
	return mgr.Add(&controller{
		interval:  cfg.Interval.Duration,
		warmUp:    cfg.WarmUp.Duration,
		clock:     options.Clock,
		gatherer:  gatherer{reader: mgr.GetCache(), live: mgr.GetAPIReader(), config: options.Config, resources: resources, metrics: metrics},
		informers: mgr.GetCache(),
		probe: &probe{
			client: mgr.GetClient(), namespace: cfg.ProbeNamespace, maxAge: cfg.ProbeMaxAge.Duration,
			maxLatency: cfg.ProbeMaxLatency.Duration, clock: options.Clock, metrics: metrics,
		},
		actor:    actor{client: mgr.GetClient(), kinds: options.Config.Scaling.Owners()},
		reporter: newReporter(mgr.GetClient(), mgr.GetEventRecorder("loadline.dev/updater")),
		ledger:   newLedger(cfg),
		record: &record{
			reader: mgr.GetAPIReader(), client: mgr.GetClient(),
			name: types.NamespacedName{Namespace: options.Config.Namespace, Name: cfg.RecordConfigMap},
		},
		budget:  budgetOf(cfg),
		rules:   rulesOf(cfg.Breaker),
		metrics: metrics,

		apiTrouble: silences{},
	})
}
