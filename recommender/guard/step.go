package guard

import "fmt"

// step bounds how far one change goes, as a share of the request in force. Up is wide and down narrow: too little hurts at
// once, too much costs a little longer. A MaxStep of 0 is no bound. A request of 0, which reads as the smallest there is, has no shares.
//
// Example: 1000m in force, proposal 200m, at most 50 % down → 500m now, less after the cooldown.
func step(d *draft) {
	d.each(func(_ *size, a *amount) {
		base := a.request.target
		if base <= roundUp(a.name, 1) {
			return
		}
		up, down := d.in.Behavior.Up.MaxStep, d.in.Behavior.Down.MaxStep
		if highest := scale(base, 1+up); up > 0 && a.target > highest {
			d.set(a, move{roundUp(a.name, highest), a.inPlace}, "step",
				fmt.Sprintf("one step raises %s by at most %s", a.format(base), percent(up)))
		}
		if lowest := scale(base, 1-share(down, 1)); down > 0 && a.target < lowest {
			d.set(a, move{roundUp(a.name, lowest), a.inPlace}, "step",
				fmt.Sprintf("one step lowers %s by at most %s", a.format(base), percent(share(down, 1))))
		}
	})
}
