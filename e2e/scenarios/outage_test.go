package scenarios

import (
	"context"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/e2e/install"
)

var (
	outageShop  = oversized("outage")
	webhookShop = oversized("webhook-outage")
)

func TestWhilePrometheusIsDownNothingShrinksAConditionSaysSoAndRecoveryIsAutomatic(t *testing.T) {
	s := newScene(t, "outage", outageShop)
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "dry-run"})
	before := s.ready("Deployment", "web")

	startPrometheus := stopPrometheus(t)
	// A recommender that runs notices at its next read, within five minutes. One that starts now has no history at all, which
	// is the harder case.
	stopPart(t, install.Recommender)()
	down := s.when("Deployment", "web", "notices", func(rec *v1alpha1.Recommendation) bool {
		return conditionReason(rec, v1alpha1.ConditionHistoryReady) == v1alpha1.ReasonHistoryUnavailable
	})
	s.Expect(down.Status.Applicable).NotTo(BeNil())
	s.Expect(down.Status.Applicable.Containers).To(Equal(before.Status.Applicable.Containers), "the old recommendation stands")
	s.Consistently(func() string { return s.recommendation("Deployment", "web").Status.Revision }, 5*time.Second, 200*time.Millisecond).
		Should(Equal(before.Status.Revision))

	startPrometheus()
	s.when("Deployment", "web", "recovers", func(rec *v1alpha1.Recommendation) bool {
		return conditionReason(rec, v1alpha1.ConditionHistoryReady) == v1alpha1.ReasonHistoryRead
	})
}

// stopPrometheus stops it now; it runs again at the end of the test at the latest.
func stopPrometheus(t *testing.T) (start func()) {
	t.Helper()
	if err := cluster.StopPrometheus(); err != nil {
		t.Fatalf("stop Prometheus: %v", err)
	}
	start = sync.OnceFunc(func() {
		if err := cluster.StartPrometheus(context.Background()); err != nil {
			t.Errorf("start Prometheus: %v", err)
		}
	})
	t.Cleanup(start)
	return start
}

func TestWhileTheWebhookIsDownPodsAreStillCreated(t *testing.T) {
	s := newScene(t, "webhook-outage", webhookShop)
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "initial"})
	rec := s.ready("Deployment", "web")

	start := stopPart(t, install.Webhook)
	for _, pod := range s.rollOut("web") {
		s.Expect(requestsOf(pod)).To(Equal(amounts("2", "2Gi")), "as they are written")
	}
	start()
	for _, pod := range s.rollOut("web") {
		s.Expect(requestsOf(pod)).To(Equal(target(rec.Status.Applicable)))
	}
}
