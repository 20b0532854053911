package packing

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize/convex/lp"
)

// maxSizes is how many sizes of nodes the linear program tells apart. More are rounded up to the largest of their neighbours,
// which can only lower the bound.
const maxSizes = 32

// size is nodes that have the same room.
type size struct {
	room  Amounts
	count float64
}

// Bound returns a number of nodes below which no packing of all pods exists. It is what a linear program finds that may cut pods
// and nodes into parts and puts every pod anywhere:
//
//	minimise Σ n   with   Σ room·n ≥ what all pods ask for beyond the nodes that stay, for CPU, memory and number of pods,
//	                      0 ≤ n ≤ the number of nodes of that size
//
// rounded up, plus the nodes that stay. Where not even all nodes suffice, it is the number of nodes.
func Bound(nodes []Node, pods []Pod) int {
	want := Amounts{Pods: int64(len(pods))}
	for _, p := range pods {
		want.CPUMillis += p.Asks.CPUMillis
		want.MemoryBytes += p.Asks.MemoryBytes
	}
	stay := 0
	var others []Amounts
	for _, n := range nodes {
		room := Amounts{max(n.Room.CPUMillis, 0), max(n.Room.MemoryBytes, 0), max(n.Room.Pods, 0)}
		if n.Stays {
			stay++
			want = want.minus(room)
		} else {
			others = append(others, room)
		}
	}
	rows := lacks(want, others)
	if len(rows) == 0 {
		return stay
	}
	for _, row := range rows {
		if row.most < row.want {
			return len(nodes)
		}
	}
	least, err := solve(rows, sizes(others))
	if err != nil { // The numbers were too much for the solver, and no number of nodes is too low for a bound.
		return stay
	}
	const noise = 1e-6 // of the solver
	return stay + min(int(math.Ceil(least*(1-noise)-noise)), len(others))
}

// row is a resource of which the nodes that stay have too little.
type row struct {
	of         func(Amounts) int64
	want, most float64
}

// lacks returns the resources that are still wanted, and how much of each the other nodes have together.
func lacks(want Amounts, others []Amounts) []row {
	var rows []row
	for _, of := range []func(Amounts) int64{
		func(a Amounts) int64 { return a.CPUMillis }, func(a Amounts) int64 { return a.MemoryBytes }, func(a Amounts) int64 { return a.Pods },
	} {
		if of(want) <= 0 {
			continue
		}
		r := row{of: of, want: float64(of(want))}
		for _, room := range others {
			r.most += float64(of(room))
		}
		rows = append(rows, r)
	}
	return rows
}

// sizes groups nodes with the same room, and neighbours in size where that is not enough.
func sizes(rooms []Amounts) []size {
	counts := map[Amounts]float64{}
	for _, room := range rooms {
		counts[room]++
	}
	all := make([]size, 0, len(counts))
	for room, count := range counts {
		all = append(all, size{room, count})
	}
	slices.SortFunc(all, func(a, b size) int {
		return cmp.Or(cmp.Compare(a.room.CPUMillis, b.room.CPUMillis), cmp.Compare(a.room.MemoryBytes, b.room.MemoryBytes), cmp.Compare(a.room.Pods, b.room.Pods))
	})
	per := (len(all) + maxSizes - 1) / maxSizes
	merged := make([]size, 0, maxSizes)
	for group := range slices.Chunk(all, max(per, 1)) {
		one := size{}
		for _, s := range group {
			one.room = Amounts{
				max(one.room.CPUMillis, s.room.CPUMillis), max(one.room.MemoryBytes, s.room.MemoryBytes), max(one.room.Pods, s.room.Pods),
			}
			one.count += s.count
		}
		merged = append(merged, one)
	}
	return merged
}

// solve writes the program with equations, as the solver wants it: the variables are the share of the nodes of each size that is
// used, what is left over of each resource, and the share that is not used. Every row is scaled to 1.
func solve(rows []row, all []size) (float64, error) {
	k, m := len(all), len(rows)
	a := mat.NewDense(m+k, k+m+k, nil)
	b, cost := make([]float64, m+k), make([]float64, k+m+k)
	for j, s := range all {
		cost[j] = s.count
		for i, r := range rows {
			a.Set(i, j, float64(r.of(s.room))*s.count/r.want)
		}
		a.Set(m+j, j, 1)
		a.Set(m+j, k+m+j, 1)
		b[m+j] = 1
	}
	for i := range rows {
		a.Set(i, k+i, -1)
		b[i] = 1
	}
	const tolerance = 1e-10
	least, _, err := lp.Simplex(cost, a, b, tolerance, nil)
	return least, err
}
