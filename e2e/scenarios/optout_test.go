package scenarios

import (
	"maps"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/shop"
)

var cleanupShop = shop.InNamespace("cleanup", []shop.Workload{
	{
		Name: "web", Replicas: 2, Requests: map[string]string{"cpu": "1", "memory": "512Mi"},
		CPU: shop.Flat(0.2), Memory: shop.Flat(200 * shop.Mebibyte),
	},
	minimumWorkload("scaled"),
})

func TestUninstallingLeavesWorkloadsRunningAndTakesBackTheRest(t *testing.T) {
	s := newScene(t, "cleanup", cleanupShop)
	s.create(autoscalerOf(s.namespace, "scaled"))
	event := time.Now().UTC().Add(-time.Hour).Format(time.RFC3339) + "/" + time.Now().UTC().Add(24*time.Hour).Format(time.RFC3339) + " demand=200%"
	s.annotate(map[string]string{
		v1alpha1.AnnotationMode: "auto", v1alpha1.AnnotationReplicas: "auto", v1alpha1.AnnotationEventPrefix + "sale": event,
	})
	s.Eventually(func() int32 { return s.minimum("scaled") }).Should(BeNumerically(">", 2), "raised for the sale")
	s.when("Deployment", "web", "is applied", func(rec *v1alpha1.Recommendation) bool {
		return slices.ContainsFunc(rec.Status.Conditions, func(c metav1.Condition) bool {
			return c.Type == v1alpha1.ConditionApplied && c.Reason == v1alpha1.ReasonUpToDate
		})
	})

	out, err := loadline.CLI(t.Context(), "cleanup")
	s.Expect(err).To(HaveOccurred(), "it would be done again at once")
	s.Expect(out).To(ContainSubstring("stop Loadline first"))
	for _, part := range []string{install.Updater, install.Recommender, install.Webhook} {
		stopPart(t, part)
	}
	s.scaleAsUpdater("web", replicasOf(s, "web")+1)
	before := s.sizes("web")
	out, err = loadline.CLI(t.Context(), "cleanup", "--dry-run")
	s.Expect(err).NotTo(HaveOccurred(), out)
	s.Expect(out).To(ContainSubstring("cleanup/scaled: would put minReplicas back"))
	s.Expect(s.minimum("scaled")).To(BeNumerically(">", 2), "a dry run changes nothing")

	out, err = loadline.CLI(t.Context(), "cleanup")
	s.Expect(err).NotTo(HaveOccurred(), out)
	s.Expect(s.minimum("scaled")).To(Equal(int32(2)))
	s.Expect(owners(s.autoscaler("scaled"), "spec", "minReplicas")).To(BeEmpty())
	s.Expect(owners(s.deployment("web"), "spec", "replicas")).To(BeEmpty(), "a manifest with another number is in conflict with nobody")
	namespace := &corev1.Namespace{}
	s.Expect(loadline.Client.Get(t.Context(), types.NamespacedName{Name: s.namespace}, namespace)).To(Succeed())
	s.Expect(namespace.Labels).NotTo(HaveKey(v1alpha1.LabelAdmission))
	s.Expect(namespace.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationMode, "auto"), "what people wrote is theirs")
	s.Expect(maps.Equal(before, s.sizes("web"))).To(BeTrue(), "the same pods run with the same sizes: before %v, after %v", before, s.sizes("web"))
}

// scaleAsUpdater sets a number of pods like the updater, and waits for the pods.
func (s scene) scaleAsUpdater(deployment string, replicas int32) {
	s.t.Helper()
	scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: replicas}}
	s.Expect(loadline.Client.SubResource("scale").Update(s.t.Context(), s.deployment(deployment),
		client.WithSubResourceBody(scale), client.FieldOwner(v1alpha1.FieldManagerUpdater))).To(Succeed())
	s.running(deployment, replicas)
}

// sizes are what the pods of a workload ask for, by the pods' UIDs.
func (s scene) sizes(app string) map[types.UID]apply.Amounts {
	sizes := map[types.UID]apply.Amounts{}
	for _, pod := range s.pods(app) {
		sizes[pod.UID] = requestsOf(pod)
	}
	return sizes
}
