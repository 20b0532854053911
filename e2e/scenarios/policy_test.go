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

// ratioShop has a workload that has far more than it needs, with a limit that stays where it is when the request falls.
var ratioShop = shop.InNamespace("ratio", []shop.Workload{{
	Name: "web", Replicas: 2, Requests: map[string]string{"cpu": "2", "memory": "2Gi"}, Limits: map[string]string{"cpu": "4"},
	CPU: shop.Flat(0.2), Memory: shop.Flat(300 * shop.Mebibyte),
}})

func TestSizesForWhichAPolicyRefusesNewPodsAreTakenBackAndThePodsCome(t *testing.T) {
	s := newScene(t, "ratio", ratioShop)
	s.watching(10 * time.Minute)
	s.refusesRatios()
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "initial"})
	s.when("Deployment", "web", "is to get less", func(rec *v1alpha1.Recommendation) bool {
		a := rec.Status.Applicable
		return a != nil && a.Containers[0].Target.CPU.MilliValue() < 1000
	})
	s.Expect(cpuOf(s.rollOut("web"))).To(HaveEach("2"), "new pods come as they are written")
	s.Expect(s.takenBack("web").Evidence).To(And(ContainSubstring("new pods are refused"), ContainSubstring("more than four times the request")))
}

// refusesRatios lets a policy of the cluster refuse pods of the namespace whose CPU limit is far above the request.
func (s scene) refusesRatios() {
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
				Expression: `object.spec.containers.all(c, [quantity(c.resources.requests.cpu)].all(r, r.add(r).add(r).add(r).compareTo(quantity(c.resources.limits.cpu)) >= 0))`,
				Message:    "the CPU limit is more than four times the request",
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
