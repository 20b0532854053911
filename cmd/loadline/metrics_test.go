package main

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/recommender"
	"github.com/loadline-dev/loadline/recommender/history"
	"github.com/loadline-dev/loadline/recommender/llm"
	"github.com/loadline-dev/loadline/updater"
	"github.com/loadline-dev/loadline/webhook"
	"github.com/loadline-dev/loadline/webhook/certs"
)

var update = flag.Bool("update", false, "write docs/metrics.md anew")

// noted keeps the collectors that are registered with it.
type noted struct {
	*prometheus.Registry
	collectors []prometheus.Collector
}

func (n *noted) Register(c prometheus.Collector) error {
	n.collectors = append(n.collectors, c)
	return n.Registry.Register(c)
}

// described is a metric as its collector describes it.
type described struct {
	name, kind, help string
	labels           []string
}

// everything returns all metrics of Loadline's own by name, and a registry in which each has a value.
func everything(t *testing.T) ([]described, *prometheus.Registry) {
	t.Helper()
	n := &noted{Registry: prometheus.NewRegistry()}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(registerBuild(n, []string{"recommender"}))
	_, err := recommender.NewMetrics(n)
	check(err)
	_, err = llm.NewMetrics(n)
	check(err)
	_, err = history.NewClient(history.ClientOptions{URL: config.Default().Prometheus.URL, Registerer: n})
	check(err)
	cfg := config.Default().Prometheus
	_, err = history.New(history.Options{
		Querier: noQuerier{}, Queries: history.Queries(cfg.Queries), Labels: history.Labels(cfg.Labels), Registerer: n, RateWindow: 5 * time.Minute,
	})
	check(err)
	check(updater.RegisterMetrics(n))
	check(webhook.RegisterMetrics(n))
	check(n.Register(certs.Expiry(t.TempDir())))
	var all []described
	for _, c := range n.collectors {
		descriptions := make(chan *prometheus.Desc, 10)
		c.Describe(descriptions)
		close(descriptions)
		for d := range descriptions {
			m := parseDesc(t, d)
			m.kind = touch(c, len(m.labels))
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b described) int { return cmp.Compare(a.name, b.name) })
	return all, n.Registry
}

type noQuerier struct{ history.Querier }

// touch gives a metric a value, and returns its type.
func touch(c prometheus.Collector, labels int) string {
	values := slices.Repeat([]string{"x"}, labels)
	switch c := c.(type) {
	case *prometheus.CounterVec:
		c.WithLabelValues(values...).Inc()
		return "counter"
	case *prometheus.HistogramVec:
		c.WithLabelValues(values...).Observe(1)
		return "histogram"
	case *prometheus.GaugeVec:
		c.WithLabelValues(values...).Set(1)
		return "gauge"
	case prometheus.Gauge: // before Counter, whose methods it has as well
		return "gauge"
	case prometheus.Counter:
		return "counter"
	case prometheus.Histogram:
		return "histogram"
	default:
		return "gauge" // read from something when it is collected
	}
}

var desc = regexp.MustCompile(`^Desc\{fqName: "([^"]*)", help: "(.*?)"(?:, unit: "[^"]*")?, constLabels: \{\}, variableLabels: \{(.*)\}\}$`)

func parseDesc(t *testing.T, d *prometheus.Desc) described {
	t.Helper()
	found := desc.FindStringSubmatch(d.String())
	if found == nil {
		t.Fatalf("not understood: %s", d)
	}
	m := described{name: found[1], help: found[2]}
	if found[3] != "" {
		m.labels = strings.Split(found[3], ",")
	}
	return m
}

const metricsPage = "../../docs/metrics.md"

const metricsIntro = `# Metrics

<!-- Made by ` + "`go test ./cmd/loadline -run Metrics -update`" + ` from what the parts register. -->

Every part serves them at ` + "`/metrics`" + ` on ` + "`metricsAddress`" + ` (port 8080). Beside Loadline's own, which are below, there are those of Go
(` + "`go_`, `process_`" + `), and of controller-runtime (` + "`controller_runtime_`, `workqueue_`, `rest_client_`, `leader_election_`" + `).

No label holds a namespace, a workload or a pod, so their number does not grow with the cluster. Only the replica that leads counts rounds
and decisions.

[config/prometheus/rules.yaml](../config/prometheus/rules.yaml) has alerts about them, [runbooks](runbooks/README.md) what to do then.
`

// groups of metrics on the page, by what their names begin with.
var groups = []struct{ prefix, title string }{
	{"loadline_build", "Every part"},
	{"loadline_recommender", "Recommender"},
	{"loadline_history", "Recommender: reading Prometheus"},
	{"loadline_llm", "Recommender: asking a language model"},
	{"loadline_webhook", "Webhook"},
	{"loadline_updater", "Updater"},
}

func TestThePageListsAllMetrics(t *testing.T) {
	all, _ := everything(t)
	var page bytes.Buffer
	page.WriteString(metricsIntro)
	written := 0
	for _, group := range groups {
		fmt.Fprintf(&page, "\n## %s\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n", group.title)
		for _, m := range all {
			if strings.HasPrefix(m.name, group.prefix) {
				fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", m.name, m.kind, strings.Join(m.labels, ", "), m.help)
				written++
			}
		}
	}
	if written != len(all) {
		t.Errorf("%d of %d metrics are in a group", written, len(all))
	}
	if *update {
		if err := os.WriteFile(metricsPage, page.Bytes(), 0o644); err != nil { //nolint:gosec // documentation
			t.Fatal(err)
		}
	}
	present, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(page.String(), string(present)); diff != "" {
		t.Errorf("docs/metrics.md is out of date; run: go test ./cmd/loadline -run Metrics -update\n%s", diff)
	}
}

// The number of series must not grow with the cluster.
func TestMetricsHaveNoLabelForEachObject(t *testing.T) {
	all, _ := everything(t)
	for _, m := range all {
		for _, label := range m.labels {
			if slices.Contains([]string{"namespace", "workload", "name", "pod", "container", "kind_name", "node", "user"}, label) {
				t.Errorf("%s has the label %s", m.name, label)
			}
		}
	}
}

func TestMetricsAreNamedAsPrometheusWants(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("promtool is not installed (Debian has it in the package prometheus)")
	}
	_, registry := everything(t)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&text, family); err != nil {
			t.Fatal(err)
		}
	}
	check := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	check.Stdin = &text
	if output, err := check.CombinedOutput(); err != nil || len(bytes.TrimSpace(output)) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, output)
	}
}

// An alert about a metric that nobody has never fires.
func TestAlertsAreAboutMetricsThatExist(t *testing.T) {
	rules, err := os.ReadFile(filepath.Join("..", "..", "config", "prometheus", "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	all, _ := everything(t)
	known := map[string]bool{}
	for _, m := range all {
		known[m.name] = true
		if m.kind == "histogram" {
			known[m.name+"_bucket"], known[m.name+"_count"], known[m.name+"_sum"] = true, true, true
		}
	}
	for _, name := range regexp.MustCompile(`\bloadline_[a-z_]+`).FindAllString(string(rules), -1) {
		if !known[name] {
			t.Errorf("config/prometheus/rules.yaml asks for %s, which no part has", name)
		}
	}
}
