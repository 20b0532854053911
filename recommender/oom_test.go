package recommender

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/loadline-dev/loadline/internal/testkit"
)

const gibibyte = 1 << 30

func kill(limit int64, after time.Duration) OOMKill {
	return OOMKill{Container: "app", LimitBytes: limit, Time: noon.Add(after)}
}

func TestWhatAKillTeaches(t *testing.T) {
	known := []OOMFloor{{Container: "app", HitBytes: gibibyte, FloorBytes: gibibyte + gibibyte/5, FromBytes: gibibyte, Time: noon, Kills: 1}}
	floor := func(hit, floor int64, after time.Duration, kills int32) []OOMFloor {
		return []OOMFloor{{Container: "app", HitBytes: hit, FloorBytes: floor, FromBytes: hit, Time: noon.Add(after), Kills: kills}}
	}
	for name, c := range map[string]struct {
		known []OOMFloor
		kills []OOMKill
		want  []OOMFloor
	}{
		"a small limit gets 100 MiB more":                     {nil, []OOMKill{kill(256*mebibyte, 0)}, floor(256*mebibyte, 356*mebibyte, 0, 1)},
		"a large limit gets a fifth more":                     {nil, []OOMKill{kill(gibibyte, 0)}, known},
		"the same kill teaches nothing new":                   {known, []OOMKill{kill(gibibyte, 0)}, known},
		"a lower limit does not lower the floor":              {known, []OOMKill{kill(mebibyte, 1)}, floor(gibibyte, gibibyte+gibibyte/5, 1, 2)},
		"of two in one moment the higher limit counts":        {nil, []OOMKill{kill(mebibyte, 0), kill(gibibyte, 0)}, known},
		"an old kill does not blame the limit after a resize": {known, []OOMKill{kill(2*gibibyte, 0)}, known},
		"a kill without limit or request teaches nothing":     {nil, []OOMKill{kill(0, 0)}, nil},
		"a kill without a time teaches nothing":               {nil, []OOMKill{{Container: "app", LimitBytes: gibibyte}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := rememberOOM(c.known, c.kills, nil)
			if diff := cmp.Diff(c.want, got); diff != "" && len(c.want)+len(got) > 0 {
				t.Errorf("floors (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatAnEvictionByTheNodeTeaches(t *testing.T) {
	deployment := testkit.Deployment("shop", "checkout", 1).Container("app", "1", "256Mi").Container("proxy", "1", "64Mi")
	evicted := func(limit, used string) *corev1.Pod {
		pod := deployment.Pod(0).Object()
		if limit != "" {
			pod.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(limit)}
		}
		testkit.EvictForMemory(pod, "app", used, noon)
		return pod
	}
	resized := evicted("1Gi", "900Mi")
	resized.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "app", Resources: &corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("950Mi")}},
	}}
	unnamed := evicted("", "900Mi")
	unnamed.Spec.Containers[0].Name = "other"
	for name, c := range map[string]struct {
		pod  *corev1.Pod
		want int64 // in MiB
	}{
		"what it used, and a fifth more":         {evicted("", "1000Mi"), 1200},
		"what it used, and 100 MiB more":         {evicted("", "300Mi"), 400},
		"no more than its limit":                 {evicted("1Gi", "900Mi"), 1024},
		"no more than the limit after a resize":  {resized, 950},
		"nothing where another container did it": {unnamed, 0},
	} {
		t.Run(name, func(t *testing.T) {
			floors := rememberOOM(nil, OOMKills(c.pod), c.pod.Spec.Containers)
			if got := oomFloorOf(floors, "app"); got.FloorBytes != c.want*mebibyte || got.endless(noon) {
				t.Errorf("floor = %d MiB, want %d; %+v", got.FloorBytes/mebibyte, c.want, floors)
			}
			if got := oomFloorOf(floors, "proxy"); got.FloorBytes != 0 {
				t.Errorf("the container that used no more than it asked for: %+v", got)
			}
		})
	}
}

func TestTheLimitThatWasHitIsTheOneTheContainerRanUnder(t *testing.T) {
	deployment := testkit.Deployment("shop", "checkout", 1).Container("app", "1", "1Gi")
	resized := deployment.Pod(0).OOMKilled("app", "3Gi", noon).Object()
	unlimited := deployment.Pod(0).OOMKilled("app", "", noon).Object()
	unlimited.Status.ContainerStatuses[0].Resources = nil
	restarting := deployment.Pod(0).OOMKilled("app", "2Gi", noon).Object()
	status := &restarting.Status.ContainerStatuses[0]
	status.State, status.LastTerminationState = status.LastTerminationState, corev1.ContainerState{}
	other := deployment.Pod(0).OOMKilled("app", "2Gi", noon).Object()
	other.Status.ContainerStatuses[0].LastTerminationState.Terminated.Reason = "Error"
	for name, c := range map[string]struct {
		pod  *corev1.Pod
		want []OOMKill
	}{
		"in the status, which a resize moves":    {resized, []OOMKill{kill(3*gibibyte, 0)}},
		"the request, where there is no limit":   {unlimited, []OOMKill{kill(gibibyte, 0)}},
		"of a container that is not back yet":    {restarting, []OOMKill{kill(2*gibibyte, 0)}},
		"and no other end of a container counts": {other, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, OOMKills(c.pod)); diff != "" {
				t.Errorf("kills (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOnlyAPodWithANewKillWakesTheRecommender(t *testing.T) {
	deployment := testkit.Deployment("shop", "checkout", 1).Container("app", "1", "1Gi")
	healthy := deployment.Pod(0).Object()
	killed := deployment.Pod(0).OOMKilled("app", "1Gi", noon).Object()
	again := deployment.Pod(0).OOMKilled("app", "1Gi", noon.Add(time.Minute)).Object()
	p := outOfMemoryKilled()
	for name, c := range map[string]struct {
		before, after *corev1.Pod
		want          bool
	}{
		"first kill": {healthy, killed, true}, "second kill": {killed, again, true},
		"no news": {killed, killed, false}, "never": {healthy, healthy, false},
	} {
		if got := p.Update(event.UpdateEvent{ObjectOld: c.before, ObjectNew: c.after}); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if !p.Create(event.CreateEvent{Object: killed}) || p.Create(event.CreateEvent{Object: healthy}) {
		t.Error("a pod that is seen for the first time counts by its status")
	}
}

func TestTheCacheKeepsWhatIsRead(t *testing.T) {
	deployment := testkit.Deployment("shop", "checkout", 1).Container("app", "1", "1Gi")
	pod := deployment.Pod(0).OOMKilled("app", "2Gi", noon).Object()
	testkit.EvictForMemory(pod, "app", "3Gi", noon.Add(time.Minute))
	pod.Annotations, pod.ManagedFields = map[string]string{"large": "text"}, []metav1.ManagedFieldsEntry{{Manager: "kubelet"}}
	pod.Status.ContainerStatuses[0].Resources = nil
	pod.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "A"}}
	kills, owner := OOMKills(pod), podOwner(nil)(pod)
	stripped, err := stripPod(pod)
	if err != nil {
		t.Fatal(err)
	}
	p := stripped.(*corev1.Pod)
	if diff := cmp.Diff(kills, OOMKills(p)); diff != "" || len(kills) != 2 {
		t.Errorf("kills (-whole +stripped):\n%s", diff)
	}
	if diff := cmp.Diff(owner, podOwner(nil)(p)); diff != "" || owner[0] != "Deployment/checkout" {
		t.Errorf("owner %v (-whole +stripped):\n%s", owner, diff)
	}
	if p.Annotations != nil || p.ManagedFields != nil || p.Spec.Containers[0].Env != nil {
		t.Errorf("kept what nobody reads: %+v", p)
	}
	node := testkit.Node("n1", "4", "8Gi")
	node.Spec.Unschedulable = true
	kept, err := stripNode(node)
	if err != nil || !kept.(*corev1.Node).Spec.Unschedulable || kept.(*corev1.Node).Status.Allocatable.Cpu().Value() != 4 {
		t.Errorf("node %+v, error %v", kept, err)
	}
}
