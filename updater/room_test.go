package updater

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

// nodeWith is ready and has so much CPU, and memory and places for ten pods.
func nodeWith(name, cpu string) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"disk": "ssd"}},
		Status: corev1.NodeStatus{
			Allocatable: corev1.ResourceList{corev1.ResourceCPU: quantity(cpu), corev1.ResourceMemory: quantity("8Gi"), corev1.ResourcePods: quantity("10")},
			Conditions:  []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
		},
	}
}

// crowdedFor is crowded, where the pod has waited for so long.
func crowdedFor(d time.Duration) []client.Object {
	objects, waiting, _ := crowded()
	waiting.Status.Conditions[1].LastTransitionTime = metav1.NewTime(start.Add(-d))
	return objects
}

// crowded is the shop with a pod on node-1 that has asked for 500m for over an hour and still runs with 100m. node-2 has 600m free.
func crowded() (objects []client.Object, waiting *corev1.Pod, other *corev1.Node) {
	other = nodeWith("node-2", "1600m")
	objects = append(shop(500, 500, 500), nodeWith("node-1", "1"), other)
	for _, o := range objects {
		if pod, ok := o.(*corev1.Pod); ok {
			pod.Spec.NodeName = "node-2"
			waiting = pod
		}
	}
	waiting.Spec.NodeName = "node-1"
	small := podOf("x", 100).Spec.Containers[0].Resources
	waiting.Status.ContainerStatuses[0].Resources = &small
	waiting.Status.Conditions = append(waiting.Status.Conditions, corev1.PodCondition{
		Type: corev1.PodResizePending, Status: corev1.ConditionTrue, Reason: corev1.PodReasonDeferred, Message: "no room",
		LastTransitionTime: metav1.NewTime(start.Add(-2 * time.Hour)),
	})
	return objects, waiting, other
}

func TestAPodWhoseResizeIsPutOffForLongIsEvictedOnlyIfANodeHasRoom(t *testing.T) {
	cases := map[string]struct {
		change func(waiting *corev1.Pod, other *corev1.Node)
		evicts bool
	}{
		"there is room":            {func(*corev1.Pod, *corev1.Node) {}, true},
		"not enough CPU":           {func(_ *corev1.Pod, n *corev1.Node) { n.Status.Allocatable["cpu"] = quantity("1400m") }, false},
		"not enough memory":        {func(_ *corev1.Pod, n *corev1.Node) { n.Status.Allocatable["memory"] = quantity("1200Mi") }, false},
		"no place for another pod": {func(_ *corev1.Pod, n *corev1.Node) { n.Status.Allocatable["pods"] = quantity("2") }, false},
		"the node is not ready":    {func(_ *corev1.Pod, n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionUnknown }, false},
		"the node is cordoned":     {func(_ *corev1.Pod, n *corev1.Node) { n.Spec.Unschedulable = true }, false},
		"the node has a taint": {func(_ *corev1.Pod, n *corev1.Node) {
			n.Spec.Taints = []corev1.Taint{{Key: "gpu", Effect: "NoSchedule"}}
		}, false},
		"a taint that the pod bears": {tolerated, true},
		"the pod wants another node": {func(p *corev1.Pod, _ *corev1.Node) { p.Spec.NodeSelector = map[string]string{"disk": "hdd"} }, false},
		"the pod wants that node":    {func(p *corev1.Pod, _ *corev1.Node) { p.Spec.NodeSelector = map[string]string{"disk": "ssd"} }, true},
		"the pod needs that node":    {func(p *corev1.Pod, _ *corev1.Node) { p.Spec.Affinity = onDisk("ssd") }, true},
		"the pod needs another node": {func(p *corev1.Pod, _ *corev1.Node) { p.Spec.Affinity = onDisk("hdd") }, false},
		"the pod needs others beside it": {func(p *corev1.Pod, _ *corev1.Node) {
			p.Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{TopologyKey: "zone"}}}}
		}, false},
		"the pod would rather be without others": {func(p *corev1.Pod, _ *corev1.Node) {
			p.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{Weight: 1}}}}
		}, true},
		"the pod has a port on a node": {func(p *corev1.Pod, _ *corev1.Node) {
			p.Spec.Containers[0].Ports = []corev1.ContainerPort{{HostPort: 80}}
		}, false},
		"the pod asks for a device": {func(p *corev1.Pod, _ *corev1.Node) {
			p.Spec.Containers[0].Resources.Requests["x.example/gpu"] = quantity("1")
		}, false},
		"put off for less than an hour": {func(p *corev1.Pod, _ *corev1.Node) { lately(p) }, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			objects, waiting, other := crowded()
			c.change(waiting, other)
			w := newWorld(t, objects...)
			w.round()
			if evicts := len(w.evicted) == 1; evicts != c.evicts {
				got := meta.FindStatusCondition(w.recommendation().Status.Conditions, v1alpha1.ConditionApplied)
				t.Errorf("evicted %v, want %v; Applied = %+v", w.evicted, c.evicts, got)
			}
		})
	}
}

func onDisk(kind string) *corev1.Affinity {
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
			{Key: "disk", Operator: corev1.NodeSelectorOpIn, Values: []string{kind}},
		}}},
	}}}
}

func tolerated(p *corev1.Pod, n *corev1.Node) {
	n.Spec.Taints = []corev1.Taint{{Key: "gpu", Effect: "NoSchedule"}}
	p.Spec.Tolerations = []corev1.Toleration{{Key: "gpu", Operator: corev1.TolerationOpExists}}
}

func lately(p *corev1.Pod) {
	p.Status.Conditions[len(p.Status.Conditions)-1].LastTransitionTime = metav1.NewTime(start.Add(-50 * time.Minute))
}

func TestNobodyIsEvictedForRoomThatOthersWaitFor(t *testing.T) {
	cases := map[string]struct {
		change func(pending *corev1.Pod)
		evicts bool
	}{
		"one that finds room there":   {func(*corev1.Pod) {}, false},
		"one that wants another node": {func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"disk": "hdd"} }, true},
		"one that fits nowhere":       {func(p *corev1.Pod) { p.Spec.Containers[0].Resources.Requests["cpu"] = quantity("64") }, true},
		"one that somebody keeps waiting": {func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonSchedulingGated}}
		}, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			objects, _, _ := crowded()
			pending := podOf("pending", 100)
			pending.Namespace, pending.OwnerReferences, pending.Status = "elsewhere", nil, corev1.PodStatus{Phase: corev1.PodPending}
			c.change(pending)
			w := newWorld(t, append(objects, pending)...)
			w.round()
			if evicts := len(w.evicted) == 1; evicts != c.evicts {
				t.Errorf("evicted %v, want %v", w.evicted, c.evicts)
			}
		})
	}
}

func TestAResizeThatSavesFromAKillIsWaitedForFiveMinutesAndNotAnHour(t *testing.T) {
	for floor, evicts := range map[string]bool{"": false, "600Mi": true} {
		objects := crowdedFor(6 * time.Minute)
		if floor != "" {
			stored(objects).Status.OOMFloor = []v1alpha1.OOMFloor{{Container: "app", Hit: quantity(floor), Floor: quantity(floor)}}
		}
		w := newWorld(t, objects...)
		w.round()
		if got := len(w.evicted) == 1; got != evicts {
			t.Errorf("kills taught %q: evicted %v, want %v", floor, w.evicted, evicts)
		}
	}
}

func TestWhatAPodTakesIsThatOfItsContainersAndSidecarsOrOfItsLargestInitContainer(t *testing.T) {
	container := func(name, cpu string) corev1.Container {
		return corev1.Container{Name: name, Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: quantity(cpu)}}}
	}
	sidecar := container("mesh", "100m")
	sidecar.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
	for want, init := range map[int64]string{650: "200m", 1150: "1"} {
		pod := &corev1.Pod{Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{sidecar, container("migrate", init)}, Containers: []corev1.Container{container("app", "500m")},
			Overhead: corev1.ResourceList{corev1.ResourceCPU: quantity("50m")},
		}}
		if got := amountsOf(pod, apply.Present(pod)); got.CPUMillis != want {
			t.Errorf("with an init container of %s: %dm, want %dm", init, got.CPUMillis, want)
		}
	}
}
