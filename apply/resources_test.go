package apply_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/loadline-dev/loadline/apply"
)

func list(pairs ...string) corev1.ResourceList {
	out := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		out[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return out
}

func TestIntoTouchesOnlyCPUAndMemory(t *testing.T) {
	before := corev1.ResourceRequirements{
		Requests: list("cpu", "1", "memory", "1Gi", "nvidia.com/gpu", "2", "hugepages-2Mi", "64Mi"),
		Limits:   list("memory", "2Gi", "nvidia.com/gpu", "2", "hugepages-2Mi", "64Mi", "ephemeral-storage", "5Gi"),
		Claims:   []corev1.ResourceClaim{{Name: "gpu"}},
	}
	untouched := *before.DeepCopy()
	got := apply.Resources{
		Requests: apply.Amounts{CPUMillis: 250, MemoryBytes: 1024 * mib},
		Limits:   apply.Amounts{CPUMillis: 500},
	}.Into(before)
	want := corev1.ResourceRequirements{
		Requests: list("cpu", "250m", "memory", "1Gi", "nvidia.com/gpu", "2", "hugepages-2Mi", "64Mi"),
		Limits:   list("cpu", "500m", "nvidia.com/gpu", "2", "hugepages-2Mi", "64Mi", "ephemeral-storage", "5Gi"),
		Claims:   []corev1.ResourceClaim{{Name: "gpu"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(untouched, before); diff != "" {
		t.Errorf("Into wrote to its input:\n%s", diff)
	}
}

func TestIntoKeepsTheSpellingOfAnAmountThatStays(t *testing.T) {
	before := corev1.ResourceRequirements{Requests: list("cpu", "0.5", "memory", "0"), Limits: list("memory", "1024Mi")}
	r := apply.ResourcesOf(before)
	if diff := cmp.Diff(before, r.Into(before)); diff != "" {
		t.Errorf("nothing was asked to change, yet:\n%s", diff)
	}
	r.Requests.CPUMillis = 600
	got := r.Into(before)
	if q, explicit := got.Requests[corev1.ResourceMemory]; !explicit || !q.IsZero() {
		t.Error("the explicit memory request of 0 is gone: the API server would set it to the limit")
	}
}

func TestALimitOf0DoesNotStayUnderARequest(t *testing.T) {
	before := corev1.ResourceRequirements{Limits: list("cpu", "0", "memory", "0")}
	got := apply.Resources{Requests: apply.Amounts{CPUMillis: 100}}.Into(before)
	want := corev1.ResourceRequirements{Requests: list("cpu", "100m"), Limits: list("memory", "0")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
}

// Who asks for 0 wants a limit and reserves nothing. The API server does not set that request to the limit.
func TestARequestOf0IsNotTheLimit(t *testing.T) {
	written := corev1.ResourceRequirements{Requests: list("cpu", "0", "memory", "1Gi"), Limits: list("cpu", "4", "memory", "1Gi")}
	has := apply.ResourcesOf(written)
	if has.Defaulted().Requests.CPUMillis >= 4000 {
		t.Errorf("the request counts as %dm", has.Defaulted().Requests.CPUMillis)
	}
	if class := apply.QOSClass(map[string]apply.Resources{"app": has}); class != corev1.PodQOSBurstable {
		t.Errorf("class %s, and Burstable to Kubernetes", class)
	}
	if diff := cmp.Diff(written, has.Into(written)); diff != "" {
		t.Errorf("nothing was asked to change, yet:\n%s", diff)
	}
	nothing := corev1.ResourceRequirements{Requests: list("cpu", "0", "memory", "0")}
	if class := apply.QOSClass(map[string]apply.Resources{"app": apply.ResourcesOf(nothing)}); class != corev1.PodQOSBestEffort {
		t.Errorf("without limits the class is %s, and BestEffort to Kubernetes", class)
	}
}

func TestIntoFillsResourcesThatHadNothing(t *testing.T) {
	got := apply.Resources{Requests: apply.Amounts{CPUMillis: 100}}.Into(corev1.ResourceRequirements{})
	if diff := cmp.Diff(corev1.ResourceRequirements{Requests: list("cpu", "100m")}, got); diff != "" {
		t.Error(diff)
	}
}

func TestPodLevelResourcesAreSeen(t *testing.T) {
	pod := &corev1.Pod{}
	if apply.HasPodLevelResources(pod) {
		t.Error("a plain pod is said to have resources of its own")
	}
	pod.Spec.Resources = &corev1.ResourceRequirements{Limits: list("memory", "1Gi")}
	if !apply.HasPodLevelResources(pod) {
		t.Error("the memory limit of the pod as a whole is overlooked")
	}
}

func TestQOSClassFollowsKubernetes(t *testing.T) {
	both := apply.Amounts{CPUMillis: 100, MemoryBytes: mib}
	for _, test := range []struct {
		name string
		pod  map[string]apply.Resources
		want corev1.PodQOSClass
	}{
		{"no container", nil, corev1.PodQOSBestEffort},
		{"nothing asked for", map[string]apply.Resources{"a": {}, "b": {}}, corev1.PodQOSBestEffort},
		{"requests are the limits everywhere", map[string]apply.Resources{"a": {both, both}, "b": {both, both}}, corev1.PodQOSGuaranteed},
		{"limits alone are requests too", map[string]apply.Resources{"a": {Limits: both}}, corev1.PodQOSGuaranteed},
		{"one container has nothing", map[string]apply.Resources{"a": {both, both}, "b": {}}, corev1.PodQOSBurstable},
		{"only memory is limited", map[string]apply.Resources{"a": {both, apply.Amounts{MemoryBytes: mib}}}, corev1.PodQOSBurstable},
		{"requests without limits", map[string]apply.Resources{"a": {Requests: both}}, corev1.PodQOSBurstable},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := apply.QOSClass(test.pod); got != test.want {
				t.Errorf("QOSClass = %s, want %s", got, test.want)
			}
		})
	}
}

func TestWouldChangeQOSComparesTheWholePod(t *testing.T) {
	both := apply.Amounts{CPUMillis: 100, MemoryBytes: mib}
	pod := map[string]apply.Resources{"a": {both, both}, "b": {both, both}}
	if apply.WouldChangeQOS(pod, map[string]apply.Resources{"a": {apply.Amounts{CPUMillis: 50, MemoryBytes: mib}, apply.Amounts{CPUMillis: 50, MemoryBytes: mib}}}) {
		t.Error("a Guaranteed pod with smaller, equal requests and limits is still Guaranteed")
	}
	if !apply.WouldChangeQOS(pod, map[string]apply.Resources{"a": {apply.Amounts{CPUMillis: 50, MemoryBytes: mib}, both}}) {
		t.Error("a request under its limit makes a Guaranteed pod Burstable")
	}
	if apply.WouldChangeQOS(pod, map[string]apply.Resources{"gone": {}}) {
		t.Error("a container that the pod does not have changes nothing")
	}
}
