package scenarios

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	autoscalingv2ac "k8s.io/client-go/applyconfigurations/autoscaling/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/e2e/shop"
)

var minimumShop = shop.InNamespace("minimum", []shop.Workload{
	minimumWorkload("ours"), minimumWorkload("keda"), minimumWorkload("git"),
})

var grantedShop = shop.InNamespace("granted", []shop.Workload{minimumWorkload("web")})

// minimumWorkload has two pods that use 300m of the 500m that they ask for.
func minimumWorkload(name string) shop.Workload {
	return shop.Workload{
		Name: name, Replicas: 2, Requests: map[string]string{"cpu": "500m", "memory": "256Mi"},
		CPU: shop.Flat(0.3), Memory: shop.Flat(200 * shop.Mebibyte),
	}
}

func TestAnEventRaisesTheMinimumOfAnAutoscalerUnlessSomebodyElseKeepsIt(t *testing.T) {
	s := newScene(t, "minimum", minimumShop)
	for _, name := range []string{"ours", "keda", "git"} {
		hpa := autoscalerOf(s.namespace, name)
		if name == "keda" {
			hpa.Labels = map[string]string{"scaledobject.keda.sh/name": "keda"}
		}
		s.create(hpa)
	}
	manifest := autoscalingv2ac.HorizontalPodAutoscaler("git", s.namespace).WithSpec(autoscalingv2ac.HorizontalPodAutoscalerSpec().WithMinReplicas(2))
	s.Expect(loadline.Client.Apply(t.Context(), manifest, client.FieldOwner("gitops"), client.ForceOwnership)).To(Succeed())

	event := time.Now().UTC().Add(-time.Hour).Format(time.RFC3339) + "/" + time.Now().UTC().Add(24*time.Hour).Format(time.RFC3339) + " demand=200%"
	s.annotate(map[string]string{
		v1alpha1.AnnotationMode: "auto", v1alpha1.AnnotationReplicas: "auto", v1alpha1.AnnotationEventPrefix + "sale": event,
	})
	// Twice 600m at 350m per pod are four pods, up to a quantile's margin.
	s.Eventually(func() int32 { return s.minimum("ours") }).Should(BeNumerically(">=", 4))
	raised := s.minimum("ours")
	s.Eventually(func() int32 { return replicasOf(s, "ours") }, 2*patience).Should(BeNumerically(">=", raised), "the autoscaler follows")
	for _, name := range []string{"keda", "git"} {
		rec := s.when("Deployment", name, "tells what a person should do", func(rec *v1alpha1.Recommendation) bool {
			return hasFinding(rec, "AutoscalerMinimumTooLow")
		})
		s.Expect(rec.Status.Applicable.AutoscalerMinReplicas).To(BeNil())
		s.Expect(s.minimum(name)).To(Equal(int32(2)), "it is not Loadline's to write")
	}
	rec := s.ready("Deployment", "ours")
	s.Expect(target(rec.Status.Applicable).CPUMillis).To(BeZero(), "the event raises the autoscaler, not the pods")

	s.annotate(map[string]string{v1alpha1.AnnotationMode: ""}) // opting out
	s.Eventually(func() int32 { return s.minimum("ours") }).Should(Equal(int32(2)), "what the owner wrote is back")
	s.Eventually(func() map[string]string { return s.autoscaler("ours").Annotations }).ShouldNot(HaveKey(v1alpha1.AnnotationRaisedMinimum))
}

// The API server itself tells that the field is Loadline's no more.
func TestTheMinimumAndItsOwnershipGoBackWhenWhatGrantedThemIsTakenAway(t *testing.T) {
	s := newScene(t, "granted", grantedShop)
	policy := &v1alpha1.SizingPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: v1alpha1.DefaultPolicyName},
		Spec:       v1alpha1.SizingPolicySpec{Replicas: v1alpha1.ReplicaPolicy{Mode: new(v1alpha1.ReplicasAuto)}},
	}
	s.create(policy)
	s.create(autoscalerOf(s.namespace, "web"))
	event := time.Now().UTC().Add(-time.Hour).Format(time.RFC3339) + "/" + time.Now().UTC().Add(24*time.Hour).Format(time.RFC3339) + " demand=200%"
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "auto", v1alpha1.AnnotationEventPrefix + "sale": event})
	raised := func(by string) {
		s.Eventually(func() int32 { return s.minimum("web") }).Should(BeNumerically(">", 2), "raised for the sale, as %s allows", by)
		s.Expect(owners(s.autoscaler("web"), "spec", "minReplicas")).To(ContainElement(v1alpha1.FieldManagerUpdater))
	}
	back := func(without string) {
		s.Eventually(func() map[string]string { return s.autoscaler("web").Annotations }).ShouldNot(HaveKey(v1alpha1.AnnotationRaisedMinimum), "without %s", without)
		s.Expect(s.minimum("web")).To(Equal(int32(2)), "what was there before")
		s.Expect(owners(s.autoscaler("web"), "spec", "minReplicas")).To(BeEmpty())
	}

	raised("the policy")
	s.Expect(loadline.Client.Delete(t.Context(), policy)).To(Succeed())
	back("the policy")
	s.annotate(map[string]string{v1alpha1.AnnotationReplicas: "auto"})
	raised("the annotation")
	s.annotate(map[string]string{v1alpha1.AnnotationReplicas: ""})
	back("the annotation")

	manifest := autoscalingv2ac.HorizontalPodAutoscaler("web", s.namespace).WithSpec(autoscalingv2ac.HorizontalPodAutoscalerSpec().WithMinReplicas(3))
	s.Expect(loadline.Client.Apply(t.Context(), manifest, client.FieldOwner("gitops"))).To(Succeed(), "another number is in nobody's way")
	s.Expect(s.minimum("web")).To(Equal(int32(3)))
}

// owners are the field managers that own a field of an object.
func owners(object client.Object, path ...string) []string {
	var names []string
	for _, entry := range object.GetManagedFields() {
		if apply.Owns(entry, path...) {
			names = append(names, entry.Manager)
		}
	}
	return names
}

func autoscalerOf(namespace, name string) *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: name},
			MinReplicas:    new(int32(2)), MaxReplicas: 8,
			Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
				Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: new(int32(80))},
			}}},
		},
	}
}

func (s scene) autoscaler(name string) *autoscalingv2.HorizontalPodAutoscaler {
	s.t.Helper()
	hpa := &autoscalingv2.HorizontalPodAutoscaler{}
	s.Expect(s.get(name, hpa)).To(Succeed())
	return hpa
}

func (s scene) minimum(autoscaler string) int32 {
	s.t.Helper()
	return *s.autoscaler(autoscaler).Spec.MinReplicas
}
