// Package doctor looks at a cluster as an engineer would who was called because Loadline does not do what it should: it goes
// through everything that has to be right, says what it found and where, and gives the command that puts it right. It changes nothing.
package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/config"
)

// Severity of a finding.
type Severity string

// Severities, from good to bad. Unseen is what the rights of whoever asks do not allow to see, or what cannot be reached from here.
const (
	OK      Severity = "ok"
	Unseen  Severity = "unseen"
	Warning Severity = "warning"
	Error   Severity = "error"
)

// Finding is one thing that was looked at.
type Finding struct {
	// Check names what was looked at, such as certificate.
	Check    string   `json:"check"`
	Severity Severity `json:"severity"`
	// What is so, in a sentence.
	What string `json:"what"`
	// Where: the object or address.
	Where string `json:"where,omitempty"`
	// Fix is a command for a shell that puts it right, or that comes closest to it; only what is OK has none. It needs kubectl and
	// loadline, helm where Helm installed Loadline, and here and there curl, openssl and base64.
	Fix string `json:"fix,omitempty"`
}

// Report is everything that was found.
type Report struct {
	Findings []Finding `json:"findings"`
}

// Worst returns the worst severity among the findings.
func (r Report) Worst() Severity {
	worst := OK
	for _, f := range r.Findings {
		if rank(f.Severity) > rank(worst) {
			worst = f.Severity
		}
	}
	return worst
}

func rank(s Severity) int { return slices.Index([]Severity{OK, Unseen, Warning, Error}, s) }

// Options of Examine. All but ConfigFrom, Prometheus, Queries and Model are required.
type Options struct {
	// REST reaches the cluster.
	REST *rest.Config
	// Client of the same cluster, which knows Kubernetes' kinds, CustomResourceDefinitions and Loadline's kinds.
	Client    client.Client
	Discovery discovery.DiscoveryInterface
	Clock     clock.PassiveClock
	// Config that the parts run with.
	Config config.Config
	// ConfigFrom is where it is from: configmap/NAME in the operator's namespace, or a file; empty where nobody names one.
	ConfigFrom string
	// Prometheus is asked the queries that Queries returns for a namespace, by their names in the configuration.
	Prometheus Prometheus
	Queries    func(namespace string) map[string]string
	// Program is what people type to run Loadline, such as loadline. Commands for it begin so.
	Program string
	// Model asks the model's server whether the model is there; nil where none is configured.
	Model func(context.Context) error
}

// examiner goes through the checks.
type examiner struct {
	Options
	installation
	client client.Client
}

// Examine makes every check. One that fails keeps no other from being made.
func Examine(ctx context.Context, o Options) Report {
	e := examiner{Options: o, client: o.Client}
	parts := e.parts(ctx)
	e.installation = parts.installation
	if e.certificates, e.unseenCertificates = e.listCertificates(ctx); e.unseenCertificates != nil {
		e.injected = e.injectedFrom(ctx)
	}
	parts.examiner = e
	checks := []func(context.Context) []Finding{
		e.cluster, e.clocks, e.kinds, parts.findings, e.rights, e.policies,
		e.webhooks, e.service, e.certificate, e.certManager, e.admission, e.halts, e.prometheus, e.model, e.optIn, e.stale, e.autoscalers,
	}
	var r Report
	for _, check := range checks {
		r.Findings = append(r.Findings, check(ctx)...)
	}
	return r
}

// few lists some names, and how many there are besides.
func few(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
