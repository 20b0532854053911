package guard

import (
	"fmt"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

// What a container that is not given more CPU than it requests is raised by. Its use never exceeds what it has, so nobody can see how much
// more it wants.
const (
	// cappedPressure is the share of its CPU at which it is taken to want more: over five minutes on average, many moments in between
	// were cut off.
	cappedPressure = 0.9
	// cappedFactor is what it is raised by then, again with each look, so that three times the load is met at the third. At most it
	// gets cappedReach times the target: the rest is for the target to follow, or who burns what there is would be given a whole node.
	cappedFactor = 1.5
	cappedReach  = 4
	// cappedRoom times the use is what it is not lowered under, so that the same use is not soon pressure again.
	cappedRoom = 1.25
)

// capped reports whether the container's CPU limit is its request, so that what it does not request it cannot use: in a Guaranteed
// pod, under the limit policy Equal, and under Ratio where the template has both alike.
func (d *draft) capped(a *amount) bool {
	if a.name != cpuName {
		return false
	}
	template := d.template[a.container]
	alike := template.Limits.CPUMillis > 0 && template.Limits.CPUMillis == template.Requests.CPUMillis
	switch v1alpha1.LimitPolicy(a.policy.Limit) {
	case v1alpha1.LimitEqual:
		return true
	case v1alpha1.LimitRatio:
		return alike
	case v1alpha1.LimitKeep, v1alpha1.LimitHeadroom, v1alpha1.LimitNone:
	}
	return apply.QOSClass(d.template) == "Guaranteed"
}

// underLimit is what a container gets whose use ends where its CPU does, and why.
//
// Example: target 1000m, 1000m in place, 920m used → 1500m; then 1400m used → 2250m; then 1600m used → 2250m, and not under 2000m.
func (d *draft) underLimit(a *amount, used int64) (to int64, why string) {
	decided, room := a.before.inPlace, scale(used, cappedRoom)
	if decided <= 0 || float64(used) < cappedPressure*float64(decided) {
		return min(room, max(decided, used)), fmt.Sprintf("a running pod uses %s, and its limit is its request", a.format(used))
	}
	most := max(scale(max(a.before.target, a.target), cappedReach), used)
	return min(max(scale(decided, cappedFactor), room), most),
		fmt.Sprintf("a running pod uses %s of its %s, which is its limit, so it may want more", a.format(used), a.format(decided))
}

// reachable gives a container whose limit is its request a target so far over its use that it can still show that it wants more: what uses
// cappedPressure of the limit is raised by the threshold. With less, the limit would hold the use where no raise comes, for good, wherever
// only new pods are sized: those of CronJobs, in mode initial, and under the updater evict.
//
// Example: margin 5 %, threshold 5 %: 900m used, 945m proposed → 1050m, so that 1000m in force are left behind.
func reachable(d *draft) {
	d.each(func(s *size, a *amount) {
		proposed := legal(s.proposal.Target.CPUMillis)
		if proposed == 0 || !d.capped(a) {
			return
		}
		overUse := (1 + share(d.in.Behavior.Up.Threshold, maxThresholdUp)) / cappedPressure
		if least := roundUp(a.name, scale(proposed, overUse/(1+max(a.policy.Margin, 0)))); least > a.target {
			d.set(a, move{least, max(a.inPlace, least)}, "reachable",
				fmt.Sprintf("its limit is its request, and has to be %s over its use for a need of more to be seen", percent(overUse-1)))
		}
	})
}
