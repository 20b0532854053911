package recommender

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/internal/testkit"
	"github.com/loadline-dev/loadline/recommender/guard"
)

func (s *shop) gather() Input {
	s.Helper()
	in, err := s.recommender.Engine.Gather(s.Context(), checkoutTarget, noon)
	if err != nil {
		s.Fatal(err)
	}
	return in
}

func policy(name string, spec v1alpha1.SizingPolicySpec) *v1alpha1.SizingPolicy {
	return &v1alpha1.SizingPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: spec}
}

func TestTheNamespacesPolicyDecidesWhetherAWorkloadMayNameAnother(t *testing.T) {
	allowing := v1alpha1.SizingPolicySpec{AllowOverrides: new(true)}
	night := policy("night", v1alpha1.SizingPolicySpec{MaxGiveBackPercent: new(int32(7))})
	workload := testkit.Deployment("shop", "checkout", 1).Container("app", "1", "1Gi").
		Annotated(v1alpha1.AnnotationPolicy, "night").Annotated(v1alpha1.AnnotationApproval, "automatic").Object()
	namespace := testkit.Namespace("shop", v1alpha1.AnnotationMode, "auto", v1alpha1.AnnotationApproval, "manual")

	in := newShop(t, namespace, workload, night, policy("default", allowing)).gather()
	if *in.Policy.MaxGiveBackPercent != 7 || in.Settings.Approval != v1alpha1.ApprovalAutomatic || len(in.Settings.Ignored) != 0 {
		t.Errorf("allowed: gives back %d %%, approval %s, ignored %v", *in.Policy.MaxGiveBackPercent, in.Settings.Approval, in.Settings.Ignored)
	}
	in = newShop(t, namespace, workload, night).gather()
	if *in.Policy.MaxGiveBackPercent == 7 || in.Settings.Approval != v1alpha1.ApprovalManual || len(in.Settings.Ignored) != 2 {
		t.Errorf("not allowed: gives back %d %%, approval %s, ignored %v", *in.Policy.MaxGiveBackPercent, in.Settings.Approval, in.Settings.Ignored)
	}
}

func TestWhatIsCriticalCoversMoreOfItsUse(t *testing.T) {
	workload := testkit.Deployment("shop", "checkout", 1).Container("app", "1", "1Gi").Object()
	namespace := testkit.Namespace("shop", v1alpha1.AnnotationMode, "auto", v1alpha1.AnnotationPriority, "critical")
	if in := newShop(t, workload, namespace).gather(); *in.Policy.CPU.QuantilePercent != 99 {
		t.Errorf("a critical workload is sized by p%d", *in.Policy.CPU.QuantilePercent)
	}
}

func TestAPolicyThatDoesNotExistIsTold(t *testing.T) {
	workload := testkit.Deployment("shop", "checkout", 1).Container("app", "1", "1Gi").Object()
	in := newShop(t, workload, testkit.Namespace("shop", v1alpha1.AnnotationMode, "auto", v1alpha1.AnnotationPolicy, "gold")).gather()
	if !strings.Contains(in.PolicyProblem, "SizingPolicy shop/gold does not exist") {
		t.Errorf("got %q", in.PolicyProblem)
	}
	in = newShop(t, workload, testkit.Namespace("shop", v1alpha1.AnnotationMode, "auto")).gather()
	if in.PolicyProblem != "" {
		t.Errorf("nobody asked for a policy, and still: %q", in.PolicyProblem)
	}
}

func TestWhatIsGatheredAboutACluster(t *testing.T) {
	cordoned := testkit.Node("n2", "64", "512Gi")
	cordoned.Spec.Unschedulable = true
	hpa := func(name string, metrics ...autoscalingv2.MetricSpec) *autoscalingv2.HorizontalPodAutoscaler {
		return &autoscalingv2.HorizontalPodAutoscaler{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
			Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
				ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{Kind: kindDeployment, Name: "checkout"}, Metrics: metrics,
			},
		}
	}
	raised := hpa("a")
	raised.Spec.MinReplicas, raised.Spec.MaxReplicas = new(int32(6)), 9
	raised.Annotations = map[string]string{v1alpha1.AnnotationRaisedMinimum: "2 raised to 6"}
	raised.Labels = map[string]string{"scaledobject.keda.sh/name": "web"}
	utilization := autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType}
	memory := autoscalingv2.MetricSpec{ContainerResource: &autoscalingv2.ContainerResourceMetricSource{
		Container: "app", Name: corev1.ResourceMemory, Target: utilization,
	}}
	value := autoscalingv2.MetricSpec{Resource: &autoscalingv2.ResourceMetricSource{
		Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType},
	}}
	external := autoscalingv2.MetricSpec{External: &autoscalingv2.ExternalMetricSource{Target: utilization}}
	for name, c := range map[string]struct {
		autoscalers []client.Object
		want        guard.HPA
	}{
		"no autoscaler":                {nil, guard.HPA{}},
		"its default is CPU":           {[]client.Object{hpa("a")}, guard.HPA{Owner: "HorizontalPodAutoscaler/a", Min: 1, OnCPU: true}},
		"a container's utilisation":    {[]client.Object{hpa("a", memory)}, guard.HPA{Owner: "HorizontalPodAutoscaler/a", Min: 1, OnMemoryOf: []string{"app"}}},
		"absolute and external values": {[]client.Object{hpa("a", value, external)}, guard.HPA{Owner: "HorizontalPodAutoscaler/a", Min: 1}},
		"raised by Loadline before":    {[]client.Object{raised}, guard.HPA{Owner: "HorizontalPodAutoscaler/a", OnCPU: true, Min: 2, Max: 9, KeptBy: "KEDA's ScaledObject web owns it"}},
		"several, of which all count":  {[]client.Object{hpa("b", memory), hpa("a")}, guard.HPA{Owner: "HorizontalPodAutoscaler/a", Min: 1, OnCPU: true, OnMemoryOf: []string{"app"}}},
	} {
		t.Run(name, func(t *testing.T) {
			in := openShop(t, append(c.autoscalers, cordoned)...).gather()
			if diff := cmp.Diff(c.want, in.HPA); diff != "" {
				t.Errorf("autoscalers (want, got):\n%s", diff)
			}
			want := []guard.Node{{Name: "n1", Room: apply.Amounts{CPUMillis: 16000, MemoryBytes: 64 << 30}}}
			if diff := cmp.Diff(want, in.Nodes); diff != "" {
				t.Errorf("largest nodes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestContainersAreDividedIntoThoseToSizeAndThoseToLeaveAlone(t *testing.T) {
	deployment := testkit.Deployment("shop", "checkout", 1).Annotated(v1alpha1.AnnotationExcludeContainers, "proxy")
	deployment.Container("proxy", "1", "1Gi")
	for i := range maxContainers + 1 {
		deployment.Container("app"+strings.Repeat("x", i), "1", "1Gi")
	}
	object := deployment.Object()
	object.Spec.Template.Spec.InitContainers = []corev1.Container{{Name: "migrate"}}
	object.Spec.Template.Spec.Containers[2].Resources.Requests = nil
	in := newShop(t, object, testkit.Namespace("shop", v1alpha1.AnnotationMode, "auto")).gather()
	if len(in.Containers) != maxContainers || in.Surplus != 1 || len(in.LeftAlone) != 3 {
		t.Errorf("%d to size, %d too many, %d left alone", len(in.Containers), in.Surplus, len(in.LeftAlone))
	}
	if diff := cmp.Diff([]string{object.Spec.Template.Spec.Containers[2].Name, "migrate"}, in.DefaultMemory); diff != "" {
		t.Errorf("of whose memory the template says nothing (-want +got):\n%s", diff)
	}
}

func TestANativeSideCarIsSizedLikeAContainer(t *testing.T) {
	deployment := testkit.Deployment("shop", "checkout", 1).Container("app", "1", "1Gi")
	object := deployment.Object()
	sidecar := testkit.Container("shipper", "100m", "128Mi")
	sidecar.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
	object.Spec.Template.Spec.InitContainers = []corev1.Container{testkit.Container("migrate", "1", "1Gi"), sidecar}
	pod := deployment.Pod(0).Object()
	pod.Spec = *object.Spec.Template.Spec.DeepCopy()
	killed := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled", FinishedAt: metav1.NewTime(noon)}}
	for _, name := range []string{"migrate", "shipper", "mesh-proxy"} {
		pod.Status.InitContainerStatuses = append(pod.Status.InitContainerStatuses, corev1.ContainerStatus{Name: name, LastTerminationState: killed})
	}
	if _, err := stripPod(pod); err != nil { // as the cache holds it
		t.Fatal(err)
	}
	in := newShop(t, object, pod, testkit.Namespace("shop", v1alpha1.AnnotationMode, "auto")).gather()
	if len(in.Containers) != 2 || in.Containers[1].Name != "shipper" || len(in.LeftAlone) != 1 || in.LeftAlone[0].Name != "migrate" {
		t.Errorf("sized %v, left alone %v, want the side-car sized and the init container left alone", in.Containers, in.LeftAlone)
	}
	if len(in.OOMKills) != 1 || in.OOMKills[0].Container != "shipper" || in.OOMKills[0].LimitBytes != 128<<20 {
		t.Errorf("kills %+v, want that of the side-car alone: an init container is not sized, and an injected one is not in the template", in.OOMKills)
	}
}

func TestAPodWithResourcesOfItsOwnIsLeftAloneAndSaysWhy(t *testing.T) {
	object := testkit.Deployment("shop", "checkout", 1).Container("app", "1", "1Gi").Object()
	object.Spec.Template.Spec.Resources = &corev1.ResourceRequirements{Requests: object.Spec.Template.Spec.Containers[0].Resources.Requests}
	in := newShop(t, object, testkit.Namespace("shop", v1alpha1.AnnotationMode, "auto")).gather()
	in.Cadence = Cadence{Horizon: time.Hour, Confirm: time.Hour, StaleAfter: time.Hour}
	decision, mem := Decide(noon, in, Memory{Applicable: &Revisioned{Revision: "before"}})
	if decision.Guard.Candidate != nil {
		t.Errorf("sized: %+v", decision.Guard.Candidate)
	}
	ready := readyCondition(noon, in, decision, mem)
	if ready.Status != metav1.ConditionFalse || ready.Reason != v1alpha1.ReasonPodLevelResources || !strings.Contains(ready.Message, "spec.resources") {
		t.Errorf("Ready is %+v", ready)
	}
	if len(decision.Findings) != 1 || decision.Findings[0].Type != v1alpha1.ReasonPodLevelResources {
		t.Errorf("findings %+v", decision.Findings)
	}
}

func TestAJavaVirtualMachineIsRecognized(t *testing.T) {
	for image, want := range map[string]bool{
		"eclipse-temurin:21-jre": true, "registry.example/openjdk21": true, "acme/kafka:4": true,
		"acme/javascript-api:1": false, "acme/checkout:1": false, "node:24": false,
	} {
		if got := looksLikeJVM(corev1.Container{Image: image}); got != want {
			t.Errorf("%s: %v", image, got)
		}
	}
	if !looksLikeJVM(corev1.Container{Image: "acme/checkout", Env: []corev1.EnvVar{{Name: "JAVA_TOOL_OPTIONS"}}}) {
		t.Error("its environment says so")
	}
}
