package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	_ "time/tzdata" // windows name time zones, and a minimal image has none

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/recommender"
	"github.com/loadline-dev/loadline/updater"
	"github.com/loadline-dev/loadline/webhook"
	"github.com/loadline-dev/loadline/webhook/certs"
)

// role is one deployable part of Loadline.
type role struct {
	name, short string
	// parts are the names of the parts that run in this process.
	parts []string
}

var (
	roleRecommender = role{"recommender", "Forecast, size and publish Recommendations", []string{"recommender"}}
	roleWebhook     = role{"webhook", "Inject sizes at admission and validate what people write", []string{"webhook"}}
	roleUpdater     = role{"updater", "Bring running pods that drifted to their sizes", []string{"updater"}}
	roleAll         = role{"all", "Run all parts in one process, for small clusters", []string{"webhook", "recommender", "updater"}}
)

// part is how one part is added to a manager of its own. Each has its own cache, because each strips objects differently.
type part struct {
	cache func(config.Config) cache.Options
	// election is nil for a part that runs on every replica.
	election func(config.Config) *config.LeaderElection
	setup    func(context.Context, ctrl.Manager, config.Config) error
}

var parts = map[string]part{
	"recommender": {
		cache:    func(cfg config.Config) cache.Options { return recommender.CacheOptions(cfg.Advisor.URL != "") },
		election: func(cfg config.Config) *config.LeaderElection { return &cfg.Recommender.LeaderElection },
		setup:    setupRecommender,
	},
	"webhook": {
		cache: func(config.Config) cache.Options { return webhook.CacheOptions() },
		setup: setupWebhook,
	},
	"updater": {
		cache:    func(config.Config) cache.Options { return updater.CacheOptions() },
		election: func(cfg config.Config) *config.LeaderElection { return &cfg.Updater.LeaderElection },
		setup:    setupUpdater,
	},
}

func newRoleCommand(flags *clusterFlags, std streams, r role) *cobra.Command {
	var configFile string
	cmd := &cobra.Command{
		Use:     r.name,
		Short:   r.short,
		Example: fmt.Sprintf("  loadline %s --config /etc/loadline/config.yaml", r.name),
		GroupID: "run",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(configFile)
			if err != nil {
				return err
			}
			restConfig, err := flags.restConfig()
			if err != nil {
				return err
			}
			setUpLogging(std)
			return runRole(cmd.Context(), r, cfg, restConfig)
		},
	}
	cmd.Flags().StringVar(&configFile, "config", "", "operator configuration file; without it the defaults apply")
	return cmd
}

func loadConfig(path string) (config.Config, error) {
	if path == "" {
		return config.Default(), nil
	}
	file, err := os.Open(path)
	if err != nil {
		return config.Config{}, fmt.Errorf("open configuration: %w", err)
	}
	defer file.Close()
	cfg, err := config.Load(file)
	if err != nil {
		return config.Config{}, fmt.Errorf("configuration %s: %w", path, err)
	}
	return cfg, nil
}

// setUpLogging sends every log to standard error as JSON lines.
func setUpLogging(std streams) {
	logger := logr.FromSlogHandler(slog.NewJSONHandler(std.err, &slog.HandlerOptions{Level: slog.LevelInfo}))
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
}

// runRole runs the parts of a role until the context ends or one of them fails.
func runRole(ctx context.Context, r role, cfg config.Config, restConfig *rest.Config) error {
	if err := registerBuild(metrics.Registry, r.parts); err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	group, ctx := errgroup.WithContext(ctx)
	managers := make([]ctrl.Manager, 0, len(r.parts))
	for i, name := range r.parts {
		mgr, err := newManager(parts[name], cfg, restConfig, scheme, i == 0)
		if err != nil {
			return fmt.Errorf("create the manager of the %s: %w", name, err)
		}
		if err := parts[name].setup(ctx, mgr, cfg); err != nil {
			return fmt.Errorf("set up the %s: %w", name, err)
		}
		managers = append(managers, mgr)
	}
	for i, mgr := range managers { // only once all are set up, so that a mistake in one starts none
		group.Go(func() error {
			if err := mgr.Start(ctx); err != nil {
				return fmt.Errorf("run the %s: %w", r.parts[i], err)
			}
			return nil
		})
	}
	return group.Wait()
}

// newManager returns a manager for one part. Only the first part of a process serves metrics and health: metrics are
// registered process-wide, and of the parts the webhook is the one whose readiness matters to others.
func newManager(p part, cfg config.Config, restConfig *rest.Config, scheme *runtime.Scheme, first bool) (ctrl.Manager, error) {
	restConfig = rest.CopyConfig(restConfig)
	restConfig.QPS, restConfig.Burst = cfg.Kubernetes.QPS, cfg.Kubernetes.Burst
	options := manager.Options{
		Scheme:                 scheme,
		Cache:                  p.cache(cfg),
		Client:                 client.Options{Cache: &client.CacheOptions{Unstructured: true}}, // workloads of custom kinds
		Metrics:                metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress: "0",
	}
	if first {
		options.Metrics.BindAddress, options.HealthProbeBindAddress = cfg.MetricsAddress, cfg.HealthAddress
	}
	if p.election != nil {
		election := p.election(cfg)
		options.LeaderElection = election.Enabled
		options.LeaderElectionID = election.LeaseName
		options.LeaderElectionNamespace = cfg.Namespace
		options.LeaderElectionReleaseOnCancel = true
		options.LeaseDuration = new(election.LeaseDuration.Duration)
		options.RenewDeadline = new(election.RenewDeadline.Duration)
		options.RetryPeriod = new(election.RetryPeriod.Duration)
	}
	mgr, err := ctrl.NewManager(restConfig, options)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(mgr.AddHealthzCheck("ping", healthz.Ping), mgr.AddReadyzCheck("ping", healthz.Ping)); err != nil {
		return nil, err
	}
	return mgr, nil
}

func setupRecommender(ctx context.Context, mgr ctrl.Manager, cfg config.Config) error {
	reader, err := newHistoryReader(cfg.Prometheus, metrics.Registry)
	if err != nil {
		return err
	}
	desk, err := newDesk(cfg.Advisor, metrics.Registry)
	if err != nil {
		return err
	}
	querier, err := newHistoryClient(cfg.Prometheus)
	if err != nil {
		return err
	}
	if err := serveDashboard(ctx, mgr, cfg); err != nil {
		return err
	}
	return recommender.Setup(ctx, mgr, recommender.Options{
		Config: cfg, History: reader, Clock: clock.RealClock{}, Registerer: metrics.Registry,
		Advisor: desk, Signals: &recommender.Signals{Querier: querier}, Querier: querier,
	})
}

func setupWebhook(_ context.Context, mgr ctrl.Manager, cfg config.Config) error {
	w := cfg.Webhook
	certsReady, err := setupCertificate(mgr, cfg)
	if err != nil {
		return err
	}
	if err := metrics.Registry.Register(certs.Expiry(w.CertDir)); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	return webhook.Setup(mgr, webhook.Options{
		Excluded: cfg.Excluded, Host: w.Host, Port: w.Port, CertDir: w.CertDir, CertsReady: certsReady,
		StaleAfter: cfg.Recommender.StaleAfter.Duration, OutlivedAfter: cfg.Recommender.OutlivedAfter(),
		YieldFor: cfg.Scaling.YieldFor.Duration, Kinds: cfg.Scaling.Owners(), Registerer: metrics.Registry, Log: mgr.GetLogger(),
	})
}

// setupCertificate returns a channel that is closed once the webhook's certificate is in its directory, or nil if it is there.
func setupCertificate(mgr ctrl.Manager, cfg config.Config) (<-chan struct{}, error) {
	w, secret := cfg.Webhook, types.NamespacedName{Namespace: cfg.Namespace, Name: cfg.Webhook.CertSecret}
	switch w.CertMode {
	case config.CertSelfSigned:
		return certs.Rotate(mgr, certs.Options{
			Secret: secret, ServiceName: w.ServiceName, MutatingName: w.MutatingName, ValidatingName: w.ValidatingName, Dir: w.CertDir,
		})
	case config.CertFromSecret:
		return certs.Follow(mgr, secret, w.CertDir)
	default:
		return nil, nil // files: nothing to wait for
	}
}

func setupUpdater(_ context.Context, mgr ctrl.Manager, cfg config.Config) error {
	return updater.Setup(mgr, updater.Options{Config: cfg, Clock: clock.RealClock{}, Registerer: metrics.Registry})
}
