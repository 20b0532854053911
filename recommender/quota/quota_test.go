package quota_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/recommender/quota"
)

// claim is about requests of CPU.
func claim(workload string, rank int, used, granted, wanted int64) quota.Claim {
	return quota.Claim{
		Workload: workload, Rank: rank,
		Used: quota.Amounts{used}, Granted: quota.Amounts{granted}, Wanted: quota.Amounts{wanted},
	}
}

// reserving is a claim whose template asks for more than it uses.
func reserving(c quota.Claim, reserved int64) quota.Claim {
	c.Reserved, c.Always = quota.Amounts{reserved}, quota.Amounts{reserved}
	return c
}

// scaled is a claim most of whose pods an autoscaler added, so that its template is sure to ask for less than it does now.
func scaled(c quota.Claim, always int64) quota.Claim {
	c.Always = quota.Amounts{always}
	return c
}

// killed is a claim of which kills taught that it needs so much.
func killed(c quota.Claim, needed int64) quota.Claim {
	c.Needed = quota.Amounts{needed}
	return c
}

func TestWhatAQuotaLeavesIsSharedByPriorityAndThenByShortage(t *testing.T) {
	for name, c := range map[string]struct {
		hard, others int64
		claims       []quota.Claim
		want         map[string]int64
	}{
		"enough for all": {
			10_000, 1000,
			[]quota.Claim{claim("a", 2, 1000, 0, 3000), claim("b", 0, 1000, 0, 5000)},
			map[string]int64{"a": 3000, "b": 5000},
		},
		"the first in rank first": {
			6000, 0,
			[]quota.Claim{claim("a", 2, 1000, 0, 3000), claim("b", 0, 1000, 0, 4500)},
			map[string]int64{"a": 1500, "b": 4500},
		},
		"among equals the shortest first": {
			4000, 0,
			[]quota.Claim{claim("a", 1, 1000, 0, 2000), claim("b", 1, 1000, 0, 2500)},
			map[string]int64{"a": 1500, "b": 2500},
		},
		"among equals nobody loses what was granted": {
			4000, 0,
			[]quota.Claim{claim("a", 1, 1000, 2000, 2000), claim("b", 1, 1000, 0, 2500)},
			map[string]int64{"a": 2000, "b": 2000},
		},
		"a higher rank takes what was granted and is not used yet": {
			4000, 0,
			[]quota.Claim{claim("a", 1, 1000, 2000, 2000), claim("b", 0, 1000, 0, 3000)},
			map[string]int64{"a": 1000, "b": 3000},
		},
		"lowering is never refused": {
			1000, 500,
			[]quota.Claim{claim("a", 1, 4000, 0, 1000)},
			map[string]int64{"a": 4000},
		},
		"what is over the quota already is left and nothing is added": {
			1000, 500,
			[]quota.Claim{claim("a", 1, 400, 0, 1000), claim("b", 0, 400, 0, 1000)},
			map[string]int64{"a": 400, "b": 400},
		},
		"what a lowered neighbour's template asks for is not lent": {
			6000, 0,
			[]quota.Claim{reserving(claim("a", 2, 1000, 0, 1000), 4000), claim("b", 0, 1000, 0, 5000)},
			map[string]int64{"a": 1000, "b": 2000},
		},
		"nor what was granted of it before": {
			6000, 0,
			[]quota.Claim{reserving(claim("a", 1, 1000, 0, 1000), 4000), claim("b", 1, 1000, 5000, 5000)},
			map[string]int64{"a": 1000, "b": 2000},
		},
		"a lowered one goes back to its template, whoever wants more": {
			6000, 0,
			[]quota.Claim{reserving(claim("a", 2, 1000, 0, 5000), 4000), claim("b", 0, 1000, 0, 5000)},
			map[string]int64{"a": 4000, "b": 2000},
		},
		"templates that do not fit are given back as far as there is room, by priority": {
			6000, 0,
			[]quota.Claim{reserving(claim("a", 2, 1000, 0, 4000), 4000), reserving(claim("b", 0, 1000, 0, 5000), 4000)},
			map[string]int64{"a": 2000, "b": 4000},
		},
		"pods that an autoscaler added keep their templates' room from raises": {
			20_000, 0,
			[]quota.Claim{scaled(reserving(claim("a", 1, 10_000, 0, 10_000), 40_000), 4000), reserving(claim("b", 1, 2000, 0, 2400), 2000)},
			map[string]int64{"a": 10_000, "b": 2000},
		},
		"but not from what a kill demands, and no more": {
			20_000, 0,
			[]quota.Claim{scaled(reserving(claim("a", 1, 10_000, 0, 10_000), 40_000), 4000), killed(reserving(claim("b", 1, 2000, 0, 3000), 2000), 2400)},
			map[string]int64{"a": 10_000, "b": 2400},
		},
		"what is always asked for as it is written is kept from a kill, too": {
			20_000, 0,
			[]quota.Claim{reserving(claim("a", 1, 10_000, 0, 10_000), 18_000), killed(reserving(claim("b", 1, 2000, 0, 2400), 2000), 2400)},
			map[string]int64{"a": 10_000, "b": 2000},
		},
		"what a kill demands comes before raises of a higher rank": {
			6000, 0,
			[]quota.Claim{killed(claim("a", 2, 1000, 0, 2000), 1500), claim("b", 0, 1000, 0, 9000)},
			map[string]int64{"a": 1500, "b": 4500},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := map[string]int64{}
			for workload, amounts := range quota.Allot(quota.Quota{Hard: quota.Amounts{c.hard}, Others: quota.Amounts{c.others}, Bounded: [6]bool{true}}, c.claims) {
				got[workload] = amounts[quota.RequestsCPU]
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func anyAmounts() *rapid.Generator[quota.Amounts] {
	return rapid.Custom(func(t *rapid.T) (a quota.Amounts) {
		for i := range a {
			a[i] = rapid.Int64Range(0, 1000).Draw(t, "amount")
		}
		return a
	})
}

func TestNoAllotmentExceedsTheQuotaOrTakesFromAnyone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := quota.Quota{Hard: anyAmounts().Draw(t, "hard"), Others: anyAmounts().Draw(t, "others")}
		for i := range q.Bounded {
			q.Hard[i] *= 5
			q.Bounded[i] = rapid.Bool().Draw(t, "bounded")
		}
		var claims []quota.Claim
		for i := range rapid.IntRange(0, 8).Draw(t, "claims") {
			c := quota.Claim{
				Workload: fmt.Sprint("w", i), Rank: rapid.IntRange(0, 3).Draw(t, "rank"), Used: anyAmounts().Draw(t, "used"),
				Reserved: anyAmounts().Draw(t, "reserved"), Always: anyAmounts().Draw(t, "always"), Needed: anyAmounts().Draw(t, "needed"),
				Granted: anyAmounts().Draw(t, "granted"), Wanted: anyAmounts().Draw(t, "wanted"),
			}
			for r := range c.Always {
				c.Always[r] = min(c.Always[r], c.Reserved[r])
			}
			claims = append(claims, c)
		}
		got := quota.Allot(q, claims)
		for r := range q.Hard {
			requireFair(t, q, claims, got, quota.Resource(r))
		}
		if diff := cmp.Diff(got, quota.Allot(q, rapid.Permutation(claims).Draw(t, "order"))); diff != "" {
			t.Fatalf("the order of the claims matters:\n%s", diff)
		}
	})
}

func requireFair(t *rapid.T, q quota.Quota, claims []quota.Claim, got map[string]quota.Amounts, r quota.Resource) {
	t.Helper()
	used, raised := q.Others[r], int64(0)
	// As many of the workloads as you like go back to their templates: those are before, and after with what was allotted. What kills
	// demand may count on pods that not always run, and nothing else may.
	always, alwaysAfter, written, writtenAfter := q.Others[r], q.Others[r], q.Others[r], q.Others[r]
	for _, c := range claims {
		has := got[c.Workload][r]
		if has < c.Used[r] || has > max(c.Used[r], c.Wanted[r]) {
			t.Fatalf("%s has %d, uses %d and wants %d", c.Workload, has, c.Used[r], c.Wanted[r])
		}
		if !q.Bounded[r] && has != max(c.Used[r], c.Wanted[r]) {
			t.Fatalf("%s has %d of what no quota bounds, wants %d", c.Workload, has, c.Wanted[r])
		}
		used, raised = used+c.Used[r], raised+has-c.Used[r]
		back, cured := min(c.Wanted[r], c.Reserved[r]), min(c.Wanted[r], c.Needed[r])
		always, alwaysAfter = always+max(c.Used[r], c.Always[r], back), alwaysAfter+max(has, c.Always[r])
		written, writtenAfter = written+max(c.Used[r], c.Reserved[r], cured), writtenAfter+max(has, c.Reserved[r])
	}
	if q.Bounded[r] && raised > max(q.Hard[r]-used, 0) {
		t.Fatalf("raised by %d, and there was room for %d", raised, q.Hard[r]-used)
	}
	if q.Bounded[r] && alwaysAfter > max(q.Hard[r], always) {
		t.Fatalf("those that always run use %d as they are written, and would have used %d of %d", alwaysAfter, always, q.Hard[r])
	}
	if q.Bounded[r] && writtenAfter > max(q.Hard[r], written) {
		t.Fatalf("back at their templates they use %d, and would have used %d of %d", writtenAfter, written, q.Hard[r])
	}
	requireRank(t, claims, got, r)
}

// requireRank: nobody gets more while one of a higher rank goes short, but back to its template, or what a kill demands, while that one
// wants more than its own.
func requireRank(t *rapid.T, claims []quota.Claim, got map[string]quota.Amounts, r quota.Resource) {
	t.Helper()
	for _, later := range claims {
		for _, first := range claims {
			lent := got[later.Workload][r] > max(later.Used[r], later.Reserved[r], later.Needed[r])
			if first.Rank < later.Rank && lent && got[first.Workload][r] < first.Wanted[r] {
				t.Fatalf("%s is raised and %s goes short", later.Workload, first.Workload)
			}
			given := got[later.Workload][r] > later.Used[r]
			if first.Rank < later.Rank && given && got[first.Workload][r] < min(first.Wanted[r], first.Reserved[r]) {
				t.Fatalf("%s is raised and %s does not get back what its template asks for", later.Workload, first.Workload)
			}
		}
	}
}
