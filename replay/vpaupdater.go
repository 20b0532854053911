package replay

import (
	"math"
	"time"
)

// Constants of the updater of VPA v1.8.1.
const (
	// vpaLifetime is how old a pod is before it is replaced for being inside its bounds and yet far from its target.
	vpaLifetime = 12 * stepsPerHour
	// vpaLeastChange is how far: the sum of the relative differences of CPU and memory.
	vpaLeastChange = 0.1
	// vpaQuickKill is how soon after its start a container is killed for it to be replaced at once.
	vpaQuickKill = int(10 * time.Minute / Step)
	// samplesPerStep: VPA measures once a minute, which is what its confidence counts.
	samplesPerStep = int(Step / time.Minute)
)

// vpaPolicy is VPA in the mode in which it evicts: its recommender and the rule of its updater.
//
// A pod is replaced if CPU or memory is outside its bounds; or if the pod is twelve hours old and the relative differences to
// the target add up to 10 %; or if its container was killed for lack of memory within ten minutes of its start and something
// would change. The new pod gets both targets.
type vpaPolicy struct {
	trace *trace
	vpa   *VPA
	// fed is the first step that the recommender has not seen.
	fed int
	// lastKill is the step of the last kill, or -1.
	lastKill int
}

func newVPAPolicy(target float64) factory {
	return func(t *trace, _ int) policy {
		return &vpaPolicy{trace: t, vpa: NewVPA(VPAOptions{TargetCPU: target, TargetMemory: target}), lastKill: -1}
	}
}

func (v *vpaPolicy) want(i int, p pod) Amounts {
	v.feed(i)
	r := v.recommend(p.have)
	quick := v.lastKill == i-1 && i-1-p.changed < vpaQuickKill
	old := i-p.changed >= vpaLifetime
	difference := relative(p.have.CPUMillis, r.Target.CPUMillis) + relative(p.have.MemoryBytes, r.Target.MemoryBytes)
	if outside(p.have, r) || (old && difference >= vpaLeastChange) || (quick && difference > 0) {
		if r.Target != p.have {
			v.vpa.Replace()
		}
		return r.Target
	}
	return p.have
}

// recommend returns what VPA recommends: what the pod has, as long as there is no sample, because there is no pod yet.
func (v *vpaPolicy) recommend(have Amounts) VPARecommendation {
	r := v.vpa.Recommendation()
	if v.vpa.cpu.total == 0 {
		r.Target.CPUMillis, r.Lower.CPUMillis, r.Upper.CPUMillis = have.CPUMillis, have.CPUMillis, have.CPUMillis
	}
	if v.vpa.memory.total == 0 {
		r.Target.MemoryBytes, r.Lower.MemoryBytes, r.Upper.MemoryBytes = have.MemoryBytes, have.MemoryBytes, have.MemoryBytes
	}
	return r
}

// feed gives the recommender all samples before step i.
func (v *vpaPolicy) feed(i int) {
	for ; v.fed < i; v.fed++ {
		cores, bytes := v.trace.usage(v.fed)
		for minute := range samplesPerStep {
			v.vpa.AddCPU(v.trace.at(v.fed).Add(time.Duration(minute)*time.Minute), cores)
		}
		v.vpa.AddMemory(v.trace.at(v.fed), bytes)
	}
}

func outside(have Amounts, r VPARecommendation) bool {
	return have.CPUMillis < r.Lower.CPUMillis || have.CPUMillis > r.Upper.CPUMillis ||
		have.MemoryBytes < r.Lower.MemoryBytes || have.MemoryBytes > r.Upper.MemoryBytes
}

func relative(have, target int64) float64 {
	return math.Abs(float64(have-target)) / math.Max(float64(have), 1)
}

func (v *vpaPolicy) killed(i int, requestBytes int64) {
	v.lastKill = i
	v.feed(i + 1) // The peak of the step counts before the kill, as it happened.
	v.vpa.RecordOOM(v.trace.at(i), float64(requestBytes))
}
