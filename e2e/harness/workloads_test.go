package harness_test

import (
	"context"
	"encoding/json"
	"os/exec"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/loadline-dev/loadline/e2e/metricsapi"
)

// getter is the part of a typed client that get needs.
type getter[T any] interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (T, error)
}

func get[T any](t *testing.T, client getter[T], name string) T {
	t.Helper()
	obj, err := client.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return obj
}

// deploy makes a namespace with a Deployment of the same name, whose pods have
// one container "app" that requests 100m and 64Mi, and waits for its pods.
func (f fixture) deploy(t *testing.T, name string, replicas int32, annotations map[string]string) []corev1.Pod {
	t.Helper()
	g := NewWithT(t)
	_, err := f.clients.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	app := map[string]string{"app": name}
	_, err = f.clients.AppsV1().Deployments(name).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(replicas),
			Selector: &metav1.LabelSelector{MatchLabels: app},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: app, Annotations: annotations},
				Spec: corev1.PodSpec{
					InitContainers: []corev1.Container{
						{Name: "prepare", Image: "shop/app:1"},
						{Name: "sidecar", Image: "shop/app:1", RestartPolicy: new(corev1.ContainerRestartPolicyAlways)},
					},
					Containers: []corev1.Container{{
						Name: "app", Image: "shop/app:1",
						Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
							corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("64Mi"),
						}},
					}},
				},
			},
		},
	}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	f.waitReady(t, name, replicas)
	list, err := f.clients.CoreV1().Pods(name).List(t.Context(), metav1.ListOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(list.Items).To(HaveLen(int(replicas)))
	return list.Items
}

func (f fixture) waitReady(t *testing.T, name string, replicas int32) {
	t.Helper()
	NewWithT(t).Eventually(func() (int32, error) {
		d, err := f.clients.AppsV1().Deployments(name).Get(t.Context(), name, metav1.GetOptions{})
		return d.Status.ReadyReplicas, err
	}, soon).Should(Equal(replicas))
}

func (f fixture) deploymentBecomesReady(t *testing.T) {
	g := NewWithT(t)

	for _, pod := range f.deploy(t, "ready", 3, nil) {
		g.Expect(pod.Status.Phase).To(Equal(corev1.PodRunning))
		g.Expect(pod.Status.ContainerStatuses).To(HaveLen(1))
		status := pod.Status.ContainerStatuses[0]
		g.Expect(status.Ready && *status.Started && status.State.Running != nil).To(BeTrue())
		g.Expect(status.Resources.Requests.Cpu().String()).To(Equal("100m"))
		g.Expect(status.AllocatedResources.Memory().String()).To(Equal("64Mi"))
		g.Expect(pod.Status.InitContainerStatuses).To(ConsistOf(
			HaveField("State.Terminated.Reason", "Completed"), HaveField("State.Running", Not(BeNil()))))
	}
}

// resize asks for more CPU through the resize subresource, as the updater does.
func (f fixture) resize(t *testing.T, pod corev1.Pod, cpu string) {
	t.Helper()
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": pod.UID},
		"spec": map[string]any{"containers": []any{
			map[string]any{"name": "app", "resources": map[string]any{"requests": map[string]any{"cpu": cpu}}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.clients.CoreV1().Pods(pod.Namespace).Patch(t.Context(), pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "resize")
	if err != nil {
		t.Fatal(err)
	}
}

func (f fixture) appStatus(ctx context.Context, pod corev1.Pod) (corev1.ContainerStatus, error) {
	p, err := f.clients.CoreV1().Pods(pod.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
	if err != nil {
		return corev1.ContainerStatus{}, err
	}
	return p.Status.ContainerStatuses[0], nil
}

func (f fixture) resizeIsCarriedOut(t *testing.T) {
	g := NewWithT(t)
	pod := f.deploy(t, "resize", 1, nil)[0]

	f.resize(t, pod, "250m")

	g.Eventually(f.appStatus, soon).WithArguments(t.Context(), pod).Should(And(
		HaveField("Resources.Requests", HaveKeyWithValue(corev1.ResourceCPU, resource.MustParse("250m"))),
		HaveField("AllocatedResources", HaveKeyWithValue(corev1.ResourceCPU, resource.MustParse("250m"))),
		HaveField("RestartCount", int32(0)),
	))
}

func (f fixture) resizeIsDeferred(t *testing.T) {
	g := NewWithT(t)
	pod := f.deploy(t, "deferred", 1, map[string]string{"kwok.x-k8s.io/resize": "deferred"})[0]
	pending := And(HaveField("Type", corev1.PodResizePending), HaveField("Reason", "Deferred"), HaveField("Status", corev1.ConditionTrue))
	conditions := func() []corev1.PodCondition {
		return get(t, f.clients.CoreV1().Pods(pod.Namespace), pod.Name).Status.Conditions
	}

	f.resize(t, pod, "250m")

	g.Eventually(conditions, soon).Should(ContainElement(pending))
	status, err := f.appStatus(t.Context(), pod)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(status.Resources.Requests.Cpu().String()).To(Equal("100m"), "a deferred resize is not carried out")

	release := []byte(`{"metadata":{"annotations":{"kwok.x-k8s.io/resize":null}}}`)
	_, err = f.clients.CoreV1().Pods(pod.Namespace).Patch(t.Context(), pod.Name, types.MergePatchType, release, metav1.PatchOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Eventually(conditions, soon).ShouldNot(ContainElement(pending))
	g.Eventually(f.appStatus, soon).WithArguments(t.Context(), pod).Should(
		HaveField("Resources.Requests", HaveKeyWithValue(corev1.ResourceCPU, resource.MustParse("250m"))))
}

func (f fixture) evictionHonoursBudget(t *testing.T) {
	g := NewWithT(t)
	pods := f.deploy(t, "evict", 2, nil)
	evict := func(pod corev1.Pod) error {
		return f.clients.PolicyV1().Evictions(pod.Namespace).Evict(t.Context(), &policyv1.Eviction{
			ObjectMeta:    metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name},
			DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}},
		})
	}

	g.Expect(evict(pods[0])).To(Succeed())

	g.Eventually(func() error {
		_, err := f.clients.CoreV1().Pods("evict").Get(t.Context(), pods[0].Name, metav1.GetOptions{})
		return err
	}, soon).Should(MatchError(apierrors.IsNotFound, "not found"))
	f.waitReady(t, "evict", 2)

	_, err := f.clients.PolicyV1().PodDisruptionBudgets("evict").Create(t.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "all"},
		Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable: new(intstr.FromInt32(2)),
			Selector:     &metav1.LabelSelector{MatchLabels: map[string]string{"app": "evict"}},
		},
	}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Eventually(func() int32 {
		return get(t, f.clients.PolicyV1().PodDisruptionBudgets("evict"), "all").Status.CurrentHealthy
	}, soon).Should(BeEquivalentTo(2))
	g.Expect(evict(pods[1])).To(MatchError(apierrors.IsTooManyRequests, "429"))
}

func (f fixture) oomKillShows(t *testing.T) {
	g := NewWithT(t)
	pod := f.deploy(t, "oom", 1, map[string]string{"e2e/oom": "app", "e2e/oom-times": "2"})[0]

	g.Eventually(f.appStatus, soon).WithArguments(t.Context(), pod).Should(And(
		HaveField("LastTerminationState.Terminated.Reason", "OOMKilled"),
		HaveField("LastTerminationState.Terminated.ExitCode", int32(137)),
		HaveField("RestartCount", int32(2)),
		HaveField("Ready", true),
	))

	f.resize(t, pod, "250m")

	g.Eventually(f.appStatus, soon).WithArguments(t.Context(), pod).Should(And(
		HaveField("Resources.Requests", HaveKeyWithValue(corev1.ResourceCPU, resource.MustParse("250m"))),
		HaveField("LastTerminationState.Terminated.Reason", "OOMKilled"),
	), "a resize must not wipe out the evidence")
}

func (f fixture) autoscalerScales(t *testing.T) {
	g := NewWithT(t)
	api, err := metricsapi.Start(t.Context(), f.Cluster)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = api.Stop() })
	// 75m of the requested 100m is half as much again as wanted.
	f.deploy(t, "scaled", 2, map[string]string{"kwok.x-k8s.io/usage-cpu": "75m"})
	begin := time.Now()

	_, err = f.clients.AutoscalingV2().HorizontalPodAutoscalers("scaled").Create(t.Context(), &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "scaled"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "scaled"},
			MaxReplicas:    3,
			Metrics: []autoscalingv2.MetricSpec{{
				Type: autoscalingv2.ContainerResourceMetricSourceType,
				ContainerResource: &autoscalingv2.ContainerResourceMetricSource{
					Name: corev1.ResourceCPU, Container: "app",
					Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: new(int32(50))},
				},
			}},
		},
	}, metav1.CreateOptions{})

	g.Expect(err).NotTo(HaveOccurred())
	f.waitReady(t, "scaled", 3)
	t.Logf("scaled after %s", time.Since(begin).Round(time.Second))

	g.Expect(f.kubectl(t, "top", "pods", "--namespace=scaled", "--containers")).To(MatchRegexp(`scaled-\S+ +app +75m +1Mi`))
	g.Expect(f.kubectl(t, "top", "nodes")).To(MatchRegexp(`node-0 +\d+m +0%`))
}

// kubectl returns what the cluster's own kubectl prints.
func (f fixture) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), f.KubectlPath, append([]string{"--kubeconfig", f.Kubeconfig}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %v: %v\n%s", args, err, out)
	}
	return string(out)
}
