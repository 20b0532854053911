package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/loadline-dev/loadline/internal/owner"
	"github.com/loadline-dev/loadline/webhook/certs"
)

// Paths of the handlers, as the webhook configurations name them.
const (
	PathMutatePods         = "/mutate-pods"
	PathMutateWorkloads    = "/mutate-workloads"
	PathMutateNamespaces   = "/mutate-namespaces"
	PathValidateNamespaces = "/validate-namespaces"
	PathValidateWorkloads  = "/validate-workloads"
	PathValidateLoadline   = "/validate-loadline"
	PathAdviseWorkloads    = "/advise-workloads"
	PathAdviseAutoscalers  = "/advise-autoscalers"
)

const (
	// DefaultStaleAfter is how old sizes may be before they no longer lower anything at admission.
	DefaultStaleAfter = 24 * time.Hour
	// DefaultOutlivedAfter is how old a number of pods may be before it lowers nothing, and the schedule counts as well.
	DefaultOutlivedAfter = 7 * time.Hour
)

// Options of Setup.
type Options struct {
	// Excluded reports the namespaces whose pods are never touched: at least kube-system and Loadline's own. Required.
	Excluded func(namespace string) bool

	// Host and Port to listen on. An empty Host means all addresses, Port 0 means 9443.
	Host string
	Port int
	// CertDir holds tls.crt and tls.key; both are read again when they change. Required.
	CertDir string
	// CertsReady, if not nil, is closed once CertDir is filled. The server starts after that.
	CertsReady <-chan struct{}

	// StaleAfter is the age of a Recommendation's observedTime after which it lowers neither memory nor replicas.
	// Zero means DefaultStaleAfter.
	StaleAfter time.Duration
	// OutlivedAfter is the age after which it lowers no replicas, and asks for as many as its schedule and the manifest do.
	// Zero means DefaultOutlivedAfter.
	OutlivedAfter time.Duration

	// Kinds of workloads besides those of Kubernetes itself.
	Kinds owner.Kinds
	// YieldFor is how long a number of pods that somebody decided on is left alone. Zero means not at all.
	YieldFor time.Duration

	// Registerer for the metrics. Required.
	Registerer prometheus.Registerer
	// Clock is the real one if nil.
	Clock clock.PassiveClock
	// Log is silent if it is the zero Logger.
	Log logr.Logger
}

// Setup adds the admission server to a manager whose cache was built with CacheOptions, and the check "webhook" to the
// manager's readiness. The server listens, and is ready, once the caches are filled and the certificate is there; it runs on
// every replica. Call it before the manager starts.
func Setup(mgr manager.Manager, o Options) error {
	if o.Excluded == nil || o.Registerer == nil || o.CertDir == "" {
		return errors.New("set up the webhook: Excluded, Registerer and CertDir are required")
	}
	if err := prepareCache(context.Background(), mgr.GetCache()); err != nil {
		return fmt.Errorf("set up the webhook: %w", err)
	}
	served := certs.Serve(o.CertDir, func(err error) { o.Log.Error(err, "the certificate from before is still served") })
	s := ctrlwebhook.NewServer(ctrlwebhook.Options{
		Host: o.Host, Port: o.Port, TLSOpts: []func(*tls.Config){func(c *tls.Config) { c.GetCertificate = served.Certificate }},
	})
	h, err := register(s, cached{mgr.GetCache()}, mgr.GetEventRecorder("loadline.dev/webhook"), o)
	if err != nil {
		return fmt.Errorf("set up the webhook: %w", err)
	}
	for _, runs := range []manager.Runnable{h, lateFacts{cache: mgr.GetCache(), log: o.Log}} {
		if err := mgr.Add(runs); err != nil {
			return fmt.Errorf("set up the webhook: %w", err)
		}
	}
	if err := mgr.AddReadyzCheck("webhook", s.StartedChecker()); err != nil {
		return fmt.Errorf("set up the webhook: %w", err)
	}
	return mgr.Add(&lateServer{server: s, certsReady: o.CertsReady, served: served})
}

// caches is everything that handlers look at.
type caches interface {
	lookup
	limitRanges
	facts
}

// register puts all handlers on a server. The herald that it returns has to be started by the caller.
func register(s ctrlwebhook.Server, look caches, recorder events.EventRecorder, o Options) (*herald, error) {
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.StaleAfter == 0 {
		o.StaleAfter = DefaultStaleAfter
	}
	if o.OutlivedAfter == 0 {
		o.OutlivedAfter = DefaultOutlivedAfter
	}
	h := newHerald(recorder, o.Clock, m)
	sh := &shell{metrics: m, clock: o.Clock, log: o.Log, tell: h.tell}
	g := gate{lookup: look, excluded: o.Excluded, clock: o.Clock, staleAfter: o.StaleAfter, outlivedAfter: o.OutlivedAfter, kinds: o.Kinds}
	ns := &namespaces{excluded: o.Excluded}
	v := &adviser{gate: g, facts: look}
	own := &objects{policies: policies{adviser: v}, recommendations: recommendations{clock: o.Clock}}

	s.Register(PathMutatePods, sh.handler("pods", (&pods{gate: g, limits: look}).mutate))
	s.Register(PathMutateWorkloads, sh.handler("workloads", (&workloads{gate: g, yieldFor: o.YieldFor}).mutate))
	s.Register(PathMutateNamespaces, sh.handler("namespaces", ns.label))
	s.Register(PathValidateNamespaces, sh.handler("validate-namespaces", withWarnings(ns.validate, v.namespace)))
	s.Register(PathValidateWorkloads, sh.handler("validate-workloads", validateWorkload))
	s.Register(PathValidateLoadline, sh.handler("validate-loadline", own.validate))
	s.Register(PathAdviseWorkloads, sh.handler("advise-workloads", v.workload))
	s.Register(PathAdviseAutoscalers, sh.handler("advise-autoscalers", v.autoscaler))
	return h, nil
}

// lateServer starts an admission server after its certificate is there. It also hides it from the manager, which starts
// webhook servers before the caches are filled: this one never answers out of an empty cache.
type lateServer struct {
	server     ctrlwebhook.Server
	certsReady <-chan struct{}
	served     *certs.Served
}

var _ manager.LeaderElectionRunnable = (*lateServer)(nil)

// NeedLeaderElection says that every replica serves.
func (*lateServer) NeedLeaderElection() bool { return false }

// Start serves until the context ends.
func (s *lateServer) Start(ctx context.Context) error {
	if s.certsReady != nil {
		select {
		case <-s.certsReady:
		case <-ctx.Done():
			return nil
		}
	}
	if _, err := s.served.Certificate(nil); err != nil {
		return err
	}
	return s.server.Start(ctx)
}
