//go:build full

package llama_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/internal/testkit"
	"github.com/loadline-dev/loadline/recommender"
	"github.com/loadline-dev/loadline/recommender/advice"
	"github.com/loadline-dev/loadline/recommender/guard"
	"github.com/loadline-dev/loadline/recommender/history"
)

// What the policy of every generated workload allows.
const (
	mostMillis   = 3000
	mostReplicas = 40
)

// workload is one that is sized with a random model's advice, and the most memory that it was ever seen to use.
type workload struct {
	in   recommender.Input
	peak int64
}

// anyWorkload generates a workload with a history that ends at the time of the evidence, another one for each seed.
func anyWorkload(seed uint64, e advice.Evidence) workload {
	r := rand.New(rand.NewPCG(seed, 2))
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	container := testkit.Container("app", pick("100m", "500m", "2"), pick("64Mi", "512Mi", "2Gi"))
	if r.IntN(2) == 0 {
		container.Resources.Limits = testkit.Container("", "", "4Gi").Resources.Requests
	}
	policy := config.Default().Policy
	policy.CPU.Max, policy.Replicas.Max = new(resource.MustParse("3")), new(int32(mostReplicas))
	policy.MaxDemandPercent = new(e.MaxDemandPercent)
	w := workload{in: recommender.Input{
		Target: recommender.Target{Namespace: "shop", Kind: "Deployment", Name: fmt.Sprintf("checkout-%d", seed)}, TargetUID: "uid",
		Settings: v1alpha1.Resolve(v1alpha1.Settings{Mode: v1alpha1.ModeAuto, Replicas: v1alpha1.ReplicasAuto}, v1alpha1.Settings{}, nil, nil, false),
		Policy:   policy, Containers: []corev1.Container{container}, Replicas: int32(1 + r.IntN(20)),
		Nodes: []guard.Node{{Name: "n1", Room: apply.Amounts{CPUMillis: 16_000, MemoryBytes: 64 << 30}}}, ModelConfigured: true,
		Annotations: e.Annotations, Events: e.Events,
		Cadence: recommender.Cadence{Horizon: e.Horizon, Confirm: 6 * time.Hour, StaleAfter: 24 * time.Hour},
	}}
	low, high := r.Float64(), 3*r.Float64()
	memory := testkit.Flat(50<<20 + 3e9*r.Float64())
	if r.IntN(2) == 0 {
		memory = testkit.Daily(50<<20+1e8*r.Float64(), 4e9*r.Float64())
	}
	span := time.Duration([]int{10, 30, 8 * 24, 15 * 24, 28 * 24}[r.IntN(5)]) * time.Hour
	pods, cpu := float64(w.in.Replicas), testkit.Daily(low, low+high)
	bytes := testkit.Usage(e.Now, span, memory)
	w.in.History = history.Workload{Pods: testkit.Usage(e.Now, span, testkit.Flat(pods)), Containers: map[string]history.Container{"app": {
		CPUTotal: testkit.Usage(e.Now, span, func(t time.Time) float64 { return pods * cpu(t) }), CPUHottest: testkit.Usage(e.Now, span, cpu),
		WorkingSet: bytes, RSS: bytes,
	}}}
	for _, v := range slices.Concat(bytes.HourlyMax.Values, bytes.Recent.Values) {
		w.peak = max(w.peak, int64(v))
	}
	w.in.Forecasts = (&recommender.Forecaster{}).Forecasts(w.in, e.Now)
	return w
}

// decide sizes the workload with advice, twice: when the answer comes, and three quarters of an hour later on what was stored
// then.
func (w workload) decide(t *testing.T, e advice.Evidence, a advice.Advice) {
	t.Helper()
	rec := &v1alpha1.Recommendation{}
	for range 2 {
		in := w.in
		in.Evidence, in.ModelAdvice = &e, a
		decision, memory := recommender.Decide(e.Now, in, recommender.MemoryOf(rec.Status))
		rec.Status = recommender.Publication{Now: e.Now, Input: in, Decision: decision, Memory: memory, Previous: rec}.Status()
		w.mustBeSafe(t, e, decision, rec.Status)
		e.Now = e.Now.Add(45 * time.Minute)
		a.InputHash = advice.Hash(e)
	}
}

// mustBeSafe asserts what no advice can change: the policy's bounds, the memory that was seen to be needed, and that each
// adjustment which counts, and its evidence, is stored for people to see.
func (w workload) mustBeSafe(t *testing.T, e advice.Evidence, d recommender.Decision, status v1alpha1.RecommendationStatus) {
	t.Helper()
	if d.Advice.Source != advice.SourceModel {
		t.Errorf("%s: the advice is not used: %s", e.Workload, d.Advice.Reason)
	}
	withinBounds(t, d.Advice, e)
	current := w.in.Containers[0].Resources.Requests
	for _, values := range []*v1alpha1.RevisionedValues{status.Candidate, status.Applicable} {
		if values == nil {
			continue
		}
		for _, c := range values.Containers {
			for _, size := range []v1alpha1.ResourceAmounts{c.Target, c.InPlace} {
				if cpu := size.CPU; cpu != nil && cpu.MilliValue() > max(mostMillis, current.Cpu().MilliValue()) {
					t.Errorf("%s gets %s of CPU, the policy allows %dm", e.Workload, cpu, mostMillis)
				}
				if memory := size.Memory; memory != nil && memory.Value() < min(w.peak, 64<<30) {
					t.Errorf("%s gets %s of memory and was seen to use %d bytes", e.Workload, memory, w.peak)
				}
			}
		}
		if n := values.Replicas; n != nil && *n > max(mostReplicas, w.in.Replicas) {
			t.Errorf("%s gets %d replicas, the policy allows %d", e.Workload, *n, mostReplicas)
		}
	}
	for _, a := range status.Advice.Adjustments {
		if a.Accepted && (len(a.Evidence) == 0 || a.Reason == "" || a.Source == "") {
			t.Errorf("%s: accepted without a recorded reason: %+v", e.Workload, a)
		}
		for _, id := range a.Evidence {
			recorded := slices.ContainsFunc(status.Advice.Evidence, func(e v1alpha1.EvidenceStatus) bool { return e.ID == id && e.Text != "" })
			if a.Accepted && !recorded {
				t.Errorf("%s: %s, which %+v rests on, is not recorded", e.Workload, id, a)
			}
		}
	}
	if recorded := len(status.Advice.Adjustments) + int(status.Advice.Omitted); recorded < len(d.Advice.Accepted) {
		t.Errorf("%s: %d adjustments count and %d are recorded", e.Workload, len(d.Advice.Accepted), recorded)
	}
}
