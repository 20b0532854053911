package recommender

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/internal/testkit"
	"github.com/loadline-dev/loadline/recommender/guard"
)

const gib = int64(1) << 30

// podOn is a running pod that asks for as much, owned by a controller of this kind.
func podOn(node, kind, cpu, memory string) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{Kind: kind, Name: "x", Controller: new(true)}}},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory),
		}}}}},
	}
}

func TestTheNodesThatAPodMayRunOn(t *testing.T) {
	wide, tall, small, gpu := *testkit.Node("wide", "32", "16Gi"), *testkit.Node("tall", "4", "128Gi"), *testkit.Node("small", "2", "8Gi"), *testkit.Node("gpu", "64", "512Gi")
	gpu.Spec.Taints = []corev1.Taint{{Key: "gpu", Value: "yes", Effect: corev1.TaintEffectNoSchedule}}
	gpu.Labels = map[string]string{"pool": "gpu"}
	small.Labels = map[string]string{"pool": "small"}
	finished := podOn("wide", kindDaemonSet, "30", "1Gi")
	finished.Status.Phase = corev1.PodSucceeded
	rooms := roomsOf([]corev1.Node{wide, tall, small, gpu}, []corev1.Pod{
		podOn("wide", kindDaemonSet, "1", "1Gi"), podOn("wide", "Node", "1", "1Gi"), podOn("wide", "ReplicaSet", "20", "10Gi"), finished,
	})
	room := func(name string, cores, memory int64) guard.Node {
		return guard.Node{Name: name, Room: apply.Amounts{CPUMillis: cores * 1000, MemoryBytes: memory * gib}}
	}
	for name, c := range map[string]struct {
		template corev1.PodSpec
		want     []guard.Node
	}{
		"what runs on every node has its room, and a smaller node does not matter": {corev1.PodSpec{}, []guard.Node{room("tall", 4, 128), room("wide", 30, 14)}},
		"a node selector": {corev1.PodSpec{NodeSelector: map[string]string{"pool": "small"}}, []guard.Node{room("small", 2, 8)}},
		"a taint that is tolerated": {
			corev1.PodSpec{Tolerations: []corev1.Toleration{{Key: "gpu", Operator: corev1.TolerationOpExists}}}, []guard.Node{room("gpu", 64, 512)},
		},
		"a node affinity": {
			corev1.PodSpec{Affinity: outOfPool("small"), Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}}},
			[]guard.Node{room("gpu", 64, 512)},
		},
		"a selector that matches no node": {corev1.PodSpec{NodeSelector: map[string]string{"pool": "new"}}, nil},
	} {
		if diff := cmp.Diff(c.want, largestNodes(rooms, c.template, func(r nodeRoom) apply.Amounts { return r.empty })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestWhatARuntimeClassCostsIsNotFree(t *testing.T) {
	pod := podOn("n1", "ReplicaSet", "1", "1Gi")
	pod.Spec.Overhead = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m"), corev1.ResourceMemory: resource.MustParse("1Gi")}
	kept, err := stripPod(&pod)
	if err != nil {
		t.Fatal(err)
	}
	rooms := roomsOf([]corev1.Node{*testkit.Node("n1", "4", "8Gi")}, []corev1.Pod{*kept.(*corev1.Pod)})
	if want := (apply.Amounts{CPUMillis: 2750, MemoryBytes: 6 * gib}); rooms[0].free != want {
		t.Errorf("free %+v, want %+v", rooms[0].free, want)
	}
}

func TestADaemonSetHasToFitOnEveryNode(t *testing.T) {
	large, small, cordoned, gpu := *testkit.Node("large", "16", "64Gi"), *testkit.Node("small", "2", "8Gi"), *testkit.Node("cordoned", "4", "4Gi"), *testkit.Node("gpu", "1", "1Gi")
	small.Spec.Taints = []corev1.Taint{{Key: "node.kubernetes.io/not-ready", Effect: corev1.TaintEffectNoExecute}} // It restarts.
	cordoned.Spec.Unschedulable = true
	gpu.Spec.Taints = []corev1.Taint{{Key: "gpu", Effect: corev1.TaintEffectNoSchedule}}
	rooms := roomsOf([]corev1.Node{large, small, cordoned, gpu}, []corev1.Pod{
		podOn("small", kindDaemonSet, "300m", "1Gi"), podOn("small", kindDaemonSet, "500m", "1Gi"), podOn("small", "ReplicaSet", "1", "4Gi"),
	})
	own := map[string]apply.Amounts{"small": {CPUMillis: 500, MemoryBytes: gib}}
	want := []guard.Node{{Name: "cordoned", Room: apply.Amounts{CPUMillis: 1700, MemoryBytes: 4 * gib}}}
	if diff := cmp.Diff(want, smallestNode(rooms, corev1.PodSpec{}, own)); diff != "" {
		t.Errorf("beside the other DaemonSet (-want +got):\n%s", diff)
	}
	if got := smallestNode(rooms, corev1.PodSpec{NodeSelector: map[string]string{"pool": "new"}}, own); got != nil {
		t.Errorf("%+v, where no node is allowed", got)
	}
}

func TestANodeThatDoesNotSayWhatItHasBoundsNobody(t *testing.T) {
	silent, partly := *testkit.Node("silent", "4", "8Gi"), *testkit.Node("partly", "4", "8Gi")
	silent.Status.Allocatable = nil
	delete(partly.Status.Allocatable, corev1.ResourceCPU)
	rooms := roomsOf([]corev1.Node{silent, partly, *testkit.Node("n1", "4", "8Gi")}, nil)
	want := []guard.Node{{Name: "n1", Room: apply.Amounts{CPUMillis: 4000, MemoryBytes: 8 * gib}}}
	if diff := cmp.Diff(want, smallestNode(rooms, corev1.PodSpec{}, nil)); diff != "" {
		t.Errorf("a DaemonSet's smallest node (-want +got):\n%s", diff)
	}
	if got := smallestNode(roomsOf([]corev1.Node{silent}, nil), corev1.PodSpec{}, nil); got != nil {
		t.Errorf("%+v, where no node says what it has", got)
	}
}

func TestADaemonSetIsNotRaisedOverItsSmallestNode(t *testing.T) {
	l := checkout(t, 14*day).uses(14*day, testkit.Flat(1.8), testkit.Flat(400*mebibyte)) // The busiest is on the largest node.
	l.in.Target.Kind = kindDaemonSet
	l.in.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse("500m")
	l.in.Nodes = []guard.Node{{Name: "small", Room: apply.Amounts{CPUMillis: 1700, MemoryBytes: 8 * gib}}}
	for range 10 {
		l.after(12 * time.Hour).look()
	}
	if cpu, _ := app(l.rec.Status.Applicable); cpu != 1700 {
		t.Errorf("%dm, want the 1700m that the smallest node has: %v", cpu, l.rec.Status.Trail)
	}
}

// outOfPool is the affinity to nodes that are in a pool, and not in this one.
func outOfPool(pool string) *corev1.Affinity {
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
			{Key: "pool", Operator: corev1.NodeSelectorOpExists}, {Key: "pool", Operator: corev1.NodeSelectorOpNotIn, Values: []string{pool}},
		}}},
	}}}
}

func TestLimitRangesFillInWhatTheTemplateDoesNotSay(t *testing.T) {
	limits := &corev1.LimitRange{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "team"},
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type:    corev1.LimitTypeContainer,
			Default: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("3Gi")},
		}}},
	}
	in := openShop(t, limits).gather()
	if got := in.Containers[0].Resources.Limits.Memory().Value(); got != 3*gib {
		t.Errorf("a pod would get a limit of %d bytes", got)
	}
	if len(in.LimitBounds) != 1 || in.LimitBounds[0].Name != "team" {
		t.Errorf("bounds %+v", in.LimitBounds)
	}
}
