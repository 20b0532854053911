package versus

import (
	"math"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/recommender/logic"

	"github.com/loadline-dev/loadline/replay"
)

// turn is one step of a workload under the real VPA.
type turn struct {
	at time.Time
	// recommended from all that was measured before the step.
	recommended replay.VPARecommendation
	// replaced tells that the pod gave way to a new one at the start of the step.
	replaced bool
	// requests during the step.
	requests replay.Amounts
	// killed tells that the container ran out of memory in the step.
	killed bool
}

// usual is what every workload requests at first.
var usual = replay.Amounts{CPUMillis: 500, MemoryBytes: 512 << 20}

// acting is the first step in which the updater acts. The pod has run all along and counts as new then.
const acting = 6 * perDay

// play lets the real VPA run a workload: at the start of a step it recommends and decides, and the pod that it wants is
// there at once; then the container uses what it used in that step. It is killed if that is more memory than requested, at
// most once an hour. Usage is measured every minute. Before its first sample there is no pod that VPA could replace.
func play(t *testing.T, w workload, config logic.RecommendationConfig) []turn {
	t.Helper()
	resources := []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory}
	if w.memory == nil {
		resources = resources[:1]
	}
	v := newRealVPA(t, config, resources...)
	requests := usual
	v.start(begin, requests)
	turns := make([]turn, 0, len(w.cpu))
	lastKill, runs := begin.Add(-time.Hour), false
	for i := range w.cpu {
		now := at(i)
		if i == acting {
			v.startedAt(now)
		}
		this := turn{at: now, recommended: v.recommend()}
		if i >= acting && runs && v.wantsUpdate(now) {
			requests = this.recommended.Target
			if w.memory == nil {
				requests.MemoryBytes = usual.MemoryBytes
			}
			v.start(now, requests)
			this.replaced = true
		}
		this.requests = requests
		for minute := now; minute.Before(now.Add(step)); minute = minute.Add(time.Minute) {
			v.observe(minute, float64(w.cpu[i]), w.bytes(i))
		}
		if i >= acting && w.bytes(i) > float64(requests.MemoryBytes) && now.Sub(lastKill) >= time.Hour {
			lastKill = now
			v.outOfMemory(now)
			this.killed = true
		}
		runs = runs || !math.IsNaN(float64(w.cpu[i]))
		turns = append(turns, this)
	}
	return turns
}

// begin is when the first step of a workload starts.
var begin = time.Date(2026, time.March, 2, 0, 0, 0, 0, time.UTC)

func at(i int) time.Time { return begin.Add(time.Duration(i) * step) }

// tolerance is the largest relative difference that counts as equal.
const tolerance = 0.01

// difference is the largest relative difference of two recommendations.
func difference(want, got replay.VPARecommendation) float64 {
	return max(apart(want.Target, got.Target), apart(want.Lower, got.Lower), apart(want.Upper, got.Upper))
}

func apart(want, got replay.Amounts) float64 {
	return max(relative(float64(want.CPUMillis), float64(got.CPUMillis)),
		relative(float64(want.MemoryBytes), float64(got.MemoryBytes)))
}

func relative(want, got float64) float64 {
	if want == got {
		return 0
	}
	return math.Abs(want-got) / max(math.Abs(want), math.Abs(got))
}
