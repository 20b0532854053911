package guard

import (
	"testing"
	"time"

	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

// Every rule has a table that reads "given this, the target becomes that, because …". The workload asks for 1000m and
// 1000Mi unless a line says otherwise; see workload.

type given struct {
	name                   string
	workload               *build
	wantCPU, wantMemory    int64
	wantRule, wantWords    string
	wantShownOnly          bool
	wantInPlaceCPU         int64
	wantFinding            string
	wantNothingInCandidate bool
}

func check(t *testing.T, tests []given) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out := test.workload.decide()
			if (out.Candidate == nil) != test.wantNothingInCandidate {
				t.Errorf("candidate is %+v; trail:\n%s", out.Candidate, story(out))
			}
			wantTarget(t, out, test.wantCPU, test.wantMemory)
			if test.wantRule != "" {
				wantReason(t, out, test.wantRule, test.wantWords)
			}
			if test.wantInPlaceCPU != 0 && container(out.Candidate, "app").InPlace.CPUMillis != test.wantInPlaceCPU {
				t.Errorf("in place %dm, want %dm", container(out.Candidate, "app").InPlace.CPUMillis, test.wantInPlaceCPU)
			}
			if test.wantShownOnly != (out.Candidate != nil && !out.Approved) {
				t.Errorf("approved is %t: %+v", out.Approved, out.ApprovedReason)
			}
			if (test.wantFinding != "") != (len(out.Findings) == 1) || test.wantFinding != "" && out.Findings[0].Type != test.wantFinding {
				t.Errorf("findings %+v, want %q", out.Findings, test.wantFinding)
			}
		})
	}
}

func TestLadder(t *testing.T) {
	check(t, []given{
		{
			name: "under 3 h nothing is said", workload: workload().history(2).proposes(2000, 2000),
			wantNothingInCandidate: true, wantRule: "ladder", wantWords: "2 h of history, 3 are needed to say anything",
		},
		{
			name: "from 3 h it is shown", workload: workload().history(3).proposes(2000, 2000),
			wantCPU: 2000, wantMemory: 2000, wantShownOnly: true, wantRule: "ladder", wantWords: "24 are needed to apply it",
		},
		{
			name: "from 24 h it may raise", workload: workload().history(24).proposes(2000, 2000),
			wantCPU: 2000, wantMemory: 2000,
		},
		{
			name: "from 24 h it may not lower", workload: workload().history(24).proposes(600, 600),
			wantCPU: 1000, wantMemory: 1000, wantRule: "ladder", wantWords: "24 h of history, 168 are needed to lower it",
		},
		{
			name: "from 7 d cpu may go down", workload: workload().history(7*24).proposes(600, 600),
			wantCPU: 600, wantMemory: 1000, wantRule: "ladder", wantWords: "336 are needed to lower it",
		},
		{name: "from 14 d memory may go down", workload: workload().history(14*24).proposes(600, 600), wantCPU: 600, wantMemory: 600},
		{
			name: "what is in force stays when the history is lost", workload: workload().inForce(1500, 3000).history(1).proposes(600, 600),
			wantCPU: 1500, wantMemory: 3000, wantRule: "ladder", wantWords: "memory stays at 3000Mi",
		},
		{
			name: "what is in force stays when there is no proposal at all", workload: workload().inForce(1500, 3000).proposes(0, 0),
			wantCPU: 1500, wantMemory: 3000, wantRule: "proposal", wantWords: "there is no new number",
		},
		{
			name: "an out-of-memory kill raises without any history", workload: workload().history(0).proposes(0, 0).limits(0, 1000).
				app(func(c *Container, _ *sizing.ContainerProposal) { c.OOMFloorBytes = 1200 * mib }),
			wantMemory: 1200, wantRule: "proposal", wantWords: "out-of-memory kill demands it",
		},
		{
			name: "an out-of-memory kill raises in the first day, and only it is applied", workload: workload().history(5).proposes(2000, 2000).limits(0, 1000).
				app(func(c *Container, _ *sizing.ContainerProposal) { c.OOMFloorBytes = 1200 * mib }),
			wantMemory: 1200, wantRule: "ladder", wantWords: "no cpu request: other sizes",
		},
	})
}

func TestANewImageRestartsTheClockForLoweringOnly(t *testing.T) {
	deployed := func(ago time.Duration, cpu, memory int64) *build {
		return workload().proposes(cpu, memory).with(func(in *Input) {
			in.Memory.Containers = map[string]ContainerMemory{"app": {Image: "app:1", ImageSince: now.Add(-ago)}}
		})
	}
	check(t, []given{
		{
			name: "an image of two days lowers nothing", workload: deployed(48*time.Hour, 600, 600),
			wantCPU: 1000, wantMemory: 1000, wantRule: "ladder", wantWords: "the image is 48 h old, 168 are needed",
		},
		{name: "an image of two days raises", workload: deployed(48*time.Hour, 2000, 2000), wantCPU: 2000, wantMemory: 2000},
		{name: "an image of eight days lowers cpu", workload: deployed(8*24*time.Hour, 600, 600), wantCPU: 600, wantMemory: 1000},
		{
			name: "an image that changes now lowers nothing", workload: deployed(30*24*time.Hour, 600, 600).app(func(c *Container, _ *sizing.ContainerProposal) { c.Image = "app:2" }),
			wantCPU: 1000, wantMemory: 1000, wantRule: "ladder", wantWords: "the image is 0 h old",
		},
		{name: "the first image that is seen is no change", workload: workload().proposes(600, 600), wantCPU: 600, wantMemory: 600},
	})
	out := workload().decide()
	if m := out.Memory.Containers["app"]; m.Image != "app:1" || !m.ImageSince.IsZero() {
		t.Errorf("remembered %+v", m)
	}
}

func TestLessHistoryNeverLowersMemory(t *testing.T) {
	remembered := func(hours int) *build {
		return workload().history(400).proposes(600, 600).with(func(in *Input) {
			in.Memory.Containers = map[string]ContainerMemory{"app": {MemoryHistoryHours: hours}}
		})
	}
	check(t, []given{
		{
			name: "the target rests on more", workload: remembered(672),
			wantCPU: 600, wantMemory: 1000, wantRule: "short-history", wantWords: "400 h of history are there, the present target rests on 672 h",
		},
		{name: "a gap of a few hours does not matter", workload: remembered(410), wantCPU: 600, wantMemory: 600},
	})
	if got := remembered(672).decide().Memory.Containers["app"].MemoryHistoryHours; got != 672 {
		t.Errorf("the next decision is told of %d h, want 672", got)
	}
	if got := remembered(410).decide().Memory.Containers["app"].MemoryHistoryHours; got != 400 {
		t.Errorf("after lowering from 400 h, the next decision is told of %d h", got)
	}
}

func TestLadderOfABatchWorkload(t *testing.T) {
	runs := func(b *build, n int) *build {
		return b.app(func(_ *Container, p *sizing.ContainerProposal) {
			p.CPUHours, p.MemoryHours = 0, 0
			for i := range n {
				p.Runs = append(p.Runs, now.Add(-time.Duration(i+1)*24*time.Hour))
			}
		}).with(func(in *Input) { in.Batch = true })
	}
	check(t, []given{
		{name: "two runs say nothing", workload: runs(workload().proposes(2000, 2000), 2), wantNothingInCandidate: true, wantRule: "ladder", wantWords: "2 runs were measured, 3 are needed"},
		{name: "three runs raise", workload: runs(workload().proposes(2000, 2000), 3), wantCPU: 2000, wantMemory: 2000},
		{name: "nine runs do not lower", workload: runs(workload().proposes(600, 600), 9), wantCPU: 1000, wantMemory: 1000, wantRule: "ladder", wantWords: "9 runs of this image were measured, 10 are needed"},
		{name: "ten runs lower", workload: runs(workload().proposes(600, 600), 10), wantCPU: 600, wantMemory: 600},
		{
			name: "runs of the image before do not lower", workload: runs(workload().proposes(600, 600), 12).with(func(in *Input) {
				in.Memory.Containers = map[string]ContainerMemory{"app": {Image: "app:1", ImageSince: now.Add(-5 * 24 * time.Hour)}}
			}),
			wantCPU: 1000, wantMemory: 1000, wantRule: "ladder", wantWords: "5 runs of this image",
		},
		{
			name: "a kill in the first run raises at once", workload: runs(workload().proposes(0, 1300).app(func(c *Container, _ *sizing.ContainerProposal) { c.OOMFloorBytes = 1300 * mib }), 0),
			wantMemory: 1300, wantRule: "ladder", wantWords: "out-of-memory kill demands it",
		},
	})
}

func TestFloor(t *testing.T) {
	peak := func(mebibytes int64) func(*Container, *sizing.ContainerProposal) {
		return func(c *Container, _ *sizing.ContainerProposal) { c.PeakMemoryBytes = mebibytes * mib }
	}
	check(t, []given{
		{
			name: "memory stays at the observed peak", workload: workload().proposes(1000, 600).app(peak(700)),
			wantCPU: 1000, wantMemory: 700, wantRule: "floor", wantWords: "one pod was seen to use 700Mi",
		},
		{
			name: "the policy's minimum", workload: workload().proposes(500, 500).with(func(in *Input) { in.Policy.CPU.Min = 700; in.Policy.Memory.Min = 750 * mib }),
			wantCPU: 700, wantMemory: 750, wantRule: "floor", wantWords: "the policy asks for at least 700m",
		},
		{
			name: "the floor beats step and cooldown", workload: workload().inForce(1000, 100).proposes(1000, 150).app(peak(3000)).with(func(in *Input) {
				in.Behavior.Up = Movement{MaxStep: 0.1, Cooldown: 24 * time.Hour}
				in.Memory.Containers = map[string]ContainerMemory{"app": {MemoryRaised: now.Add(-time.Hour)}}
			}),
			wantCPU: 1000, wantMemory: 3000, wantRule: "floor", wantWords: "3000Mi",
		},
	})
}

func TestCeiling(t *testing.T) {
	check(t, []given{
		{
			name: "the policy's maximum", workload: workload().proposes(3000, 3000).with(func(in *Input) { in.Policy.CPU.Max, in.Policy.Memory.Max = 1500, 1200*mib }),
			wantCPU: 1500, wantMemory: 1200, wantRule: "ceiling", wantWords: "the policy allows at most 1500m",
		},
		{
			name: "the largest node", workload: workload().proposes(3000, 3000).with(func(in *Input) { in.Nodes = []Node{{"n1", apply.Amounts{CPUMillis: 1900, MemoryBytes: 1800 * mib}}} }),
			wantCPU: 1900, wantMemory: 1800, wantRule: "ceiling", wantWords: "the largest node has 1900m",
		},
		{
			name: "a maximum that a person lowers takes effect at once", workload: workload().history(48).with(func(in *Input) { in.Policy.CPU.Max = 800 }),
			wantCPU: 800, wantMemory: 1000, wantRule: "ceiling", wantWords: "cpu target 1 → 800m",
		},
		{
			name: "a maximum under the observed peak is refused: the template stays", workload: workload().proposes(1000, 1500).
				app(func(c *Container, _ *sizing.ContainerProposal) { c.PeakMemoryBytes = 1300 * mib }).with(func(in *Input) { in.Policy.Memory.Max = 1200 * mib }),
			wantCPU: 1000, wantMemory: 0, wantRule: "ceiling", wantWords: "but 1300Mi of memory was needed", wantFinding: FindingCeilingBelowPeak,
		},
		{
			name: "a maximum under the observed peak is refused: what is in force stays", workload: workload().inForce(1000, 1200).proposes(1000, 1500).
				app(func(c *Container, _ *sizing.ContainerProposal) { c.PeakMemoryBytes = 1300 * mib }).with(func(in *Input) { in.Policy.Memory.Max = 1200 * mib }),
			wantCPU: 1000, wantMemory: 1200, wantRule: "ceiling", wantWords: "memory stays at 1200Mi", wantFinding: FindingCeilingBelowPeak,
		},
	})
}

func TestHPA(t *testing.T) {
	scaledOn := func(b *build, cpu, memory bool) *build {
		return b.with(func(in *Input) { in.HPA = HPA{Owner: "HorizontalPodAutoscaler/app", OnCPU: cpu, OnMemory: memory} })
	}
	check(t, []given{
		{
			name: "on cpu: memory only", workload: scaledOn(workload().proposes(600, 600), true, false),
			wantMemory: 600, wantRule: "hpa", wantWords: "scales on the utilisation of cpu",
		},
		{name: "on memory: cpu only", workload: scaledOn(workload().proposes(600, 600), false, true), wantCPU: 600},
		{name: "on both: nothing", workload: scaledOn(workload().proposes(600, 600), true, true), wantNothingInCandidate: true},
		{
			name: "on cpu of this container: memory only", wantMemory: 600,
			workload: workload().proposes(600, 600).with(func(in *Input) { in.HPA = HPA{Owner: "HorizontalPodAutoscaler/app", OnCPUOf: []string{"app"}} }),
		},
		{
			name: "on both of another container: both", wantCPU: 600, wantMemory: 600,
			workload: workload().proposes(600, 600).with(func(in *Input) {
				in.HPA = HPA{Owner: "HorizontalPodAutoscaler/app", OnCPUOf: []string{"proxy"}, OnMemoryOf: []string{"proxy"}}
			}),
		},
		{name: "on absolute values: both", workload: scaledOn(workload().proposes(600, 600), false, false), wantCPU: 600, wantMemory: 600},
		{
			name: "a request in force does not move", workload: scaledOn(workload().inForce(1500, 1000).proposes(600, 600), true, false),
			wantCPU: 1500, wantMemory: 600, wantRule: "hpa", wantWords: "cpu stays at 1500m",
		},
		{
			name: "a workload that was lowered before goes back to its template, of which the percentage is meant", workload: scaledOn(workload().inForce(180, 1000).proposes(180, 600), true, false),
			wantCPU: 1000, wantInPlaceCPU: 1000, wantMemory: 600, wantRule: "hpa", wantWords: "of what the template asks for",
		},
		{name: "its memory, too", workload: scaledOn(workload().inForce(600, 400).proposes(600, 400), false, true), wantCPU: 600, wantMemory: 1000},
		{
			name: "a template that is raised later is followed", workload: scaledOn(workload().inForce(1000, 1000).proposes(600, 600), true, false).
				app(func(c *Container, _ *sizing.ContainerProposal) { c.Current.Requests.CPUMillis = 2000 }),
			wantCPU: 2000, wantInPlaceCPU: 2000, wantMemory: 600,
		},
		{
			name: "running pods do not keep what they gave back in the hour in which it came", workload: scaledOn(workload().inForce(1500, 1000).proposes(600, 600), true, false).
				with(func(in *Input) { in.Applicable.Containers[0].InPlace.CPUMillis = 1200 }),
			wantCPU: 1500, wantInPlaceCPU: 1500, wantMemory: 600,
		},
		{
			name: "but not over what a person allows", workload: scaledOn(workload().inForce(180, 1000).proposes(180, 600), true, false).
				with(func(in *Input) { in.Policy.CPU.Max = 800 }),
			wantCPU: 800, wantInPlaceCPU: 800, wantMemory: 600,
		},
	})
}

func TestBestEffort(t *testing.T) {
	nothing := func(c *Container, _ *sizing.ContainerProposal) { c.Current = sizing.Resources{} }
	check(t, []given{
		{
			name: "a pod without requests is left alone", workload: workload().app(nothing).proposes(300, 300),
			wantNothingInCandidate: true, wantRule: "best-effort", wantWords: "sizeBestEffort",
		},
		{
			name: "the policy may size it", workload: workload().app(nothing).proposes(300, 300).with(func(in *Input) { in.Policy.SizeBestEffort = true }),
			wantCPU: 300, wantMemory: 300,
		},
		{
			name: "a container without requests in a pod that has others is sized", workload: workload().app(nothing).proposes(300, 300).with(func(in *Input) {
				in.Containers = append(in.Containers, Container{Name: "proxy", Excluded: true, Current: sizing.Resources{Requests: sizing.Amounts{CPUMillis: 10}}})
			}),
			wantCPU: 300, wantMemory: 300,
		},
	})
}

func TestWindows(t *testing.T) {
	during := func(b *build, w Window) *build {
		w.Reason = "sale"
		return b.with(func(in *Input) { in.Windows = []Window{w} })
	}
	open := Window{Start: now, End: now.Add(time.Hour)}
	never := Window{Start: open.Start, End: open.End, NeverShrink: true}
	freeze := Window{Start: open.Start, End: open.End, Freeze: true}
	check(t, []given{
		{name: "nothing shrinks", workload: during(workload().proposes(600, 600), never), wantCPU: 1000, wantMemory: 1000, wantRule: "window", wantWords: "sale"},
		{name: "raising goes on", workload: during(workload().proposes(1500, 1500), never), wantCPU: 1500, wantMemory: 1500},
		{
			name: "after the window it shrinks", workload: during(workload().proposes(600, 600), Window{Start: now.Add(-time.Hour), End: now, NeverShrink: true}),
			wantCPU: 600, wantMemory: 600,
		},
		{name: "before the window it shrinks", workload: during(workload().proposes(600, 600), Window{Start: now.Add(1), End: now.Add(2), NeverShrink: true}), wantCPU: 600, wantMemory: 600},
		{name: "a freeze keeps what is in force", workload: during(workload().inForce(800, 800).proposes(1500, 1500), freeze), wantCPU: 800, wantMemory: 800, wantRule: "window", wantWords: "stays at 800m"},
		{name: "a freeze lets nothing new be applied", workload: during(workload().proposes(1500, 1500), freeze), wantCPU: 1500, wantMemory: 1500, wantShownOnly: true},
		{
			name: "a freeze does not hold back an out-of-memory raise", workload: during(workload().inForce(800, 800).proposes(1500, 1500).
				app(func(c *Container, _ *sizing.ContainerProposal) { c.OOMFloorBytes = 960 * mib }), freeze),
			wantCPU: 800, wantMemory: 960, wantRule: "window", wantWords: "memory stays at 960Mi",
		},
	})
}

func TestJVM(t *testing.T) {
	java := func(c *Container, _ *sizing.ContainerProposal) { c.JVM = true }
	check(t, []given{
		{name: "memory is not taken away", workload: workload().app(java).proposes(600, 600), wantCPU: 600, wantMemory: 1000, wantRule: "jvm", wantWords: "heap"},
		{name: "memory is given", workload: workload().app(java).proposes(600, 1500), wantCPU: 600, wantMemory: 1500},
	})
}

func TestStep(t *testing.T) {
	check(t, []given{
		{name: "down by half at most", workload: workload().proposes(100, 100), wantCPU: 500, wantMemory: 500, wantRule: "step", wantWords: "lowers 1 by at most 50 %"},
		{name: "up to five times at most", workload: workload().proposes(9000, 9000), wantCPU: 5000, wantMemory: 5000, wantRule: "step", wantWords: "raises 1 by at most 400 %"},
		{name: "relative to what is in force", workload: workload().inForce(400, 400).proposes(100, 100), wantCPU: 200, wantMemory: 200},
		{name: "from a request of 0, which reads as 1", workload: workload().proposes(600, 600).app(func(c *Container, _ *sizing.ContainerProposal) {
			c.Current.Requests, c.Current.Limits = sizing.Amounts{CPUMillis: 1, MemoryBytes: 1}, sizing.Amounts{CPUMillis: 4000, MemoryBytes: 4000 * mib}
		}).with(func(in *Input) { in.Behavior.Up.MaxStep = 0.5 }), wantCPU: 600, wantMemory: 600},
		{name: "without a bound", workload: workload().proposes(100, 9000).with(func(in *Input) { in.Behavior.Up.MaxStep, in.Behavior.Down.MaxStep = 0, 0 }), wantCPU: 100, wantMemory: 9000},
	})
}

func TestCooldown(t *testing.T) {
	moved := func(b *build, ago time.Duration) *build {
		return b.with(func(in *Input) {
			in.Memory.Containers = map[string]ContainerMemory{"app": {CPULowered: now.Add(-ago), MemoryRaised: now.Add(-ago)}}
		})
	}
	check(t, []given{
		{name: "too soon to lower again", workload: moved(workload().inForce(800, 800).proposes(500, 500), time.Hour), wantCPU: 800, wantMemory: 800, wantRule: "cooldown", wantWords: "it moved 1h0m0s ago"},
		{name: "late enough after a lowering, too soon after a raise", workload: moved(workload().inForce(800, 800).proposes(500, 500), 3*time.Hour), wantCPU: 500, wantMemory: 800, wantRule: "cooldown", wantWords: "waits until 168h0m0s are over"},
		{name: "a week after a raise", workload: moved(workload().inForce(800, 800).proposes(500, 500), 168*time.Hour), wantCPU: 500, wantMemory: 500},
		{name: "raising does not wait", workload: moved(workload().inForce(800, 800).proposes(1500, 1500), time.Hour), wantCPU: 1500, wantMemory: 1500},
		{name: "but not twice at the same instant", workload: moved(workload().inForce(800, 800).proposes(1500, 1500), 0), wantCPU: 800, wantMemory: 800},
	})
}

func TestARaisedTargetStaysManyCooldownsButAWeekAtMost(t *testing.T) {
	raised := func(ago, cooldown time.Duration) *build {
		return workload().inForce(800, 800).proposes(500, 500).with(func(in *Input) {
			in.Behavior.Down.Cooldown = cooldown
			in.Memory.Containers = map[string]ContainerMemory{"app": {CPURaised: now.Add(-ago), MemoryRaised: now.Add(-ago)}}
		})
	}
	const decade = 10 * 365 * 24 * time.Hour
	check(t, []given{
		{name: "of an hour: not yet", workload: raised(56*time.Hour-1, time.Hour), wantCPU: 800, wantMemory: 800, wantRule: "cooldown", wantWords: "waits until 56h0m0s are over"},
		{name: "of an hour: now", workload: raised(56*time.Hour, time.Hour), wantCPU: 500, wantMemory: 500},
		{name: "of a day: not yet", workload: raised(168*time.Hour-1, 24*time.Hour), wantCPU: 800, wantMemory: 800, wantRule: "cooldown", wantWords: "waits until 168h0m0s are over"},
		{name: "of a day: now", workload: raised(168*time.Hour, 24*time.Hour), wantCPU: 500, wantMemory: 500},
		{name: "of nothing: no wait", workload: raised(time.Nanosecond, 0), wantCPU: 500, wantMemory: 500},
		{name: "of more than can be counted: still a wait", workload: raised(time.Hour, 3*decade), wantCPU: 800, wantMemory: 800},
	})
}

func TestWhatWasRaisedForAnEventIsNotHeldAfterIt(t *testing.T) {
	for name, test := range map[string]struct {
		advised bool
		want    int64
	}{"by history": {false, 2000}, "by an event": {true, 1000}} {
		t.Run(name, func(t *testing.T) {
			b := workload().inForce(1000, 1000).proposes(2000, 1000)
			b.app(func(_ *Container, p *sizing.ContainerProposal) { p.Advised = test.advised })
			out := b.decide()
			wantTarget(t, out, 2000, 1000)
			in := again(b.in, out)
			in.Now = now.Add(4 * time.Hour)
			in.Proposal = workload().in.Proposal
			wantTarget(t, Decide(in), test.want, 1000)
		})
	}
}

func TestThreshold(t *testing.T) {
	check(t, []given{
		{name: "9 % up is a trifle", workload: workload().inForce(1000, 1000).proposes(1090, 1090), wantCPU: 1000, wantMemory: 1000, wantRule: "threshold", wantWords: "under 10 % up"},
		{name: "10 % up is not", workload: workload().inForce(1000, 1000).proposes(1100, 1100), wantCPU: 1100, wantMemory: 1100},
		{name: "19 % down is a trifle", workload: workload().inForce(1000, 1000).proposes(810, 810), wantCPU: 1000, wantMemory: 1000},
		{name: "20 % down is not", workload: workload().inForce(1000, 1000).proposes(800, 800), wantCPU: 800, wantMemory: 800},
		{name: "the first decision compares with the template", workload: workload().proposes(950, 950), wantCPU: 1000, wantMemory: 1000},
	})
}

func TestGiveBack(t *testing.T) {
	quiet := func(_ *Container, p *sizing.ContainerProposal) { p.InPlace.CPUMillis = 200 }
	check(t, []given{
		{name: "a quarter at most", workload: workload().app(quiet), wantCPU: 1000, wantMemory: 1000, wantInPlaceCPU: 750, wantRule: "give-back", wantWords: "cpu in place 200m → 750m: running pods give back at most 25 %"},
		{name: "nothing where the limit is the request", workload: workload().limits(1000, 1000).app(quiet), wantCPU: 1000, wantMemory: 1000, wantInPlaceCPU: 1000, wantRule: "give-back", wantWords: "the limit is the request"},
		{name: "nothing under manual approval", workload: workload().app(quiet).with(func(in *Input) { in.Manual = true }), wantCPU: 1000, wantMemory: 1000, wantInPlaceCPU: 1000, wantShownOnly: true},
	})
}

func TestNothingIsGivenBackAfterARaiseThatWasNotToBeHad(t *testing.T) {
	quiet := workload().app(func(c *Container, p *sizing.ContainerProposal) {
		p.InPlace.CPUMillis, c.RaisePendingSince = 200, now.Add(-time.Hour)
	})
	wantInPlace(t, quiet.decide(), 750)
	late := quiet.app(func(c *Container, _ *sizing.ContainerProposal) { c.RaisePendingSince = now.Add(-61 * time.Minute) })
	out := late.decide()
	wantInPlace(t, out, 1000)

	in := again(late.in, out)
	in.Containers[0].RaisePendingSince = time.Time{}
	in.Now = now.Add(23 * time.Hour)
	out = Decide(in)
	wantInPlace(t, out, 1000)
	wantReason(t, out, "give-back", "a raise was not to be had for more than an hour")
	in = again(in, out)
	in.Now = now.Add(24 * time.Hour)
	wantInPlace(t, Decide(in), 750)
}

func wantInPlace(t *testing.T, out Decision, cpu int64) {
	t.Helper()
	if got := container(out.Candidate, "app").InPlace.CPUMillis; got != cpu {
		t.Errorf("%dm in place, want %dm; trail:\n%s", got, cpu, story(out))
	}
}

// hour decides at a time after now for an in-place proposal, and remembers it.
func hour(in *Input, after time.Duration, inPlace, used int64) Decision {
	in.Now = now.Add(after)
	in.Proposal.Containers[0].InPlace.CPUMillis, in.Proposal.Containers[0].UsedMillis = inPlace, used
	out := Decide(*in)
	*in = again(*in, out)
	return out
}

func TestRunningPodsAreRaisedAtOnceAndLoweredAnHourLater(t *testing.T) {
	in := workload().inForce(1000, 1000).in
	wantInPlace(t, hour(&in, 0, 1300, 0), 1300)
	wantInPlace(t, hour(&in, 5*time.Minute, 1500, 0), 1500)
	out := hour(&in, 64*time.Minute, 800, 0)
	wantInPlace(t, out, 1500)
	wantReason(t, out, "cooldown", "running pods are lowered after 1h0m0s")
	wantInPlace(t, hour(&in, 65*time.Minute, 800, 0), 800)
	wantTarget(t, hour(&in, 70*time.Minute, 800, 0), 1000, 1000) // The target never moved.
}

func TestRunningPodsThatUseMoreThanTheyHaveAreRaisedAtOnce(t *testing.T) {
	check(t, []given{
		{name: "a little more: one threshold", workload: pressed(1020), wantCPU: 1000, wantMemory: 1000, wantInPlaceCPU: 1100, wantRule: "pressure", wantWords: "uses 1020m of its 1"},
		{name: "much more: five percent on top", workload: pressed(2000), wantCPU: 1000, wantMemory: 1000, wantInPlaceCPU: 2100, wantRule: "pressure"},
		{name: "as much as they have", workload: pressed(1000), wantCPU: 1000, wantMemory: 1000, wantInPlaceCPU: 1000},
	})
	in := workload().inForce(1000, 1000).in
	wantInPlace(t, hour(&in, 0, 750, 900), 1000) // Lowering to 900m, what is used, would be a trifle.
	hour(&in, 0, 1000, 1020)
	wantInPlace(t, hour(&in, 5*time.Minute, 1020, 1020), 1100) // The same use is no pressure any more, and it is too early to lower.
	pod := map[string]apply.Resources{"app": {Requests: apply.Amounts{CPUMillis: 1000, MemoryBytes: 1000 * mib}}}
	if len(apply.Drifted(*in.Applicable, pod, pod, apply.ForRunningPod)) == 0 {
		t.Error("the pod that has too little has not drifted")
	}
}

// pressed is a workload whose pods have 1000m and used so much of it.
func pressed(used int64) *build {
	return workload().inForce(1000, 1000).app(func(_ *Container, p *sizing.ContainerProposal) { p.UsedMillis = used })
}

func TestBrokenProposalsAreIgnored(t *testing.T) {
	check(t, []given{
		{name: "negative", workload: workload().proposes(-5, -5), wantNothingInCandidate: true, wantRule: "proposal", wantWords: "not a usable number"},
		{name: "absurd, and ours stays", workload: workload().inForce(800, 800).proposes(maxAmount+1, 500), wantCPU: 800, wantMemory: 500, wantRule: "proposal", wantWords: "the proposed cpu is not a usable number"},
	})
}

func TestExcludedContainersHaveNoSizes(t *testing.T) {
	out := workload().proposes(600, 600).app(func(c *Container, _ *sizing.ContainerProposal) { c.Excluded = true }).decide()
	if out.Candidate != nil {
		t.Errorf("candidate %+v", out.Candidate)
	}
}
