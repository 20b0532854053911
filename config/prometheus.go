package config

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Prometheus says where history is read, and how. Any server with the Prometheus HTTP API will do.
type Prometheus struct {
	// URL of the server, with the path prefix it needs, such as http://mimir:8080/prometheus. Required: there is no other
	// source of history yet.
	URL string `json:"url"`

	Auth PrometheusAuth `json:"auth"`
	TLS  PrometheusTLS  `json:"tls"`
	// Headers are added to every request, such as X-Scope-OrgID for a multi-tenant server.
	Headers map[string]string `json:"headers"`

	// ParallelQueries is the largest number of queries at the same time.
	ParallelQueries int `json:"parallelQueries"`
	// Timeout of one query.
	Timeout metav1.Duration `json:"timeout"`
	// MaxResponseBytes of one answer, uncompressed. A larger one is dropped and asked for again in smaller parts.
	MaxResponseBytes int64 `json:"maxResponseBytes"`

	// RateWindow is the range over which counters become rates: at least four times the scrape interval is sound.
	RateWindow metav1.Duration `json:"rateWindow"`
	// BackfillDays is how far back the first read goes.
	BackfillDays int `json:"backfillDays"`
	// Chunk is the span of one query during the first read.
	Chunk metav1.Duration `json:"chunk"`
	// Overlap is how much is read again each time, for samples that arrived late.
	Overlap metav1.Duration `json:"overlap"`

	// Labels name the labels of the container metrics.
	Labels PrometheusLabels `json:"labels"`
	// ExtraMatchers are added to every selector, such as cluster="prod". Comma-separated PromQL label matchers.
	ExtraMatchers string `json:"extraMatchers"`
	// Queries read the container metrics.
	Queries PrometheusQueries `json:"queries"`
}

// PrometheusAuth is at most one of a bearer token and a user with a password. The files are read again at every request.
type PrometheusAuth struct {
	// BearerTokenFile holds a token.
	BearerTokenFile string `json:"bearerTokenFile"`
	// User for basic authentication.
	User string `json:"user"`
	// PasswordFile holds the user's password.
	PasswordFile string `json:"passwordFile"`
}

// PrometheusTLS is for an https URL. Files are PEM.
type PrometheusTLS struct {
	// CAFile verifies the server; empty means the system's authorities.
	CAFile string `json:"caFile"`
	// CertFile identifies Loadline to the server, together with KeyFile; both or neither.
	CertFile string `json:"certFile"`
	// KeyFile is the key of CertFile.
	KeyFile string `json:"keyFile"`
	// ServerName expected in the certificate; empty means the host of the URL.
	ServerName string `json:"serverName"`
	// InsecureSkipVerify trusts any server. For trials only.
	InsecureSkipVerify bool `json:"insecureSkipVerify"`
}

// PrometheusLabels are label names.
type PrometheusLabels struct {
	// Namespace is the label with the pod's namespace.
	Namespace string `json:"namespace"`
	// Pod is the label with the pod's name.
	Pod string `json:"pod"`
	// Container is the label with the container's name.
	Container string `json:"container"`
}

// PrometheusQueries are PromQL templates, evaluated every five minutes. Each must give one series per pod and container
// that carries the namespace, pod and container labels. These words are replaced:
//
//   - $by: the three label names, separated by commas
//   - $selector: matchers for one namespace and for real containers, with ExtraMatchers, without braces
//   - $namespace: the bare name of the namespace
//   - $rateWindow: RateWindow; $step: five minutes
//
// A query that is empty is not asked; those of CPU and of the working set are required.
type PrometheusQueries struct {
	// CPU in cores.
	CPU string `json:"cpu"`
	// WorkingSet in bytes.
	WorkingSet string `json:"workingSet"`
	// RSS in bytes.
	RSS string `json:"rss"`
	// ThrottledPeriods are the CFS periods per second in which a container was throttled.
	ThrottledPeriods string `json:"throttledPeriods"`
	// Periods are all CFS periods per second. The ratio of the two is the throttled share.
	Periods string `json:"periods"`
}
