package scenarios

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/e2e/shop"
)

// sidecarShop is the history of the two containers of one Deployment: the container and its native side-car.
var sidecarShop = shop.InNamespace("sidecars", []shop.Workload{
	{
		Name: "web", Requests: map[string]string{"cpu": "2", "memory": "2Gi"}, Limits: map[string]string{"memory": "2Gi"},
		CPU: shop.Diurnal(0.1, 0.4), Memory: shop.Flat(300 * shop.Mebibyte),
	},
	{Name: "web", Container: "shipper", CPU: shop.Diurnal(0.01, 0.03), Memory: shop.Flat(40 * shop.Mebibyte)},
})

var meshShop = oversized("mesh")

// withSideCar is the Deployment with an ordinary init container and a native side-car that ask for far too much.
func withSideCar(w shop.Workload) *appsv1.Deployment {
	much := corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("1"), "memory": resource.MustParse("1Gi")}}
	d := w.Object(started).(*appsv1.Deployment)
	d.Spec.Template.Spec.InitContainers = []corev1.Container{
		{Name: "migrate", Image: "registry.example/migrate:1", Resources: much},
		{Name: "shipper", Image: "registry.example/shipper:1", Resources: much, RestartPolicy: new(corev1.ContainerRestartPolicyAlways)},
	}
	return d
}

func TestANativeSideCarIsSizedAndAnInitContainerIsNot(t *testing.T) {
	s := newScene(t, "sidecars", nil)
	s.create(withSideCar(sidecarShop[0]))
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "initial"})
	rec := s.when("Deployment", "web", "sizes both containers", func(rec *v1alpha1.Recommendation) bool {
		return rec.Status.Applicable != nil && len(rec.Status.Applicable.Containers) == 2
	})
	sizes := apply.FromAPI(rec.Status.Applicable)
	shipper, _ := sizes.Container("shipper")
	s.Expect(shipper.Target.CPUMillis).To(BeNumerically("<", 1000), "the point of the scenario")

	for _, pod := range s.rollOut("web") {
		init := pod.Spec.InitContainers
		s.Expect(apply.ResourcesOf(init[0].Resources).Requests).To(Equal(amounts("1", "1Gi")), "the init container")
		s.Expect(apply.ResourcesOf(init[1].Resources).Requests).To(Equal(shipper.Target), "the side-car")
		s.Expect(pod.Annotations[v1alpha1.AnnotationChanged]).To(ContainSubstring("shipper: cpu request 1 → "))
	}
}

func TestResourcesOfThePodAsAWholeAreLeftAloneAndTheReasonIsShown(t *testing.T) {
	s := newScene(t, "pod-level", nil)
	w := shop.Workload{Namespace: s.namespace, Name: "web", Requests: map[string]string{"cpu": "100m", "memory": "64Mi"}}
	d := w.Object(started).(*appsv1.Deployment)
	d.Spec.Template.Spec.Resources = &corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("1"), "memory": resource.MustParse("1Gi")}}
	s.create(d)
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "initial"})
	s.when("Deployment", "web", "says why it is left alone", func(rec *v1alpha1.Recommendation) bool {
		ready := apimeta.FindStatusCondition(rec.Status.Conditions, v1alpha1.ConditionReady)
		return ready != nil && ready.Reason == v1alpha1.ReasonPodLevelResources &&
			slices.ContainsFunc(rec.Status.Findings, func(f v1alpha1.Finding) bool { return f.Type == v1alpha1.ReasonPodLevelResources })
	})
}

// mesh is a second mutating webhook: it puts a proxy before the containers of every pod, and a side-car before the init
// containers, as the injectors of service meshes do. Everything that Loadline found out about indexes is then wrong.
func mesh(t *testing.T, s scene) {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		var pod corev1.Pod
		if json.NewDecoder(r.Body).Decode(&review) != nil || json.Unmarshal(review.Request.Object.Raw, &pod) != nil {
			http.Error(w, "not a pod", http.StatusBadRequest)
			return
		}
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
		if pod.Spec.Containers[0].Name != "mesh-proxy" {
			const image = `"image":"registry.example/mesh:1","resources":{"requests":{"cpu":"300m"}}`
			review.Response.PatchType = new(admissionv1.PatchTypeJSONPatch)
			review.Response.Patch = []byte(`[{"op":"add","path":"/spec/containers/0","value":{"name":"mesh-proxy",` + image + `}},` +
				`{"op":"add","path":"/spec/initContainers","value":[{"name":"mesh-init","restartPolicy":"Always",` + image + `}]}]`)
		}
		review.Request = nil
		_ = json.NewEncoder(w).Encode(review)
	}))
	t.Cleanup(server.Close)
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "mesh-injector"}, // after loadline-mutating, in the order of names
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "inject.mesh.example",
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL:      new(server.URL + "/inject"),
				CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
			},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: s.namespace}},
			FailurePolicy:           new(admissionregistrationv1.Fail),
			SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
			ReinvocationPolicy:      new(admissionregistrationv1.IfNeededReinvocationPolicy),
			AdmissionReviewVersions: []string{"v1"},
		}},
	}
	s.create(configuration)
	t.Cleanup(func() { _ = loadline.Client.Delete(context.Background(), configuration) })
}

func TestAMeshThatInjectsItsProxyAfterwardsConfusesNothing(t *testing.T) {
	s := newScene(t, "mesh", meshShop)
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "initial"})
	rec := s.ready("Deployment", "web")
	mesh(t, s)

	for _, pod := range s.rollOut("web") {
		s.Expect(pod.Spec.Containers).To(HaveLen(2))
		present := apply.Present(&pod)
		s.Expect(present["app"].Requests).To(Equal(target(rec.Status.Applicable)))
		s.Expect(present["app"].Limits).To(Equal(amounts("4", "2Gi")))
		for _, injected := range []string{"mesh-proxy", "mesh-init"} {
			s.Expect(present[injected].Requests).To(Equal(amounts("300m", "")), injected)
		}
		original, err := apply.Original(&pod)
		s.Expect(err).NotTo(HaveOccurred())
		s.Expect(original["app"].Requests).To(Equal(amounts("2", "2Gi")), "what the template asks for, and not what Loadline made of it")
		s.Expect(apply.Drifted(apply.FromAPI(rec.Status.Applicable), original, present, apply.ForNewPod)).To(BeEmpty())
	}
	s.Eventually(s.toldAbout).WithArguments("web").Should(ConsistOf(ContainSubstring("new pods get revision "+rec.Status.Revision)), "a rollout is one Event")
}

// toldAbout returns the notes of the webhook's Events about a Deployment.
func (s scene) toldAbout(deployment string) ([]string, error) {
	list := &eventsv1.EventList{}
	if err := loadline.Client.List(s.t.Context(), list, client.InNamespace(s.namespace)); err != nil {
		return nil, err
	}
	d := &appsv1.Deployment{}
	if err := s.get(deployment, d); err != nil {
		return nil, err
	}
	var notes []string
	for _, e := range list.Items {
		if e.ReportingController == "loadline.dev/webhook" && e.Regarding.UID == d.UID {
			notes = append(notes, e.Note)
		}
	}
	return notes, nil
}

// warnings collects what the API server says to a person.
type warnings struct{ said []string }

// HandleWarningHeader remembers a warning.
func (w *warnings) HandleWarningHeader(_ int, _, text string) { w.said = append(w.said, text) }

// personWhoHears is a client whose warnings are collected.
func (s scene) personWhoHears(said *warnings) client.Client {
	s.t.Helper()
	configuration := rest.CopyConfig(cluster.AdminConfig)
	configuration.WarningHandler = said
	person, err := client.New(configuration, client.Options{Scheme: loadline.Client.Scheme()})
	s.Expect(err).NotTo(HaveOccurred())
	return person
}

func TestAnAutoscalerThatTakesTheCPUAwayIsWarnedAbout(t *testing.T) {
	s := newScene(t, "warnings", warningShop)
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "initial"})
	s.ready("Deployment", "web")

	said := &warnings{}
	person := s.personWhoHears(said)
	s.Expect(person.Create(t.Context(), &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "web"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}, MaxReplicas: 5,
		},
	})).To(Succeed())
	s.Expect(said.said).To(ContainElement(ContainSubstring("Loadline sizes memory only")))

	said.said = nil
	web := &appsv1.Deployment{}
	s.Expect(s.get("web", web)).To(Succeed())
	before := web.DeepCopy()
	web.Spec.Template.Spec.Containers[0].Resources.Limits[corev1.ResourceMemory] = resource.MustParse("200Mi")
	web.Spec.Template.Spec.Containers[0].Resources.Requests[corev1.ResourceMemory] = resource.MustParse("200Mi")
	s.Expect(person.Patch(t.Context(), web, client.MergeFrom(before), client.DryRunAll)).To(Succeed())
	s.Expect(said.said).To(ContainElement(ContainSubstring("that one pod was seen to use")))
}

var warningShop = oversized("warnings")
