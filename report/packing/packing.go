// Package packing asks onto how few nodes pods could be packed. It is pure: numbers in, numbers out.
package packing

import (
	"cmp"
	"slices"
)

// Amounts is what a pod asks for, or what a node has room for: CPU in millicores, memory in bytes, and a number of pods.
type Amounts struct{ CPUMillis, MemoryBytes, Pods int64 }

// Node is where pods can be.
type Node struct {
	Name string
	// Room for the pods to pack: without what runs there anyway. A negative amount counts as 0.
	Room Amounts
	// Stays says that the node is needed in any case.
	Stays bool
}

// Pod is to be packed.
type Pod struct {
	// Asks is what the pod needs of a node; it counts as one pod, whatever Asks says.
	Asks Amounts
	// Allows says onto which nodes it may go; nil allows every node.
	Allows func(node string) bool
}

// Result is a packing.
type Result struct {
	// On is, for each pod, the index of its node, or -1 where no node has room that it may go to.
	On []int
	// Used says for each node whether it is needed.
	Used []bool
	// Needed is how many nodes that is, and Homeless how many pods found no room.
	Needed, Homeless int
	// AtLeast is a number of nodes below which no packing of all pods exists, however clever. See Bound.
	AtLeast int
}

// Pack places pods by first-fit decreasing: the pod with the largest share of what an average node has comes first, and each goes
// to the first node with room. Nodes that stay come first, then the larger ones, so that few are needed. Every pod is placed unless
// no node that it may go to has room left for it, and no node gets more than it has room for.
func Pack(nodes []Node, pods []Pod) Result {
	free := make([]Amounts, len(nodes))
	total := Amounts{}
	for i, n := range nodes {
		free[i] = Amounts{max(n.Room.CPUMillis, 0), max(n.Room.MemoryBytes, 0), max(n.Room.Pods, 0)}
		total = total.plus(free[i])
	}
	r := Result{On: make([]int, len(pods)), Used: make([]bool, len(nodes)), AtLeast: Bound(nodes, pods)}
	for i, n := range nodes {
		r.Used[i] = n.Stays
	}
	order := nodeOrder(nodes, free, total)
	for _, p := range podOrder(pods, total) {
		asks := pods[p].Asks
		asks.Pods = 1
		at := slices.IndexFunc(order, func(n int) bool {
			return asks.within(free[n]) && (pods[p].Allows == nil || pods[p].Allows(nodes[n].Name))
		})
		if at < 0 {
			r.On[p] = -1
			r.Homeless++
			continue
		}
		n := order[at]
		r.On[p], r.Used[n], free[n] = n, true, free[n].minus(asks)
	}
	for _, used := range r.Used {
		if used {
			r.Needed++
		}
	}
	return r
}

// nodeOrder returns the nodes in the order in which they are tried.
func nodeOrder(nodes []Node, free []Amounts, total Amounts) []int {
	order := indexes(len(nodes))
	slices.SortStableFunc(order, func(a, b int) int {
		if nodes[a].Stays != nodes[b].Stays {
			if nodes[a].Stays {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(free[b].smallest(total), free[a].smallest(total)), cmp.Compare(nodes[a].Name, nodes[b].Name))
	})
	return order
}

// podOrder returns the pods, the one with the largest share first.
func podOrder(pods []Pod, total Amounts) []int {
	order := indexes(len(pods))
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(pods[b].Asks.largest(total), pods[a].Asks.largest(total))
	})
	return order
}

func indexes(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func (a Amounts) plus(b Amounts) Amounts {
	return Amounts{a.CPUMillis + b.CPUMillis, a.MemoryBytes + b.MemoryBytes, a.Pods + b.Pods}
}

func (a Amounts) minus(b Amounts) Amounts {
	return Amounts{a.CPUMillis - b.CPUMillis, a.MemoryBytes - b.MemoryBytes, a.Pods - b.Pods}
}

func (a Amounts) within(b Amounts) bool {
	return a.CPUMillis <= b.CPUMillis && a.MemoryBytes <= b.MemoryBytes && a.Pods <= b.Pods
}

// largest is the larger of the shares of CPU and memory in total, smallest the smaller.
func (a Amounts) largest(total Amounts) float64 {
	return max(share(a.CPUMillis, total.CPUMillis), share(a.MemoryBytes, total.MemoryBytes))
}

func (a Amounts) smallest(total Amounts) float64 {
	return min(share(a.CPUMillis, total.CPUMillis), share(a.MemoryBytes, total.MemoryBytes))
}

func share(part, whole int64) float64 { return float64(part) / float64(max(whole, 1)) }
