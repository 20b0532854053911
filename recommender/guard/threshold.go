package guard

import "fmt"

// threshold keeps exactly what was decided last where the change would be small, so that the revision stays and nobody is
// disturbed for a trifle. The first decision compares with the template.
//
// Example: 500m decided, proposal 530m (+6 %), threshold up 10 % → 500m.
func threshold(d *draft) {
	d.each(func(_ *size, a *amount) {
		if a.before.target == 0 {
			return
		}
		to := move{a.target, a.inPlace}
		if d.trifle(a.before.target, a.target) {
			to.target = a.before.target
		}
		if d.trifle(a.before.inPlace, a.inPlace) {
			to.inPlace = a.before.inPlace
		}
		d.set(a, to, "threshold", fmt.Sprintf("changes under %s up or %s down are not made",
			percent(d.in.Behavior.Up.Threshold), percent(d.in.Behavior.Down.Threshold)))
	})
}

// trifle reports whether a change is smaller than its threshold.
func (d *draft) trifle(from, to int64) bool {
	switch {
	case from <= 0:
		return false
	case to > from:
		return float64(to-from) < float64(from)*share(d.in.Behavior.Up.Threshold, maxThresholdUp)
	}
	return float64(from-to) < float64(from)*share(d.in.Behavior.Down.Threshold, maxThresholdDown)
}
