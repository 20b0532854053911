package guard

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

func TestLimits(t *testing.T) {
	policy := func(b *build, name string) *build {
		return b.with(func(in *Input) { in.Policy.CPU.Limit, in.Policy.Memory.Limit = name, name })
	}
	peak := func(b *build, cpu, memory int64) *build {
		return b.app(func(c *Container, p *sizing.ContainerProposal) {
			p.Peak = sizing.Amounts{CPUMillis: cpu, MemoryBytes: memory * mib}
			c.PeakMemoryBytes = memory * mib
		})
	}
	for _, test := range []struct {
		name        string
		workload    *build
		cpu, memory apply.Limit
	}{
		{"Keep has no number", policy(workload().limits(2000, 2000).proposes(600, 600), "Keep"), apply.Limit{Policy: "Keep"}, apply.Limit{Policy: "Keep"}},
		{"Ratio follows the request", policy(workload().limits(2000, 2000).proposes(600, 600), "Ratio"), apply.Limit{Policy: "Ratio", Value: 1200}, apply.Limit{Policy: "Ratio", Value: 1200 * mib}},
		{"Ratio leaves room over the peak of memory", peak(policy(workload().limits(2000, 1100).proposes(600, 600), "Ratio"), 0, 590), apply.Limit{Policy: "Ratio", Value: 1200}, apply.Limit{Policy: "Ratio", Value: 708 * mib}},
		{"Ratio follows what a pod under pressure gets", policy(workload().limits(2000, 2000).proposes(600, 600), "Ratio").app(func(_ *Container, p *sizing.ContainerProposal) { p.InPlace.CPUMillis = 1500 }), apply.Limit{Policy: "Ratio", Value: 3000}, apply.Limit{Policy: "Ratio", Value: 1200 * mib}},
		{"Ratio without a limit keeps", policy(workload().proposes(600, 600), "Ratio"), apply.Limit{Policy: "Keep"}, apply.Limit{Policy: "Keep"}},
		{"Ratio of a request of 0, which reads as 1, keeps", policy(workload().limits(2000, 2000).proposes(600, 600), "Ratio").app(func(c *Container, _ *sizing.ContainerProposal) {
			c.Current.Requests = sizing.Amounts{CPUMillis: 1, MemoryBytes: 1}
		}), apply.Limit{Policy: "Keep"}, apply.Limit{Policy: "Keep"}},
		{"Headroom is over the peak", peak(policy(workload().limits(4000, 4000).proposes(600, 600), "Headroom"), 900, 550), apply.Limit{Policy: "Headroom", Value: 1350}, apply.Limit{Policy: "Headroom", Value: 660 * mib}},
		{"Equal is the request", policy(workload().limits(2000, 2000).proposes(600, 600), "Equal"), apply.Limit{Policy: "Equal", Value: 600}, apply.Limit{Policy: "Equal", Value: 600 * mib}},
		{"None removes", policy(workload().limits(2000, 2000), "None"), apply.Limit{Policy: "None"}, apply.Limit{Policy: "None"}},
		{"the maximum is one for limits too", policy(workload().limits(3000, 3000).proposes(600, 600), "Ratio").with(func(in *Input) { in.Policy.CPU.Max, in.Policy.Memory.Max = 1500, 1600*mib }), apply.Limit{Policy: "Ratio", Value: 1500}, apply.Limit{Policy: "Ratio", Value: 1600 * mib}},
		{"and for those that are kept", policy(workload().limits(3000, 3000).proposes(600, 600), "Keep").with(func(in *Input) { in.Policy.CPU.Max, in.Policy.Memory.Max = 1500, 1600*mib }), apply.Limit{Policy: "Keep", Value: 1500}, apply.Limit{Policy: "Keep", Value: 1600 * mib}},
		{"a limit that is kept is not cut under the peak", peak(policy(workload().limits(3000, 3000), "Keep"), 0, 1000).with(func(in *Input) { in.Policy.CPU.Max, in.Policy.Memory.Max = 1000, 1000*mib }), apply.Limit{Policy: "Keep", Value: 1000}, apply.Limit{Policy: "Keep", Value: 1000 * mib}},
		{"a limit that is kept is not cut before the request may go down", policy(workload().history(48).limits(3000, 3000).proposes(1500, 1500), "Keep").with(func(in *Input) { in.Policy.CPU.Max, in.Policy.Memory.Max = 2000, 2000*mib }), apply.Limit{Policy: "Keep"}, apply.Limit{Policy: "Keep"}},
		{"a small request with a large limit does not explode under Ratio", policy(workload().limits(400_000, 400_000).proposes(2000, 2000), "Ratio").with(func(in *Input) { in.Nodes = []Node{{"n1", apply.Amounts{CPUMillis: 8000, MemoryBytes: 16_000 * mib}}} }), apply.Limit{Policy: "Ratio", Value: 8000}, apply.Limit{Policy: "Ratio", Value: 16_000 * mib}},
		{"a limit does not go down before the request may", peak(policy(workload().history(48).limits(4000, 4000), "Headroom"), 900, 550), apply.Limit{Policy: "Keep"}, apply.Limit{Policy: "Keep"}},
		{"nor does one appear", peak(policy(workload().history(48), "Headroom"), 900, 550), apply.Limit{Policy: "Keep"}, apply.Limit{Policy: "Keep"}},
		{"a Guaranteed pod stays Guaranteed", policy(workload().limits(1000, 1000).proposes(600, 600), "None"), apply.Limit{Policy: "Equal", Value: 600}, apply.Limit{Policy: "Equal", Value: 600 * mib}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := container(test.workload.decide().Candidate, "app")
			if diff := cmp.Diff([]apply.Limit{test.cpu, test.memory}, []apply.Limit{got.CPULimit, got.MemoryLimit}); diff != "" {
				t.Errorf("limits of cpu and memory (-want +got):\n%s", diff)
			}
		})
	}
}

func TestALimitCoversAPeakThatTheRequestNeedNotCoverAnyMore(t *testing.T) {
	out := workload().limits(4000, 4000).proposes(600, 600).
		with(func(in *Input) { in.Policy.Memory.Limit = "Headroom" }).
		app(func(c *Container, p *sizing.ContainerProposal) {
			c.PeakMemoryBytes, p.Peak.MemoryBytes = 500*mib, 2000*mib
		}).decide()
	if got := container(out.Candidate, "app").MemoryLimit; got.Value != 2400*mib {
		t.Errorf("limit %d MiB, want the old peak of 2000 MiB and 20 %%", got.Value/mib)
	}
}

func TestARequestThatIsTheLimitCoversAPeakThatIsWeeksOld(t *testing.T) {
	for name, b := range map[string]*build{
		"Guaranteed": workload().limits(1000, 1000), "Equal": workload().with(func(in *Input) { in.Policy.Memory.Limit = "Equal" }),
	} {
		out := b.proposes(1000, 600).app(func(c *Container, p *sizing.ContainerProposal) {
			c.PeakMemoryBytes, p.Peak.MemoryBytes = 500*mib, 900*mib
		}).decide()
		if got := container(out.Candidate, "app"); got.Target.MemoryBytes < 900*mib || got.MemoryLimit.Value < 900*mib {
			t.Errorf("%s: target %d MiB, limit %d MiB: the next time it uses 900 MiB it is killed", name, got.Target.MemoryBytes/mib, got.MemoryLimit.Value/mib)
		}
	}
}

func TestWhoRaisesOnlyTheMemoryLimitGetsTheLimitAndNotTheOldRequest(t *testing.T) {
	in := workload().limits(2000, 2000).inForce(1000, 700).proposes(1000, 700).with(func(in *Input) { in.Policy.Memory.Limit = "Headroom" }).
		app(func(c *Container, p *sizing.ContainerProposal) {
			c.PeakMemoryBytes, p.Peak.MemoryBytes = 600*mib, 600*mib
		}).in
	in = again(in, Decide(in))
	in.Containers[0].Current.Limits.MemoryBytes = 6000 * mib
	for _, later := range []time.Duration{0, time.Hour, 12 * 24 * time.Hour} {
		in.Now = now.Add(later)
		out := Decide(in)
		wantTarget(t, out, 1000, 700)
		if got := container(out.Candidate, "app").MemoryLimit.Value; got != 6000*mib {
			t.Errorf("%s later the limit is %d MiB, want the 6000 that the template was raised to", later, got/mib)
		}
		in = again(in, out)
	}
}

func TestALimitThatHardlyChangesKeepsItsValue(t *testing.T) {
	b := workload().limits(4000, 4000).with(func(in *Input) { in.Policy.CPU.Limit = "Headroom" })
	b.app(func(_ *Container, p *sizing.ContainerProposal) { p.Peak.CPUMillis = 1000 })
	first := b.decide()
	b.app(func(_ *Container, p *sizing.ContainerProposal) { p.Peak.CPUMillis = 1040 })
	second := Decide(again(b.in, first))
	if got := container(second.Candidate, "app").CPULimit.Value; got != 1500 || first.Revision != second.Revision {
		t.Errorf("limit %d, revisions %s and %s: 4 %% more peak is a trifle", got, first.Revision, second.Revision)
	}
}

func TestTheBandIsHalfAThresholdAroundTheRequests(t *testing.T) {
	out := workload().app(func(_ *Container, p *sizing.ContainerProposal) { p.InPlace.CPUMillis = 800 }).decide()
	got := container(out.Candidate, "app")
	if got.CPUBand != (apply.Interval{Min: 762, Max: 1111}) || got.MemoryBand != (apply.Interval{Min: 952 * mib, Max: 1112 * mib}) {
		t.Errorf("bands %+v and %+v, want 800 ÷ 1.05 to 1000 ÷ 0.9, memory outwards to MiB", got.CPUBand, got.MemoryBand)
	}
}

// TestAMoveThatOnlyJustPassesAThresholdIsMade raises by a hair more than 10 %, and lowers by a hair more than 20 %.
func TestAMoveThatOnlyJustPassesAThresholdIsMade(t *testing.T) {
	for _, to := range []int64{1101, 799} {
		out := workload().inForce(1000, 1000).proposes(to, 1000).decide()
		wantTarget(t, out, to, 1000)
		pod := map[string]apply.Resources{"app": {Requests: apply.Amounts{CPUMillis: 1000, MemoryBytes: 1000 * mib}}}
		for _, tempo := range []apply.Tempo{apply.ForNewPod, apply.ForRunningPod} {
			if drifts := apply.Drifted(*out.Candidate, pod, pod, tempo); len(drifts) != 1 {
				t.Errorf("%dm for tempo %v: drifts %v", to, tempo, drifts)
			}
		}
	}
}

func TestWhoRaisesALimitIsHeardThoughALeakIsSuspected(t *testing.T) {
	for _, policy := range []string{"Ratio", "Headroom"} {
		in := workload().limits(2000, 2000).with(func(in *Input) { in.Policy.Memory.Limit = policy }).
			app(func(c *Container, p *sizing.ContainerProposal) {
				c.PeakMemoryBytes, p.Peak.MemoryBytes, c.OOMEndless = 900*mib, 900*mib, true
			}).in
		in = again(in, Decide(in))
		in.Containers[0].Current.Requests.MemoryBytes, in.Containers[0].Current.Limits.MemoryBytes = 2000*mib, 6000*mib
		if got := container(Decide(in).Candidate, "app").MemoryLimit.Value; got != 6000*mib {
			t.Errorf("%s: the limit is %d MiB, want the 6000 that the template was raised to", policy, got/mib)
		}
	}
}
