package scenarios

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/shop"
)

const (
	crowdSize     = 500
	crowdReplicas = 4
)

func crowd() []shop.Workload {
	workloads := make([]shop.Workload, crowdSize)
	for i := range workloads {
		workloads[i] = shop.Workload{
			Namespace: "crowd", Name: fmt.Sprintf("w%03d", i), Replicas: crowdReplicas, PastPods: 1, History: 30 * time.Hour,
			Requests: map[string]string{"cpu": "100m", "memory": "128Mi"},
			CPU:      shop.Noisy(shop.Diurnal(0.02, 0.1), 0.2), Memory: shop.Flat(80 * shop.Mebibyte),
		}
	}
	return workloads
}

func TestOnePassOverFiveHundredWorkloadsIsCompleteAndCheap(t *testing.T) {
	s := newScene(t, "crowd", crowd())
	t.Cleanup(s.remove)
	before := requests(t)
	begun := time.Now()
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "dry-run"})
	s.Eventually(func() int { return readyCount(s) }, 4*patience, time.Second).Should(Equal(crowdSize))
	elapsed := time.Since(begun)
	after := requests(t)

	s.Expect(after.errors-before.errors).To(BeZero(), "reconciles that failed")
	s.Expect(after.refused-before.refused).To(BeZero(), "queries that Prometheus did not answer well")
	prometheus, apiServer := after.prometheus-before.prometheus, after.apiServer-before.apiServer
	t.Logf("%d workloads with %d pods: one full pass in %s, %.0f Prometheus queries, %.0f API-server requests",
		crowdSize, crowdSize*crowdReplicas, elapsed.Round(time.Second), prometheus, apiServer)
	for _, part := range []string{install.Webhook, install.Recommender, install.Updater} {
		metrics, err := loadline.Metrics(t.Context(), part)
		s.Expect(err).NotTo(HaveOccurred())
		lifetime := float64(time.Now().Unix()) - metrics.Sum("process_start_time_seconds")
		t.Logf("%s: %.0f MiB resident, %.1f s of CPU in the %.0f s since it started", part,
			metrics.Sum("process_resident_memory_bytes")/shop.Mebibyte, metrics.Sum("process_cpu_seconds_total"), lifetime)
	}
	// Four metrics are read per chunk of the past for the whole namespace, not per workload.
	s.Expect(prometheus).To(BeNumerically("<", crowdSize/2), "history is read per namespace")
	// Creating an object, its status and two events, with room for a second write.
	s.Expect(apiServer).To(BeNumerically("<", 7*crowdSize), "nothing is asked for per pod")
}

func readyCount(s scene) int {
	list := &v1alpha1.RecommendationList{}
	s.Expect(loadline.Client.List(s.t.Context(), list, client.InNamespace(s.namespace))).To(Succeed())
	ready := 0
	for _, rec := range list.Items {
		if apimeta.IsStatusConditionTrue(rec.Status.Conditions, v1alpha1.ConditionReady) {
			ready++
		}
	}
	return ready
}

// counts of what the recommender did since it started: requests, queries that did not end well, and failed reconciles.
type counts struct{ prometheus, apiServer, refused, errors float64 }

func requests(t *testing.T) counts {
	t.Helper()
	metrics, err := loadline.Metrics(t.Context(), install.Recommender)
	if err != nil {
		t.Fatal(err)
	}
	return counts{
		prometheus: metrics.Sum("loadline_history_queries_total"),
		apiServer:  metrics.Sum("rest_client_requests_total"),
		refused:    metrics.SumExcept("loadline_history_queries_total", "result", "ok"),
		errors:     metrics.Sum("controller_runtime_reconcile_errors_total"),
	}
}
