package operations

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	promapi "github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/loadline-dev/loadline/e2e/install"
)

// What the parts serve is shown: a query by a label that is not there would be answered with nothing, for ever.
func TestThePanelsOfTheDashboardForGrafanaShowWhatThePartsServe(t *testing.T) {
	served := ""
	for _, part := range []string{install.Webhook, install.Recommender, install.Updater} {
		text, err := loadline.MetricsText(t.Context(), part)
		if err != nil {
			t.Fatal(err)
		}
		served += text
		if err := cluster.Scrape("loadline-"+part, loadline.MetricsAddress(part)); err != nil {
			t.Fatal(err)
		}
	}
	client, err := promapi.NewClient(promapi.Config{Address: cluster.PrometheusURL})
	if err != nil {
		t.Fatal(err)
	}
	prometheus, shown := promv1.NewAPI(client), 0
	for title, queries := range panels(t) {
		for _, query := range queries {
			expected := 1
			for _, name := range regexp.MustCompile(`\b(loadline|apiserver)_[a-z0-9_]+`).FindAllString(query, -1) {
				if !regexp.MustCompile(`(?m)^` + name + `[{ ]`).MatchString(served) {
					expected = 0 // Nothing has happened yet that it counts.
				}
			}
			shown += expected
			NewWithT(t).Eventually(func() error {
				value, _, _, err := prometheus.Query(t.Context(), strings.ReplaceAll(query, "$__rate_interval", "20s"), time.Now())
				if series, _ := value.(model.Vector); err == nil && len(series) < expected {
					err = fmt.Errorf("%s: %s: nothing", title, query)
				}
				return err
			}, patience, 500*time.Millisecond).Should(Succeed(), "panel %q: %s", title, query)
		}
	}
	if shown < 10 {
		t.Errorf("only %d queries show anything", shown)
	}
}

// panels are the queries of the chart's dashboard, by the title of their panel.
func panels(t *testing.T) map[string][]string {
	t.Helper()
	content, err := os.ReadFile("../../charts/loadline/dashboards/loadline.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(content, &board); err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			found[panel.Title] = append(found[panel.Title], target.Expr)
		}
	}
	return found
}
