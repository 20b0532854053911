package recommender

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"

	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/recommender/guard"
)

// passingTaint begins the keys of the taints that come and go with the state of a node, such as a restart. Pods of DaemonSets
// go on running there, or come back.
const passingTaint = "node.kubernetes.io/"

// smallestNode returns the least that the nodes of a DaemonSet have for its pod, of each resource, because each of them has to run one;
// none if the template allows no node. Nodes that are cordoned or not ready count, for they come back. own is what pods of the
// DaemonSet ask for now, by node: that is theirs already.
//
// Example: nodes of 16 and 2 cores, on which other DaemonSets ask for 300m → 1700m.
func smallestNode(rooms []nodeRoom, template corev1.PodSpec, own map[string]apply.Amounts) []guard.Node {
	wants := nodeaffinity.GetRequiredNodeAffinity(&corev1.Pod{Spec: template})
	var smallest []guard.Node
	for _, room := range rooms {
		if !room.settled().allows(template.Tolerations, wants) {
			continue
		}
		name, has := room.node.Name, plus(room.empty, own[room.node.Name])
		if len(smallest) == 0 {
			smallest = []guard.Node{{Name: name, Room: has}}
			continue
		}
		least := &smallest[0]
		if has.CPUMillis < least.Room.CPUMillis || has.MemoryBytes < least.Room.MemoryBytes {
			least.Name = name
		}
		least.Room = apply.Amounts{CPUMillis: min(least.Room.CPUMillis, has.CPUMillis), MemoryBytes: min(least.Room.MemoryBytes, has.MemoryBytes)}
	}
	return smallest
}

// settled is the room of the node once the state that it is in has passed.
func (r nodeRoom) settled() nodeRoom {
	node := *r.node
	node.Spec.Unschedulable = false
	node.Spec.Taints = slices.DeleteFunc(slices.Clone(node.Spec.Taints), func(t corev1.Taint) bool { return strings.HasPrefix(t.Key, passingTaint) })
	r.node = &node
	return r
}
