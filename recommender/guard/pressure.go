package guard

import "fmt"

// pressureHeadroom is what a pod gets on top of what it used when that was more than it had.
const pressureHeadroom = 1.05

// pressure does not lower the CPU request of running pods under what they use at present. If they use more than was decided for
// them last it raises it at once, and by at least the upward threshold, because less would be a trifle.
//
// Where the limit is the request, no pod uses more than it has; see underLimit.
//
// Example: 500m decided for running pods, 520m used → max(1.05 × 520m, 1.1 × 500m) = 550m.
func pressure(d *draft) {
	d.each(func(s *size, a *amount) {
		used, decided := s.proposal.UsedMillis, a.before.inPlace
		if a.name != cpuName || used <= 0 || used > maxAmount/2 {
			return
		}
		to, why := roundUp(a.name, used), fmt.Sprintf("a running pod uses %s", a.format(used))
		if d.capped(a) {
			if to, why = d.underLimit(a, used); roundUp(a.name, to) > a.inPlace {
				d.set(a, move{a.target, roundUp(a.name, to)}, "pressure", why)
			}
			return
		}
		if decided > 0 && used > decided {
			least := scale(decided, 1+share(d.in.Behavior.Up.Threshold, maxThresholdUp))
			to, why = roundUp(a.name, max(scale(used, pressureHeadroom), least)), why+" of its "+a.format(decided)
		}
		if to > a.inPlace {
			d.set(a, move{a.target, to}, "pressure", why)
		}
	})
}
