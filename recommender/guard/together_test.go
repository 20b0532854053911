package guard

import (
	"testing"

	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

// rangeOfMemory is a LimitRange for memory in MiB.
func rangeOfMemory(ofPod bool, least, most int64, ratio float64) func(*Input) {
	return func(in *Input) {
		in.LimitBounds = append(in.LimitBounds, apply.LimitBound{
			Name: "team", OfPod: ofPod, Memory: apply.ResourceBound{Min: least * mib, Max: most * mib, Ratio: ratio},
		})
	}
}

func TestLimitRange(t *testing.T) {
	check(t, []given{
		{
			name: "the most of a container", workload: workload().limits(0, 1400).proposes(1000, 3000).with(rangeOfMemory(false, 0, 1500, 0)),
			wantCPU: 1000, wantMemory: 1500, wantRule: "ceiling", wantWords: "LimitRange team allows a container at most 1500Mi",
		},
		{
			name: "the least of a container", workload: workload().proposes(1000, 500).with(rangeOfMemory(false, 800, 0, 0)),
			wantCPU: 1000, wantMemory: 800, wantRule: "floor", wantWords: "LimitRange team asks for at least 800Mi",
		},
		{
			name: "a limit that is kept stays within the ratio", workload: workload().limits(0, 1600).proposes(1000, 500).with(rangeOfMemory(false, 0, 0, 2)),
			wantCPU: 1000, wantMemory: 800, wantRule: "floor", wantWords: "LimitRange team allows a limit of 2 times the request, which is 800Mi at least",
		},
		{
			name: "a container that needs more than allowed is left as it is", workload: workload().limits(0, 1400).proposes(1000, 3000).
				app(func(c *Container, _ *sizing.ContainerProposal) { c.PeakMemoryBytes = 2000 * mib }).with(rangeOfMemory(false, 0, 1500, 0)),
			wantCPU: 1000, wantMemory: 0, wantRule: "ceiling", wantWords: "but 2000Mi of memory was needed", wantFinding: FindingCeilingBelowPeak,
		},
		{
			name: "a policy that contradicts: nothing fits", workload: workload().proposes(1000, 600).with(rangeOfMemory(false, 800, 0, 0)).
				with(func(in *Input) { in.Policy.Memory.Max = 700 * mib }),
			wantCPU: 1000, wantMemory: 0, wantRule: "limit-range", wantWords: "request 700Mi is under 800Mi", wantFinding: FindingLimitRange,
		},
		{
			name: "the most of a pod, with what is left alone", workload: withProxy(workload().limits(0, 1000), 300).proposes(1000, 3000).with(rangeOfMemory(true, 0, 2000, 0)),
			wantCPU: 1000, wantMemory: 1700, wantRule: "limit-range", wantWords: "memory target 3000Mi → 1700Mi: LimitRange team bounds the pod as a whole",
		},
	})
}

// withProxy adds a container that is left alone, with as much memory in MiB.
func withProxy(b *build, memoryMiB int64) *build {
	return b.with(func(in *Input) {
		amounts := sizing.Amounts{CPUMillis: 100, MemoryBytes: memoryMiB * mib}
		in.Containers = append(in.Containers, Container{Name: "proxy", Excluded: true, Current: sizing.Resources{Requests: amounts, Limits: amounts}})
	})
}

func TestALimitIsNotRemovedWhereTheNamespaceAsksForOne(t *testing.T) {
	removing := func() *build {
		return workload().limits(2000, 2000).with(func(in *Input) { in.Policy.CPU.Limit, in.Policy.Memory.Limit = "None", "None" })
	}
	if got := container(removing().decide().Candidate, "app"); got.CPULimit.Policy != "None" || got.MemoryLimit.Policy != "None" {
		t.Fatalf("without any bound: %+v", got)
	}
	got := container(removing().with(rangeOfMemory(false, 0, 4000, 0)).with(func(in *Input) { in.CPULimitRequired = true }).decide().Candidate, "app")
	if got.CPULimit.Policy != "Keep" || got.MemoryLimit.Policy != "Keep" {
		t.Errorf("a LimitRange bounds memory, and a quota asks for limits of CPU: %+v", got)
	}
}

func TestComputedLimitsStayInsideALimitRange(t *testing.T) {
	b := workload().limits(0, 1200).proposes(1000, 1000).with(rangeOfMemory(false, 0, 1300, 1.2)).with(func(in *Input) {
		in.Policy.Memory.Limit, in.Policy.Memory.LimitHeadroom = "Headroom", 1
	}).app(func(c *Container, p *sizing.ContainerProposal) {
		c.PeakMemoryBytes, p.Peak.MemoryBytes = 900*mib, 900*mib
	})
	if got := container(b.decide().Candidate, "app").MemoryLimit.Value; got != 1200*mib {
		t.Errorf("the limit is %s, want 1.2 times 1000Mi", apply.FormatMemory(got))
	}
}

func TestRunningPodsAreGivenNothingThatALimitRangeRefuses(t *testing.T) {
	givesBack := func(bound apply.LimitBound) *build {
		return workload().limits(2000, 0).app(func(_ *Container, p *sizing.ContainerProposal) {
			p.Target.CPUMillis, p.InPlace.CPUMillis, p.Peak.CPUMillis = 800, 600, 700
		}).with(func(in *Input) {
			in.Policy.CPU.Limit = "Ratio"
			in.LimitBounds = []apply.LimitBound{bound}
		})
	}
	if got := container(givesBack(apply.LimitBound{}).decide().Candidate, "app"); got.InPlace.CPUMillis != 600 {
		t.Fatalf("without a bound running pods get %+v", got.InPlace)
	}
	for name, bound := range map[string]apply.LimitBound{
		"a limit of twice the request":  {Name: "team", CPU: apply.ResourceBound{Ratio: 2}},
		"the least of a pod as a whole": {Name: "team", OfPod: true, CPU: apply.ResourceBound{Min: 700}},
	} {
		b := givesBack(bound)
		out := b.decide()
		got := container(out.Candidate, "app")
		if got.Target.CPUMillis != 800 || got.InPlace.CPUMillis != 800 {
			t.Errorf("%s: new pods get %s, running ones %s, want 800m each; trail:\n%s", name,
				apply.FormatCPU(got.Target.CPUMillis), apply.FormatCPU(got.InPlace.CPUMillis), story(out))
		}
		wantReason(t, out, "limit-range", "cpu in place 600m → 800m: LimitRange team")
		if second := Decide(again(b.in, out)); second.Revision != out.Revision {
			t.Errorf("%s: the second look decides something else:\n%s", name, story(second))
		}
	}
}

// node adds a node with CPU in millicores and memory in MiB.
func node(name string, cpu, memoryMiB int64) func(*Input) {
	return func(in *Input) {
		in.Nodes = append(in.Nodes, Node{name, apply.Amounts{CPUMillis: cpu, MemoryBytes: memoryMiB * mib}})
	}
}

func TestAPodFitsOnOneNode(t *testing.T) {
	check(t, []given{
		{
			name: "CPU of one node and memory of another are no node", workload: workload().proposes(3000, 3000).with(node("tall", 1000, 4000)).with(node("wide", 4000, 2000)),
			wantCPU: 1000, wantMemory: 3000, wantRule: "ceiling", wantWords: "the largest node has 1 for it (tall)",
		},
		{
			name: "the node on which it fits", workload: workload().proposes(3000, 1500).with(node("tall", 1000, 4000)).with(node("wide", 4000, 2000)),
			wantCPU: 3000, wantMemory: 1500,
		},
		{
			name: "containers that fit together", workload: withProxy(workload(), 500).proposes(3000, 3000).with(node("n1", 2000, 3000)),
			wantCPU: 1900, wantMemory: 2500, wantRule: "ceiling", wantWords: "the largest node, n1, has 2 and 3000Mi for the pod",
		},
		{
			name: "what was observed does not fit beside the others", workload: withProxy(workload(), 500).proposes(1000, 2800).
				app(func(c *Container, _ *sizing.ContainerProposal) { c.PeakMemoryBytes = 2700 * mib }).with(node("n1", 2000, 3000)),
			wantCPU: 1000, wantMemory: 0, wantRule: "ceiling", wantWords: "for the pod", wantFinding: FindingDoesNotFit,
		},
	})
}

func TestASoftBudgetGivesWayToWhatIsNeeded(t *testing.T) {
	soft := func(in *Input) {
		in.Budgets = append(in.Budgets, Budget{Rule: "quota", Why: "so many pods may come", Soft: true, Requests: apply.Amounts{CPUMillis: 1500, MemoryBytes: 2000 * mib}})
	}
	observed := func(c *Container, _ *sizing.ContainerProposal) { c.PeakMemoryBytes = 2700 * mib }
	check(t, []given{
		{
			name: "a raise that nothing asks for yet is cut", workload: workload().proposes(1000, 2800).with(soft),
			wantCPU: 1000, wantMemory: 2000, wantRule: "quota", wantWords: "so many pods may come",
		},
		{
			name: "one that is needed is cut as far as it is not", workload: workload().proposes(3000, 2800).app(observed).with(soft),
			wantCPU: 1500, wantMemory: 2700, wantRule: "quota", wantWords: "so many pods may come",
		},
	})
}

func TestContainersShareWhatIsNotEnoughForAll(t *testing.T) {
	b := workload().proposes(5000, 1000).with(func(in *Input) {
		second := in.Proposal.Containers[0]
		second.Name = "worker"
		in.Proposal.Containers = append(in.Proposal.Containers, second)
		other := in.Containers[0]
		other.Name = "worker"
		in.Containers = append(in.Containers, other)
	}).with(node("n1", 6000, 8000))
	out := b.decide()
	app, worker := container(out.Candidate, "app").Target.CPUMillis, container(out.Candidate, "worker").Target.CPUMillis
	if app+worker != 6000 || app-worker > 10 || worker-app > 10 {
		t.Errorf("%dm and %dm of 6000m\n%s", app, worker, story(out))
	}
}

func TestABudgetTellsWhoGetsLess(t *testing.T) {
	b := workload().proposes(4000, 4000).with(func(in *Input) {
		in.Budgets = []Budget{{Rule: "quota", Why: "ResourceQuota team is short", Finding: "QuotaShort", Requests: apply.Amounts{CPUMillis: 1500}}}
	})
	check(t, []given{{
		name: "less", workload: b, wantCPU: 1500, wantMemory: 4000, wantRule: "quota", wantWords: "cpu target 4 → 1500m: ResourceQuota team is short", wantFinding: "QuotaShort",
	}})
}
