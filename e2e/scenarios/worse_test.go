package scenarios

import (
	"encoding/json"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/shop"
)

// worseShop has three workloads that have far more than they need. Twenty minutes before the scenarios begin, one becomes three times
// as slow, and one is held back in half of its CPU periods; of one a pod will lose its readiness. A fourth is slower every day at this time.
var worseShop = shop.InNamespace("worse", []shop.Workload{
	worsening("slow", func(t time.Time) float64 { return 0.2 + since(t, 0, 0.4) }, nil),
	worsening("throttled", nil, func(t time.Time) float64 { return 0.05 + since(t, 0, 0.45) }),
	worsening("unready", nil, nil),
	worsening("usual", func(t time.Time) float64 {
		return 0.2 + max(since(t, 0, 0.4), since(t, 1, 0.4), since(t, 2, 0.4), since(t, 3, 0.4), since(t, 4, 0.4), since(t, 5, 0.4), since(t, 6, 0.4))
	}, nil),
})

func worsening(name string, latency, throttled shop.Curve) shop.Workload {
	return shop.Workload{
		Name: name, Replicas: 2, Requests: map[string]string{"cpu": "2", "memory": "2Gi"}, Limits: map[string]string{"cpu": "2"},
		CPU: shop.Flat(0.2), Memory: shop.Flat(300 * shop.Mebibyte), Latency: latency, Throttled: throttled,
		PodAnnotations: map[string]string{"e2e/throttled": "0.5"},
	}
}

// changedBefore is how long before the scenarios pods seem to have been changed: what comes after a change takes seven minutes to see.
const changedBefore = 20 * time.Minute

// since is an amount in the two hours from the time of the change on, so many days before.
func since(t time.Time, days int, amount float64) float64 {
	ago := started.Add(-changedBefore).AddDate(0, 0, -days).Sub(t)
	if ago <= 0 && ago > -2*time.Hour {
		return amount
	}
	return 0
}

func TestWhatMadeAWorkloadWorseIsTakenBackWithTheEvidence(t *testing.T) {
	s := newScene(t, "worse", worseShop)
	s.watching(10*time.Minute, v1alpha1.Signal{
		Name: "latency", Role: v1alpha1.SignalHealth, PromQL: `max(` + shop.LatencyMetric + `{namespace="$namespace",workload="$workload"})`,
	})
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "auto"})
	for _, w := range worseShop {
		s.when("Deployment", w.Name, "lowers one pod", func(rec *v1alpha1.Recommendation) bool {
			return len(rec.Status.Outcomes) > 0 && rec.Status.Outcomes[0].Lowers && len(s.marks(w.Name)) == 1
		})
	}
	unready := s.marks("unready")[0].Pod
	s.losesReadiness(unready)
	evidence := s.takenBack("unready").Evidence
	s.Expect(evidence).To(And(ContainSubstring("pod "+unready), ContainSubstring("NotReady")))

	start := killPart(t, install.Updater)
	for _, name := range []string{"slow", "throttled", "usual"} {
		s.changedAt(name, started.Add(-changedBefore))
	}
	s.Expect(s.takenBack("slow").Evidence).To(And(ContainSubstring("health signal latency: median 0.6"), ContainSubstring("0.2 in the hour before")))
	s.Expect(s.takenBack("throttled").Evidence).To(ContainSubstring("throttled in 50 % of the CPU periods"))
	usual := s.when("Deployment", "usual", "is compared", func(rec *v1alpha1.Recommendation) bool { return rec.Status.Health != nil })
	s.Expect(usual.Status.Rollback).To(BeNil(), "it is as slow every day at this time")

	start()
	for _, name := range []string{"slow", "throttled", "unready"} {
		s.Eventually(func() []string { return cpuOf(s.pods(name)) }).Should(HaveEach("2"), "%s has its cores back", name)
		rec := s.when("Deployment", name, "tells it", func(rec *v1alpha1.Recommendation) bool {
			return conditionReason(rec, v1alpha1.ConditionHealthy) == v1alpha1.ReasonRolledBack
		})
		s.Expect(rec.Status.Rollback.Until.Sub(rec.Status.Rollback.Time.Time)).To(Equal(time.Hour))
		s.Expect(s.marks(name)).To(HaveLen(1), "no other pod of %s was touched", name)
	}
	metrics, err := loadline.Metrics(t.Context(), install.Updater)
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(metrics.Sum("loadline_updater_unhealthy_workloads")).To(BeNumerically(">=", 3), "what the alert looks at, as long as it holds")
}

// takenBack waits until a change of a workload is taken back, and returns how.
func (s scene) takenBack(name string) *v1alpha1.Rollback {
	s.t.Helper()
	return s.when("Deployment", name, "takes it back", func(rec *v1alpha1.Recommendation) bool { return rec.Status.Rollback != nil }).Status.Rollback
}

// changedAt makes it look as if the pods of a workload had been changed at another time.
func (s scene) changedAt(name string, at time.Time) {
	s.t.Helper()
	s.Eventually(func() error {
		rec := s.recommendation("Deployment", name)
		for i := range rec.Status.Outcomes {
			rec.Status.Outcomes[i].Time = metav1.NewTime(at)
		}
		outcomes, err := json.Marshal(map[string]any{"status": map[string]any{"outcomes": rec.Status.Outcomes}})
		if err != nil {
			return err
		}
		return loadline.Client.Status().Patch(s.t.Context(), rec, client.RawPatch("application/merge-patch+json", outcomes))
	}).Should(Succeed())
}

// losesReadiness writes into a pod's status what a kubelet writes when a probe fails.
func (s scene) losesReadiness(name string) {
	s.t.Helper()
	pod := &corev1.Pod{}
	s.Expect(s.get(name, pod)).To(Succeed())
	before := pod.DeepCopy()
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.PodReady {
			c.Status, c.Reason, c.LastTransitionTime = corev1.ConditionFalse, "ContainersNotReady", metav1.NewTime(time.Now().Add(time.Second))
		}
	}
	s.Expect(loadline.Client.Status().Patch(s.t.Context(), pod, client.MergeFrom(before))).To(Succeed())
}
