package guard

import (
	"fmt"
	"math"
	"slices"

	"github.com/loadline-dev/loadline/recommender/sizing"
)

// sizeReplicas decides the number of pods. Like requests it goes up sooner than down:
//
//   - the present number where somebody else set it lately;
//   - none where an autoscaler owns the number or a person set it to 0;
//   - the number in force, if there is one, without a new one or with a history shorter than a day;
//   - no more than a ResourceQuota has room for, though never fewer for its sake;
//   - at most MaxStep from the present number, and down at most as far as requests go in one step, but at least one;
//   - fewer pods only with a week of history, outside event windows, and LowerAfter after the last time.
func sizeReplicas(d *draft) {
	p, present := d.in.Proposal.Replicas, d.in.CurrentReplicas
	if present <= 0 || d.in.Policy.Replicas.Mode == modeOff {
		return
	}
	if d.in.HPA.Owner != "" {
		d.because("", "hpa", "no number of pods: "+d.in.HPA.Owner+" decides it")
		return
	}
	if p.Target <= 0 {
		d.keepNumber("proposal", "nothing is proposed")
		return
	}
	hours := d.shortestCPUHistory()
	if hours < hoursToRaise {
		d.keepNumber("ladder", fmt.Sprintf("there are %d h of history, %d are needed", hours, hoursToRaise))
		return
	}
	d.moveReplicas(hours)
}

// moveReplicas brings the proposed number within what windows, other people, steps and cooldowns allow.
func (d *draft) moveReplicas(hours int) {
	present := d.in.CurrentReplicas
	d.replicas = d.in.Proposal.Replicas.Target
	open := slices.DeleteFunc(d.openWindows(), func(w Window) bool { return !w.concerns(replicasName) })
	for _, w := range open {
		if w.Freeze && d.replicas != present {
			d.because("", "window", fmt.Sprintf("replicas %d → %d: %s", d.replicas, present, w.Reason))
			d.replicas = present
		}
	}
	if why := d.in.ReplicasYield; why != "" && d.replicas != present {
		d.because("", "yield", fmt.Sprintf("replicas %d → %d: %s", d.replicas, present, why))
		d.replicas = present
	}
	d.stepReplicas()
	if room := d.in.ReplicaRoom; room.Most > 0 && d.replicas > max(room.Most, present) {
		text := fmt.Sprintf("replicas %d → %d: %s", d.replicas, max(room.Most, present), room.Why)
		d.because("", "quota", text)
		if d.in.Policy.Replicas.Mode == modeAuto {
			d.findings = append(d.findings, sizing.Finding{Type: room.Finding, Severity: "warning", Message: text})
		}
		d.replicas = max(room.Most, present)
	}
	if d.replicas < present {
		d.keepReplicas(hours, open)
	}
	if d.replicas != present {
		d.because("", "change", fmt.Sprintf("replicas %d → %d", present, d.replicas))
	}
}

// keepNumber leaves the number in force where it is: a history that got lost must not take back what was decided with it.
func (d *draft) keepNumber(rule, why string) {
	if applied := d.in.Applicable; applied != nil && applied.Replicas != nil {
		d.replicas = *applied.Replicas
		d.because("", rule, fmt.Sprintf("replicas stay at %d: no new number, %s", d.replicas, why))
		return
	}
	d.because("", rule, "no number of pods: "+why)
}

// stepReplicas bounds the way from the present number.
func (d *draft) stepReplicas() {
	step := d.in.Policy.Replicas.MaxStep
	if !(step > 0) {
		return
	}
	present := d.in.CurrentReplicas
	if down := d.in.Behavior.Down.MaxStep; d.replicas < present && down > 0 {
		step = min(step, down)
	}
	most := int32(min(max(1, math.Floor(float64(present)*step)), math.MaxInt32/2))
	bounded := min(max(d.replicas, present-most), int32(min(int64(present)+int64(most), math.MaxInt32)))
	if bounded != d.replicas {
		d.because("", "step", fmt.Sprintf("replicas %d → %d: one step is at most %s of %d", d.replicas, bounded, percent(step), present))
	}
	d.replicas = bounded
}

// keepReplicas takes a lower number back where it is too early for it, or one of the open windows forbids it.
func (d *draft) keepReplicas(hours int, open []Window) {
	previous := d.in.CurrentReplicas
	if d.in.Previous != nil && d.in.Previous.Replicas != nil {
		previous = min(previous, *d.in.Previous.Replicas)
	}
	last, wait := d.in.Memory.LastReplicasLowered, d.in.Policy.Replicas.LowerAfter
	keep := d.in.CurrentReplicas
	var rule, why string
	switch {
	case hours < hoursToLowerCPU:
		rule, why = "ladder", fmt.Sprintf("there are %d h of history, %d are needed to lower it", hours, hoursToLowerCPU)
	case len(open) > 0:
		rule, why = "window", open[0].Reason
	case d.replicas < previous && !last.IsZero() && (!d.in.Now.After(last) || d.in.Now.Before(last.Add(wait))):
		keep, rule, why = previous, "cooldown", fmt.Sprintf("it was lowered less than %s ago", wait)
	default:
		return
	}
	d.because("", rule, fmt.Sprintf("replicas %d → %d: %s", d.replicas, keep, why))
	d.replicas = keep
}

// shortestCPUHistory is the history of the container that we know least about.
func (d *draft) shortestCPUHistory() int {
	shortest := math.MaxInt
	for _, s := range d.sizes {
		if s.proposal.Target.CPUMillis > 0 {
			shortest = min(shortest, s.proposal.CPUHours)
		}
	}
	if shortest == math.MaxInt {
		return 0
	}
	return shortest
}
