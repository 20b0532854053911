package updater

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/apply"
)

func TestRoomIsWhatSchedulableNodesHaveBesideAllPods(t *testing.T) {
	node := func(name string, closed bool) *corev1.Node {
		return &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.NodeSpec{Unschedulable: closed},
			Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{corev1.ResourceCPU: quantity("4"), corev1.ResourceMemory: quantity("8Gi")}},
		}
	}
	runs, pending, ended, elsewhere := podOf("a", 1000), podOf("b", 500), podOf("c", 1000), podOf("d", 1000)
	runs.Spec.NodeName, elsewhere.Spec.NodeName = "open", "closed"
	ended.Status.Phase = corev1.PodSucceeded
	w := newWorld(t, node("open", false), node("closed", true), runs, pending, ended, elsewhere)
	all, err := readCluster(t.Context(), start, w.client, &lostPods{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := all.free(), (apply.Amounts{CPUMillis: 2500, MemoryBytes: 7 << 30}); got != want {
		t.Errorf("free = %+v, want %+v", got, want)
	}
}
