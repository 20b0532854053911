package scenarios

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/e2e/shop"
)

var comesBackShop = oversized("comes-back")

var dryRunShop = shop.InNamespace("dry-run", []shop.Workload{
	{
		Name: "web", Replicas: 2, Requests: map[string]string{"cpu": "2", "memory": "2Gi"}, Limits: map[string]string{"memory": "2Gi"},
		CPU: shop.Diurnal(0.1, 0.4), Memory: shop.Flat(300 * shop.Mebibyte),
	},
	{
		Name: "db", Kind: "StatefulSet", Replicas: 2, Requests: map[string]string{"cpu": "1", "memory": "4Gi"},
		CPU: shop.Flat(0.2), Memory: shop.Flat(700 * shop.Mebibyte),
	},
	{
		Name: "agent", Kind: "DaemonSet", Replicas: nodes, PastPods: 3, Requests: map[string]string{"cpu": "100m", "memory": "64Mi"},
		CPU: shop.Flat(0.02), Memory: shop.Flat(40 * shop.Mebibyte),
	},
})

func TestANamespaceAnnotatedDryRunGetsRecommendationsAndNothingElseChanges(t *testing.T) {
	s := newScene(t, "dry-run", dryRunShop)
	before := snapshot(t, s.namespace)

	s.annotate(map[string]string{v1alpha1.AnnotationMode: "dry-run"})
	for kind, name := range map[string]string{"Deployment": "web", "StatefulSet": "db", "DaemonSet": "agent"} {
		rec := s.ready(kind, name)
		s.Expect(rec.Status.Mode).To(Equal(v1alpha1.ModeDryRun))
		s.Expect(rec.Status.Trail).NotTo(BeEmpty(), "the reasoning is part of the recommendation")
	}

	// Several rounds of recommender and updater pass in this time.
	s.Consistently(func() string { return cmp.Diff(before, snapshot(t, s.namespace)) }, 6*time.Second, time.Second).
		Should(BeEmpty(), "dry-run changed something")
}

func TestAWorkloadThatIsCreatedAgainIsNotSizedBeyondWhatItAllowedItself(t *testing.T) {
	t.Parallel()
	s := newScene(t, "comes-back", comesBackShop)
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "initial"})
	dryRun := map[string]string{v1alpha1.AnnotationMode: string(v1alpha1.ModeDryRun)}
	s.Expect(annotateObject(t.Context(), s.deployment("web"), dryRun)).To(Succeed())
	s.when("Deployment", "web", "follows its own annotation", func(rec *v1alpha1.Recommendation) bool {
		return rec.Status.Mode == v1alpha1.ModeDryRun && rec.Status.Applicable != nil
	})

	s.Expect(loadline.Client.Delete(t.Context(), s.deployment("web"), client.PropagationPolicy(metav1.DeletePropagationForeground))).To(Succeed())
	rec := s.when("Deployment", "web", "notices that it is gone", func(rec *v1alpha1.Recommendation) bool {
		c := meta.FindStatusCondition(rec.Status.Conditions, v1alpha1.ConditionReady)
		return c != nil && c.Reason == v1alpha1.ReasonTargetGone
	})
	s.Expect(rec.Status.Mode).To(Equal(v1alpha1.ModeDryRun), "the namespace says more, and did before")
	s.Eventually(func() bool { return apierrors.IsNotFound(s.get("web", &appsv1.Deployment{})) }).Should(BeTrue())
	again := comesBackShop[0].Object(started)
	again.SetAnnotations(dryRun)
	s.create(again)
	s.running("web", 3)
	for _, pod := range s.pods("web") {
		s.Expect(pod.Annotations).NotTo(HaveKey(v1alpha1.AnnotationRevision))
		s.Expect(requestsOf(pod)).To(Equal(amounts("2", "2Gi")))
	}
}

// snapshot returns every object of a namespace but Recommendations and events, each without what controllers keep up to date
// by themselves: status, resource version and managed fields. The namespace itself is there too, without the annotation.
func snapshot(t *testing.T, namespace string) map[string]string {
	t.Helper()
	disco, err := discovery.NewDiscoveryClientForConfig(cluster.AdminConfig)
	if err != nil {
		t.Fatal(err)
	}
	dyn, err := dynamic.NewForConfig(cluster.AdminConfig)
	if err != nil {
		t.Fatal(err)
	}
	lists, err := disco.ServerPreferredNamespacedResources()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range list.APIResources {
			gvr := version.WithResource(kind.Name)
			if !listable(kind) || kind.Name == "recommendations" || kind.Name == "events" || version.Group == "metrics.k8s.io" {
				continue
			}
			objects, err := dyn.Resource(gvr).Namespace(namespace).List(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatalf("list %s: %v", gvr, err)
			}
			for i := range objects.Items {
				all[kind.Name+"/"+objects.Items[i].GetName()] = essence(t, &objects.Items[i])
			}
		}
	}
	self, err := dyn.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}).Get(t.Context(), namespace, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	self.SetAnnotations(nil)
	all["namespace"] = essence(t, self)
	return all
}

func listable(kind metav1.APIResource) bool { return slices.Contains(kind.Verbs, "list") }

func essence(t *testing.T, object *unstructured.Unstructured) string {
	t.Helper()
	object.SetManagedFields(nil)
	object.SetResourceVersion("")
	delete(object.Object, "status")
	text, err := json.Marshal(object.Object)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
