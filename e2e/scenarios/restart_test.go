package scenarios

import (
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/shop"
)

var restartShop = shop.InNamespace("restart", []shop.Workload{
	{
		Name: "resized", Replicas: 6, Requests: map[string]string{"cpu": "100m", "memory": "128Mi"},
		CPU: shop.Flat(0.2), Memory: shop.Flat(300 * shop.Mebibyte),
	},
	{ // One pod after another has to be evicted, so that a restart finds the work half done.
		Name: "evicted", Replicas: 6, Requests: map[string]string{"cpu": "100m", "memory": "128Mi"},
		CPU: shop.Flat(0.3), Memory: shop.Flat(400 * shop.Mebibyte),
		PodAnnotations: map[string]string{"kwok.x-k8s.io/resize": "infeasible"},
	},
})

func TestTheOperatorRestartsInTheMiddleAndNothingDoubles(t *testing.T) {
	s := newScene(t, "restart", restartShop)
	s.create(&v1alpha1.SizingPolicy{ // One revision per workload, so that one change per pod is all it takes.
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: v1alpha1.DefaultPolicyName},
		Spec: v1alpha1.SizingPolicySpec{
			Behavior:   v1alpha1.Behavior{Up: v1alpha1.Movement{MaxStepPercent: new(int32(1000))}},
			Disruption: v1alpha1.DisruptionPolicy{EvictionsPerHour: new(int32(600))},
		},
	})
	first := uids(s.pods("evicted"))
	startSpare(t, install.Updater)
	s.Eventually(s.leaders).Should(Equal([]string{install.Updater}), "the spare waits for the lease")

	s.annotate(map[string]string{v1alpha1.AnnotationMode: "auto"})
	s.when("Deployment", "evicted", "has its first eviction", func(rec *v1alpha1.Recommendation) bool { return len(touched(rec)) > 0 })
	s.Expect(s.rounds(install.Spare(install.Updater))).To(BeZero(), "the spare does nothing while it waits")
	var starts []func()
	for _, part := range []string{install.Updater, install.Recommender, install.Webhook} {
		starts = append(starts, killPart(t, part))
	}
	half := uids(s.pods("evicted"))
	s.Expect(half).To(ContainElement(BeElementOf(first)), "the work is not done yet")
	for _, start := range slices.Backward(starts) {
		start()
	}
	s.Eventually(s.leaders).Should(HaveLen(1), "the spare or the one that came back, whichever was first")

	for _, w := range restartShop {
		rec := s.when("Deployment", w.Name, "is applied", func(rec *v1alpha1.Recommendation) bool {
			return conditionReason(rec, v1alpha1.ConditionApplied) == v1alpha1.ReasonUpToDate
		})
		s.running(w.Name, w.Replicas)
		s.Expect(s.pods(w.Name)).To(HaveLen(int(w.Replicas)))
		for pod, times := range touched(rec) {
			s.Expect(times).To(Equal(1), "pod %s was touched more than once: %v", pod, rec.Status.Outcomes)
		}
	}
	s.Expect(uids(s.pods("evicted"))).NotTo(ContainElement(BeElementOf(first)), "all of them are replaced in the end")
	s.Expect(s.leaders()).To(HaveLen(1))
	list := &v1alpha1.RecommendationList{}
	s.Expect(loadline.Client.List(t.Context(), list, client.InNamespace(s.namespace))).To(Succeed())
	s.Expect(list.Items).To(HaveLen(len(restartShop)), "one recommendation per workload")
}

// touched counts how often each pod was resized or evicted.
func touched(rec *v1alpha1.Recommendation) map[types.UID]int {
	times := map[types.UID]int{}
	for _, o := range rec.Status.Outcomes {
		if o.Result == v1alpha1.OutcomeResized || o.Result == v1alpha1.OutcomeEvicted {
			times[o.PodUID]++
		}
	}
	return times
}

// leaders returns the processes of the updater that hold its lease, as each says of itself.
func (s scene) leaders() ([]string, error) {
	var leading []string
	for _, name := range []string{install.Updater, install.Spare(install.Updater)} {
		metrics, err := loadline.Metrics(s.t.Context(), name)
		if err != nil {
			return nil, err
		}
		if metrics.Sum("leader_election_master_status") > 0 {
			leading = append(leading, name)
		}
	}
	return leading, nil
}

// startSpare starts a second process of a part, which runs until the end of the test.
func startSpare(t *testing.T, part string) {
	t.Helper()
	if err := loadline.StartSpare(t.Context(), part); err != nil {
		t.Fatalf("start a second %s: %v", part, err)
	}
	t.Cleanup(func() {
		if err := loadline.Stop(install.Spare(part)); err != nil {
			t.Errorf("stop the second %s: %v", part, err)
		}
	})
}
