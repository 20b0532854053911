package scenarios

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/e2e/shop"
)

// autoscalerMax is as far as the autoscaler of this scenario may go.
const autoscalerMax = 4

var replicaShop = shop.InNamespace("replicas", []shop.Workload{
	{ // Two pods share what six pods did, and none should use more than 350m of its 500m: more pods are needed.
		Name: "web", Replicas: 2, PastPods: 6, Requests: map[string]string{"cpu": "500m", "memory": "256Mi"},
		CPU: shop.Flat(0.3), Memory: shop.Flat(200 * shop.Mebibyte),
	},
	{
		Name: "scaled", Replicas: 2, PastPods: 6, Requests: map[string]string{"cpu": "200m", "memory": "1Gi"},
		CPU: shop.Flat(0.3), Memory: shop.Flat(200 * shop.Mebibyte),
	},
})

func TestReplicasAreInjectedWhenADeploymentIsCreatedUnlessAnAutoscalerOwnsIt(t *testing.T) {
	t.Parallel()
	s := newScene(t, "replicas", replicaShop)
	autoscaler := autoscalerOf(s.namespace, "scaled")
	autoscaler.Spec.MaxReplicas = autoscalerMax
	s.create(autoscaler)
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "initial", v1alpha1.AnnotationReplicas: "auto"})
	web := s.when("Deployment", "web", "recommends more pods", func(rec *v1alpha1.Recommendation) bool {
		return rec.Status.Applicable != nil && rec.Status.Applicable.Replicas != nil && *rec.Status.Applicable.Replicas > 2
	})
	scaled := s.when("Deployment", "scaled", "knows its autoscaler", func(rec *v1alpha1.Recommendation) bool {
		return rec.Status.Replicas != nil && rec.Status.Replicas.Owner == "HorizontalPodAutoscaler/scaled" && rec.Status.Applicable != nil
	})
	size := scaled.Status.Applicable.Containers[0].Target
	s.Expect(size.CPU).To(BeNil(), "an autoscaler on CPU utilisation and a moving CPU request would fight")
	s.Expect(size.Memory).NotTo(BeNil(), "memory is no business of the autoscaler")
	s.Expect(size.Memory.Value()).To(BeNumerically("<", 1024*shop.Mebibyte))
	s.Expect(scaled.Status.Applicable.Replicas).To(BeNil(), "the autoscaler decides")

	// A use of 300m with a request of 200m is 150 %, and the autoscaler wants 80 %.
	s.Eventually(func() int32 { return replicasOf(s, "scaled") }, 3*patience, time.Second).Should(Equal(int32(autoscalerMax)), "the autoscaler scales")
	deployment := &appsv1.Deployment{}
	s.Expect(s.get("scaled", deployment)).To(Succeed())
	s.Expect(annotateObject(t.Context(), deployment, map[string]string{v1alpha1.AnnotationMode: "auto"})).To(Succeed())
	s.Consistently(func() int32 { return replicasOf(s, "scaled") }, 8*time.Second, 200*time.Millisecond).Should(Equal(int32(autoscalerMax)), "and keeps the last word")

	// What Create returns is what admission made of it, before any controller could change it.
	s.Expect(s.recreate(replicaShop[0])).To(Equal(*web.Status.Applicable.Replicas))
	s.Expect(s.recreate(replicaShop[1])).To(Equal(int32(2)), "as written: the autoscaler decides")
}

// recreate deletes a Deployment, creates it again as it was written, and returns how many replicas admission let it have.
func (s scene) recreate(w shop.Workload) int32 {
	s.t.Helper()
	object := w.Object(started)
	s.Expect(loadline.Client.Delete(s.t.Context(), object, client.PropagationPolicy(metav1.DeletePropagationForeground))).To(Succeed())
	s.Eventually(func() bool { return apierrors.IsNotFound(s.get(w.Name, &appsv1.Deployment{})) }).Should(BeTrue())
	created := w.Object(started).(*appsv1.Deployment)
	s.create(created)
	return *created.Spec.Replicas
}

func replicasOf(s scene, deployment string) int32 {
	d := &appsv1.Deployment{}
	s.Expect(s.get(deployment, d)).To(Succeed())
	return *d.Spec.Replicas
}
