package guard

// floor holds requests at the minimum of the policy and of LimitRanges, and memory at what one pod was seen to use and at what an out-of-memory
// kill taught. No rule goes below it, no cooldown, step or history holds it back.
//
// Example: observed peak 700Mi, proposal 512Mi → 700Mi.
func floor(d *draft) {
	d.each(func(_ *size, a *amount) {
		if a.target >= a.floor && a.inPlace >= a.floor {
			return
		}
		d.set(a, move{a.target, a.inPlace}, "floor", a.floorWhy)
	})
}
