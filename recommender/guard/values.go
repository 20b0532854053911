package guard

import (
	"fmt"
	"math"

	"github.com/loadline-dev/loadline/apply"
)

// Bounds of what a policy may ask for, so that a broken number stays harmless.
const (
	maxThresholdUp   = 10
	maxThresholdDown = 0.9
	maxHeadroom      = 10
)

// modeAuto is the replica mode in which the number of pods may be written.
const modeAuto = "auto"

// modeOff is the replica mode without any opinion.
const modeOff = "off"

// values are the sizes of the draft, rounded, with limits and bands, in the order of names.
func (d *draft) values() apply.Values {
	var out apply.Values
	for _, s := range d.sizes {
		target := apply.Round(apply.Amounts{CPUMillis: s.cpu.target, MemoryBytes: s.memory.target})
		inPlace := apply.Round(apply.Amounts{CPUMillis: s.cpu.inPlace, MemoryBytes: s.memory.inPlace})
		s.cpu.target, s.cpu.inPlace = target.CPUMillis, inPlace.CPUMillis
		s.memory.target, s.memory.inPlace = target.MemoryBytes, inPlace.MemoryBytes
		if target == (apply.Amounts{}) {
			continue
		}
		c := apply.Container{Name: s.container.Name, Target: target, InPlace: inPlace}
		if target.CPUMillis > 0 {
			c.CPUBand, c.CPULimit = d.band(s.cpu), d.limit(s, s.cpu)
		}
		if target.MemoryBytes > 0 {
			c.MemoryBand, c.MemoryLimit = d.band(s.memory), d.limit(s, s.memory)
		}
		out.Containers = append(out.Containers, c)
	}
	if d.replicas > 0 && d.in.Policy.Replicas.Mode == modeAuto {
		out.Replicas = new(d.replicas)
	}
	if d.autoscalerMin > 0 {
		out.AutoscalerMin = new(d.autoscalerMin)
	}
	return apply.Sorted(out)
}

// band is the interval of requests that are close enough: half a threshold about Target and InPlace. A move that was decided
// is at least a whole threshold long, so a pod that has the size from before lies outside and follows; about a whole threshold, a move
// that only just passed it would be decided and never made.
//
// Example: target 1000m, in place 800m, thresholds 10 % up and 20 % down → [800 ÷ 1.05, 1000 ÷ 0.9] = [762m, 1111m].
func (d *draft) band(a *amount) apply.Interval {
	low := float64(min(a.target, a.inPlace)) / (1 + share(d.in.Behavior.Up.Threshold, maxThresholdUp)/2)
	high := float64(max(a.target, a.inPlace)) / (1 - share(d.in.Behavior.Down.Threshold, maxThresholdDown)/2)
	out := apply.Interval{Min: max(int64(math.Ceil(low)), 1), Max: int64(high)}
	if a.name == memoryName {
		// Outwards to whole MiB, for people who read it.
		out.Min = max(out.Min/apply.MiB*apply.MiB, 1)
		out.Max = roundUp(a.name, out.Max)
	}
	return out
}

// explain adds what all rules together change in the pods that will be admitted.
func (d *draft) explain(candidate apply.Values) {
	now := d.inForce()
	then := apply.Desired(candidate, d.template, apply.ForNewPod)
	for _, s := range d.sizes {
		to, sized := then[s.container.Name]
		if !sized {
			continue
		}
		from := now[s.container.Name]
		tell := func(a *amount, what string, from, to int64) {
			if from != to {
				d.because(a.container, "change", fmt.Sprintf("%s %s %s → %s", a.name, what, a.format(from), a.format(to)))
			}
		}
		tell(s.cpu, "request", from.Requests.CPUMillis, to.Requests.CPUMillis)
		tell(s.cpu, "limit", from.Limits.CPUMillis, to.Limits.CPUMillis)
		tell(s.memory, "request", from.Requests.MemoryBytes, to.Requests.MemoryBytes)
		tell(s.memory, "limit", from.Limits.MemoryBytes, to.Limits.MemoryBytes)
	}
}
