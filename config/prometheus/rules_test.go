package prometheus_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// runbooks is the folder with a page for each alert.
const runbooks = "../../docs/runbooks"

type alert struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

func alerts(t *testing.T) []alert {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string  `json:"name"`
			Rules []alert `json:"rules"`
		} `json:"groups"`
	}
	if err := yaml.UnmarshalStrict(read(t, "rules.yaml"), &file); err != nil {
		t.Fatal(err)
	}
	var all []alert
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// promtool runs Prometheus' own tool.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("promtool is not installed (Debian has it in the package prometheus)")
	}
	if err != nil {
		t.Fatal(err)
	}
	if output, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, output)
	}
}

// Prometheus itself says whether each rule fires when it should.
func TestTheRulesFireWhenTheyShouldAndNotOtherwise(t *testing.T) {
	promtool(t, "check", "rules", "rules.yaml")
	promtool(t, "test", "rules", "rules_test.yaml")
}

// Prometheus itself reads each query of Grafana's dashboard, as a rule that would record it.
func TestPrometheusUnderstandsEveryQueryOfTheDashboard(t *testing.T) {
	var board struct {
		Panels []struct {
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := yaml.Unmarshal(read(t, "../../charts/loadline/dashboards/loadline.json"), &board); err != nil {
		t.Fatal(err)
	}
	var rules []map[string]string
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			query := strings.ReplaceAll(target.Expr, "$__rate_interval", "5m") // as Grafana does
			rules = append(rules, map[string]string{"record": fmt.Sprintf("query:%d", len(rules)), "expr": query})
		}
	}
	if len(rules) < 15 {
		t.Errorf("only %d queries", len(rules))
	}
	text, err := yaml.Marshal(map[string]any{"groups": []map[string]any{{"name": "dashboard", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "queries.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", file)
}

func TestEveryAlertIsSeenFiringAndNotFiring(t *testing.T) {
	type seen struct{ firing, quiet bool }
	var file struct {
		Tests []struct {
			Alerts []struct {
				Name     string `json:"alertname"`
				Expected []any  `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		} `json:"tests"`
	}
	if err := yaml.Unmarshal(read(t, "rules_test.yaml"), &file); err != nil {
		t.Fatal(err)
	}
	cases := map[string]seen{}
	for _, test := range file.Tests {
		for _, a := range test.Alerts {
			was := cases[a.Name]
			cases[a.Name] = seen{was.firing || len(a.Expected) > 0, was.quiet || len(a.Expected) == 0}
		}
	}
	for _, a := range alerts(t) {
		if cases[a.Alert] != (seen{true, true}) {
			t.Errorf("%s: rules_test.yaml has %+v, want both", a.Alert, cases[a.Alert])
		}
	}
}

func TestEveryAlertSaysHowBadItIsAndWhereToReadOn(t *testing.T) {
	var names []string
	for _, a := range alerts(t) {
		names = append(names, a.Alert)
		if !strings.HasPrefix(a.Alert, "Loadline") {
			t.Errorf("%s does not say that it is Loadline's", a.Alert)
		}
		if !slices.Contains([]string{"critical", "warning", "info"}, a.Labels["severity"]) {
			t.Errorf("%s has severity %q", a.Alert, a.Labels["severity"])
		}
		if a.Annotations["summary"] == "" || a.Annotations["description"] == "" {
			t.Errorf("%s says nothing: %v", a.Alert, a.Annotations)
		}
		if want := "https://github.com/loadline-dev/loadline/blob/main/docs/runbooks/" + a.Alert + ".md"; a.Annotations["runbook_url"] != want {
			t.Errorf("%s has runbook_url %q, want %q", a.Alert, a.Annotations["runbook_url"], want)
		}
	}
	pages, err := filepath.Glob(filepath.Join(runbooks, "Loadline*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for i, page := range pages {
		pages[i] = strings.TrimSuffix(filepath.Base(page), ".md")
	}
	slices.Sort(names)
	if diff := cmp.Diff(names, pages); diff != "" {
		t.Errorf("runbooks (-alerts +pages):\n%s", diff)
	}
}

func TestEveryRunbookHasTheSameSectionsAndIsListed(t *testing.T) {
	sections := regexp.MustCompile(`(?m)^#.*$`)
	index := string(read(t, filepath.Join(runbooks, "README.md")))
	for _, a := range alerts(t) {
		page := read(t, filepath.Join(runbooks, a.Alert+".md"))
		var found []string
		for _, heading := range sections.FindAll(page, -1) {
			found = append(found, string(heading))
		}
		if diff := cmp.Diff([]string{"# " + a.Alert, "## Meaning", "## Impact", "## Look", "## Fix"}, found); diff != "" {
			t.Errorf("%s (-want +got):\n%s", a.Alert, diff)
		}
		if row := fmt.Sprintf("| [%s](%s.md) | %s | ", a.Alert, a.Alert, a.Labels["severity"]); !strings.Contains(index, row) {
			t.Errorf("docs/runbooks/README.md has no row %s", row)
		}
	}
}
