package guard

// hpa leaves alone what a HorizontalPodAutoscaler measures. It adds pods when usage ÷ request is high: a request that
// moves with the usage would take away its signal.
//
//	utilisation of cpu       only memory is sized
//	utilisation of memory    only cpu is sized
//	both                     neither
//	absolute values          both
//
// A request that we put in force earlier stays, because going back to the template would be a move too. Memory is still raised
// after an out-of-memory kill.
func hpa(d *draft) {
	d.each(func(s *size, a *amount) {
		if (a == s.cpu && !d.in.HPA.OnCPU) || (a == s.memory && !d.in.HPA.OnMemory) {
			return
		}
		why := d.in.HPA.Owner + " scales on the utilisation of " + a.name
		if !d.holdBack(a, "hpa", why) {
			d.drop(a, "hpa", why)
		}
	})
}
