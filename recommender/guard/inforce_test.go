package guard

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

// neverShrink opens a window for two hours in which nothing may shrink.
func neverShrink(in *Input) {
	in.Windows = append(in.Windows, Window{Start: now.Add(-time.Hour), End: now.Add(time.Hour), NeverShrink: true, Reason: "sale"})
}

// budgetOf bounds the pod's CPU in millicores.
func budgetOf(b Budget, cpu int64) func(*Input) {
	return func(in *Input) {
		b.Requests.CPUMillis = cpu
		in.Budgets = append(in.Budgets, b)
	}
}

// foundNoNode is the bound that a pod without a node teaches.
var foundNoNode = Budget{Rule: "unschedulable", Why: "a pod found no node with more", Finding: "Unschedulable", OnlyNewPods: true}

func TestLargeNodesThatAreCordonedTakeNothing(t *testing.T) {
	left := node("small", 3900, 14_000)
	for name, b := range map[string]*build{
		"with two days of history, in a sale": workload().inForce(12_000, 20_000).proposes(12_000, 20_000).history(48).with(neverShrink),
		"with a month of history":             workload().inForce(12_000, 20_000).proposes(12_000, 20_000),
		"where more is wanted":                workload().inForce(12_000, 20_000).proposes(14_000, 22_000),
	} {
		out := b.with(left).decide()
		wantTarget(t, out, 12_000, 20_000)
		wantInPlace(t, out, 12_000)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	out := workload().inForce(12_000, 20_000).proposes(8000, 15_000).with(left).decide()
	wantTarget(t, out, 8000, 15_000) // What is lowered by the rules still is.
	out = workload().inForce(1000, 1000).proposes(9000, 30_000).with(left).decide()
	wantTarget(t, out, 3900, 5000) // And what is raised is raised no further than the node.
}

func TestAPersonsMaximumStillTakesEffectAtOnce(t *testing.T) {
	out := workload().inForce(12_000, 20_000).proposes(12_000, 20_000).history(48).with(neverShrink).
		with(func(in *Input) { in.Policy.CPU.Max, in.Policy.Memory.Max = 4000, 10_000*mib }).decide()
	wantTarget(t, out, 4000, 10_000)
}

func TestALimitInForceIsNotCutByTheNodesThatAreLeft(t *testing.T) {
	b := workload().inForce(4000, 4000).proposes(4000, 4000).with(node("small", 2000, 2000)).
		app(func(_ *Container, p *sizing.ContainerProposal) { p.Peak.MemoryBytes = 3900 * mib })
	b.in.Policy.Memory.Limit, b.in.Policy.Memory.LimitHeadroom = "Headroom", 1
	b.in.Applicable.Containers[0].MemoryLimit = apply.Limit{Policy: "Headroom", Value: 7800 * mib}
	if got := container(b.decide().Candidate, "app").MemoryLimit.Value; got != 7800*mib {
		t.Errorf("the limit becomes %s, want the 7800Mi that are in force", apply.FormatMemory(got))
	}
}

func TestWhatAPodWithoutANodeTeachesIsForNewPodsOnly(t *testing.T) {
	out := workload().inForce(4000, 1000).proposes(4000, 1000).with(budgetOf(foundNoNode, 1000)).decide()
	wantTarget(t, out, 1000, 1000)
	wantInPlace(t, out, 4000)
}

func TestABudgetTakesNothingThatIsHeld(t *testing.T) {
	quota := Budget{Rule: "quota", Why: "ResourceQuota team is short", Finding: "QuotaTooSmall"}
	for name, b := range map[string]*build{
		"in a window that lets nothing shrink": workload().with(neverShrink),
		"in a freeze": workload().with(func(in *Input) {
			in.Windows = []Window{{Start: now, End: now.Add(time.Hour), Freeze: true, Reason: "audit"}}
		}),
		"whose utilisation an autoscaler holds": workload().with(func(in *Input) { in.HPA = HPA{Owner: "HorizontalPodAutoscaler/app", OnCPU: true} }),
		"while a rollback holds": workload().inForce(4000, 1000).with(func(in *Input) {
			in.Rollback = &Rollback{Good: *in.Applicable, Reason: "pods crashed"}
		}),
	} {
		for _, bound := range []Budget{foundNoNode, quota} {
			out := b.inForce(4000, 1000).proposes(4000, 1000).with(func(in *Input) { in.Budgets = nil }).with(budgetOf(bound, 1000)).decide()
			wantTarget(t, out, 4000, 1000)
			wantInPlace(t, out, 4000)
			if t.Failed() {
				t.Fatalf("%s, by %s", name, bound.Rule)
			}
		}
	}
}

func TestAQuotaTakesNothingFromRunningPodsThatTheyUse(t *testing.T) {
	quota := Budget{Rule: "quota", Why: "ResourceQuota team is short", Finding: "QuotaTooSmall"}
	out := workload().inForce(4000, 1000).proposes(4000, 1000).with(budgetOf(quota, 2000)).
		app(func(_ *Container, p *sizing.ContainerProposal) { p.UsedMillis = 3500 }).decide()
	wantTarget(t, out, 2000, 1000)
	wantInPlace(t, out, 3500)
}

func TestAQuotaNeverPutsTheTemplateInThePlaceOfMemoryThatWasSeenInUse(t *testing.T) {
	b := workload().inForce(1000, 3000).proposes(1000, 3000).
		app(func(c *Container, _ *sizing.ContainerProposal) { c.PeakMemoryBytes = 2700 * mib }).
		with(func(in *Input) {
			in.Budgets = []Budget{{Rule: "quota", Why: "ResourceQuota team is short", Requests: apply.Amounts{MemoryBytes: 2000 * mib}}}
		})
	wantTarget(t, b.decide(), 1000, 3000)
}

func TestNodesTakeNothingFromWhatIsInForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput().Draw(t, "input")
		in.Budgets, in.LimitBounds = nil, nil
		free := in
		free.Nodes = nil
		requireNoLess(t, in, Decide(in), Decide(free))
	})
}

// Whatever is short, and whatever the numbers say, a window that lets nothing shrink keeps what is in force. Only a bound that a
// person wrote may take it.
func TestInAWindowThatLetsNothingShrinkNothingFallsUnderWhatIsInForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput().Draw(t, "input")
		in.Policy.CPU.Max, in.Policy.Memory.Max, in.LimitBounds, in.Policy.SizeBestEffort = 0, 0, nil, true
		neverShrink(&in)
		for i := range in.Budgets {
			in.Budgets[i].OnlyNewPods, in.Budgets[i].Soft = rapid.Bool().Draw(t, "new pods"), rapid.Bool().Draw(t, "soft")
		}
		requireNoLess(t, in, Decide(in), Decision{})
	})
}

// requireNoLess fails where a size is under what is in force, unless the other decision wants no more.
func requireNoLess(t *rapid.T, in Input, out, other Decision) {
	t.Helper()
	if out.Candidate == nil {
		return
	}
	for _, s := range newDraft(in).sizes {
		got, wanted := container(out.Candidate, s.container.Name), container(other.Candidate, s.container.Name)
		for _, a := range []*amount{s.cpu, s.memory} {
			if !a.sized {
				continue
			}
			atLeast := func(inForce, wanted int64) int64 {
				if wanted > 0 {
					return min(inForce, wanted)
				}
				return inForce
			}
			if is := pick(a.name, got.Target); is < atLeast(a.request.target, pick(a.name, wanted.Target)) {
				t.Fatalf("%s %s: new pods get %d, %d are in force\n%s", s.container.Name, a.name, is, a.request.target, story(out))
			}
			if is := pick(a.name, got.InPlace); is < atLeast(a.request.inPlace, pick(a.name, wanted.InPlace)) {
				t.Fatalf("%s %s: running pods get %d, %d are in force\n%s", s.container.Name, a.name, is, a.request.inPlace, story(out))
			}
		}
	}
}
