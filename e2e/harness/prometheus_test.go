package harness_test

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/loadline-dev/loadline/e2e/history"
)

// query returns the vector that Prometheus answers with.
func (f fixture) query(t *testing.T, expr string, at time.Time) model.Vector {
	t.Helper()
	client, err := api.NewClient(api.Config{Address: f.PrometheusURL})
	if err != nil {
		t.Fatal(err)
	}
	value, _, _, err := promv1.NewAPI(client).Query(t.Context(), expr, at)
	if err != nil {
		t.Fatal(err)
	}
	return value.(model.Vector)
}

func (f fixture) prometheusKnowsPastAndPresent(t *testing.T) {
	g := NewWithT(t)
	f.expectHistory(t)
	pod := f.deploy(t, "scraped", 1, map[string]string{
		"kwok.x-k8s.io/usage-cpu": "250m", "kwok.x-k8s.io/usage-memory": "96Mi", "e2e/usage-rss": "80Mi", "e2e/throttled": "0.25",
	})[0]
	live := history.Container{Namespace: "scraped", Pod: pod.Name, PodUID: string(pod.UID), Container: "app", Image: "shop/app:1", Node: pod.Spec.NodeName}
	now := func(expr string) func() model.Vector {
		return func() model.Vector { return f.query(t, expr, time.Now()) }
	}

	for metric, want := range map[string]float64{history.WorkingSet: 96 << 20, history.RSS: 80 << 20} {
		g.Eventually(now(metric+`{namespace="scraped"}`), soon).Should(ConsistOf(And(
			HaveField("Value", BeEquivalentTo(want)),
			HaveField("Metric", Equal(metricOf(live.Labels(metric)))),
		)))
	}
	for metric, want := range map[string]float64{history.CPUUsage: 0.25, history.Periods: 10, history.ThrottledPeriods: 2.5} {
		g.Eventually(now(fmt.Sprintf(`rate(%s{namespace="scraped"}[10s])`, metric)), soon).Should(ConsistOf(
			HaveField("Value", BeNumerically("~", want, want/100))), metric)
		g.Expect(now(metric + `{namespace="scraped"}`)()).To(ConsistOf(HaveField("Metric", Equal(metricOf(live.Labels(metric))))))
	}

	g.Expect(f.StopPrometheus()).To(Succeed())
	g.Expect(f.StopPrometheus()).To(Succeed())
	g.Expect(f.StartPrometheus(t.Context())).To(Succeed())
	f.expectHistory(t)
	g.Expect(now(`count_over_time(` + history.WorkingSet + `{namespace="scraped"}[1m])`)()).NotTo(BeEmpty())
}

// expectHistory looks for what twoDays wrote.
func (f fixture) expectHistory(t *testing.T) {
	t.Helper()
	g := NewWithT(t)
	yesterday := time.Now().Add(-24*time.Hour + 2*time.Hour)
	g.Expect(f.query(t, `rate(`+history.CPUUsage+`{pod="gone-0"}[30m])`, yesterday)).To(ConsistOf(And(
		HaveField("Value", BeNumerically("~", 0.5, 0.001)),
		HaveField("Metric", HaveKeyWithValue(model.LabelName("node"), model.LabelValue("node-0"))),
	)))
	g.Expect(f.query(t, `count_over_time(`+history.CPUUsage+`{pod="gone-0"}[3d])`, time.Now())).To(ConsistOf(
		HaveField("Value", BeEquivalentTo(47*60))), "an hour of the two days is missing")
	g.Expect(f.query(t, `count_over_time(`+history.WorkingSet+`{pod="gone-0"}[3d])`, time.Now())).To(ConsistOf(
		HaveField("Value", BeEquivalentTo(48*60))))
}

func metricOf(labels map[string]string) model.Metric {
	m := model.Metric{}
	for name, value := range labels {
		m[model.LabelName(name)] = model.LabelValue(value)
	}
	return m
}
