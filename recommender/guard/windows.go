package guard

import "slices"

// replicasName is what Window.Resources calls the number of pods.
const replicasName = "replicas"

// windows restricts changes around events: nothing shrinks inside a NeverShrink window, and nothing moves inside a Freeze
// window except what an out-of-memory kill demands, or who raises the memory of a template. The windows come with their lead time in them.
func windows(d *draft) {
	for _, w := range d.openWindows() {
		d.each(func(_ *size, a *amount) {
			switch {
			case !w.concerns(a.name):
			case w.Freeze:
				if !d.holdBack(a, "window", w.Reason) && a.target > 0 {
					a.unready = "window"
					d.because(a.container, "window", a.name+" may not be applied now: "+w.Reason)
				}
			case w.NeverShrink:
				a.held = true
				d.raiseOnly(a, "window", w.Reason)
			}
		})
	}
}

func (w Window) concerns(resource string) bool {
	return len(w.Resources) == 0 || slices.Contains(w.Resources, resource)
}

// openWindows returns the windows that contain the present.
func (d *draft) openWindows() []Window {
	var open []Window
	for _, w := range d.in.Windows {
		if !d.in.Now.Before(w.Start) && d.in.Now.Before(w.End) {
			open = append(open, w)
		}
	}
	return open
}
