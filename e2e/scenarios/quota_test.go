package scenarios

import (
	"fmt"
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/shop"
)

// Two workloads that each fit into the quota alone, and one that uses a tenth of what it asks for. The two want 1200m for requests
// together, and there is 900m beside what the third asks for as it is written.
var quotaShop = shop.InNamespace("quota", []shop.Workload{
	{
		Name: "payments", Replicas: 1, Requests: map[string]string{"cpu": "100m", "memory": "256Mi"},
		CPU: shop.Flat(0.285), Memory: shop.Flat(180 * shop.Mebibyte),
		Annotations: map[string]string{v1alpha1.AnnotationPriority: "standard"},
	},
	{
		Name: "report", Replicas: 1, Requests: map[string]string{"cpu": "100m", "memory": "256Mi"},
		CPU: shop.Flat(0.285), Memory: shop.Flat(180 * shop.Mebibyte),
		Annotations: map[string]string{v1alpha1.AnnotationPriority: "low"},
	},
	{
		Name: "archive", Replicas: 1, Requests: map[string]string{"cpu": "500m", "memory": "256Mi"},
		CPU: shop.Flat(0.05), Memory: shop.Flat(180 * shop.Mebibyte),
	},
})

func TestWorkloadsThatFitAloneShareAQuotaByPriority(t *testing.T) {
	s := newScene(t, "quota", quotaShop[2:])
	s.create(&corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "team"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourceRequestsCPU: resource.MustParse("1900m")}},
	})
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "initial"})
	s.when("Deployment", "archive", "is lowered", func(rec *v1alpha1.Recommendation) bool {
		return rec.Status.Applicable != nil && target(rec.Status.Applicable).CPUMillis < 500
	})
	for _, pod := range s.rollOut("archive") {
		s.Expect(requestsOf(pod).CPUMillis).To(BeNumerically("<", 500))
	}
	for _, w := range quotaShop[:2] {
		s.create(w.Object(started))
	}
	// One pod, and one more during a rollout: 300m each for who comes first, and what remains of 900m for the other.
	first := s.when("Deployment", "payments", "gets what it needs", func(rec *v1alpha1.Recommendation) bool {
		return rec.Status.Applicable != nil && target(rec.Status.Applicable).CPUMillis >= 290
	})
	wanted := target(first.Status.Applicable).CPUMillis
	rest := 450 - wanted
	rec := s.when("Deployment", "report", "gets what remains", func(rec *v1alpha1.Recommendation) bool {
		return rec.Status.Applicable != nil && target(rec.Status.Applicable).CPUMillis <= rest
	})
	s.Expect(target(rec.Status.Applicable).CPUMillis).To(BeNumerically(">=", 100), "nothing is taken away")
	s.Expect(hasFinding(rec, "QuotaTooSmall")).To(BeTrue(), describe(rec))
	s.Expect(describe(rec)).To(ContainSubstring("ResourceQuota team"))

	for _, name := range []string{"payments", "report"} { // Both roll out at their new sizes, which the quota would else refuse.
		for _, pod := range s.rollOut(name) {
			s.Expect(requestsOf(pod).CPUMillis).To(BeNumerically(">=", 100), fmt.Sprint(name))
		}
	}
	start := stopPart(t, install.Webhook)
	for _, w := range slices.Backward(quotaShop) { // archive first, while the others have what they were raised to
		for _, pod := range s.rollOut(w.Name) {
			s.Expect(requestsOf(pod)).To(Equal(amounts(w.Requests["cpu"], w.Requests["memory"])), "the webhook is away, and %s finds room as it is written", w.Name)
		}
	}
	start()
	s.annotate(map[string]string{v1alpha1.AnnotationMode: ""})
	for _, pod := range s.rollOut("archive") {
		s.Expect(requestsOf(pod).CPUMillis).To(Equal(int64(500)), "so it does after opting out")
	}
}
