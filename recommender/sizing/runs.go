package sizing

import (
	"fmt"
	"math"

	"github.com/loadline-dev/loadline/forecast"
)

// ProposeRuns sizes a workload that runs to its end again and again, such as a CronJob, from the peaks of its runs: there is no
// hour that forecasts the next one, only the last runs.
//
//	CPU     the policy's quantile over the peaks of the runs, or a rarer peak that costs little (see covering), plus margin: a run
//	        that is a little late hurts nobody
//	memory  the largest peak of any run, plus margin, and at least what an out-of-memory kill demands
//
// A run is never changed once it began, so the in-place size is the target. A container that no run was measured of gets zero
// amounts, but for an out-of-memory kill. Peaks that are negative, infinite or absurd are ignored and become a finding.
func ProposeRuns(in Input) Proposal {
	var p Proposal
	for _, c := range in.Containers {
		proposal, corrupt := proposeRuns(in.Policy, c)
		p.Containers = append(p.Containers, proposal)
		cpu := cpuSize{container: c, targetMillis: proposal.Target.CPUMillis}
		p.Findings = append(p.Findings, findings(in, corrupt, cpu, memorySize{}, 1)...)
	}
	return p
}

func proposeRuns(policy Policy, c ContainerInput) (ContainerProposal, corruption) {
	p := ContainerProposal{Name: c.Name}
	var corrupt corruption
	var peaks []forecast.Sample
	highest := 0.0
	for _, run := range c.Runs {
		cpu, memory := usable(run.CPU, MaxCores), usable(run.Memory, MaxBytes)
		if cpu {
			peaks = append(peaks, forecast.Sample{Value: run.CPU, Weight: 1})
		} else if !math.IsNaN(run.CPU) {
			corrupt.cpu++
		}
		if memory {
			highest = max(highest, run.Memory)
		} else if !math.IsNaN(run.Memory) {
			corrupt.memory++
		}
		if cpu || memory {
			p.Runs = append(p.Runs, run.Scheduled)
		}
	}
	if len(peaks) > 0 {
		c := covering(peaks, policy.CPU.Quantile)
		p.Target.CPUMillis = max(1, atLeast(c.cores*(1+policy.CPU.Margin)*1000))
		p.Summary = fmt.Sprintf("a run uses %dm of CPU (%s of %d runs), plus %s", atLeast(c.cores*1000), quantileName(c.level), len(peaks), percent(policy.CPU.Margin))
		p.Trail = append(p.Trail, fmt.Sprintf("CPU: %s of the peaks of the last %d runs is %.3f cores; plus %s margin: %dm.",
			quantileName(c.level), len(peaks), c.cores, percent(policy.CPU.Margin), p.Target.CPUMillis))
	}
	p.runMemory(policy.Memory, c, highest)
	for _, s := range peaks {
		p.Peak.CPUMillis = max(p.Peak.CPUMillis, atLeast(s.Value*1000))
	}
	p.InPlace = p.Target
	return p, corrupt
}

// runMemory covers the largest run.
func (p *ContainerProposal) runMemory(policy ResourcePolicy, c ContainerInput, highest float64) {
	if highest > 0 {
		margin := policy.Margin
		if c.OOMEndless {
			margin = 0
		}
		p.Peak.MemoryBytes = int64(math.Ceil(highest))
		p.SizedPeakBytes = p.Peak.MemoryBytes
		p.Target.MemoryBytes = max(1, p.Peak.MemoryBytes, atLeast(highest*(1+margin)))
		p.Trail = append(p.Trail, fmt.Sprintf("Memory: the largest of the last %d runs had %s; plus %s margin: %s.",
			len(p.Runs), bytesText(p.Peak.MemoryBytes), percent(margin), bytesText(p.Target.MemoryBytes)))
	}
	if c.OOMFloorBytes > p.Target.MemoryBytes {
		p.Target.MemoryBytes, p.OOMRaised = c.OOMFloorBytes, true
		p.Trail = append(p.Trail, fmt.Sprintf("Memory: raised to %s after an out-of-memory kill.", bytesText(c.OOMFloorBytes)))
	}
}

// usable reports whether a measurement can be true.
func usable(v, most float64) bool { return v >= 0 && v <= most }
