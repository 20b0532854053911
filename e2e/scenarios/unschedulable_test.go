package scenarios

import (
	"context"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/e2e/shop"
)

// A workload that asks for half a core and needs five, on a node that has two left.
var crowdedShop = shop.InNamespace("crowded", []shop.Workload{{
	Name: "web", Replicas: 1, Requests: map[string]string{"cpu": "500m", "memory": "1Gi"},
	CPU: shop.Flat(5), Memory: shop.Flat(300 * shop.Mebibyte),
	PodAnnotations: map[string]string{"kwok.x-k8s.io/resize": "infeasible"},
}})

func TestAPodThatFindsNoNodeWithItsNewSizesIsReplacedByOneThatFits(t *testing.T) {
	s := newScene(t, "crowded", nil)
	node := s.ownNode()
	s.create(onNode(&appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "neighbour", Annotations: map[string]string{v1alpha1.AnnotationMode: "off"}},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "neighbour"}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "neighbour"}},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: "app", Image: "registry.example/neighbour:1",
					Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("30")}},
				}}},
			},
		},
	}, node))
	web := onNode(crowdedShop[0].Object(started).(*appsv1.Deployment), node)
	web.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType // The node has no room for two.
	s.create(web)
	s.running("neighbour", 1)
	s.running("web", 1)
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "auto"})
	rec := s.ready("Deployment", "web")
	s.Expect(target(rec.Status.Applicable).CPUMillis).To(BeNumerically(">", 2000), "more than the node has left")

	// A release: its pod is admitted with what the workload needs, and finds no node until that is lowered.
	pod := s.rollOut("web")[0]
	s.Expect(pod.Status.ContainerStatuses[0].Resources.Requests.Cpu().MilliValue()).To(Equal(int64(2000)), "what the node had left")
	rec = s.recommendation("Deployment", "web")
	s.Expect(apply.FromAPI(rec.Status.Applicable).Containers[0].InPlace.CPUMillis).To(BeNumerically(">", 2000), "a pod that runs is raised once its node has room")
	s.Expect(hasFinding(rec, "Unschedulable")).To(BeTrue(), describe(rec))
	s.Expect(rec.Status.Memory.Unschedulable.Times).To(Equal(int32(1)))
}

// ownNode adds a node that no other scenario's pods tolerate, and takes it away at the end.
func (s scene) ownNode() string {
	s.t.Helper()
	names, err := cluster.AddNodes(s.t.Context(), 1)
	s.Expect(err).NotTo(HaveOccurred())
	node := &corev1.Node{}
	s.Expect(loadline.Client.Get(s.t.Context(), types.NamespacedName{Name: names[0]}, node)).To(Succeed())
	before := node.DeepCopy()
	node.Spec.Taints = []corev1.Taint{{Key: "example.com/scenario", Value: s.namespace, Effect: corev1.TaintEffectNoSchedule}}
	s.Expect(loadline.Client.Patch(s.t.Context(), node, client.MergeFrom(before))).To(Succeed())
	s.t.Cleanup(func() { _ = loadline.Client.Delete(context.Background(), node) }) // The test's own context has ended by now.
	return node.Name
}

// onNode binds the pods of a Deployment to a node of ownNode.
func onNode(d *appsv1.Deployment, node string) *appsv1.Deployment {
	d.Spec.Template.Spec.NodeSelector = map[string]string{corev1.LabelHostname: node}
	d.Spec.Template.Spec.Tolerations = []corev1.Toleration{{Key: "example.com/scenario", Operator: corev1.TolerationOpExists}}
	return d
}
