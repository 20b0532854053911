package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/dashboard"
	"github.com/loadline-dev/loadline/recommender/history"
)

// dashboardFlags are the flags of loadline dashboard.
type dashboardFlags struct{ listen, prometheus, config, prices, operator string }

func newDashboardCommand(flags *clusterFlags, std streams) *cobra.Command {
	d := dashboardFlags{operator: config.Default().Namespace}
	cmd := &cobra.Command{
		Use:   "dashboard",
		Short: "Show recommendations as web pages on this machine",
		Long: "Show recommendations as web pages on this machine, of all namespaces or of the one given with --namespace, until Ctrl-C.\n" +
			"The pages only read, with your own rights in the cluster: list and watch recommendations, and list events.\n\n" +
			"With --prometheus, or --config for its credentials and queries, the page of a workload has charts of what it used and of\n" +
			"what is expected.",
		Example: "  loadline dashboard\n" +
			"  loadline dashboard --namespace shop --prometheus http://127.0.0.1:9090",
		GroupID: "look",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return d.run(cmd, flags, std) },
	}
	set := cmd.Flags()
	set.StringVar(&d.listen, "listen", "127.0.0.1:8099", "address to serve at, as host:port; port 0 takes a free one. Whoever reaches it sees every page")
	set.StringVar(&d.prometheus, "prometheus", "", "URL of Prometheus, for charts")
	set.StringVar(&d.config, "config", "", "operator configuration file, for charts from its Prometheus; without it the one that the Deployments use says what stops the updater and which sizes are stale")
	set.StringVar(&d.operator, operatorNamespaceFlag, d.operator, "where Loadline runs, to say whether its updater is stopped and which sizes are stale")
	set.StringVar(&d.prices, "prices", "", "file with prices, see docs/report.md (default: public on-demand prices)")
	return cmd
}

func (d dashboardFlags) run(cmd *cobra.Command, flags *clusterFlags, std streams) error {
	ctx := cmd.Context()
	cfg, err := loadConfig(d.config)
	if err != nil {
		return err
	}
	listener, local, err := listenAt(ctx, d.listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	options := dashboardOptions(cfg)
	options.Namespace, options.LocalOnly, options.Program = flags.namespaceFlag(), local, programOf(cmd)
	in, err := (&reportOptions{prices: d.prices}).input()
	if err != nil {
		return err
	}
	options.Prices = in.Prices
	switch {
	case d.prometheus != "":
		cfg.Prometheus.URL = d.prometheus
		options.Histories = newDashboardHistories(cfg)
	case d.config != "":
		options.Histories = newDashboardHistories(cfg)
	default:
		options.NoHistory = "There are no charts, because nobody said where Prometheus is. Start " + options.Program + " dashboard with --prometheus, such as --prometheus http://127.0.0.1:9090."
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	source, operator, err := d.watchCluster(ctx, flags, cfg)
	if err != nil {
		return err
	}
	options.Source, options.StaleAfter = source, operator.config.Recommender.StaleAfter.Duration
	handler, err := dashboard.New(options)
	if err != nil {
		return err
	}
	if !local {
		_, _ = fmt.Fprintf(std.err, "loadline: everybody who reaches %s can see these pages: no one is asked who they are\n", listener.Addr()) // nowhere left to report a failure to
	}
	if _, err := fmt.Fprintf(std.out, "Dashboard: http://%s%s (Ctrl-C ends it)\n", listener.Addr(), dashboard.Path); err != nil {
		return err
	}
	return serve(ctx, listener, handler)
}

// listenAt opens a port. It reports whether only this machine can reach it.
func listenAt(ctx context.Context, address string) (net.Listener, bool, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, false, usageError("--listen %q: legal is host:port, such as 127.0.0.1:8099", address)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, false, fmt.Errorf("serve at %s: %w; --listen 127.0.0.1:0 takes a free port", address, err)
	}
	tcp, ok := listener.Addr().(*net.TCPAddr)
	return listener, ok && tcp.IP.IsLoopback(), nil
}

// dashboardOptions are what the pages of the command and of the operator share.
func dashboardOptions(cfg config.Config) dashboard.Options {
	return dashboard.Options{StaleAfter: cfg.Recommender.StaleAfter.Duration, Version: readBuild().Version, Clock: clock.RealClock{}}
}

// newDashboardHistories reads histories from the configured Prometheus, only those of the pods that a page is about.
func newDashboardHistories(cfg config.Config) *dashboard.PrometheusHistories {
	return &dashboard.PrometheusHistories{
		PodLabel: cfg.Prometheus.Labels.Pod, Kinds: cfg.Scaling.Owners(), Horizon: cfg.Recommender.Horizon.Duration,
		NewReader: func(matcher string) (*history.Reader, error) {
			p := cfg.Prometheus
			p.Chunk.Duration = 7 * 24 * time.Hour // The series are few.
			p.Queries.RSS, p.Queries.ThrottledPeriods, p.Queries.Periods = "", "", ""
			if p.ExtraMatchers != "" {
				matcher = p.ExtraMatchers + "," + matcher
			}
			p.ExtraMatchers = matcher
			return newHistoryReader(p, nil)
		},
	}
}

// watchCluster reads all recommendations once and follows their changes until ctx ends. It also says what runs in the cluster.
func (d dashboardFlags) watchCluster(ctx context.Context, flags *clusterFlags, cfg config.Config) (*dashboard.Cluster, installed, error) {
	restConfig, err := flags.restConfig()
	if err != nil {
		return nil, installed{}, err
	}
	live, err := newClient(flags)
	if err != nil {
		return nil, installed{}, err
	}
	namespace := flags.namespaceFlag()
	// A watch that is refused is tried again for ever; this tells why.
	if err := live.List(ctx, &v1alpha1.RecommendationList{}, client.InNamespace(namespace), client.Limit(1)); err != nil {
		return nil, installed{}, explainReadError(err)
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		return nil, installed{}, fmt.Errorf("prepare the client: %w", err)
	}
	options := cache.Options{Scheme: scheme, DefaultTransform: cache.TransformStripManagedFields()}
	if namespace != "" {
		options.DefaultNamespaces = map[string]cache.Config{namespace: {}}
	}
	watched, err := cache.New(restConfig, options)
	if err != nil {
		return nil, installed{}, fmt.Errorf("prepare to watch recommendations: %w", err)
	}
	go func() { _ = watched.Start(ctx) }() // It fails only if it is started twice.
	if _, err := watched.GetInformer(ctx, &v1alpha1.Recommendation{}); err != nil {
		return nil, installed{}, explainReadError(err)
	}
	operator := installed{config: cfg}
	if d.config == "" {
		operator = findInstalled(ctx, live, d.operator)
	}
	return &dashboard.Cluster{Cached: watched, Live: live, Hidden: []string{operator.config.Updater.ProbeNamespace}, StopReasons: operator.halts}, operator, nil
}

// Bounds of what one request may take.
const (
	headerTimeout   = 5 * time.Second
	requestTimeout  = 30 * time.Second
	maxHeaderBytes  = 64 << 10
	shutdownTimeout = 3 * time.Second
)

func newServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, WriteTimeout: requestTimeout, MaxHeaderBytes: maxHeaderBytes,
	}
}

// serve answers requests until ctx ends.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := newServer(handler)
	stop := context.AfterFunc(ctx, func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		_ = server.Shutdown(ending) // What is still open by then is closed with the process.
	})
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the dashboard: %w", err)
	}
	return nil
}
