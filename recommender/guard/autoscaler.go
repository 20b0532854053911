package guard

import (
	"fmt"

	"github.com/loadline-dev/loadline/recommender/sizing"
)

// Findings about a HorizontalPodAutoscaler and an event that it should be ready for.
const (
	// FindingAutoscalerMinimum says that its minimum should be raised, and is not Loadline's to raise.
	FindingAutoscalerMinimum = "AutoscalerMinimumTooLow"
	// FindingAutoscalerMaximum says that its maximum holds the event back.
	FindingAutoscalerMaximum = "AutoscalerMaximumTooLow"
)

// raiseAutoscaler raises the minimum of an autoscaler while advice asks for more pods than it would have. It never goes
// back before the event is over, nor over the autoscaler's maximum, which is for people to raise. A history that got lost in the
// middle of an event must not take back what was decided with it.
func raiseAutoscaler(d *draft) {
	proposal, hpa := d.in.Proposal.Replicas, d.in.HPA
	want := proposal.AutoscalerMin
	switch {
	case hpa.Owner == "":
		return
	case want <= 0:
		if applied := d.in.Applicable; proposal.Target <= 0 && applied != nil && applied.AutoscalerMin != nil {
			d.keepAutoscaler("proposal", "nothing is proposed")
		}
		return
	}
	if before := d.in.Previous; before != nil && before.AutoscalerMin != nil {
		want = max(want, *before.AutoscalerMin)
	}
	if hpa.Max > 0 && want > hpa.Max {
		d.find(FindingAutoscalerMaximum, fmt.Sprintf("%s goes up to %d pods; %d are expected to be needed", hpa.Owner, hpa.Max, want))
		want = hpa.Max
	}
	if want = d.minimumInRoom(want); want > hpa.Min {
		d.raiseMinimum(want)
	}
}

// minimumInRoom is the wanted minimum as far as there is room for so many pods.
func (d *draft) minimumInRoom(want int32) int32 {
	hpa, room := d.in.HPA, d.in.ReplicaRoom
	if room.Most == 0 || want <= max(room.Most, hpa.Min) {
		return want
	}
	text := fmt.Sprintf("minReplicas of %s: %d pods are expected to be needed, and there is room for %d: %s", hpa.Owner, want, room.Most, room.Why)
	d.because("", "quota", text)
	d.find(room.Finding, text)
	return max(room.Most, hpa.Min)
}

// raiseMinimum raises it unless something is against that.
func (d *draft) raiseMinimum(want int32) {
	hpa, hours := d.in.HPA, d.shortestCPUHistory()
	switch {
	case d.frozenReplicas():
		d.keepAutoscaler("window", "nothing may change now")
	case hours < hoursToRaise:
		d.keepAutoscaler("ladder", fmt.Sprintf("there are %d h of history, %d are needed", hours, hoursToRaise))
	case hpa.KeptBy != "":
		d.find(FindingAutoscalerMinimum, fmt.Sprintf("raise minReplicas of %s from %d to %d: Loadline must not, %s", hpa.Owner, hpa.Min, want, hpa.KeptBy))
	case d.in.Policy.Replicas.Mode != modeAuto:
		d.find(FindingAutoscalerMinimum, fmt.Sprintf("raise minReplicas of %s from %d to %d: Loadline does so where replicas is auto", hpa.Owner, hpa.Min, want))
	default:
		d.autoscalerMin = want
		d.because("", "change", fmt.Sprintf("minReplicas of %s %d → %d", hpa.Owner, hpa.Min, want))
	}
}

// keepAutoscaler leaves the minimum as it is in force.
func (d *draft) keepAutoscaler(rule, why string) {
	applied := d.in.Applicable
	if applied == nil || applied.AutoscalerMin == nil || d.in.HPA.KeptBy != "" || d.in.Policy.Replicas.Mode != modeAuto {
		d.because("", rule, fmt.Sprintf("minReplicas of %s is not raised: %s", d.in.HPA.Owner, why))
		return
	}
	d.autoscalerMin = *applied.AutoscalerMin
	d.because("", rule, fmt.Sprintf("minReplicas of %s stays raised to %d: %s", d.in.HPA.Owner, d.autoscalerMin, why))
}

func (d *draft) find(kind, message string) {
	d.findings = append(d.findings, sizing.Finding{Type: kind, Severity: "warning", Message: message})
}

// frozenReplicas reports whether a window in which nothing moves holds the number of pods.
func (d *draft) frozenReplicas() bool {
	for _, w := range d.openWindows() {
		if w.Freeze && w.concerns(replicasName) {
			return true
		}
	}
	return false
}
