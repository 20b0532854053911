package guard

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestWhoseLimitIsItsRequestIsRaisedByAWholeFactorBeforeItHasUsedItUp(t *testing.T) {
	equal := func(in *Input) { in.Policy.CPU.Limit = "Equal" }
	check(t, []given{
		{name: "Guaranteed", workload: pressed(920).limits(1000, 1000), wantCPU: 1000, wantMemory: 1000, wantInPlaceCPU: 1500, wantRule: "pressure", wantWords: "uses 920m of its 1, which is its limit"},
		{name: "Equal", workload: pressed(920).with(equal), wantCPU: 1000, wantMemory: 1000, wantInPlaceCPU: 1500},
		{name: "there is room left", workload: pressed(880).limits(1000, 1000), wantCPU: 1000, wantMemory: 1000, wantInPlaceCPU: 1000},
		{name: "Burstable uses what it wants", workload: pressed(920).limits(2000, 2000), wantCPU: 1000, wantMemory: 1000, wantInPlaceCPU: 1000},
	})
}

// TestAGuaranteedPodSoonHasWhatItWantsAndThenRests lets a pod use what it wants as far as its limit goes.
func TestAGuaranteedPodSoonHasWhatItWantsAndThenRests(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wants := rapid.Int64Range(100, 3500).Draw(t, "wanted millicores")
		in := workload().limits(1000, 1000).inForce(1000, 1000).in
		has, moved := int64(1000), 0
		for look := range 60 { // Five hours.
			out := hour(&in, time.Duration(look)*5*time.Minute, 750, min(wants, has))
			before := has
			if has = container(out.Candidate, "app").InPlace.CPUMillis; has != before {
				moved = look
			}
			if look == 4 && has < wants {
				t.Fatalf("after 20 minutes it has %dm and wants %dm", has, wants)
			}
		}
		if has < wants || has > max(1000, wants*8/5) || moved > 30 {
			t.Fatalf("it wants %dm, has %dm, and was moved at look %d last", wants, has, moved)
		}
	})
}

func TestWhoBurnsAllCPUThatThereIsGetsFourTimesItsTarget(t *testing.T) {
	in := workload().limits(1000, 1000).inForce(1000, 1000).in
	has := int64(1000)
	for look := range 20 {
		has = container(hour(&in, time.Duration(look)*5*time.Minute, 1000, has).Candidate, "app").InPlace.CPUMillis
	}
	if has != 4000 {
		t.Errorf("it has %dm", has)
	}
}

// TestNewPodsWhoseLimitIsTheirRequestGetWhatTheyWant lets each run use what it wants, at most 95 % of its limit, and sizes the next by that.
func TestNewPodsWhoseLimitIsTheirRequestGetWhatTheyWant(t *testing.T) {
	for _, c := range []struct{ margin, threshold float64 }{{0.05, 0.05}, {0, 0.05}, {0.05, 0.2}, {0.16, 0.05}} {
		in := workload().limits(1000, 1000).inForce(1000, 1000).in
		in.Batch, in.Policy.CPU.Margin, in.Behavior.Up = true, c.margin, Movement{Threshold: c.threshold, MaxStep: 10}
		for i := range 20 {
			in.Proposal.Containers[0].Runs = append(in.Proposal.Containers[0].Runs, now.Add(time.Duration(i-20)*time.Hour))
		}
		has, moved := int64(1000), 0
		for look := range 40 {
			used := min(2000, has*95/100)
			proposed := int64(math.Ceil(float64(used) * (1 + c.margin)))
			in.Proposal.Containers[0].Target.CPUMillis, in.Proposal.Containers[0].InPlace.CPUMillis = proposed, proposed
			before := has
			if has = container(hour(&in, time.Duration(look)*24*time.Hour, proposed, 0).Candidate, "app").Target.CPUMillis; has != before {
				moved = look
			}
		}
		if has < 2000 || has > 2800 || moved > 12 {
			t.Errorf("margin %g, threshold %g: it wants 2000m, has %dm, and was moved at look %d last", c.margin, c.threshold, has, moved)
		}
	}
}
