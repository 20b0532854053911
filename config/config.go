// Package config is the operator's configuration: its types, its defaults and its rules.
//
// A configuration is read in three steps: decode strictly (a field nobody knows is an error that names its path) on top of
// the defaults, then validate everything at once. A field that is absent or null keeps its default; a zero that was written
// is a zero, and is refused where zero makes no sense.
package config

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/internal/owner"
)

// The only apiVersion and kind that Load accepts.
const (
	APIVersion = "config.loadline.dev/v1alpha1"
	Kind       = "Configuration"
)

// systemNamespace is never touched, whatever the configuration says.
const systemNamespace = metav1.NamespaceSystem

// Config is the configuration of every part of Loadline. Each part reads its own section.
type Config struct {
	metav1.TypeMeta `json:",inline"`

	// Namespace in which Loadline itself runs.
	Namespace string `json:"namespace"`

	// ExcludedNamespaces are never touched, even when annotated. kube-system and Namespace always belong to them.
	ExcludedNamespaces []string `json:"excludedNamespaces"`

	// MetricsAddress is where Loadline's own metrics are served, as host:port; "0" means nowhere.
	MetricsAddress string `json:"metricsAddress"`

	// HealthAddress is where /healthz and /readyz are served, as host:port; "0" means nowhere.
	HealthAddress string `json:"healthAddress"`

	// Kubernetes bounds the requests to the API server.
	Kubernetes Kubernetes `json:"kubernetes"`

	Recommender Recommender `json:"recommender"`
	Prometheus  Prometheus  `json:"prometheus"`
	Advisor     Advisor     `json:"advisor"`
	Webhook     Webhook     `json:"webhook"`
	Updater     Updater     `json:"updater"`

	Scaling Scaling `json:"scaling"`

	Dashboard Dashboard `json:"dashboard"`

	// Policy is used where a namespace has no SizingPolicy, and for the fields that a SizingPolicy leaves out.
	Policy v1alpha1.SizingPolicySpec `json:"policy"`
}

// Excluded reports whether Loadline must not touch the namespace.
func (c Config) Excluded(namespace string) bool {
	return namespace == systemNamespace || namespace == c.Namespace || slices.Contains(c.ExcludedNamespaces, namespace)
}

// Kubernetes bounds the requests to the API server.
type Kubernetes struct {
	// QPS is the sustained number of requests per second.
	QPS float32 `json:"qps"`
	// Burst is the number of requests that may be made at once.
	Burst int `json:"burst"`
}

// Dashboard says where the recommender serves its pages, by TLS and only to those who may get /dashboard/*.
type Dashboard struct {
	// Address to serve at, as host:port; "0" means nowhere.
	Address string `json:"address"`
	// CertDir holds tls.crt and tls.key, which are read again when they change. Empty: a certificate that signs itself.
	CertDir string `json:"certDir"`
	// PricesFile has what a core and a GiB cost, as `loadline report --prices` takes it. Empty: public on-demand prices in dollars. It is read at the start.
	PricesFile string `json:"pricesFile"`
}

// Scaling says whose number of pods counts.
type Scaling struct {
	// YieldFor is how long a number of pods that somebody else set, for instance with kubectl scale, is left alone; 0 is not
	// at all.
	YieldFor metav1.Duration `json:"yieldFor"`
	// Kinds with a scale subresource that are treated like Deployments, besides those of Kubernetes itself.
	Kinds []ScaleKind `json:"kinds"`
}

// ScaleKind is a custom kind of workload with spec.template, spec.replicas and a scale subresource. It must exist when Loadline
// starts.
type ScaleKind struct {
	// Group of the API, such as argoproj.io.
	Group string `json:"group"`
	// Version of the API, such as v1alpha1.
	Version string `json:"version"`
	// Kind of the workload, such as Rollout.
	Kind string `json:"kind"`
	// Resource is the plural by which the API server knows the kind, such as rollouts.
	Resource string `json:"resource"`
	// PodTemplateHashLabel of its pods ends the name of the ReplicaSet between, such as rollouts-pod-template-hash. Empty where
	// the kind controls its pods itself.
	PodTemplateHashLabel string `json:"podTemplateHashLabel"`
}

// Owners are the kinds as pods are searched by.
func (s Scaling) Owners() owner.Kinds {
	var kinds owner.Kinds
	for _, k := range s.Kinds {
		kinds = append(kinds, owner.Kind{APIVersion: k.Group + "/" + k.Version, Kind: k.Kind, HashLabel: k.PodTemplateHashLabel})
	}
	return kinds
}

// Recommender says how workloads are read and sizes computed.
type Recommender struct {
	// SyncInterval is the time between two looks at one workload.
	SyncInterval metav1.Duration `json:"syncInterval"`
	// ResyncJitterPercent of SyncInterval is the most that is added to it: a fixed part of each workload, so that they do not
	// come all at once.
	ResyncJitterPercent int `json:"resyncJitterPercent"`
	// Workers is the number of workloads that are computed at the same time.
	Workers int `json:"workers"`
	// Horizon is how far ahead the demand is forecast, in whole hours.
	Horizon metav1.Duration `json:"horizon"`
	// RetryBackoffMax is the longest wait after a failed look, for instance while Prometheus is down.
	RetryBackoffMax metav1.Duration `json:"retryBackoffMax"`
	// RefreshInterval is how often observedTime is written when nothing else changed.
	RefreshInterval metav1.Duration `json:"refreshInterval"`
	// StaleAfter is the age of observedTime at which a Recommendation is Stale.
	StaleAfter metav1.Duration `json:"staleAfter"`
	// UnschedulableAfter is how long a pod may find no node for its recommended sizes before they are lowered to what fits.
	UnschedulableAfter metav1.Duration `json:"unschedulableAfter"`
	// Retention is how long a Recommendation outlives its workload or the namespace's opt-in.
	Retention metav1.Duration `json:"retention"`

	LeaderElection LeaderElection `json:"leaderElection"`
}

// OutlivedAfter is the age of observedTime at which what was recommended for the present hour holds no longer: the time that the recommender may
// say nothing while nothing changes, and that hour.
func (r Recommender) OutlivedAfter() time.Duration { return r.RefreshInterval.Duration + time.Hour }

// LeaderElection makes one replica of a part active. The times are those of a Kubernetes Lease.
type LeaderElection struct {
	// Enabled may be switched off only where there is never more than one replica, not even during an update.
	Enabled bool `json:"enabled"`
	// LeaseName in the operator's namespace.
	LeaseName string `json:"leaseName"`
	// LeaseDuration is how long the others wait before they take over.
	LeaseDuration metav1.Duration `json:"leaseDuration"`
	// RenewDeadline is how long the leader tries to renew before it gives up; shorter than LeaseDuration.
	RenewDeadline metav1.Duration `json:"renewDeadline"`
	// RetryPeriod is the time between two tries; shorter than RenewDeadline.
	RetryPeriod metav1.Duration `json:"retryPeriod"`
}

// CertMode says where the webhook's certificate comes from.
type CertMode string

// Certificate modes.
const (
	// CertSelfSigned: the webhook makes and rotates its own certificate and keeps it in a Secret.
	CertSelfSigned CertMode = "self-signed"
	// CertFromSecret: somebody else, such as cert-manager, keeps the certificate in a Secret and its CA in the webhook
	// configurations. The webhook takes over what is in the Secret at once.
	CertFromSecret CertMode = "secret"
	// CertFiles: tls.crt and tls.key lie in CertDir and are read again when they change.
	CertFiles CertMode = "files"
)

// Webhook says how admission is served.
type Webhook struct {
	// Host to listen on; empty means every address.
	Host string `json:"host"`
	// Port to listen on.
	Port int `json:"port"`

	// CertMode says where the certificate comes from: the webhook makes, keeps and renews it itself (self-signed), somebody else such
	// as cert-manager keeps it in CertSecret (secret), or it lies in CertDir (files).
	CertMode CertMode `json:"certMode"`
	// CertDir holds tls.crt and tls.key.
	CertDir string `json:"certDir"`
	// CertSecret in the operator's namespace holds the certificate in the modes self-signed, where it must exist and may be
	// empty, and secret, where it may come later.
	CertSecret string `json:"certSecret"`
	// ServiceName is the Service that the API server calls; the certificate is made for it.
	ServiceName string `json:"serviceName"`
	// MutatingName is the mutating webhook configuration whose caBundle is kept in mode self-signed.
	MutatingName string `json:"mutatingName"`
	// ValidatingName is the validating one.
	ValidatingName string `json:"validatingName"`
}

// Updater says how running pods are changed. The budgets hold for the whole cluster; a workload's own budget is in its
// policy. A budget of 0 forbids that kind of change.
type Updater struct {
	// Interval is the time between two rounds.
	Interval metav1.Duration `json:"interval"`
	// WarmUp is how long a new leader watches before it acts.
	WarmUp metav1.Duration `json:"warmUp"`
	// ProbeNamespace is where the admission round trip is tried, with dry-run pods only.
	ProbeNamespace string `json:"probeNamespace"`
	// ProbeMaxAge is how old the last successful admission round trip may be for the updater to act.
	ProbeMaxAge metav1.Duration `json:"probeMaxAge"`
	// ProbeMaxLatency is how long the admission round trip may take for the updater to act.
	ProbeMaxLatency metav1.Duration `json:"probeMaxLatency"`
	// EvictionsPerMinute is how many pods may go in a minute in the whole cluster: evicted, or because the number of pods is lowered.
	EvictionsPerMinute int `json:"evictionsPerMinute"`
	// NamespaceEvictionsPerHour is how many may go in an hour in one namespace.
	NamespaceEvictionsPerHour int `json:"namespaceEvictionsPerHour"`
	// ResizesPerMinute, in place, in the whole cluster. Ten times as many may only give back what Loadline took from running pods.
	ResizesPerMinute int `json:"resizesPerMinute"`
	// ResizeRetryInterval is when a resize that the API server refused is asked for again for the first time; from then on after
	// twice as long each time, at most an hour.
	ResizeRetryInterval metav1.Duration `json:"resizeRetryInterval"`
	// KillSwitchConfigMap in the operator's namespace stops the updater while it is there, unless its key "stop" is "false".
	KillSwitchConfigMap string `json:"killSwitchConfigMap"`
	// Breaker stops every change when the whole cluster gets worse.
	Breaker Breaker `json:"breaker"`
	// RecordConfigMap in the operator's namespace is where the updater writes down what it does. It must exist, and may be empty.
	RecordConfigMap string `json:"recordConfigMap"`

	LeaderElection LeaderElection `json:"leaderElection"`
}

// Breaker says when every change in the cluster stops. A count opens the breaker when it has reached what is written here, and
// three times what is usual in the cluster; 0 means that it is not looked at. What counts workloads counts those that run with
// Loadline's sizes; everything else in a namespace is one more. It has to be 1 % of the workloads with such sizes, and at most half of it may
// come from one namespace.
type Breaker struct {
	// Window over which events are counted.
	Window metav1.Duration `json:"window"`
	// Quiet is how long no count may be high before a little is tried, and then again before everything goes on.
	Quiet metav1.Duration `json:"quiet"`
	// OOMKills is the number of workloads with containers killed for lack of memory, or pods that their nodes evicted for it.
	OOMKills int `json:"oomKills"`
	// PendingPods is the number of workloads with pods that no node has room for at the moment.
	PendingPods int `json:"pendingPods"`
	// UnsizedWorkloads is the number of workloads whose new pods came from admission without sizes.
	UnsizedWorkloads int `json:"unsizedWorkloads"`
	// ProbeFailures is the number of admission round trips that failed.
	ProbeFailures int `json:"probeFailures"`
	// APITrouble is the number of changes that the API server did not answer, or not in time.
	APITrouble int `json:"apiTrouble"`
}
