package apply

import (
	"slices"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// AsWritten returns the part of v with which a new pod gets exactly what it asks for itself; original is that. A resource of which it
// would get less or more has no size in the result, so a running pod keeps what it has of it. The number of pods stays.
func AsWritten(v Values, original map[string]Resources) Values {
	v.Containers = slices.Clone(v.Containers)
	keep := Limit{Policy: string(v1alpha1.LimitKeep)}
	for i := range v.Containers {
		c, asked, target := &v.Containers[i], original[v.Containers[i].Name].Requests, v.Containers[i].amounts(ForNewPod)
		if target.CPUMillis == 0 || target.CPUMillis != asked.CPUMillis {
			c.Target.CPUMillis, c.InPlace.CPUMillis, c.CPUBand, c.CPULimit = 0, 0, Interval{}, Limit{}
		} else {
			c.InPlace.CPUMillis, c.CPULimit = max(c.InPlace.CPUMillis, target.CPUMillis), keep
		}
		if target.MemoryBytes == 0 || target.MemoryBytes != asked.MemoryBytes {
			c.Target.MemoryBytes, c.InPlace.MemoryBytes, c.MemoryBand, c.MemoryLimit = 0, 0, Interval{}, Limit{}
		} else {
			c.InPlace.MemoryBytes, c.MemoryLimit = max(c.InPlace.MemoryBytes, target.MemoryBytes), keep
		}
	}
	v.Containers = slices.DeleteFunc(v.Containers, func(c Container) bool { return c.Target == (Amounts{}) })
	if Changes(v, original) { // Such as a template with a limit under its request.
		v.Containers = nil
	}
	return v
}

// Changes reports whether a new pod gets anything else than what it asks for itself.
func Changes(v Values, original map[string]Resources) bool {
	for name, want := range Desired(v, original, ForNewPod) {
		if want != original[name] {
			return true
		}
	}
	return false
}
