package chart

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// repository is the folder of the whole project.
const repository = "../.."

func TestTheAlertsAreThoseOfTheProject(t *testing.T) {
	rule := rendered(t, "{prometheusRule: {enabled: true, labels: {release: prometheus}}}")["PrometheusRule loadline"]
	if got := rule.GetLabels()["release"]; got != "prometheus" {
		t.Errorf("the label that a Prometheus selects by is %q", got)
	}
	content, err := os.ReadFile(filepath.Join(configDir, "prometheus", "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{}
	if err := yaml.Unmarshal(content, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, rule.Object["spec"]); diff != "" {
		t.Errorf("(-config/prometheus/rules.yaml +chart):\n%s", diff)
	}
}

func TestEveryAlertHasItsRunbook(t *testing.T) {
	rule := rendered(t, variants["monitoring"])["PrometheusRule loadline"]
	groups, _, err := unstructured.NestedSlice(rule.Object, "spec", "groups")
	if err != nil {
		t.Fatal(err)
	}
	var alerts []string
	for _, group := range groups {
		rules, _, _ := unstructured.NestedSlice(group.(map[string]any), "rules")
		for _, each := range rules {
			name, _, _ := unstructured.NestedString(each.(map[string]any), "alert")
			page, _, _ := unstructured.NestedString(each.(map[string]any), "annotations", "runbook_url")
			if !strings.HasSuffix(page, "/docs/runbooks/"+name+".md") {
				t.Errorf("the runbook of %s is %q", name, page)
			}
			alerts = append(alerts, name)
		}
	}
	pages, err := filepath.Glob(filepath.Join(repository, "docs", "runbooks", "Loadline*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for i, page := range pages {
		pages[i] = strings.TrimSuffix(filepath.Base(page), ".md")
	}
	slices.Sort(alerts)
	if diff := cmp.Diff(pages, alerts); diff != "" {
		t.Errorf("(-docs/runbooks +alerts):\n%s", diff)
	}
}

func TestEveryPartIsScraped(t *testing.T) {
	objects := rendered(t, variants["monitoring"])
	service := as[corev1.Service](t, objects, "Service loadline-metrics")
	if service.Spec.Selector["app.kubernetes.io/part-of"] != "loadline" || service.Spec.Ports[0].TargetPort.StrVal != "metrics" {
		t.Errorf("the Service is for %v, port %v", service.Spec.Selector, service.Spec.Ports)
	}
	selector, _, _ := unstructured.NestedStringMap(objects["ServiceMonitor loadline"].Object, "spec", "selector", "matchLabels")
	for name, value := range selector {
		if service.Labels[name] != value {
			t.Errorf("the ServiceMonitor looks for %s=%s, the Service has %q", name, value, service.Labels[name])
		}
	}
}

// dashboard is what the tests look at in Grafana's format.
type dashboard struct {
	UID        string `json:"uid"`
	Title      string `json:"title"`
	Templating struct {
		List []struct {
			Name string `json:"name"`
		} `json:"list"`
	} `json:"templating"`
	Panels []struct {
		ID      int    `json:"id"`
		Type    string `json:"type"`
		Title   string `json:"title"`
		GridPos struct{ H, W, X, Y int }
		Targets []struct {
			Expr       string            `json:"expr"`
			Datasource map[string]string `json:"datasource"`
		} `json:"targets"`
	} `json:"panels"`
}

// metric finds the names of metrics in PromQL.
var metric = regexp.MustCompile(`\b(loadline|process|apiserver)_[a-z0-9_]+\b`)

func TestTheDashboardAsksOnlyForWhatThereIs(t *testing.T) {
	config := as[corev1.ConfigMap](t, rendered(t, variants["monitoring"]), "ConfigMap loadline-dashboard")
	if config.Labels["grafana_dashboard"] != "1" || len(config.Data) != 1 {
		t.Fatalf("labels %v, %d dashboards", config.Labels, len(config.Data))
	}
	var board dashboard
	if err := json.Unmarshal([]byte(config.Data["loadline.json"]), &board); err != nil {
		t.Fatal(err)
	}
	known, ids, queries := registered(t), map[int]bool{}, 0
	for _, panel := range board.Panels {
		if ids[panel.ID] {
			t.Errorf("panel %q has the number of another", panel.Title)
		}
		ids[panel.ID] = true
		if panel.GridPos.X+panel.GridPos.W > 24 {
			t.Errorf("panel %q is wider than the page", panel.Title)
		}
		for _, target := range panel.Targets {
			queries++
			if target.Datasource["uid"] != "${datasource}" {
				t.Errorf("panel %q asks %v, not the Prometheus that one chooses", panel.Title, target.Datasource)
			}
			names := metric.FindAllString(target.Expr, -1)
			if len(names) == 0 {
				t.Errorf("panel %q asks for nothing: %s", panel.Title, target.Expr)
			}
			for _, name := range names {
				if strings.HasPrefix(name, "loadline_") && !known[name] {
					t.Errorf("panel %q asks for %s, which no part registers", panel.Title, name)
				}
			}
		}
	}
	if queries < 15 {
		t.Errorf("only %d queries", queries)
	}
}

// registered lists the metrics on the page that is made of what the parts register, with the series of histograms.
func registered(t *testing.T) map[string]bool {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(repository, "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(loadline_[a-z0-9_]+)` \\| ([a-z]+) \\|").FindAllStringSubmatch(string(page), -1) {
		if row[2] != "histogram" {
			found[row[1]] = true
			continue
		}
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			found[row[1]+suffix] = true
		}
	}
	if len(found) < 20 {
		t.Fatalf("docs/metrics.md has only %v", found)
	}
	return found
}
