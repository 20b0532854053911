package scenarios

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/e2e/shop"
)

var saleShop = shop.InNamespace("sale", []shop.Workload{{
	Name: "web", Replicas: 2, Requests: map[string]string{"cpu": "300m", "memory": "512Mi"},
	CPU: shop.Flat(0.2), Memory: shop.Flat(300 * shop.Mebibyte),
}})

func TestAnAnnouncedEventRaisesTheTargetBeforeItsWindowOpensAndTheTargetComesBackAfterIt(t *testing.T) {
	t.Parallel()
	s := newScene(t, "sale", saleShop)
	s.create(&v1alpha1.SizingPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: v1alpha1.DefaultPolicyName},
		Spec: v1alpha1.SizingPolicySpec{
			EventLeadTime: &metav1.Duration{Duration: 10 * time.Minute},
			Behavior:      v1alpha1.Behavior{Down: v1alpha1.Movement{Cooldown: &metav1.Duration{}, MaxStepPercent: new(int32(100))}},
		},
	})
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "dry-run"})
	usual := target(s.ready("Deployment", "web").Status.Candidate)

	// Two hours are more than the lead time of ten minutes. Several passes of the recommender fit into the wait.
	s.announce(time.Now().Add(2*time.Hour), time.Now().Add(3*time.Hour))
	s.Consistently(func() apply.Amounts { return target(s.recommendation("Deployment", "web").Status.Candidate) }, 10*time.Second, time.Second).
		Should(Equal(usual), "raised long before it is needed")

	opens := time.Now().UTC().Add(40 * time.Second).Truncate(time.Second)
	closes := opens.Add(5 * time.Second)
	s.announce(opens, closes)
	raised := s.when("Deployment", "web", "is raised", func(rec *v1alpha1.Recommendation) bool {
		return target(rec.Status.Candidate).CPUMillis > 2*usual.CPUMillis
	})
	s.Expect(time.Now()).To(BeTemporally("<", opens), "raised ahead of time")
	s.Expect(target(raised.Status.Candidate).CPUMillis).To(BeNumerically("~", 3*usual.CPUMillis, 3*usual.CPUMillis/20), "three times the usual demand")
	s.Expect(target(raised.Status.Candidate).MemoryBytes).To(Equal(usual.MemoryBytes), "demand moves CPU; memory follows what was observed")
	s.Expect(raised.Status.Advice.Adjustments).To(HaveLen(1))
	s.Expect(raised.Status.Advice.Adjustments[0].Accepted).To(BeTrue())

	s.Eventually(func() apply.Amounts { return target(s.recommendation("Deployment", "web").Status.Candidate) }, time.Until(closes)+patience).
		Should(Equal(usual), "the target comes back")
	s.Expect(time.Now()).To(BeTemporally(">=", closes), "not before the event was over")
}

// announce annotates the namespace with a sale that triples demand, in place of the one that was announced before.
func (s scene) announce(opens, closes time.Time) {
	s.t.Helper()
	s.annotate(map[string]string{
		v1alpha1.AnnotationEventPrefix + "sale": fmt.Sprintf("%s/%s demand=300%%", opens.UTC().Format(time.RFC3339), closes.UTC().Format(time.RFC3339)),
	})
}
