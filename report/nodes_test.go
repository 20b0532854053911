package report_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/internal/owner"
	"github.com/loadline-dev/loadline/report"
)

// node has so many cores and four times as many GiB.
func node(name string, cores int) corev1.Node {
	has := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse(fmt.Sprint(cores)), corev1.ResourceMemory: resource.MustParse(fmt.Sprintf("%dGi", 4*cores)),
		corev1.ResourcePods: resource.MustParse("110"),
	}
	return corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{Allocatable: has, Capacity: has}}
}

// podOf is a pod of a Deployment of the shop that asks for one core and one GiB.
func podOf(deployment, onNode string, change ...func(*corev1.Pod)) corev1.Pod {
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: deployment + "-" + onNode, Labels: map[string]string{"pod-template-hash": "1"},
		OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: deployment + "-1", Controller: new(true)}},
	}}
	pod.Spec.NodeName = onNode
	pod.Spec.Containers = []corev1.Container{{Name: "app", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("1Gi"),
	}}}}
	for _, f := range change {
		f(&pod)
	}
	return pod
}

func nodesOf(recs []v1alpha1.Recommendation, nodes []corev1.Node, pods ...corev1.Pod) report.Nodes {
	return *report.New(report.Input{Now: readTime, Recommendations: recs, Nodes: nodes, Pods: pods}).Nodes
}

func TestNodesGoWhereTheRecommendedRequestsFitOntoFewer(t *testing.T) {
	recs := []v1alpha1.Recommendation{resized(right("a"), "300m", "128Mi"), right("b")}
	got := *report.New(report.Input{
		Now: readTime, Recommendations: recs, Prices: report.Prices{Currency: "EUR", Source: "test", CoreHour: 0.01, GiBHour: 0.001},
		Nodes: []corev1.Node{node("n1", 2), node("n2", 2), node("n3", 2)},
		Pods:  []corev1.Pod{podOf("a", "n1"), podOf("a", "n2"), podOf("a", "n3"), podOf("b", "n3"), podOf("unknown", "n1")},
	}).Nodes
	want := report.Nodes{Present: 3, Needed: 2, NeededNow: 3, AtLeast: 2, CouldGo: []string{"n3"}, SavesPerMonth: new(20.44)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
}

func TestPodsOfACustomKindArePackedWithTheirRecommendedRequests(t *testing.T) {
	rollout := resized(right("a"), "300m", "128Mi")
	rollout.Spec.TargetRef = v1alpha1.TargetReference{APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout", Name: "a"}
	hashed := func(p *corev1.Pod) { p.Labels = map[string]string{"rollouts-pod-template-hash": "1"} }
	in := report.Input{
		Now: readTime, Recommendations: []v1alpha1.Recommendation{rollout}, Nodes: []corev1.Node{node("n1", 1), node("n2", 1)},
		Pods: []corev1.Pod{podOf("a", "n1", hashed), podOf("a", "n2", hashed)},
	}
	if got := report.New(in).Nodes; got.Needed != 2 {
		t.Errorf("without the kind %d nodes are needed, want 2: nobody knows whose the pods are", got.Needed)
	}
	in.Kinds = owner.Kinds{{APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout", HashLabel: "rollouts-pod-template-hash"}}
	if got := report.New(in).Nodes; got.Needed != 1 || len(got.CouldGo) != 1 {
		t.Errorf("%d nodes are needed, %v could go; want one of each", got.Needed, got.CouldGo)
	}
}

// Nothing but static pods and those of DaemonSets runs there, and without it there is no cluster.
func TestANodeOfTheControlPlaneNeverGoes(t *testing.T) {
	static := func(name, onNode string) corev1.Pod {
		return podOf(name, onNode, func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{{Kind: "Node", Name: onNode, Controller: new(true)}}
		})
	}
	labelled := func(role string) corev1.Node {
		n := node("cp", 2)
		n.Labels = map[string]string{"node-role.kubernetes.io/" + role: ""}
		n.Spec.Taints = []corev1.Taint{{Key: "node-role.kubernetes.io/" + role, Effect: corev1.TaintEffectNoSchedule}}
		return n
	}
	unlabelled := static("etcd", "cp")
	unlabelled.Labels = map[string]string{"component": "etcd", "tier": "control-plane"}
	for name, c := range map[string]struct {
		node corev1.Node
		pod  corev1.Pod
	}{
		"kubeadm": {labelled("control-plane"), static("etcd", "cp")}, "an old kubeadm": {labelled("master"), static("etcd", "cp")},
		"RKE": {labelled("etcd"), static("etcd", "cp")}, "k3s, without any pod": {labelled("control-plane"), podOf("a", "worker")},
		"without its label": {node("cp", 2), unlabelled},
	} {
		t.Run(name, func(t *testing.T) {
			got := nodesOf(nil, []corev1.Node{c.node, node("worker", 2), node("idle", 2)}, c.pod, podOf("a", "worker"))
			if slices.Contains(got.CouldGo, "cp") || len(got.CouldGo) == 0 {
				t.Errorf("could go: %v, want one or two of the others", got.CouldGo)
			}
		})
	}
	if got := nodesOf(nil, []corev1.Node{node("gke", 2), node("worker", 2)}, static("kube-proxy", "gke"), podOf("a", "worker")); len(got.CouldGo) != 1 {
		t.Errorf("a node with a static pod that every node has: %+v, want that it could go", got)
	}
}

func TestAPodThatIsTiedKeepsItsNode(t *testing.T) {
	for name, change := range map[string]func(*corev1.Pod){
		"a node selector": func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"disk": "ssd"} },
		"an affinity":     func(p *corev1.Pod) { p.Spec.Affinity = &corev1.Affinity{} },
		"a hard spread": func(p *corev1.Pod) {
			p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{WhenUnsatisfiable: corev1.DoNotSchedule}}
		},
		"a volume": func(p *corev1.Pod) {
			p.Spec.Volumes = []corev1.Volume{{VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{}}}}
		},
		"a GPU": func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Limits = corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("1")}
			p.Spec.Tolerations = []corev1.Toleration{{Key: "nvidia.com/gpu", Operator: corev1.TolerationOpExists}}
		},
		"huge pages of an init container": func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"hugepages-2Mi": resource.MustParse("64Mi")}}}}
		},
		"a claimed device": func(p *corev1.Pod) { p.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "gpu"}} },
		"a host port":      func(p *corev1.Pod) { p.Spec.Containers[0].Ports = []corev1.ContainerPort{{HostPort: 80}} },
		"the host network": func(p *corev1.Pod) { p.Spec.HostNetwork = true },
		"no controller":    func(p *corev1.Pod) { p.OwnerReferences = nil },
		"a scheduler":      func(p *corev1.Pod) { p.Spec.SchedulerName = "batch" },
		"a person's wish":  func(p *corev1.Pod) { p.Annotations = map[string]string{"karpenter.sh/do-not-disrupt": "true"} },
	} {
		t.Run(name, func(t *testing.T) {
			got := nodesOf(nil, []corev1.Node{node("big", 64), node("small", 2)}, podOf("a", "small", change), podOf("b", "big"))
			if want := (report.Nodes{Present: 2, Needed: 1, NeededNow: 1, AtLeast: 1, CouldGo: []string{"big"}, Unmoved: 1}); cmp.Diff(want, got) != "" {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestPodsOfDaemonSetsTakeRoomEverywhereAndKeepNoNode(t *testing.T) {
	agent := func(p *corev1.Pod) {
		p.OwnerReferences[0].Kind, p.OwnerReferences[0].Name = "DaemonSet", "agent"
	}
	all := []corev1.Node{node("n1", 2), node("n2", 2), node("n3", 2)}
	got := nodesOf(nil, all, podOf("agent", "n1", agent), podOf("agent", "n2", agent), podOf("agent", "n3", agent), podOf("a", "n1"), podOf("a", "n2"))
	if got.Needed != 2 || got.AtLeast != 2 || len(got.CouldGo) != 1 {
		t.Errorf("got %+v, want that two nodes are needed", got)
	}
}

func TestPodsGoOnlyToNodesThatTakeThem(t *testing.T) {
	tainted := node("tainted", 64)
	tainted.Spec.Taints = []corev1.Taint{{Key: "gpu", Value: "yes", Effect: corev1.TaintEffectNoSchedule}, {Key: "old", Effect: corev1.TaintEffectPreferNoSchedule}}
	cordoned := node("cordoned", 64)
	cordoned.Spec.Unschedulable = true
	all := []corev1.Node{tainted, cordoned, node("plain", 2)}
	tolerant := func(operator corev1.TolerationOperator, value string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Spec.Tolerations = []corev1.Toleration{{Key: "gpu", Operator: operator, Value: value}}
		}
	}
	for name, c := range map[string]struct {
		pod  corev1.Pod
		goes string
	}{
		"nothing tolerated":         {podOf("a", "plain"), "tainted cordoned"},
		"another value":             {podOf("a", "plain", tolerant(corev1.TolerationOpEqual, "no")), "tainted cordoned"},
		"the value is tolerated":    {podOf("a", "plain", tolerant("", "yes")), "cordoned plain"},
		"every value is tolerated":  {podOf("a", "plain", tolerant(corev1.TolerationOpExists, "")), "cordoned plain"},
		"it leaves what is drained": {podOf("a", "cordoned"), "tainted cordoned"},
		"it has ended":              {podOf("a", "plain", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }), "tainted cordoned plain"},
	} {
		t.Run(name, func(t *testing.T) {
			got := nodesOf(nil, all, c.pod)
			want := strings.Fields(c.goes)
			if len(got.CouldGo) != len(want) || strings.Join(got.CouldGo, " ") != strings.Join(slices.Sorted(slices.Values(want)), " ") {
				t.Errorf("%v could go, want %v", got.CouldGo, want)
			}
		})
	}
}

func TestNoNodeCouldGoWhilePodsFindNoRoom(t *testing.T) {
	got := nodesOf([]v1alpha1.Recommendation{resized(right("a"), "3", "1Gi")}, []corev1.Node{node("n1", 2), node("n2", 2)}, podOf("a", "n1"))
	if got.Homeless != 1 || got.CouldGo != nil {
		t.Errorf("got %+v, want one homeless pod and no node that could go", got)
	}
}
