package config

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Validate returns everything that is wrong with a complete configuration: where, what, and what is legal.
func Validate(c *Config) field.ErrorList {
	var v checks
	v.config(c)
	return v.found
}

func (v *checks) config(c *Config) {
	root := (*field.Path)(nil)
	v.equals(root.Child("apiVersion"), c.APIVersion, APIVersion)
	v.equals(root.Child("kind"), c.Kind, Kind)
	v.label(root.Child("namespace"), c.Namespace)
	for i, namespace := range c.ExcludedNamespaces {
		v.label(root.Child("excludedNamespaces").Index(i), namespace)
	}
	v.bindAddress(root.Child("metricsAddress"), c.MetricsAddress)
	v.bindAddress(root.Child("healthAddress"), c.HealthAddress)
	if c.MetricsAddress == c.HealthAddress && c.HealthAddress != "0" {
		v.add(field.Invalid(root.Child("healthAddress"), c.HealthAddress, "must differ from metricsAddress"))
	}
	v.dashboard(root.Child("dashboard"), c)
	kubernetes := root.Child("kubernetes")
	v.within(kubernetes.Child("qps"), float64(c.Kubernetes.QPS), 1, 1000)
	v.within(kubernetes.Child("burst"), float64(c.Kubernetes.Burst), 1, 10000)

	v.recommender(root.Child("recommender"), &c.Recommender)
	v.prometheus(root.Child("prometheus"), &c.Prometheus)
	v.advisor(root.Child("advisor"), &c.Advisor)
	v.webhook(root.Child("webhook"), &c.Webhook)
	v.updater(root.Child("updater"), &c.Updater)
	if c.Excluded(c.Updater.ProbeNamespace) {
		v.add(field.Invalid(root.Child("updater", "probeNamespace"), c.Updater.ProbeNamespace,
			"must not be excluded: admission is tried there, and without a success nothing is ever updated"))
	}
	v.duration(root.Child("scaling", "yieldFor"), c.Scaling.YieldFor, 0, 7*24*time.Hour)
	v.scaleKinds(root.Child("scaling", "kinds"), c.Scaling.Kinds)
	v.policy(root.Child("policy"), &c.Policy)
}

func (v *checks) recommender(at *field.Path, r *Recommender) {
	v.duration(at.Child("syncInterval"), r.SyncInterval, time.Second, time.Hour)
	v.within(at.Child("resyncJitterPercent"), float64(r.ResyncJitterPercent), 0, 100)
	v.within(at.Child("workers"), float64(r.Workers), 1, 64)
	v.duration(at.Child("horizon"), r.Horizon, time.Hour, 7*24*time.Hour)
	v.rule(at.Child("horizon"), "whole hours")
	if r.Horizon.Duration%time.Hour != 0 {
		v.add(field.Invalid(at.Child("horizon"), r.Horizon.Duration.String(), "must be whole hours"))
	}
	v.duration(at.Child("retryBackoffMax"), r.RetryBackoffMax, time.Second, time.Hour)
	v.duration(at.Child("refreshInterval"), r.RefreshInterval, time.Minute, 24*time.Hour)
	v.duration(at.Child("staleAfter"), r.StaleAfter, time.Minute, 7*24*time.Hour)
	v.longer(at.Child("staleAfter"), r.StaleAfter, "refreshInterval", r.RefreshInterval)
	v.duration(at.Child("unschedulableAfter"), r.UnschedulableAfter, time.Second, time.Hour)
	v.duration(at.Child("retention"), r.Retention, time.Hour, 365*24*time.Hour)
	v.leaderElection(at.Child("leaderElection"), &r.LeaderElection)
}

func (v *checks) dashboard(at *field.Path, c *Config) {
	address := c.Dashboard.Address
	v.bindAddress(at.Child("address"), address)
	if address != "0" && (address == c.MetricsAddress || address == c.HealthAddress) {
		v.add(field.Invalid(at.Child("address"), address, "must differ from metricsAddress and healthAddress"))
	}
}

func (v *checks) webhook(at *field.Path, w *Webhook) {
	v.within(at.Child("port"), float64(w.Port), 1, 65535)
	v.rule(at.Child("certMode"), choice([]CertMode{CertSelfSigned, CertFromSecret, CertFiles}))
	switch w.CertMode {
	case CertSelfSigned:
		v.name(at.Child("certSecret"), w.CertSecret)
		v.label(at.Child("serviceName"), w.ServiceName)
		v.name(at.Child("mutatingName"), w.MutatingName)
		v.name(at.Child("validatingName"), w.ValidatingName)
	case CertFromSecret:
		v.name(at.Child("certSecret"), w.CertSecret)
	case CertFiles:
	default:
		v.add(field.NotSupported(at.Child("certMode"), w.CertMode, []CertMode{CertSelfSigned, CertFromSecret, CertFiles}))
	}
	v.rule(at.Child("certDir"), "required")
	if w.CertDir == "" {
		v.add(field.Required(at.Child("certDir"), "the folder of tls.crt and tls.key"))
	}
}

func (v *checks) updater(at *field.Path, u *Updater) {
	v.duration(at.Child("interval"), u.Interval, time.Second, time.Hour)
	v.duration(at.Child("warmUp"), u.WarmUp, 0, time.Hour)
	v.label(at.Child("probeNamespace"), u.ProbeNamespace)
	v.duration(at.Child("probeMaxAge"), u.ProbeMaxAge, time.Second, time.Hour)
	v.longer(at.Child("probeMaxAge"), u.ProbeMaxAge, "interval", u.Interval)
	v.duration(at.Child("probeMaxLatency"), u.ProbeMaxLatency, 10*time.Millisecond, 5*time.Second)
	v.within(at.Child("evictionsPerMinute"), float64(u.EvictionsPerMinute), 0, 300)
	v.within(at.Child("namespaceEvictionsPerHour"), float64(u.NamespaceEvictionsPerHour), 0, 10000)
	v.within(at.Child("resizesPerMinute"), float64(u.ResizesPerMinute), 0, 1000)
	v.duration(at.Child("resizeRetryInterval"), u.ResizeRetryInterval, time.Second, time.Hour)
	v.name(at.Child("killSwitchConfigMap"), u.KillSwitchConfigMap)
	v.breaker(at.Child("breaker"), &u.Breaker)
	v.name(at.Child("recordConfigMap"), u.RecordConfigMap)
	if u.RecordConfigMap == u.KillSwitchConfigMap {
		v.add(field.Invalid(at.Child("recordConfigMap"), u.RecordConfigMap, "must differ from killSwitchConfigMap, which stops the updater while it is there"))
	}
	v.leaderElection(at.Child("leaderElection"), &u.LeaderElection)
}

func (v *checks) breaker(at *field.Path, b *Breaker) {
	v.duration(at.Child("window"), b.Window, time.Second, time.Hour)
	v.duration(at.Child("quiet"), b.Quiet, time.Second, 24*time.Hour)
	for name, minimum := range map[string]int{
		"oomKills": b.OOMKills, "pendingPods": b.PendingPods, "unsizedWorkloads": b.UnsizedWorkloads,
		"probeFailures": b.ProbeFailures, "apiTrouble": b.APITrouble,
	} {
		v.within(at.Child(name), float64(minimum), 0, 1_000_000)
	}
}

func (v *checks) leaderElection(at *field.Path, l *LeaderElection) {
	if !l.Enabled {
		return
	}
	v.name(at.Child("leaseName"), l.LeaseName)
	v.duration(at.Child("retryPeriod"), l.RetryPeriod, time.Second, time.Hour)
	v.longer(at.Child("renewDeadline"), l.RenewDeadline, "retryPeriod", l.RetryPeriod)
	v.longer(at.Child("leaseDuration"), l.LeaseDuration, "renewDeadline", l.RenewDeadline)
}

// checks collects what is wrong.
type checks struct {
	found field.ErrorList
	// legal, if not nil, collects what is legal, by path, for the reference.
	legal map[string][]string
}

// rule notes what is legal at a path.
func (v *checks) rule(at *field.Path, legal string) {
	if v.legal != nil {
		v.legal[at.String()] = append(v.legal[at.String()], legal)
	}
}

// between writes whole bounds.
func between(smallest, largest float64) string { return fmt.Sprintf("%.0f to %.0f", smallest, largest) }

// choice lists what may be chosen.
func choice[T ~string](known []T) string {
	words := make([]string, len(known))
	for i, word := range known {
		words[i] = string(word)
	}
	return strings.Join(words, ", ")
}

func (v *checks) add(err *field.Error) { v.found = append(v.found, err) }

func (v *checks) equals(at *field.Path, got, want string) {
	v.rule(at, want)
	if got != want {
		v.add(field.NotSupported(at, got, []string{want}))
	}
}

func (v *checks) within(at *field.Path, got, smallest, largest float64) {
	v.rule(at, between(smallest, largest))
	if !(got >= smallest && got <= largest) { // Written so that NaN fails.
		v.add(field.Invalid(at, got, fmt.Sprintf("must be between %v and %v", smallest, largest)))
	}
}

func (v *checks) duration(at *field.Path, got metav1.Duration, shortest, longest time.Duration) {
	v.rule(at, fmt.Sprintf("%v to %v", shortest, longest))
	if got.Duration < shortest || got.Duration > longest {
		v.add(field.Invalid(at, got.Duration.String(), fmt.Sprintf("must be between %v and %v", shortest, longest)))
	}
}

func (v *checks) longer(at *field.Path, got metav1.Duration, otherName string, other metav1.Duration) {
	v.rule(at, "longer than "+otherName)
	if got.Duration <= other.Duration {
		v.add(field.Invalid(at, got.Duration.String(), fmt.Sprintf("must be longer than %s, %v", otherName, other.Duration)))
	}
}

// label checks the name of a namespace or Service.
func (v *checks) label(at *field.Path, got string) {
	v.rule(at, "a DNS label")
	for _, message := range validation.IsDNS1123Label(got) {
		v.add(field.Invalid(at, got, message))
	}
}

// name checks the name of any other object.
func (v *checks) name(at *field.Path, got string) {
	v.rule(at, "a name of an object")
	for _, message := range validation.IsDNS1123Subdomain(got) {
		v.add(field.Invalid(at, got, message))
	}
}

func (v *checks) bindAddress(at *field.Path, got string) {
	v.rule(at, `host:port, or "0"`)
	if got == "0" {
		return
	}
	_, port, err := net.SplitHostPort(got)
	if number, atoiErr := strconv.Atoi(port); err != nil || atoiErr != nil || number < 0 || number > 65535 {
		v.add(field.Invalid(at, got, `must be host:port with a port from 0 to 65535, such as ":8080", or "0" for none`))
	}
}
