package scenarios

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/shop"
)

func oversized(namespace string) []shop.Workload {
	return shop.InNamespace(namespace, []shop.Workload{{
		Name: "web", Replicas: 3, Requests: map[string]string{"cpu": "2", "memory": "2Gi"}, Limits: map[string]string{"cpu": "4", "memory": "2Gi"},
		CPU: shop.Diurnal(0.1, 0.4), Memory: shop.Flat(300 * shop.Mebibyte),
	}})
}

var (
	initialShop   = oversized("initial")
	untouchedShop = oversized("untouched")
	optOutShop    = oversized("opt-out")
)

func TestTheNextPodsOfADeploymentAreAdmittedWithTheRecommendedSizes(t *testing.T) {
	s := newScene(t, "initial", initialShop)
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "initial"})
	rec := s.ready("Deployment", "web")
	want := target(rec.Status.Applicable)
	s.Expect(want.CPUMillis).To(BeNumerically("<", 2000), "the point of the scenario")

	for _, pod := range s.rollOut("web") {
		s.Expect(requestsOf(pod)).To(Equal(want))
		s.Expect(limitsOf(pod)).To(Equal(amounts("4", "2Gi")), "the default policy keeps limits")
		s.Expect(pod.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationRevision, rec.Status.Revision))
		s.Expect(pod.Annotations[v1alpha1.AnnotationOriginal]).To(ContainSubstring("2"), "the original sizes are kept")
	}
}

func TestANamespaceWithoutTheAnnotationIsUntouched(t *testing.T) {
	s := newScene(t, "untouched", untouchedShop)
	for _, pod := range s.rollOut("web") {
		s.Expect(requestsOf(pod)).To(Equal(amounts("2", "2Gi")))
		s.Expect(pod.Annotations).NotTo(HaveKey(v1alpha1.AnnotationRevision))
	}
	s.Expect(s.recommendation("Deployment", "web")).To(BeNil())
}

func TestOptingOutNeedsNoRunningRecommender(t *testing.T) {
	s := newScene(t, "opt-out", optOutShop)
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "initial"})
	s.ready("Deployment", "web")
	s.Expect(admissionLabel(s)).To(Equal(v1alpha1.LabelAdmissionEnabled))

	start := stopPart(t, install.Recommender)
	s.annotate(map[string]string{v1alpha1.AnnotationMode: ""})
	s.Expect(admissionLabel(s)).To(BeEmpty(), "the label goes in the same request")
	for _, pod := range s.rollOut("web") {
		s.Expect(requestsOf(pod)).To(Equal(amounts("2", "2Gi")))
	}

	start()
	s.when("Deployment", "web", "opted out", func(rec *v1alpha1.Recommendation) bool { return rec.Status.Mode == v1alpha1.ModeOff })
}

func admissionLabel(s scene) string {
	namespace := &corev1.Namespace{}
	s.Expect(loadline.Client.Get(s.t.Context(), types.NamespacedName{Name: s.namespace}, namespace)).To(Succeed())
	return namespace.Labels[v1alpha1.LabelAdmission]
}
