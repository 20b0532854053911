package scenarios

import (
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/e2e/shop"
)

var replicaShop = shop.InNamespace("replicas", []shop.Workload{
	{ // Two pods share what four pods did: the template's small request says that more are needed.
		Name: "web", Replicas: 2, PastPods: 6, Requests: map[string]string{"cpu": "200m", "memory": "256Mi"},
		CPU: shop.Flat(0.3), Memory: shop.Flat(200 * shop.Mebibyte),
	},
	{
		Name: "scaled", Replicas: 2, PastPods: 6, Requests: map[string]string{"cpu": "200m", "memory": "256Mi"},
		CPU: shop.Flat(0.3), Memory: shop.Flat(200 * shop.Mebibyte),
	},
})

func TestReplicasAreInjectedWhenADeploymentIsCreatedUnlessAnAutoscalerOwnsIt(t *testing.T) {
	s := newScene(t, "replicas", replicaShop)
	s.create(&autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "scaled"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "scaled"},
			MinReplicas:    new(int32(2)), MaxReplicas: 10,
			Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
				Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: new(int32(80))},
			}}},
		},
	})
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "initial", v1alpha1.AnnotationReplicas: "auto"})
	web := s.when("Deployment", "web", "recommends more pods", func(rec *v1alpha1.Recommendation) bool {
		return rec.Status.Applicable != nil && rec.Status.Applicable.Replicas != nil && *rec.Status.Applicable.Replicas > 2
	})
	scaled := s.when("Deployment", "scaled", "knows its autoscaler", func(rec *v1alpha1.Recommendation) bool {
		return rec.Status.Replicas != nil && rec.Status.Replicas.Owner == "HorizontalPodAutoscaler/scaled"
	})
	s.Expect(scaled.Status.Candidate == nil || len(scaled.Status.Candidate.Containers) == 0 || scaled.Status.Candidate.Containers[0].Target.CPU == nil).
		To(BeTrue(), "an autoscaler on CPU utilisation and a moving CPU request would fight")

	for _, w := range replicaShop {
		s.recreate(w)
	}
	s.Expect(replicasOf(s, "web")).To(Equal(*web.Status.Applicable.Replicas))
	s.Expect(replicasOf(s, "scaled")).To(Equal(int32(2)), "the autoscaler decides")
}

// recreate deletes a Deployment and creates it again as it was written.
func (s scene) recreate(w shop.Workload) {
	s.t.Helper()
	object := w.Object(started)
	s.Expect(loadline.Client.Delete(s.t.Context(), object, client.PropagationPolicy(metav1.DeletePropagationForeground))).To(Succeed())
	s.Eventually(func() bool { return apierrors.IsNotFound(s.get(w.Name, &appsv1.Deployment{})) }).Should(BeTrue())
	s.create(w.Object(started))
}

func replicasOf(s scene, deployment string) int32 {
	d := &appsv1.Deployment{}
	s.Expect(s.get(deployment, d)).To(Succeed())
	return *d.Spec.Replicas
}
