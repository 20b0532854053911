package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Prometheus answers queries about one moment; the zero time is now. The Prometheus client is one.
type Prometheus interface {
	Query(ctx context.Context, query string, at time.Time, opts ...promv1.Option) (model.Value, promv1.Warnings, promv1.Infos, error)
}

const (
	// mostNamespaces are asked about.
	mostNamespaces = 3
	// settled is how old a pod is when it should have been scraped.
	settled = 30 * time.Second
)

// selected finds the metric's name in a query before it is expanded.
var selected = regexp.MustCompile(`([a-zA-Z_:][a-zA-Z0-9_:]*)\{`)

func prometheusTime(ctx context.Context, p Prometheus) (time.Time, error) {
	value, _, _, err := p.Query(ctx, "time()", time.Time{})
	if err != nil {
		return time.Time{}, err
	}
	scalar, ok := value.(*model.Scalar)
	if !ok {
		return time.Time{}, fmt.Errorf("time() is a %s", value.Type())
	}
	return time.Unix(int64(scalar.Value), 0), nil
}

// prometheus looks whether the server answers, and whether it has the series that history is read from.
func (e examiner) prometheus(ctx context.Context) []Finding {
	const check = "prometheus"
	address := e.Config.Prometheus.URL
	if e.Prometheus == nil {
		return nil
	}
	_, err := prometheusTime(ctx, e.Prometheus)
	if errors.Is(err, fs.ErrNotExist) {
		return []Finding{{Check: check, Severity: Unseen, What: elsewhere(err), Where: address, Fix: e.inside()}}
	}
	if err != nil {
		f := Finding{Check: check, Severity: Error, What: "it does not answer: " + err.Error(), Where: address}
		f.Fix = fmt.Sprintf("curl --fail --show-error '%s/api/v1/query?query=time()'", address)
		if forward, inCluster := e.forward(ctx, address, "--prometheus", 9090); inCluster {
			f.Severity, f.What, f.Fix = Unseen, "its address is known inside the cluster only; forward its port, and name it with --prometheus", forward
		}
		return []Finding{f}
	}
	found := []Finding{{Check: check, Severity: OK, What: "it answers", Where: address}}
	namespaces, err := e.namespacesWithPods(ctx)
	if err != nil {
		return append(found, unseen(check, "which namespaces have pods", err))
	}
	for _, namespace := range namespaces {
		found = append(found, e.series(ctx, namespace)...)
	}
	return found
}

// namespacesWithPods are a few in which pods run: those that opted in, or any if none did.
func (e examiner) namespacesWithPods(ctx context.Context) ([]string, error) {
	namespaces, err := e.namespaces(ctx)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, wanted := range []func(optedIn) bool{optedIn.in, func(optedIn) bool { return true }} {
		for _, n := range namespaces {
			if len(found) == mostNamespaces || !wanted(n) || e.Config.Excluded(n.name) {
				continue
			}
			var pods corev1.PodList
			if err := e.client.List(ctx, &pods, client.InNamespace(n.name), client.Limit(50)); err != nil {
				return nil, err
			}
			if slices.ContainsFunc(pods.Items, func(p corev1.Pod) bool {
				return p.Status.Phase == corev1.PodRunning && e.Clock.Since(p.CreationTimestamp.Time) > settled
			}) {
				found = append(found, n.name)
			}
		}
		if len(found) > 0 {
			break
		}
	}
	return found, nil
}

// series looks for what each query should find in one namespace.
func (e examiner) series(ctx context.Context, namespace string) []Finding {
	const check = "series"
	where := "namespace/" + namespace
	queries := e.Queries(namespace)
	var found []Finding
	var good []string
	for _, name := range slices.Sorted(maps.Keys(queries)) {
		if queries[name] == "" {
			continue
		}
		n, err := e.usable(ctx, queries[name])
		switch {
		case err != nil:
			found = append(found, Finding{
				Check: check, Severity: Error, Where: where, What: fmt.Sprintf("Prometheus refuses prometheus.queries.%s: %v", name, err),
				Fix: e.configure("prometheus.queries." + name),
			})
		case n > 0:
			good = append(good, name)
		default:
			what, fix := e.why(ctx, name, queries[name])
			found = append(found, Finding{Check: check, Severity: severityOf(name), Where: where, What: what, Fix: fix})
		}
	}
	if len(good) > 0 {
		found = append(found, Finding{Check: check, Severity: OK, Where: where, What: "there are series with the right labels for " + strings.Join(good, ", ")})
	}
	return found
}

// severityOf a query without an answer: nothing is sized without the first two.
func severityOf(query string) Severity {
	if query == "cpu" || query == "workingSet" {
		return Error
	}
	return Warning
}

// why tells whether there is nothing at all, or nothing with the right labels, and what to do about it.
func (e examiner) why(ctx context.Context, name, query string) (what, fix string) {
	match := selected.FindStringSubmatch(query)
	if match == nil {
		return fmt.Sprintf("prometheus.queries.%s finds nothing", name), e.configure("prometheus.queries." + name)
	}
	metric, p := match[1], e.Config.Prometheus
	if n, err := e.count(ctx, metric); err != nil || n == 0 {
		return fmt.Sprintf("Prometheus has no series %s at all: it has to scrape the kubelets' cAdvisor (/metrics/cadvisor)", metric),
			fmt.Sprintf("curl --silent '%s/api/v1/targets?state=active' | grep --only-matching '\"scrapeUrl\":\"[^\"]*cadvisor[^}]*'", p.URL)
	}
	l := p.Labels
	for _, label := range []struct{ key, name string }{{"namespace", l.Namespace}, {"pod", l.Pod}, {"container", l.Container}} {
		if n, err := e.count(ctx, fmt.Sprintf(`%s{%s!=""}`, metric, label.name)); err == nil && n == 0 {
			return fmt.Sprintf("no series of %s has the label %s: name the right one in prometheus.labels", metric, label.name),
				fmt.Sprintf("curl --silent '%s/api/v1/labels' --get --data-urlencode 'match[]=%s' && %s", p.URL, metric, e.configure("prometheus.labels."+label.key))
		}
	}
	return fmt.Sprintf("%s has series, and none of this namespace; prometheus.extraMatchers are %q", metric, p.ExtraMatchers), e.configure("prometheus.extraMatchers")
}

// usable returns how many series of a query have all labels by which they are told apart.
func (e examiner) usable(ctx context.Context, query string) (int, error) {
	value, _, _, err := e.Prometheus.Query(ctx, query, time.Time{})
	if err != nil {
		return 0, err
	}
	vector, _ := value.(model.Vector)
	l := e.Config.Prometheus.Labels
	n := 0
	for _, sample := range vector {
		if sample.Metric[model.LabelName(l.Namespace)] != "" && sample.Metric[model.LabelName(l.Pod)] != "" && sample.Metric[model.LabelName(l.Container)] != "" {
			n++
		}
	}
	return n, nil
}

// count returns how many series a query finds now.
func (e examiner) count(ctx context.Context, query string) (int, error) {
	value, _, _, err := e.Prometheus.Query(ctx, "count("+query+")", time.Time{})
	if err != nil {
		return 0, err
	}
	vector, ok := value.(model.Vector)
	if !ok || len(vector) == 0 {
		return 0, nil
	}
	return int(vector[0].Value), nil
}
