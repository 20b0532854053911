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
// A request that we put in force earlier stays, because going back to the template would be a move too. Memory is still raised
// after an out-of-memory kill.
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
		if !d.holdBack(a, "hpa", why) {
			d.drop(a, "hpa", why)
		}
	})
}
