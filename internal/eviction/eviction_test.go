package eviction_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/internal/eviction"
)

var noon = time.Date(2026, 11, 18, 12, 0, 0, 0, time.UTC)

func ended(phase corev1.PodPhase, reason, message string) *corev1.Pod {
	return &corev1.Pod{Status: corev1.PodStatus{Phase: phase, Conditions: []corev1.PodCondition{
		{Type: corev1.PodReady, Status: corev1.ConditionFalse},
		{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: reason, Message: message, LastTransitionTime: metav1.NewTime(noon)},
	}}}
}

// The messages are those of the kubelets of Kubernetes 1.30 to 1.37.
func TestOnlyAnEvictionForMemoryCounts(t *testing.T) {
	const (
		kubelet = corev1.PodReasonTerminationByKubelet
		low     = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 90100Ki. "
		app     = "Container app was using 524288Ki, request is 200Mi, has larger consumption of memory. "
		proxy   = "Container proxy was using 64Mi, request is 0, has larger consumption of memory. "
	)
	of := func(used ...eviction.Usage) *eviction.Memory { return &eviction.Memory{At: noon, Used: used} }
	for name, c := range map[string]struct {
		pod  *corev1.Pod
		want *eviction.Memory
	}{
		"with a container that used more than it requests": {ended(corev1.PodFailed, kubelet, low+app), of(eviction.Usage{Container: "app", Bytes: 512 << 20})},
		"of a pod whose containers ended well":             {ended(corev1.PodSucceeded, kubelet, low+app), of(eviction.Usage{Container: "app", Bytes: 512 << 20})},
		"with two of them": {
			ended(corev1.PodFailed, kubelet, low+app+proxy), of(eviction.Usage{Container: "app", Bytes: 512 << 20}, eviction.Usage{Container: "proxy", Bytes: 64 << 20}),
		},
		"with resources of the pod as a whole": {
			ended(corev1.PodFailed, kubelet, low+"Pod web-0 was using 1Gi, request is 200Mi, has larger consumption of memory. "+app),
			of(eviction.Usage{Container: "app", Bytes: 512 << 20}),
		},
		"without measurements": {ended(corev1.PodFailed, kubelet, "The node was low on resource: memory. "), of()},
		"with a text that cannot be read": {
			ended(corev1.PodFailed, kubelet, low+"Container app was using much, request is 200Mi, Container was using , request is 1"), of(),
		},
		"for disk":             {ended(corev1.PodFailed, kubelet, "The node was low on resource: ephemeral-storage. Container app was using 5Gi, request is 0, has larger consumption of ephemeral-storage. "), nil},
		"for process ids":      {ended(corev1.PodFailed, kubelet, "The node was low on resource: pids. "), nil},
		"for a critical pod":   {ended(corev1.PodFailed, kubelet, "Pod was preempted by Kubelet to accommodate a critical pod."), nil},
		"for a shutdown":       {ended(corev1.PodFailed, kubelet, "Pod was terminated in response to imminent node shutdown."), nil},
		"by a drain":           {ended(corev1.PodFailed, "EvictionByEvictionAPI", "Eviction API: evicting"), nil},
		"of a pod that lives":  {ended(corev1.PodRunning, kubelet, low+app), nil},
		"of none, with errors": {&corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Error"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, found := eviction.ForMemory(c.pod)
			if found != (c.want != nil) {
				t.Fatalf("found = %v, %+v", found, got)
			}
			if found {
				if diff := cmp.Diff(*c.want, got); diff != "" {
					t.Errorf("eviction (-want +got):\n%s", diff)
				}
			}
		})
	}
}
