package guard

import "slices"

// hpa leaves alone what a HorizontalPodAutoscaler measures. It adds pods when usage ÷ request is high: a request that
// moves with the usage would take away its signal.
//
//	utilisation of cpu       only memory is sized
//	utilisation of memory    only cpu is sized
//	both                     neither
//	of one container         as above, for that container; the others are sized
//	absolute values          both
//
// The percentage is meant of what the manifest asks for. So where an autoscaler comes to a workload that is sized, the template's request
// is in force again: with a fraction of it, pods would be added at a fraction of the usage. A request in force that is larger stays, because
// to lower it would be a move too. Running pods get the same as new ones. Memory is still raised after an out-of-memory kill.
//
// Example: template 1000m, in force 200m → 1000m. The template is raised to 2000m → 2000m.
func hpa(d *draft) {
	d.each(func(s *size, a *amount) {
		all, of := d.in.HPA.OnCPU, d.in.HPA.OnCPUOf
		if a == s.memory {
			all, of = d.in.HPA.OnMemory, d.in.HPA.OnMemoryOf
		}
		if !all && !slices.Contains(of, s.container.Name) {
			return
		}
		why := d.in.HPA.Owner + " scales on the utilisation of " + a.name
		if a.sized {
			least := d.asWritten(a)
			if least > a.request.target {
				why += ", which is meant of what the template asks for"
			}
			a.atLeast = move{max(a.atLeast.target, least), max(a.atLeast.inPlace, least)}
		}
		if !d.holdBack(a, "hpa", why) {
			d.drop(a, "hpa", why)
		}
	})
}

// asWritten is what the template asks for, as far as the ceiling allows, or what is in force for new pods if that is more.
func (d *draft) asWritten(a *amount) int64 {
	template := roundUp(a.name, a.of(d.template[a.container].Requests))
	if a.ceiling > 0 {
		template = min(template, a.ceiling)
	}
	return max(template, a.request.target)
}
