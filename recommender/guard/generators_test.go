package guard

import (
	"math"
	"time"

	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

var containerNames = []string{"app", "proxy", "excluded"}

func anyAmount(unit int64) *rapid.Generator[int64] {
	return rapid.OneOf(rapid.Just(int64(0)), rapid.Map(rapid.Int64Range(1, 4000), func(n int64) int64 { return n * unit }),
		rapid.SampledFrom([]int64{-1, 1, math.MaxInt64, math.MinInt64, maxAmount, maxAmount + 1}))
}

func sane(unit int64) *rapid.Generator[int64] {
	return rapid.OneOf(rapid.Just(int64(0)), rapid.Map(rapid.Int64Range(1, 4000), func(n int64) int64 { return n * unit }))
}

func anyShare() *rapid.Generator[float64] {
	return rapid.OneOf(rapid.Float64Range(0, 4), rapid.SampledFrom([]float64{0, 0.1, 0.2, 0.5, 1, -1, math.NaN(), math.Inf(1), math.Inf(-1)}))
}

func anyTime() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "never") {
			return time.Time{}
		}
		return now.Add(time.Duration(rapid.IntRange(-1000, 1000).Draw(t, "hours")) * time.Hour)
	})
}

func anyResourcePolicy(unit int64) *rapid.Generator[sizing.ResourcePolicy] {
	return rapid.Custom(func(t *rapid.T) sizing.ResourcePolicy {
		return sizing.ResourcePolicy{
			Min: anyAmount(unit).Draw(t, "min"), Max: anyAmount(unit).Draw(t, "max"),
			Limit:         rapid.SampledFrom([]string{"", "Keep", "Ratio", "Headroom", "Equal", "None", "?"}).Draw(t, "limit policy"),
			LimitHeadroom: anyShare().Draw(t, "headroom"),
		}
	})
}

func anyMovement(t *rapid.T) Movement {
	return Movement{
		Threshold: anyShare().Draw(t, "threshold"), MaxStep: anyShare().Draw(t, "step"),
		Cooldown: time.Duration(rapid.IntRange(0, 10).Draw(t, "cooldown")) * time.Hour,
	}
}

// anyInput draws inputs from sensible to absurd. Sizes in force are drawn by deciding once on another input.
func anyInput() *rapid.Generator[Input] {
	return rapid.Custom(func(t *rapid.T) Input {
		in := anyFirstInput().Draw(t, "input")
		if !rapid.Bool().Draw(t, "with history of decisions") {
			return in
		}
		earlier := anyFirstInput().Draw(t, "earlier")
		earlier.Containers = in.Containers
		earlier.Now = now.Add(-time.Duration(rapid.IntRange(0, 500).Draw(t, "hours ago")) * time.Hour)
		return again(in, Decide(earlier))
	})
}

func anyFirstInput() *rapid.Generator[Input] {
	return rapid.Custom(func(t *rapid.T) Input {
		in := Input{
			Now:             now,
			Behavior:        Behavior{Up: anyMovement(t), Down: anyMovement(t)},
			CurrentReplicas: rapid.Int32Range(-1, 50).Draw(t, "replicas"),
			Nodes:           []Node{{"node", apply.Amounts{CPUMillis: anyAmount(1).Draw(t, "node cpu"), MemoryBytes: anyAmount(mib).Draw(t, "node memory")}}},
			Manual:          rapid.Bool().Draw(t, "manual"),
			Hold:            rapid.IntRange(0, 9).Draw(t, "hold") == 0,
			Memory:          Memory{LastReplicasLowered: anyTime().Draw(t, "replicas lowered"), Containers: map[string]ContainerMemory{}},
		}
		in.Policy = sizing.Policy{
			CPU: anyResourcePolicy(1).Draw(t, "cpu policy"), Memory: anyResourcePolicy(mib/2).Draw(t, "memory policy"),
			MaxGiveBack: anyShare().Draw(t, "give back"), SizeBestEffort: rapid.Bool().Draw(t, "size best effort"),
			Replicas: sizing.ReplicaPolicy{Mode: "auto", MaxStep: anyShare().Draw(t, "replica step"), LowerAfter: time.Hour},
		}
		in.Proposal.Replicas.Target = rapid.Int32().Draw(t, "proposed replicas")
		if rapid.IntRange(0, 4).Draw(t, "hpa") == 0 {
			in.HPA = HPA{Owner: "HorizontalPodAutoscaler/app", OnCPU: rapid.Bool().Draw(t, "on cpu"), OnMemory: rapid.Bool().Draw(t, "on memory")}
		}
		for range rapid.IntRange(0, 2).Draw(t, "windows") {
			start := now.Add(time.Duration(rapid.IntRange(-5, 5).Draw(t, "start")) * time.Hour)
			in.Windows = append(in.Windows, Window{
				Start: start, End: start.Add(4 * time.Hour), Reason: "sale",
				NeverShrink: rapid.Bool().Draw(t, "never shrink"), Freeze: rapid.Bool().Draw(t, "freeze"),
			})
		}
		anySurroundings(t, &in)
		for _, name := range containerNames[:rapid.IntRange(1, len(containerNames)).Draw(t, "containers")] {
			addContainer(t, &in, name)
		}
		return in
	})
}

// anySurroundings draws what the namespace and the cluster allow.
func anySurroundings(t *rapid.T, in *Input) {
	if rapid.Bool().Draw(t, "second node") {
		in.Nodes = append(in.Nodes, Node{"other", apply.Amounts{CPUMillis: sane(1).Draw(t, "other cpu"), MemoryBytes: sane(mib).Draw(t, "other memory")}})
	}
	in.CPULimitRequired = rapid.Bool().Draw(t, "cpu limit required")
	bound := func(unit int64, name string) apply.ResourceBound {
		b := apply.ResourceBound{Max: sane(unit).Draw(t, name+" max"), Ratio: rapid.SampledFrom([]float64{0, 0, 1, 1.5, 4}).Draw(t, name+" ratio")}
		b.Min = rapid.Int64Range(0, max(b.Max, 100*unit)).Draw(t, name+" min")
		if rapid.Bool().Draw(t, name+" default") {
			b.Default, b.DefaultRequest = b.Max, b.Max
		}
		return b
	}
	for range rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "limit ranges") {
		in.LimitBounds = append(in.LimitBounds, apply.LimitBound{
			Name: "team", OfPod: rapid.Bool().Draw(t, "of pod"), CPU: bound(1, "cpu"), Memory: bound(mib/2, "memory"),
		})
	}
	for range rapid.SampledFrom([]int{0, 0, 1}).Draw(t, "budgets") {
		in.Budgets = append(in.Budgets, Budget{
			Rule: "quota", Why: "ResourceQuota team is short", Finding: "QuotaShort",
			Requests: apply.Amounts{CPUMillis: sane(1).Draw(t, "cpu budget"), MemoryBytes: sane(mib/2).Draw(t, "memory budget")},
			Limits:   apply.Amounts{CPUMillis: sane(1).Draw(t, "cpu limits budget"), MemoryBytes: sane(mib/2).Draw(t, "memory limits budget")},
		})
	}
}

func addContainer(t *rapid.T, in *Input, name string) {
	c := Container{
		Name: name, Image: rapid.SampledFrom([]string{"app:1", "app:2"}).Draw(t, "image"), Excluded: name == "excluded",
		PeakMemoryBytes: rapid.Int64Range(0, 3000).Draw(t, "peak") * mib / 2,
		JVM:             rapid.Bool().Draw(t, "jvm"), RaisePendingSince: anyTime().Draw(t, "raise pending"),
	}
	c.Current.Requests = sizing.Amounts{CPUMillis: sane(1).Draw(t, "request"), MemoryBytes: sane(mib/2).Draw(t, "memory request")}
	if limit := sane(1).Draw(t, "limit"); limit > 0 {
		c.Current.Limits.CPUMillis = max(limit, c.Current.Requests.CPUMillis)
	}
	if limit := sane(mib/2).Draw(t, "memory limit"); limit > 0 {
		c.Current.Limits.MemoryBytes = max(limit, c.Current.Requests.MemoryBytes)
	}
	if hit := c.Current.Limits.MemoryBytes; hit > 0 && rapid.Bool().Draw(t, "oom") {
		c.OOMFloorBytes = max(hit*12/10, hit+100*mib)
	}
	in.Containers = append(in.Containers, c)
	in.Memory.Containers[name] = ContainerMemory{
		Image: "app:1", ImageSince: anyTime().Draw(t, "image since"), MemoryAsked: anyTime().Draw(t, "memory asked"), MemoryLimitAsked: anyTime().Draw(t, "memory limit asked"),
		CPUInPlaceMoved: anyTime().Draw(t, "in place moved"), GiveBackLockedUntil: anyTime().Draw(t, "give-back locked"),
		CPURaised: anyTime().Draw(t, "cpu raised"), MemoryLowered: anyTime().Draw(t, "memory lowered"),
		MemoryHistoryHours: rapid.IntRange(0, 700).Draw(t, "hours behind"),
	}
	if c.Excluded || rapid.IntRange(0, 9).Draw(t, "no proposal") == 0 {
		return
	}
	in.Proposal.Containers = append(in.Proposal.Containers, sizing.ContainerProposal{
		Name:       name,
		Target:     sizing.Amounts{CPUMillis: anyAmount(1).Draw(t, "cpu"), MemoryBytes: anyAmount(mib/2).Draw(t, "memory")},
		InPlace:    sizing.Amounts{CPUMillis: anyAmount(1).Draw(t, "cpu in place"), MemoryBytes: anyAmount(mib/2).Draw(t, "memory in place")},
		Peak:       sizing.Amounts{CPUMillis: anyAmount(1).Draw(t, "cpu peak"), MemoryBytes: c.PeakMemoryBytes},
		UsedMillis: anyAmount(1).Draw(t, "used"),
		CPUHours:   rapid.IntRange(0, 700).Draw(t, "cpu hours"), MemoryHours: rapid.IntRange(0, 700).Draw(t, "memory hours"),
		OOMRaised: c.OOMFloorBytes > 0,
	})
}
