package scenarios

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/e2e/shop"
)

// Two workloads that need more than they ask for; what a LimitRange lets them have is between, and under what was used.
var boundedShop = shop.InNamespace("bounded", []shop.Workload{
	{
		Name: "web", Replicas: 2, Requests: map[string]string{"cpu": "100m", "memory": "128Mi"},
		CPU: shop.Flat(0.3), Memory: shop.Flat(400 * shop.Mebibyte),
	},
	{
		Name: "hungry", Replicas: 1, Requests: map[string]string{"cpu": "100m", "memory": "128Mi"},
		CPU: shop.Flat(0.3), Memory: shop.Flat(900 * shop.Mebibyte),
	},
})

func TestWhatIsStoredIsWithinTheLimitRangeAndItsPodsAreAdmitted(t *testing.T) {
	s := newScene(t, "bounded", boundedShop)
	s.create(&corev1.LimitRange{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "team"},
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type: corev1.LimitTypeContainer,
			Max:  corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("200m"), corev1.ResourceMemory: resource.MustParse("450Mi")},
		}}},
	})
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "initial"})
	rec := s.when("Deployment", "web", "is within the LimitRange", func(rec *v1alpha1.Recommendation) bool {
		return rec.Status.Applicable != nil && target(rec.Status.Applicable) == amounts("200m", "450Mi")
	})
	s.Expect(describe(rec)).To(ContainSubstring("LimitRange team allows a container at most 450Mi"))
	for _, pod := range s.rollOut("web") {
		s.Expect(requestsOf(pod)).To(Equal(amounts("199m", "450Mi")), "as much as it may have without becoming Guaranteed")
		s.Expect(limitsOf(pod)).To(Equal(amounts("200m", "450Mi")), "what the namespace gives by default")
	}

	rec = s.when("Deployment", "hungry", "has a finding", func(rec *v1alpha1.Recommendation) bool {
		return hasFinding(rec, "MemoryCeilingBelowPeak")
	})
	s.Expect(target(rec.Status.Candidate).MemoryBytes).To(BeZero(), "no value fits, so the memory is left as it is")
	for _, pod := range s.rollOut("hungry") {
		s.Expect(requestsOf(pod)).To(Equal(amounts("200m", "128Mi")))
	}
}
