package updater

import (
	"maps"
	"slices"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"

	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/updater/plan"
)

// rooms knows what is free on each node. It is asked about pods whose nodes have put a resize off for long, so that they are not
// evicted for a place that is not there.
type rooms struct {
	nodes []corev1.Node
	free  map[string]apply.Amounts
	slots map[string]int64
	// waiting are the pods that wait for a node, and wanted the nodes on which one of them finds room: what is free there is theirs.
	waiting []*corev1.Pod
	wanted  map[string]bool
}

func roomsOf(c *cluster) *rooms {
	r := &rooms{nodes: c.nodes, free: map[string]apply.Amounts{}, slots: map[string]int64{}, wanted: map[string]bool{}}
	for i := range c.nodes {
		n := &c.nodes[i]
		r.free[n.Name], r.slots[n.Name] = allocatable(n), n.Status.Allocatable.Pods().Value()
	}
	for i := range c.pods {
		r.take(&c.pods[i])
	}
	for _, pod := range r.waiting {
		wants := nodeaffinity.GetRequiredNodeAffinity(pod)
		for i := range r.nodes {
			n := &r.nodes[i]
			r.wanted[n.Name] = r.wanted[n.Name] || r.fits(n, amountsOf(pod, apply.Present(pod))) && accepts(n, pod, wants)
		}
	}
	return r
}

// fits reports whether the node has so much left, and a place for one more pod.
func (r *rooms) fits(n *corev1.Node, asks apply.Amounts) bool {
	free := r.free[n.Name]
	return r.slots[n.Name] > 0 && free.CPUMillis >= asks.CPUMillis && free.MemoryBytes >= asks.MemoryBytes
}

func (r *rooms) take(pod *corev1.Pod) {
	switch {
	case ended(pod):
	case pod.Spec.NodeName == "":
		if pod.DeletionTimestamp == nil && !gated(pod) {
			r.waiting = append(r.waiting, pod)
		}
	default:
		asks := amountsOf(pod, apply.Present(pod))
		free := r.free[pod.Spec.NodeName]
		r.free[pod.Spec.NodeName] = apply.Amounts{CPUMillis: free.CPUMillis - asks.CPUMillis, MemoryBytes: free.MemoryBytes - asks.MemoryBytes}
		r.slots[pod.Spec.NodeName]--
	}
}

// forSuccessor names a node that has room for the pod's successor, and is not its own; empty means that none is known. Of a pod whose
// place depends on more than requests, node selector, node affinity and taints, none is ever known.
func (r *rooms) forSuccessor(pod *corev1.Pod, w plan.Workload, original map[string]apply.Resources) string {
	if choosy(pod) {
		return ""
	}
	successor := apply.Present(pod)
	maps.Copy(successor, apply.Desired(w.Values, original, apply.ForNewPod))
	asks, wants := amountsOf(pod, successor), nodeaffinity.GetRequiredNodeAffinity(pod)
	for i := range r.nodes {
		n := &r.nodes[i]
		if n.Name != pod.Spec.NodeName && !r.wanted[n.Name] && r.fits(n, asks) && accepts(n, pod, wants) {
			return n.Name
		}
	}
	return ""
}

// choosy reports whether the scheduler looks at more than requests, node selector, node affinity and taints to find a place for the
// pod. What a pod merely prefers keeps it from no node.
func choosy(pod *corev1.Pod) bool {
	s := pod.Spec
	extended := func(c corev1.Container) bool {
		return len(c.Ports) > 0 || slices.ContainsFunc(slices.Collect(maps.Keys(c.Resources.Requests)), func(name corev1.ResourceName) bool {
			return name != corev1.ResourceCPU && name != corev1.ResourceMemory
		})
	}
	return besideOthers(s.Affinity) || len(s.TopologySpreadConstraints) > 0 || len(s.ResourceClaims) > 0 || len(s.Volumes) > 0 ||
		slices.ContainsFunc(slices.Concat(s.InitContainers, s.Containers), extended)
}

// besideOthers reports whether the pod's place depends on where other pods are.
func besideOthers(a *corev1.Affinity) bool {
	return a != nil && (a.PodAffinity != nil && len(a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution) > 0 ||
		a.PodAntiAffinity != nil && len(a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution) > 0)
}

// accepts reports whether the node is ready for new pods, and for this one.
func accepts(n *corev1.Node, pod *corev1.Pod, wants nodeaffinity.RequiredNodeAffinity) bool {
	ready := slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
	repels := slices.ContainsFunc(n.Spec.Taints, func(taint corev1.Taint) bool {
		return taint.Effect != corev1.TaintEffectPreferNoSchedule && !slices.ContainsFunc(pod.Spec.Tolerations, func(t corev1.Toleration) bool {
			return t.ToleratesTaint(logr.Discard(), &taint, false)
		})
	})
	attracts, err := wants.Match(n) // An error is a term that cannot be read, which attracts nothing.
	return ready && !repels && !n.Spec.Unschedulable && attracts && err == nil
}

// amountsOf is what the scheduler keeps free for a pod with these resources: its containers and side-cars together, or its largest
// init container beside the side-cars, whichever is more, and the overhead.
func amountsOf(pod *corev1.Pod, resources map[string]apply.Resources) apply.Amounts {
	var running, sidecars, starting apply.Amounts
	for _, c := range pod.Spec.Containers {
		running = plus(running, resources[c.Name].Requests)
	}
	for _, c := range pod.Spec.InitContainers {
		asks := resources[c.Name].Requests
		if apply.IsSidecar(c) {
			sidecars = plus(sidecars, asks)
			continue
		}
		starting = apply.Amounts{CPUMillis: max(starting.CPUMillis, asks.CPUMillis), MemoryBytes: max(starting.MemoryBytes, asks.MemoryBytes)}
	}
	most := apply.Amounts{CPUMillis: max(running.CPUMillis, starting.CPUMillis), MemoryBytes: max(running.MemoryBytes, starting.MemoryBytes)}
	overhead := apply.Amounts{CPUMillis: pod.Spec.Overhead.Cpu().MilliValue(), MemoryBytes: pod.Spec.Overhead.Memory().Value()}
	return plus(plus(most, sidecars), overhead)
}

func plus(a, b apply.Amounts) apply.Amounts {
	return apply.Amounts{CPUMillis: a.CPUMillis + b.CPUMillis, MemoryBytes: a.MemoryBytes + b.MemoryBytes}
}
