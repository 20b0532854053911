package scenarios

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/e2e/shop"
)

// tempoShop is busy but for the six hours around the time at which the scenarios run, every day.
var tempoShop = shop.InNamespace("tempo", []shop.Workload{
	{
		Name: "quiet", Replicas: 2, Requests: map[string]string{"cpu": "600m", "memory": "512Mi"},
		CPU: quietNow, Memory: shop.Flat(200 * shop.Mebibyte),
	},
	{ // Its nodes put off every resize.
		Name: "waiting", Replicas: 1, Requests: map[string]string{"cpu": "150m", "memory": "512Mi"},
		CPU: quietNow, Memory: shop.Flat(200 * shop.Mebibyte), PodAnnotations: map[string]string{"kwok.x-k8s.io/resize": "deferred"},
	},
})

func quietNow(t time.Time) float64 {
	const day, around = 24 * time.Hour, 3 * time.Hour
	if ago := (started.Sub(t)%day + day + around) % day; ago < 2*around {
		return 0.05
	}
	return 0.5
}

func TestRunningPodsGiveBackInQuietHoursAndKeepWhatWasHardToGet(t *testing.T) {
	t.Parallel()
	s := newScene(t, "tempo", tempoShop)
	before := uids(s.pods("quiet"))
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "auto", v1alpha1.AnnotationUpdater: "in-place"})

	inPlaceUnder := func(rec *v1alpha1.Recommendation) bool {
		c := tempos(rec)
		return c != nil && c.InPlace.CPUMillis < c.Target.CPUMillis
	}
	s.when("Deployment", "quiet", "gives back", inPlaceUnder)
	s.Eventually(func(g Gomega) {
		c := tempos(s.recommendation("Deployment", "quiet"))
		g.Expect(actualRequests(s.pods("quiet"))).To(And(HaveLen(2), HaveEach(HaveField("CPUMillis", c.InPlace.CPUMillis))))
		g.Expect(c.InPlace.CPUMillis).To(And(BeNumerically("<", 600), BeNumerically(">=", c.Target.CPUMillis*3/4)), "at most a quarter")
	}).Should(Succeed(), "in quiet hours running pods are lowered in place")
	s.Expect(uids(s.pods("quiet"))).To(Equal(before), "no pod was replaced")

	s.when("Deployment", "waiting", "would give back", inPlaceUnder)
	s.Eventually(func(g Gomega) {
		for _, pod := range s.pods("waiting") {
			g.Expect(pod.Status.Conditions).To(ContainElement(HaveField("Type", corev1.PodResizePending)))
		}
	}).Should(Succeed(), "the raise is put off")
	s.pendingSince("waiting", time.Now().Add(-2*time.Hour))
	locked := s.when("Deployment", "waiting", "stops giving back", func(rec *v1alpha1.Recommendation) bool {
		c := tempos(rec)
		return c != nil && c.InPlace.CPUMillis == c.Target.CPUMillis && rec.Status.Memory.Containers[0].GiveBackLockedUntil != nil
	})
	s.Expect(locked.Status.Memory.Containers[0].GiveBackLockedUntil.Time).To(BeTemporally("~", time.Now().Add(24*time.Hour), 10*time.Minute), "for a day")

	// The node has room again: the pods get what they waited for, and keep it.
	for _, pod := range s.pods("waiting") {
		s.Expect(annotateObject(t.Context(), &pod, map[string]string{"kwok.x-k8s.io/resize": ""})).To(Succeed())
	}
	want := tempos(locked).Target.CPUMillis
	s.Eventually(func() []apply.Amounts { return actualRequests(s.pods("waiting")) }).Should(HaveEach(HaveField("CPUMillis", want)))
	s.nothingMoves("waiting")
}

// tempos returns what new and running pods of a workload should have; nil if that is not known yet.
func tempos(rec *v1alpha1.Recommendation) *apply.Container {
	if rec == nil || rec.Status.Applicable == nil {
		return nil
	}
	return &apply.FromAPI(rec.Status.Applicable).Containers[0]
}

// pendingSince writes into the status of the pods, in the kubelet's place, that their resize has been pending since a time.
func (s scene) pendingSince(app string, since time.Time) {
	s.t.Helper()
	for _, pod := range s.pods(app) {
		before := pod.DeepCopy()
		for i := range pod.Status.Conditions {
			if c := &pod.Status.Conditions[i]; c.Type == corev1.PodResizePending {
				c.LastTransitionTime = metav1.NewTime(since)
			}
		}
		s.Expect(loadline.Client.Status().Patch(s.t.Context(), &pod, client.StrategicMergeFrom(before))).To(Succeed())
	}
}
