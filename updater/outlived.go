package updater

import (
	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

// forgetTheHour wants for running pods no less than for new ones: what was little enough for an hour of the night is not for the day.
func forgetTheHour(containers []apply.Container) {
	for i := range containers {
		c := &containers[i]
		c.InPlace.CPUMillis, c.CPUBand.Min = noLess(c.InPlace.CPUMillis, c.Target.CPUMillis, c.CPUBand.Min)
		c.InPlace.MemoryBytes, c.MemoryBand.Min = noLess(c.InPlace.MemoryBytes, c.Target.MemoryBytes, c.MemoryBand.Min)
	}
}

// noLess is the amount for running pods, at least that for new ones, and the lower edge of the band as far under it as before: it is
// around the smaller of both.
func noLess(inPlace, target, low int64) (int64, int64) {
	if inPlace <= 0 || inPlace >= target {
		return inPlace, low
	}
	return target, int64(float64(low) / float64(inPlace) * float64(target))
}

// declared is the number of pods that the workload's manifest asks for; 0 if that is not known.
func declared(r *v1alpha1.ReplicaStatus) int32 {
	if r == nil {
		return 0
	}
	return orDefault(r.Declared, 0)
}

// noFewer is the number of pods, and at least those that run. Nil stays without an opinion.
func noFewer(want *int32, run int32) *int32 {
	if want == nil {
		return nil
	}
	return new(max(*want, run))
}
