package scenarios

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/e2e/shop"
)

// ratioShop has a workload that has far more than it needs, with a limit that stays where it is when the request falls, and one that needs
// more than it has.
var ratioShop = shop.InNamespace("ratio", []shop.Workload{{
	Name: "web", Replicas: 2, Requests: map[string]string{"cpu": "2", "memory": "2Gi"}, Limits: map[string]string{"cpu": "4"},
	CPU: shop.Flat(0.2), Memory: shop.Flat(300 * shop.Mebibyte),
}, {
	Name: "db", Kind: "StatefulSet", Replicas: 2, Requests: map[string]string{"cpu": "2", "memory": "512Mi"}, Limits: map[string]string{"memory": "512Mi"},
	CPU: shop.Flat(1.5), Memory: shop.Flat(1500 * shop.Mebibyte),
}})

func TestPodsThatAPolicyRefusesForTheirSizesComeAsTheyAreWritten(t *testing.T) {
	s := newScene(t, "ratio", ratioShop)
	s.watching(10 * time.Minute)
	s.refusesSizes()
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "initial"})
	s.when("Deployment", "web", "is to get less", func(rec *v1alpha1.Recommendation) bool {
		a := rec.Status.Applicable
		return a != nil && a.Containers[0].Target.CPU.MilliValue() < 1000
	})
	s.Expect(cpuOf(s.rollOut("web"))).To(HaveEach("2"), "new pods come as they are written")
	s.Expect(s.takenBack("web").Evidence).To(And(ContainSubstring("new pods are refused"), ContainSubstring("more than four times the request")))

	// A StatefulSet says nothing of it in its status, and its pods are refused because they were raised.
	s.when("StatefulSet", "db", "is to get more", func(rec *v1alpha1.Recommendation) bool {
		a := rec.Status.Applicable
		return a != nil && a.Containers[0].Target.Memory.Value() > 1<<30
	})
	drained := s.pods("db")[0]
	s.Expect(loadline.Client.Delete(t.Context(), &drained)).To(Succeed())
	rec := s.when("StatefulSet", "db", "takes it back", func(rec *v1alpha1.Recommendation) bool { return rec.Status.Rollback != nil })
	s.Expect(rec.Status.Rollback.Evidence).To(ContainSubstring("the memory limit is over 1Gi"))
	s.running("db", 2)
	s.Expect(memoryOf(s.pods("db"))).To(HaveEach("512Mi"), "new pods come as they are written")
}

func memoryOf(pods []corev1.Pod) []string {
	out := make([]string, len(pods))
	for i := range pods {
		out[i] = pods[i].Spec.Containers[0].Resources.Limits.Memory().String()
	}
	return out
}

// refusesSizes lets a policy of the cluster refuse pods of the namespace whose CPU limit is far above the request, or whose memory limit is large.
func (s scene) refusesSizes() {
	s.t.Helper()
	name := "ratio." + s.namespace
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{
				ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
				}}},
			},
			Validations: []admissionregistrationv1.Validation{{
				// A quantity cannot be multiplied in CEL, but it can be added to itself.
				Expression: `object.spec.containers.all(c, !('cpu' in c.resources.limits) || [quantity(c.resources.requests.cpu)].all(r, r.add(r).add(r).add(r).compareTo(quantity(c.resources.limits.cpu)) >= 0))`,
				Message:    "the CPU limit is more than four times the request",
			}, {
				Expression: `object.spec.containers.all(c, !('memory' in c.resources.limits) || quantity(c.resources.limits.memory).compareTo(quantity('1Gi')) <= 0)`,
				Message:    "the memory limit is over 1Gi",
			}},
		},
	}
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
			MatchResources: &admissionregistrationv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{
				MatchLabels: map[string]string{"kubernetes.io/metadata.name": s.namespace},
			}},
		},
	}
	for _, object := range []client.Object{policy, binding} {
		s.create(object)
		s.t.Cleanup(func() { _ = loadline.Client.Delete(context.Background(), object) })
	}
	tried := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "tried"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{
		Name: "app", Image: "registry.example/app:1", Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}, Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("4")},
		},
	}}}}
	s.Eventually(func() error { return loadline.Client.Create(s.t.Context(), tried.DeepCopy(), client.DryRunAll) }).
		Should(MatchError(ContainSubstring("four times")), "the API server knows the policy")
}
