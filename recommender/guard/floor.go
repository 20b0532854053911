package guard

// floor holds requests at the policy's minimum, and memory at what one pod was seen to use and at what an out-of-memory
// kill taught. No rule goes below it, no cooldown, step or history holds it back.
//
// Example: observed peak 700Mi, proposal 512Mi → 700Mi.
func floor(d *draft) {
	d.each(func(_ *size, a *amount) {
		if a.target >= a.floor && a.inPlace >= a.floor {
			return
		}
		why := "the policy asks for at least " + a.format(a.floor)
		switch {
		case a.floor != a.observed || a.observed == 0:
		case a.oomFloor > a.peak:
			why = "an out-of-memory kill demands at least " + a.format(a.observed)
		default:
			why = "one pod was seen to use " + a.format(a.observed)
		}
		d.set(a, move{a.target, a.inPlace}, "floor", why)
	})
}
