package report

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/internal/owner"
	"github.com/loadline-dev/loadline/report/packing"
)

// Nodes says which nodes could go if every pod had its recommended requests.
type Nodes struct {
	// Present nodes, and how many of them would be Needed with the recommended requests, and with the present ones.
	Present   int `json:"present"`
	Needed    int `json:"needed"`
	NeededNow int `json:"neededNow"`
	// AtLeast is a number of nodes below which nothing can be packed, however cleverly.
	AtLeast int `json:"atLeast"`
	// CouldGo are the names of the nodes that are not needed.
	CouldGo []string `json:"couldGo,omitempty"`
	// SavesPerMonth is what they cost in a month by what they have, in the currency of the prices.
	SavesPerMonth *float64 `json:"savesPerMonth,omitempty"`
	// Unmoved pods stay where they are, because something ties them to where they run; Homeless pods find no room.
	Unmoved  int `json:"unmoved"`
	Homeless int `json:"homeless"`
}

// nodes packs the pods of a cluster onto its nodes; nil where no nodes are known.
func nodes(in Input) *Nodes {
	if len(in.Nodes) == 0 {
		return nil
	}
	sized := map[owner.Workload]map[string]apply.Values{}
	for i := range in.Recommendations {
		rec := &in.Recommendations[i]
		key := owner.Workload{Kind: rec.Spec.TargetRef.Kind, Name: rec.Spec.TargetRef.Name}
		if sized[key] == nil {
			sized[key] = map[string]apply.Values{}
		}
		sized[key][rec.Namespace] = apply.FromAPI(rec.Status.Candidate)
	}
	then := newCluster(in, func(pod *corev1.Pod) apply.Amounts {
		of, _ := in.Kinds.Of(pod)
		return asks(pod, sized[of][pod.Namespace])
	})
	now := newCluster(in, func(pod *corev1.Pod) apply.Amounts { return asks(pod, apply.Values{}) })
	packed := packing.Pack(then.nodes, then.pods)
	n := &Nodes{
		Present: len(in.Nodes), Needed: packed.Needed, NeededNow: packing.Pack(now.nodes, now.pods).Needed,
		AtLeast: packed.AtLeast, Unmoved: then.unmoved, Homeless: packed.Homeless,
	}
	if packed.Homeless > 0 { // While pods wait for room, no node is too much.
		return n
	}
	saves := 0.0
	for i, used := range packed.Used {
		if node := &in.Nodes[i]; !used {
			n.CouldGo = append(n.CouldGo, node.Name)
			coreHour, gibHour := in.Prices.of(node)
			has := node.Status.Capacity
			if len(has) == 0 {
				has = node.Status.Allocatable
			}
			saves += Prices{CoreHour: coreHour, GiBHour: gibHour}.perMonth(has.Cpu().AsApproximateFloat64(), has.Memory().AsApproximateFloat64())
		}
	}
	slices.Sort(n.CouldGo)
	if in.Prices.Currency != "" {
		n.SavesPerMonth = new(cents(saves))
	}
	return n
}

// asks is what the scheduler counts for a pod that has these sizes.
func asks(pod *corev1.Pod, values apply.Values) apply.Amounts {
	members := apply.Members(pod.Spec)
	original, err := apply.Original(pod)
	if err != nil || apply.HasPodLevelResources(pod) {
		return apply.PodResources(members).Requests
	}
	sized := apply.Desired(values, original, apply.ForNewPod)
	for i, m := range members {
		if want, ok := sized[m.Name]; ok && !m.Init {
			members[i].Resources = want
		}
	}
	return apply.PodResources(members).Requests
}

// cluster is what is to be packed.
type cluster struct {
	nodes   []packing.Node
	pods    []packing.Pod
	unmoved int
}

// newCluster divides pods into those that may move and those that stay where they are. Pods of DaemonSets, and static ones, take
// room on every node and go with it; any other pod that stays keeps its node. So does the control plane.
func newCluster(in Input, asks func(*corev1.Pod) apply.Amounts) cluster {
	c, index := cluster{}, map[string]int{}
	for i := range in.Nodes {
		node := &in.Nodes[i]
		index[node.Name] = i
		room := packing.Amounts{}
		if takesPods(node) {
			has := node.Status.Allocatable
			room = packing.Amounts{CPUMillis: has.Cpu().MilliValue(), MemoryBytes: has.Memory().Value(), Pods: has.Pods().Value()}
		}
		c.nodes = append(c.nodes, packing.Node{Name: node.Name, Room: room, Stays: ofControlPlane(node)})
	}
	for i := range in.Pods {
		pod := &in.Pods[i]
		if ended(pod) {
			continue
		}
		has := asks(pod)
		needs := packing.Amounts{CPUMillis: has.CPUMillis, MemoryBytes: has.MemoryBytes, Pods: 1}
		at, placed := index[pod.Spec.NodeName]
		switch everywhere := withItsNode(pod); {
		case placed && (everywhere || tied(pod)):
			room := c.nodes[at].Room
			c.nodes[at].Room = packing.Amounts{CPUMillis: room.CPUMillis - needs.CPUMillis, MemoryBytes: room.MemoryBytes - needs.MemoryBytes, Pods: room.Pods - 1}
			if runsControlPlane(pod) {
				c.nodes[at].Stays = true
			}
			if !everywhere {
				c.nodes[at].Stays = true
				c.unmoved++
			}
		case !everywhere && !tied(pod):
			c.pods = append(c.pods, packing.Pod{Asks: needs, Allows: func(name string) bool { return tolerates(pod, &in.Nodes[index[name]]) }})
		}
	}
	return c
}

// ofControlPlane says whether a node is labelled as one that runs the cluster itself. Such a node may look empty, and never goes.
func ofControlPlane(node *corev1.Node) bool {
	for _, role := range [...]string{"control-plane", "controlplane", "master", "etcd"} {
		if _, labelled := node.Labels["node-role.kubernetes.io/"+role]; labelled {
			return true
		}
	}
	return false
}

// runsControlPlane says whether a pod is a part of the cluster itself, by the label that kubeadm gives those. It makes up for a node
// that lost its label.
func runsControlPlane(pod *corev1.Pod) bool { return pod.Labels["tier"] == "control-plane" }

// ended says whether a pod takes no room any more, or will not soon.
func ended(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed || pod.DeletionTimestamp != nil
}

// takesPods says whether new pods may come to a node at all.
func takesPods(node *corev1.Node) bool {
	return !node.Spec.Unschedulable && node.DeletionTimestamp == nil
}

// withItsNode says whether a pod is on every node of its kind, and goes when the node goes: those of DaemonSets, and static ones.
func withItsNode(pod *corev1.Pod) bool {
	ref := metav1.GetControllerOfNoCopy(pod)
	return ref != nil && (ref.Kind == "DaemonSet" || ref.Kind == "Node")
}

// tied says whether something ties a pod to where it runs, or may do so: a wish for certain nodes, other pods or a spread, a port of
// the node, a volume of its own, a device or anything else that nodes have besides CPU and memory, another scheduler, nobody who would
// create it again, or a person who asked not to move it.
func tied(pod *corev1.Pod) bool {
	spec := pod.Spec
	switch {
	case metav1.GetControllerOfNoCopy(pod) == nil, spec.Affinity != nil, len(spec.NodeSelector) > 0, spec.HostNetwork,
		spec.SchedulerName != "" && spec.SchedulerName != corev1.DefaultSchedulerName,
		len(spec.ResourceClaims) > 0, slices.ContainsFunc(slices.Concat(spec.InitContainers, spec.Containers), wantsMore),
		pod.Annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false", pod.Annotations["karpenter.sh/do-not-disrupt"] == "true":
		return true
	}
	return slices.ContainsFunc(spec.TopologySpreadConstraints, func(c corev1.TopologySpreadConstraint) bool {
		return c.WhenUnsatisfiable == corev1.DoNotSchedule
	}) || slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool {
		return v.PersistentVolumeClaim != nil || v.HostPath != nil || v.Ephemeral != nil
	}) || slices.ContainsFunc(spec.Containers, func(c corev1.Container) bool {
		return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.HostPort > 0 })
	})
}

// wantsMore says whether a container asks for something of its node that is not packed, such as a GPU, huge pages or local storage.
func wantsMore(c corev1.Container) bool {
	for _, amounts := range []corev1.ResourceList{c.Resources.Requests, c.Resources.Limits} {
		for name, amount := range amounts {
			if name != corev1.ResourceCPU && name != corev1.ResourceMemory && !amount.IsZero() {
				return true
			}
		}
	}
	return false
}

// tolerates says whether no taint of the node keeps the pod away.
func tolerates(pod *corev1.Pod, node *corev1.Node) bool {
	return !slices.ContainsFunc(node.Spec.Taints, func(taint corev1.Taint) bool {
		return taint.Effect != corev1.TaintEffectPreferNoSchedule && !slices.ContainsFunc(pod.Spec.Tolerations, func(t corev1.Toleration) bool {
			switch {
			case t.Effect != "" && t.Effect != taint.Effect:
				return false
			case t.Operator == corev1.TolerationOpExists:
				return t.Key == "" || t.Key == taint.Key
			default:
				return t.Key == taint.Key && t.Value == taint.Value && (t.Operator == "" || t.Operator == corev1.TolerationOpEqual)
			}
		})
	})
}
