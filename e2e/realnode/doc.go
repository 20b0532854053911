// Package realnode adds one real node to a cluster of package harness: containerd and a kubelet, which run real containers.
// It needs Linux and root.
//
// Nothing of the machine is changed for it, as far as that can be had. Containerd, kubelet and containers live in a mount
// and a PID namespace of their own (see box): what they mount and write where every node does, such as /var/lib/kubelet, is
// in memory and seen by them alone, and when the first process of that PID namespace dies, all others do. The kernel settings
// that a kubelet makes are shown to it as made already. Cgroups are not namespaced; they are under one of our own, which Stop
// removes. Pods use the network of the machine, so that there is no bridge, no rule and no network namespace, and the
// kubelet listens on loopback only.
package realnode
