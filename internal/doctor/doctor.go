// Package doctor looks at a cluster as an engineer would who was called because Loadline does not do what it should: it goes
// through everything that has to be right, says what it found and where, and gives the command that puts it right. It changes nothing.
package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
	// Fix is a command for a shell that puts it right, or that comes closest to it. It needs kubectl and loadline.
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

// Options of Examine. All but Prometheus, Queries and Model are required.
type Options struct {
	// REST reaches the cluster.
	REST *rest.Config
	// Client of the same cluster, which knows Kubernetes' kinds, CustomResourceDefinitions and Loadline's kinds.
	Client    client.Client
	Discovery discovery.DiscoveryInterface
	Clock     clock.PassiveClock
	// Config that the parts run with.
	Config config.Config
	// Prometheus is asked the queries that Queries returns for a namespace, by their names in the configuration.
	Prometheus Prometheus
	Queries    func(namespace string) map[string]string
	// Model asks the model's server whether the model is there; nil where none is configured.
	Model func(context.Context) error
}

// examiner goes through the checks.
type examiner struct {
	Options
	client client.Client
	// deployments are the names of those in which each part runs.
	deployments map[string]string
}

// Examine makes every check. One that fails keeps no other from being made.
func Examine(ctx context.Context, o Options) Report {
	e := examiner{Options: o, client: o.Client}
	parts := e.parts(ctx)
	e.deployments = parts.deployments
	parts.examiner = e
	checks := []func(context.Context) []Finding{
		e.cluster, e.clocks, e.kinds, parts.findings, func(ctx context.Context) []Finding { return e.rights(ctx, parts) },
		e.webhooks, e.certificate, e.certManager, e.admission, e.halts, e.prometheus, e.model, e.optIn, e.stale, e.autoscalers,
	}
	var r Report
	for _, check := range checks {
		r.Findings = append(r.Findings, check(ctx)...)
	}
	return r
}

// unseen is a finding about what cannot be looked at. Only what is forbidden is the matter of whoever asks; other errors are
// trouble.
func unseen(check, what string, err error) Finding {
	severity, why := Error, err.Error()
	if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
		severity, why = Unseen, "you may not read it"
	}
	return Finding{Check: check, Severity: severity, What: fmt.Sprintf("could not look at %s: %s", what, why)}
}

// install is the command that applies shipped manifests.
func (e examiner) install(name string) string {
	namespace := ""
	if e.Config.Namespace != config.Default().Namespace {
		namespace = " --operator-namespace " + e.Config.Namespace
	}
	return "loadline manifests " + name + namespace + " | kubectl apply --server-side --force-conflicts -f -"
}

// restart is the command that starts a part anew.
func (e examiner) restart(part string) string {
	return fmt.Sprintf("kubectl --namespace %s rollout restart deployment/%s", e.Config.Namespace, cmp.Or(e.deployments[part], "loadline-"+part))
}

// few lists some names, and how many there are besides.
func few(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
