package guard

import (
	"fmt"

	"github.com/loadline-dev/loadline/recommender/sizing"
)

// FindingCeilingBelowPeak says that a container needs more memory than the policy, the largest node or a LimitRange allows.
const FindingCeilingBelowPeak = "MemoryCeilingBelowPeak"

// ceiling holds requests at the policy's maximum and LimitRanges, and raises at the largest node. It wins over every rule of caution: a
// bound that a person wrote takes effect at once.
//
// It never cuts memory below what was observed. Where it would have to, it refuses: memory stays as it is in force, and a
// finding asks a person. Example: memory.max 1Gi, observed peak 1300Mi, in force 1Gi → stays 1Gi.
func ceiling(d *draft) {
	d.each(func(_ *size, a *amount) {
		if a.ceiling == 0 {
			return
		}
		if a.observed > a.ceiling {
			d.refuse(a, a.ceilingWhy)
			return
		}
		if a.target > a.ceiling || a.inPlace > a.ceiling {
			d.set(a, move{a.target, a.inPlace}, "ceiling", a.ceilingWhy)
		}
	})
}

func (d *draft) refuse(a *amount, why string) {
	text := fmt.Sprintf("%s, but %s of memory was needed", why, a.format(a.observed))
	d.findings = append(d.findings, sizing.Finding{
		Type: FindingCeilingBelowPeak, Severity: "critical", Container: a.container,
		Message: text + "; the memory is left as it is: raise memory.max, use larger nodes, or split the work over more pods",
	})
	if a.sized {
		a.pinned = false // Refusing wins over the floor of an earlier pin.
		d.pin(a, a.request, "ceiling", text)
		return
	}
	d.forget(a, "ceiling", text)
}
