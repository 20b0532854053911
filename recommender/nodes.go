package recommender

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/recommender/guard"
)

// nodeRoomsFor is how long the sums over all pods are used: one pass over the workloads of a cluster shares them.
const nodeRoomsFor = 15 * time.Second

// nodeRooms keeps what every node has for pods. It can be lost at any time. The zero value is ready, and may be used
// by many goroutines.
type nodeRooms struct {
	mu    sync.Mutex
	at    time.Time
	rooms []nodeRoom
}

// nodeRoom is what one node has.
type nodeRoom struct {
	// node has its name, labels and taints, and whether it is cordoned.
	node *corev1.Node
	// empty is its allocatable less what runs on every node, free is what no pod has asked for.
	empty, free apply.Amounts
}

// forPod returns the nodes that a pod of this template may run on, with what they have for it when they are empty and now,
// without those that are smaller than another in both resources. They are from after since.
func (n *nodeRooms) forPod(ctx context.Context, reader client.Reader, template corev1.PodSpec, since, now time.Time) (empty, free []guard.Node, err error) {
	rooms, err := n.read(ctx, reader, since, now)
	if err != nil {
		return nil, nil, err
	}
	empty = largestNodes(rooms, template, func(r nodeRoom) apply.Amounts { return r.empty })
	return empty, largestNodes(rooms, template, func(r nodeRoom) apply.Amounts { return r.free }), nil
}

func (n *nodeRooms) read(ctx context.Context, reader client.Reader, since, now time.Time) ([]nodeRoom, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.at.After(since) && !now.Before(n.at) {
		return n.rooms, nil
	}
	nodes, pods := &corev1.NodeList{}, &corev1.PodList{}
	if err := reader.List(ctx, nodes, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	if err := reader.List(ctx, pods, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	n.rooms, n.at = roomsOf(nodes.Items, pods.Items), now
	return n.rooms, nil
}

// roomsOf computes what the nodes have that are not going away. A node that does not say how much CPU and memory it has, as one whose kubelet
// has not reported yet, tells nothing.
func roomsOf(nodes []corev1.Node, pods []corev1.Pod) []nodeRoom {
	all, everywhere := map[string]apply.Amounts{}, map[string]apply.Amounts{}
	for i := range pods {
		pod := &pods[i]
		if pod.Spec.NodeName == "" || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue
		}
		overhead := apply.ResourcesOf(corev1.ResourceRequirements{Requests: pod.Spec.Overhead}).Requests // of its RuntimeClass
		asks := plus(apply.PodResources(apply.Members(pod.Spec)).Requests, overhead)
		all[pod.Spec.NodeName] = plus(all[pod.Spec.NodeName], asks)
		// Pods of DaemonSets, and the kubelet's own, are there whatever else runs.
		if ref := metav1.GetControllerOfNoCopy(pod); ref != nil && (ref.Kind == kindDaemonSet || ref.Kind == "Node") {
			everywhere[pod.Spec.NodeName] = plus(everywhere[pod.Spec.NodeName], asks)
		}
	}
	var rooms []nodeRoom
	for i := range nodes {
		node := &nodes[i]
		if node.DeletionTimestamp != nil {
			continue
		}
		has := apply.ResourcesOf(corev1.ResourceRequirements{Requests: node.Status.Allocatable}).Requests
		if has.CPUMillis == 0 || has.MemoryBytes == 0 {
			continue
		}
		rooms = append(rooms, nodeRoom{
			node:  &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node.Name, Labels: node.Labels}, Spec: corev1.NodeSpec{Taints: node.Spec.Taints, Unschedulable: node.Spec.Unschedulable}},
			empty: minus(has, everywhere[node.Name]), free: minus(has, all[node.Name]),
		})
	}
	return rooms
}

func plus(a, b apply.Amounts) apply.Amounts {
	return apply.Amounts{CPUMillis: a.CPUMillis + b.CPUMillis, MemoryBytes: a.MemoryBytes + b.MemoryBytes}
}

// minus is at least 1 of each: a node that is full has no room, and 0 would mean that nothing is known of it.
func minus(a, b apply.Amounts) apply.Amounts {
	return apply.Amounts{CPUMillis: max(a.CPUMillis-b.CPUMillis, 1), MemoryBytes: max(a.MemoryBytes-b.MemoryBytes, 1)}
}

// largestNodes returns the nodes that the template allows, without those that are no larger than another in both resources, the
// one with the most memory first.
func largestNodes(rooms []nodeRoom, template corev1.PodSpec, size func(nodeRoom) apply.Amounts) []guard.Node {
	var fitting []guard.Node
	wants := nodeaffinity.GetRequiredNodeAffinity(&corev1.Pod{Spec: template})
	for _, room := range rooms {
		if room.allows(template.Tolerations, wants) {
			fitting = append(fitting, guard.Node{Name: room.node.Name, Room: size(room)})
		}
	}
	slices.SortFunc(fitting, func(a, b guard.Node) int {
		return cmp.Or(cmp.Compare(b.Room.MemoryBytes, a.Room.MemoryBytes), cmp.Compare(b.Room.CPUMillis, a.Room.CPUMillis), cmp.Compare(a.Name, b.Name))
	})
	var largest []guard.Node
	for _, n := range fitting {
		if len(largest) == 0 || n.Room.CPUMillis > largest[len(largest)-1].Room.CPUMillis {
			largest = append(largest, n)
		}
	}
	return largest
}

// allows reports whether a pod may be scheduled here: the node is not cordoned, its node selector and required node affinity match, and it tolerates the taints.
// An affinity that cannot be read matches nothing.
func (r nodeRoom) allows(tolerations []corev1.Toleration, wants nodeaffinity.RequiredNodeAffinity) bool {
	if attracts, err := wants.Match(r.node); err != nil || !attracts || r.node.Spec.Unschedulable {
		return false
	}
	return !slices.ContainsFunc(r.node.Spec.Taints, func(taint corev1.Taint) bool {
		return taint.Effect != corev1.TaintEffectPreferNoSchedule &&
			!slices.ContainsFunc(tolerations, func(t corev1.Toleration) bool { return t.ToleratesTaint(klog.Background(), &taint, false) })
	})
}
