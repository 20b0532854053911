package scenarios

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
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

// tornShop needs more CPU than it asks for, and far less memory.
var tornShop = shop.InNamespace("torn", []shop.Workload{{
	Name: "web", Replicas: 1, Requests: map[string]string{"cpu": "100m", "memory": "2Gi"}, Limits: map[string]string{"memory": "4Gi"},
	CPU: shop.Flat(0.4), Memory: shop.Flat(300 * shop.Mebibyte),
}})

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

func TestARunningPodIsRaisedAlthoughALimitRangeRefusesToLowerIt(t *testing.T) {
	s := newScene(t, "torn", tornShop)
	s.create(&corev1.LimitRange{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "team"},
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type: corev1.LimitTypeContainer, MaxLimitRequestRatio: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2")},
		}}},
	})
	s.create(&v1alpha1.SizingPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: v1alpha1.DefaultPolicyName},
		Spec: v1alpha1.SizingPolicySpec{
			Memory:     v1alpha1.MemoryPolicy{Limit: new(v1alpha1.LimitRatio)},
			Disruption: v1alpha1.DisruptionPolicy{Canary: v1alpha1.CanaryPolicy{Pods: new(int32(0))}},
		},
	})
	before := uids(s.pods("web"))
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "auto"})
	s.Eventually(func() []apply.Amounts { return actualRequests(s.pods("web")) }).
		Should(And(HaveLen(1), HaveEach(HaveField("CPUMillis", BeNumerically(">=", 400)))))
	s.Expect(uids(s.pods("web"))).To(Equal(before), "no pod was replaced")
	s.Expect(requestsOf(s.pods("web")[0]).MemoryBytes).To(Equal(amounts("", "2Gi").MemoryBytes), "half of the limit, which never goes down on a running pod")
	s.Expect(s.recommendation("Deployment", "web").Status.Outcomes).To(ContainElement(And(
		HaveField("Result", v1alpha1.OutcomeRefused), HaveField("Message", ContainSubstring("limit to request ratio per Container is 2")),
	)), "the point of the scenario")
	next := s.rollOut("web")[0]
	s.Expect(requestsOf(next).MemoryBytes).To(BeNumerically("<", amounts("", "1536Mi").MemoryBytes), "the next pod comes smaller")
	s.Expect(limitsOf(next).MemoryBytes).To(BeNumerically("<=", 2*requestsOf(next).MemoryBytes), "with a limit that goes with it")
}
