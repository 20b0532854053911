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

var limitShop = func() []shop.Workload {
	var all []shop.Workload
	for name, policy := range map[string]string{
		"keep": "keep", "ratio": "ratio", "headroom": "headroom", "equal": "equal", "none": "none", "exploding": "ratio", "guaranteed": "none",
	} {
		w := shop.Workload{
			Name: name, Requests: map[string]string{"cpu": "2", "memory": "2Gi"}, Limits: map[string]string{"cpu": "4", "memory": "3Gi"},
			CPU: shop.Diurnal(0.1, 0.4), Memory: shop.Flat(300 * shop.Mebibyte), Annotations: map[string]string{v1alpha1.AnnotationPolicy: policy},
		}
		switch name {
		case "exploding": // 400 times the request
			w.Requests, w.Limits = map[string]string{"cpu": "10m", "memory": "2Gi"}, map[string]string{"cpu": "4", "memory": "3Gi"}
		case "guaranteed":
			w.Requests = w.Limits
		}
		all = append(all, w)
	}
	return shop.InNamespace("limits", all)
}()

func TestEveryLimitPolicyOnTheNextPods(t *testing.T) {
	s := newScene(t, "limits", limitShop)
	s.create(limitPolicy("default", "", nil, nil))
	s.create(limitPolicy("keep", v1alpha1.LimitKeep, new(resource.MustParse("3")), new(resource.MustParse("2560Mi"))))
	for _, policy := range []v1alpha1.LimitPolicy{v1alpha1.LimitRatio, v1alpha1.LimitHeadroom, v1alpha1.LimitEqual, v1alpha1.LimitNone} {
		s.create(limitPolicy(map[v1alpha1.LimitPolicy]string{
			v1alpha1.LimitRatio: "ratio", v1alpha1.LimitHeadroom: "headroom", v1alpha1.LimitEqual: "equal", v1alpha1.LimitNone: "none",
		}[policy], policy, nil, nil))
	}
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "initial"})
	for _, w := range limitShop {
		s.ready("Deployment", w.Name)
	}
	next := func(name string) (requests, limits apply.Amounts, class corev1.PodQOSClass) {
		t.Helper()
		pod := s.rollOut(name)[0]
		s.Expect(pod.Annotations).To(HaveKey(v1alpha1.AnnotationChanged), name)
		return requestsOf(pod), limitsOf(pod), pod.Status.QOSClass
	}

	_, limits, class := next("keep")
	s.Expect(limits).To(Equal(amounts("3", "2560Mi")), "a limit that is kept is cut to the policy's maximum")
	s.Expect(class).To(Equal(corev1.PodQOSBurstable))

	requests, limits, _ := next("ratio")
	s.Expect(limits.CPUMillis).To(BeNumerically("~", 2*requests.CPUMillis, 1), "twice the request, as in the template")
	s.Expect(limits.MemoryBytes).To(BeNumerically(">=", requests.MemoryBytes))
	s.Expect(limits.MemoryBytes).To(BeNumerically("<", amounts("", "3Gi").MemoryBytes))

	requests, limits, _ = next("exploding")
	s.Expect(requests.CPUMillis).To(BeNumerically(">", 80), "the point of the case: 400 times this is more than a node has")
	s.Expect(limits.CPUMillis).To(BeNumerically("<=", 32_000), "the largest node bounds what is computed")

	requests, limits, class = next("headroom")
	s.Expect(limits.CPUMillis).To(And(BeNumerically(">", requests.CPUMillis), BeNumerically("<", 4000)))
	s.Expect(limits.MemoryBytes).To(BeNumerically(">=", 360*shop.Mebibyte), "the peak and a fifth")
	s.Expect(class).To(Equal(corev1.PodQOSBurstable))

	requests, limits, class = next("equal")
	s.Expect(limits).To(Equal(requests))
	s.Expect(class).To(Equal(corev1.PodQOSGuaranteed), "the policies ask for it")

	_, limits, class = next("none")
	s.Expect(limits).To(BeZero())
	s.Expect(class).To(Equal(corev1.PodQOSBurstable))

	requests, limits, class = next("guaranteed")
	s.Expect(limits).To(Equal(requests), "even where the policy would remove limits")
	s.Expect(requests.CPUMillis).To(BeNumerically("<", 4000))
	s.Expect(class).To(Equal(corev1.PodQOSGuaranteed))
}

// limitPolicy lets a workload choose its policy.
func limitPolicy(name string, limit v1alpha1.LimitPolicy, maxCPU, maxMemory *resource.Quantity) *v1alpha1.SizingPolicy {
	policy := &v1alpha1.SizingPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: "limits", Name: name}, Spec: v1alpha1.SizingPolicySpec{AllowOverrides: new(true)},
	}
	if limit != "" {
		policy.Spec.CPU.Limit, policy.Spec.Memory.Limit = new(limit), new(limit)
	}
	policy.Spec.CPU.Max, policy.Spec.Memory.Max = maxCPU, maxMemory
	return policy
}
