package sizing

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// What sizing reads from a forecast, and the half-life of what it remembers.
const (
	// InPlaceLevel is the share of hours whose largest CPU demand running pods should cover.
	InPlaceLevel = 0.875
	// ReplicaLevel is the upper quantile of the CPU forecast that the number of pods follows.
	ReplicaLevel = 0.95
	// HalfLife after which a measurement of CPU counts half.
	HalfLife = 24 * time.Hour
)

// Propose computes requests, replicas and findings for one workload from its history and forecast alone. The formulas are
// in docs/design/0002-sizing.md.
//
// Corrupt measurements are ignored and become a finding; where memory has any, the proposal is not under the present
// request. A container without usable history gets zero amounts and a sentence that says so. Containers keep their order.
func Propose(in Input) Proposal {
	var p Proposal
	sizes := make([]cpuSize, len(in.Containers))
	corrupt := make([]corruption, len(in.Containers))
	pods, corruptPods := cleanUsage(in.Pods, maxPods)
	for i, container := range in.Containers {
		container, corrupt[i] = cleanContainer(container)
		sizes[i] = measureCPU(in, container, pods)
	}
	p.Replicas = sizeReplicas(in, sizes)
	for i := range sizes {
		cpu, c := &sizes[i], sizes[i].container
		cpu.decide(in, pods, p.Replicas.sharedBy(in))
		memory := sizeMemory(in, c, corrupt[i].memory)
		p.Containers = append(p.Containers, ContainerProposal{
			Name:           c.Name,
			Target:         Amounts{CPUMillis: cpu.targetMillis, MemoryBytes: memory.targetBytes},
			InPlace:        Amounts{CPUMillis: cpu.inPlaceMillis, MemoryBytes: memory.targetBytes},
			Peak:           Amounts{CPUMillis: cpu.peakMillis, MemoryBytes: memory.everBytes},
			SizedPeakBytes: memory.peakBytes,
			Advised:        cpu.targetMillis > cpu.plainMillis,
			UsedMillis:     cpu.usedMillis,
			CPUHours:       knownHours(c.CPUTotal),
			MemoryHours:    knownHours(c.MemoryHottest),
			OOMRaised:      memory.oomRaised,
			Summary:        cpu.summary,
			Trail:          append(cpu.trail, memory.trail...),
		})
		p.Findings = append(p.Findings, findings(in, corrupt[i], *cpu, memory, podsNow(in, pods))...)
	}
	p.Findings = append(p.Findings, podFindings(in, p.Replicas, corruptPods)...)
	return p
}

// atLeast rounds up to an integer. A relative 1e-7 is taken for rounding of float32, so that 0.1 cores are 100 millicores
// and not 101. NaN and values that are not positive give 0, huge ones a bound that cannot overflow.
func atLeast(x float64) int64 {
	const rounding, most = 1e-7, 1e18
	if !(x > 0) {
		return 0
	}
	return int64(min(math.Ceil(x*(1-rounding)), most))
}

// percent formats a share: 0.15 is "15 %".
func percent(share float64) string { return fmt.Sprintf("%.4g %%", share*100) }

// span formats a length of history: days from two days on.
func span(hours int) string {
	if hours < 48 {
		return fmt.Sprintf("%d hours", hours)
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(hours)/24), ".0") + " days"
}

// duration formats a length of time without trailing zero units: 10m0s is "10m", 1h0m0s is "1h".
func duration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
