package guard

import (
	"strings"
	"testing"
	"time"

	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

const mib = apply.MiB

var now = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// build makes an Input: one container "app" that asks for 1000m and 1000Mi without limits, thirty days of history, the
// default behaviour, and a proposal equal to what is there.
type build struct{ in Input }

func workload() *build {
	amounts := sizing.Amounts{CPUMillis: 1000, MemoryBytes: 1000 * mib}
	return &build{Input{
		Now: now,
		Proposal: sizing.Proposal{Containers: []sizing.ContainerProposal{{
			Name: "app", Target: amounts, InPlace: amounts, CPUHours: 30 * 24, MemoryHours: 30 * 24,
		}}},
		Policy: sizing.Policy{
			CPU:         sizing.ResourcePolicy{Margin: 0.25, Min: 10, Limit: "Keep", LimitHeadroom: 0.5},
			Memory:      sizing.ResourcePolicy{Min: 32 * mib, Limit: "Keep", LimitHeadroom: 0.2},
			Replicas:    sizing.ReplicaPolicy{Mode: "auto", LowerAfter: time.Hour, MaxStep: 1},
			MaxGiveBack: 0.25,
		},
		Behavior: Behavior{
			Up:   Movement{Threshold: 0.1, MaxStep: 4},
			Down: Movement{Threshold: 0.2, MaxStep: 0.5, Cooldown: 3 * time.Hour},
		},
		Containers: []Container{{Name: "app", Image: "app:1", Current: sizing.Resources{Requests: amounts}}},
	}}
}

func (b *build) with(edit func(*Input)) *build {
	edit(&b.in)
	return b
}

// app edits the container and its proposal.
func (b *build) app(edit func(*Container, *sizing.ContainerProposal)) *build {
	edit(&b.in.Containers[0], &b.in.Proposal.Containers[0])
	return b
}

// proposes sets target and in-place request alike, memory in MiB.
func (b *build) proposes(cpu, memoryMiB int64) *build {
	return b.app(func(_ *Container, p *sizing.ContainerProposal) {
		p.Target = sizing.Amounts{CPUMillis: cpu, MemoryBytes: memoryMiB * mib}
		p.InPlace = p.Target
	})
}

func (b *build) history(hours int) *build {
	return b.app(func(_ *Container, p *sizing.ContainerProposal) { p.CPUHours, p.MemoryHours = hours, hours })
}

func (b *build) limits(cpu, memoryMiB int64) *build {
	return b.app(func(c *Container, _ *sizing.ContainerProposal) {
		c.Current.Limits = sizing.Amounts{CPUMillis: cpu, MemoryBytes: memoryMiB * mib}
	})
}

// inForce says that these sizes were decided an hour ago, or more, and are applied; memory in MiB.
func (b *build) inForce(cpu, memoryMiB int64) *build {
	values := apply.Values{Containers: []apply.Container{{
		Name:   "app",
		Target: apply.Amounts{CPUMillis: cpu, MemoryBytes: memoryMiB * mib}, InPlace: apply.Amounts{CPUMillis: cpu, MemoryBytes: memoryMiB * mib},
		CPUBand: apply.Interval{Min: cpu, Max: cpu}, MemoryBand: apply.Interval{Min: memoryMiB * mib, Max: memoryMiB * mib},
	}}}
	if cpu == 0 {
		values.Containers[0].CPUBand = apply.Interval{}
	}
	if memoryMiB == 0 {
		values.Containers[0].MemoryBand = apply.Interval{}
	}
	b.in.Previous, b.in.PreviousRevision, b.in.PreviousTime = &values, apply.Revision(values), now.Add(-48*time.Hour)
	b.in.Applicable, b.in.ApplicableRevision = &values, b.in.PreviousRevision
	return b
}

func (b *build) decide() Decision { return Decide(b.in) }

// again feeds a decision back, as the next look at the same workload does.
func again(in Input, out Decision) Input {
	in.Previous, in.PreviousRevision, in.PreviousTime = out.Candidate, out.Revision, out.CandidateTime
	in.Applicable, in.ApplicableRevision = out.Applicable, out.ApplicableRevision
	in.Memory = out.Memory
	return in
}

// wantTarget checks the target of container app: cpu in millicores, memory in MiB; 0 is no opinion.
func wantTarget(t *testing.T, out Decision, cpu, memoryMiB int64) {
	t.Helper()
	got := container(out.Candidate, "app").Target
	if want := (apply.Amounts{CPUMillis: cpu, MemoryBytes: memoryMiB * mib}); got != want {
		t.Errorf("target is %s and %s, want %dm and %dMi; trail:\n%s",
			apply.FormatCPU(got.CPUMillis), apply.FormatMemory(got.MemoryBytes), cpu, memoryMiB, story(out))
	}
}

// wantReason checks that a rule explained itself with these words.
func wantReason(t *testing.T, out Decision, rule, words string) {
	t.Helper()
	for _, r := range out.Trail {
		if r.Rule == rule && strings.Contains(r.Text, words) {
			return
		}
	}
	t.Errorf("rule %q did not say %q; trail:\n%s", rule, words, story(out))
}

func story(out Decision) string {
	var lines []string
	for _, r := range out.Trail {
		lines = append(lines, "  "+r.Rule+" ("+r.Container+"): "+r.Text)
	}
	return strings.Join(lines, "\n")
}
