package versus

import (
	"os"
	"sync"
	"testing"
	"time"

	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/recommender/logic"
	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/recommender/model"

	"github.com/loadline-dev/loadline/replay"
)

func TestMain(m *testing.M) {
	model.GetAggregationsConfig() // VPA makes it when first asked, which several tests must not do at once.
	os.Exit(m.Run())
}

func TestRecommendationsEqualThoseOfTheRealVPA(t *testing.T) {
	t.Parallel()
	compareRecommendations(t, generated(), settings{config: shipped()})
}

func TestRecommendationsEqualThoseOfTheRealVPAOnRecordedUsage(t *testing.T) {
	t.Parallel()
	compareRecommendations(t, recorded(t), settings{config: shipped()})
}

func TestTheKnobIsTheTargetPercentileOfTheRealVPAWithAnUpperBoundNotBelowIt(t *testing.T) {
	t.Parallel()
	config := shipped()
	config.TargetCPUPercentile, config.UpperBoundCPUPercentile = 0.98, 0.98
	compareRecommendations(t, generated()[:10], settings{config: config, options: replay.VPAOptions{TargetCPU: 0.98}})
}

func TestThePodMinimumIsAllThatTheReplayLeavesOut(t *testing.T) {
	t.Parallel()
	config := shipped()
	config.PodMinCPUMillicores, config.PodMinMemoryMb = 25, 250
	least := replay.Amounts{CPUMillis: 25, MemoryBytes: 250 << 20}
	compareRecommendations(t, generated()[:10], settings{config: config, least: least}) // The smallest are among them.
}

func TestRecommendationsStayEqualOverSeasons(t *testing.T) {
	t.Parallel()
	var long workload
	for _, w := range generated()[:6] { // The histograms shift their weights after 100 days.
		long.cpu, long.memory = append(long.cpu, w.cpu...), append(long.memory, w.memory...)
	}
	long.name = "six generated ones in a row"
	compareRecommendations(t, []workload{long}, settings{config: shipped()})
}

// settings are those of the real VPA, and what has to be asked of the replay's for the same.
type settings struct {
	config  logic.RecommendationConfig
	options replay.VPAOptions
	least   replay.Amounts
}

// compareRecommendations compares target, lower and upper bound of both resources every five minutes, and logs the largest
// difference.
func compareRecommendations(t *testing.T, workloads []workload, s settings) {
	t.Helper()
	var mu sync.Mutex
	worst, checkpoints := 0.0, 0
	t.Cleanup(func() {
		t.Logf("%d workloads, %d checkpoints, six values each: largest difference %.2g", len(workloads), checkpoints, worst)
	})
	for _, w := range workloads {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			turns := play(t, w, s.config)
			largest := follow(t, w, turns, s)
			mu.Lock()
			defer mu.Unlock()
			worst, checkpoints = max(worst, largest), checkpoints+len(turns)
		})
	}
}

// follow tells the replay's VPA, step by step, what happened to the pod under the real one, and returns the largest
// difference between their recommendations. The test fails at the first one above the tolerance.
func follow(t *testing.T, w workload, turns []turn, s settings) float64 {
	t.Helper()
	ours := replay.NewVPA(s.options)
	worst := 0.0
	for i, turn := range turns {
		got := raised(ours.Recommendation(), s.least)
		worst = max(worst, difference(turn.recommended, got))
		if worst > tolerance {
			t.Fatalf("step %d, %s: VPA recommends %+v, the replay's %+v", i, turn.at, turn.recommended, got)
		}
		if turn.replaced {
			ours.Replace()
		}
		for minute := turn.at; minute.Before(turn.at.Add(step)); minute = minute.Add(time.Minute) {
			ours.AddCPU(minute, float64(w.cpu[i]))
		}
		ours.AddMemory(turn.at, w.bytes(i))
		if turn.killed {
			ours.RecordOOM(turn.at, float64(turn.requests.MemoryBytes))
		}
	}
	return worst
}

// raised is a recommendation of nothing below a minimum.
func raised(r replay.VPARecommendation, least replay.Amounts) replay.VPARecommendation {
	for _, a := range []*replay.Amounts{&r.Target, &r.Lower, &r.Upper} {
		a.CPUMillis, a.MemoryBytes = max(a.CPUMillis, least.CPUMillis), max(a.MemoryBytes, least.MemoryBytes)
	}
	return r
}
