package packing_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/report/packing"
)

const gib = 1 << 30

func node(name string, cores, gibs int64) packing.Node {
	return packing.Node{Name: name, Room: packing.Amounts{CPUMillis: 1000 * cores, MemoryBytes: gibs * gib, Pods: 110}}
}

func pods(n int, millis, gibs int64) []packing.Pod {
	all := make([]packing.Pod, n)
	for i := range all {
		all[i].Asks = packing.Amounts{CPUMillis: millis, MemoryBytes: gibs * gib}
	}
	return all
}

func TestPodsAreDrawnTogether(t *testing.T) {
	for name, c := range map[string]struct {
		nodes           []packing.Node
		pods            []packing.Pod
		needed, atLeast int
		homeless        int
		usedOfTheFirst  bool
	}{
		"four halves fit on two of three":        {[]packing.Node{node("a", 4, 16), node("b", 4, 16), node("c", 4, 16)}, pods(4, 2000, 1), 2, 2, 0, true},
		"memory is what is scarce":               {[]packing.Node{node("a", 64, 4), node("b", 64, 4), node("c", 64, 4)}, pods(5, 10, 2), 3, 3, 0, true},
		"nothing to place":                       {[]packing.Node{node("a", 4, 16)}, nil, 0, 0, 0, false},
		"no nodes":                               {nil, pods(2, 1, 0), 0, 0, 2, false},
		"a pod that is larger than every node":   {[]packing.Node{node("a", 4, 16), node("b", 4, 16)}, pods(1, 5000, 1), 0, 2, 1, false},
		"pieces that do not fill a node":         {[]packing.Node{node("a", 4, 16), node("b", 4, 16), node("c", 4, 16)}, pods(3, 2500, 1), 3, 2, 0, true},
		"the larger node is filled first":        {[]packing.Node{node("a", 4, 16), node("b", 8, 32)}, pods(4, 2000, 1), 1, 1, 0, false},
		"more than there is":                     {[]packing.Node{node("a", 4, 16), node("b", 4, 16)}, pods(5, 2000, 1), 2, 2, 1, true},
		"as many pods as a node takes, not more": {[]packing.Node{node("a", 40, 160), node("b", 40, 160)}, pods(111, 1, 0), 2, 2, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := packing.Pack(c.nodes, c.pods)
			if r.Needed != c.needed || r.AtLeast != c.atLeast || r.Homeless != c.homeless {
				t.Errorf("needed %d, at least %d, homeless %d; want %d, %d, %d", r.Needed, r.AtLeast, r.Homeless, c.needed, c.atLeast, c.homeless)
			}
			if len(c.nodes) > 0 && r.Used[0] != c.usedOfTheFirst {
				t.Errorf("the first node is used: %v", r.Used[0])
			}
		})
	}
}

func TestANodeThatStaysTakesPodsFirstAndIsCountedWhenItIsEmpty(t *testing.T) {
	small := node("z", 2, 8)
	small.Stays = true
	r := packing.Pack([]packing.Node{node("a", 8, 32), small}, pods(1, 1000, 1))
	if r.On[0] != 1 || r.Needed != 1 || r.AtLeast != 1 {
		t.Errorf("the pod is on node %d, needed %d, at least %d", r.On[0], r.Needed, r.AtLeast)
	}
	if r := packing.Pack([]packing.Node{small}, nil); r.Needed != 1 || r.AtLeast != 1 {
		t.Errorf("an empty node that stays: needed %d, at least %d", r.Needed, r.AtLeast)
	}
}

func TestAPodGoesOnlyWhereItMay(t *testing.T) {
	picky := pods(2, 1000, 1)
	picky[0].Allows = func(name string) bool { return name == "b" }
	picky[1].Allows = func(string) bool { return false }
	r := packing.Pack([]packing.Node{node("a", 4, 16), node("b", 4, 16)}, picky)
	if r.On[0] != 1 || r.On[1] != -1 || r.Homeless != 1 {
		t.Errorf("pods are on %v", r.On)
	}
}

func TestTheBoundKnowsThatANodeIsNeededForCPUAndMemoryAtOnce(t *testing.T) {
	var nodes []packing.Node
	for i := range 4 {
		nodes = append(nodes, node(fmt.Sprint("cpu", i), 8, 4), node(fmt.Sprint("memory", i), 4, 8))
	}
	// Two nodes have the CPU and two others the memory, but 4/3 of each kind are needed for both: 8/3, rounded up.
	if got := packing.Bound(nodes, pods(16, 1000, 1)); got != 3 {
		t.Errorf("at least %d, want 3", got)
	}
}

func drawNodes(t *rapid.T) []packing.Node {
	nodes := make([]packing.Node, rapid.IntRange(0, 60).Draw(t, "nodes"))
	kinds := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) packing.Amounts {
		return packing.Amounts{
			CPUMillis:   rapid.Int64Range(-1000, 64_000).Draw(t, "cpu"),
			MemoryBytes: rapid.Int64Range(-gib, 256*gib).Draw(t, "memory"),
			Pods:        rapid.Int64Range(0, 110).Draw(t, "pods"),
		}
	}), 1, 50).Draw(t, "kinds")
	for i := range nodes {
		nodes[i] = packing.Node{
			Name: fmt.Sprint(i), Room: rapid.SampledFrom(kinds).Draw(t, "kind"), Stays: rapid.IntRange(0, 4).Draw(t, "stays") == 0,
		}
	}
	return nodes
}

func drawPods(t *rapid.T, nodes int) []packing.Pod {
	all := make([]packing.Pod, rapid.IntRange(0, 200).Draw(t, "pods"))
	for i := range all {
		all[i].Asks = packing.Amounts{
			CPUMillis: rapid.Int64Range(0, 16_000).Draw(t, "asks cpu"), MemoryBytes: rapid.Int64Range(0, 64*gib).Draw(t, "asks memory"),
		}
		if not := rapid.IntRange(0, 3*nodes+3).Draw(t, "not on"); not < nodes {
			all[i].Allows = func(name string) bool { return name != fmt.Sprint(not) }
		}
	}
	return all
}

func TestNoNodeGetsMoreThanItHasAndNoPodIsLeftThatFitsSomewhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawNodes(t)
		all := drawPods(t, len(nodes))
		r := packing.Pack(nodes, all)
		used, homeless := make([]packing.Amounts, len(nodes)), 0
		for p, n := range r.On {
			if n < 0 {
				homeless++
				continue
			}
			if allows := all[p].Allows; allows != nil && !allows(nodes[n].Name) {
				t.Fatalf("pod %d is on node %d, where it may not be", p, n)
			}
			used[n].CPUMillis += all[p].Asks.CPUMillis
			used[n].MemoryBytes += all[p].Asks.MemoryBytes
			used[n].Pods++
			if !r.Used[n] {
				t.Fatalf("pod %d is on node %d, which is not needed", p, n)
			}
		}
		if homeless != r.Homeless {
			t.Fatalf("%d pods are homeless, the result says %d", homeless, r.Homeless)
		}
		for n, u := range used {
			room := nodes[n].Room
			if u.CPUMillis > max(room.CPUMillis, 0) || u.MemoryBytes > max(room.MemoryBytes, 0) || u.Pods > room.Pods {
				t.Fatalf("node %d has %+v and room for %+v", n, u, room)
			}
		}
		for p, on := range r.On {
			for n := range nodes {
				room := nodes[n].Room
				if on < 0 && (all[p].Allows == nil || all[p].Allows(nodes[n].Name)) && room.Pods > used[n].Pods &&
					max(room.CPUMillis, 0)-used[n].CPUMillis >= all[p].Asks.CPUMillis && max(room.MemoryBytes, 0)-used[n].MemoryBytes >= all[p].Asks.MemoryBytes {
					t.Fatalf("pod %d is homeless and fits on node %d", p, n)
				}
			}
		}
	})
}

func TestTheBoundIsNeverOverWhatAPackingNeeds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawNodes(t)
		all := drawPods(t, len(nodes))
		r := packing.Pack(nodes, all)
		if r.Homeless == 0 && r.AtLeast > r.Needed {
			t.Fatalf("at least %d, but %d suffice", r.AtLeast, r.Needed)
		}
		if r.AtLeast < 0 || r.AtLeast > len(nodes) {
			t.Fatalf("at least %d of %d nodes", r.AtLeast, len(nodes))
		}
	})
}

func TestEqualNodesThatAreFilledToTheBrimMeetTheBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		filled, spare := rapid.IntRange(1, 40).Draw(t, "filled"), rapid.IntRange(0, 40).Draw(t, "spare")
		var nodes []packing.Node
		for i := range filled + spare {
			nodes = append(nodes, node(fmt.Sprint(i), 8, 32))
		}
		r := packing.Pack(nodes, pods(2*filled, 4000, 1))
		if r.Needed != filled || r.AtLeast != filled {
			t.Fatalf("needed %d, at least %d; want %d of both", r.Needed, r.AtLeast, filled)
		}
	})
}
