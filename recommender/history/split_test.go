package history_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/recommender/history"
)

// randomNamespace is a Querier with pods that come and go, with holes and odd values, the same for the same seed.
type randomNamespace struct {
	seed uint64
	pods []string
}

func (q randomNamespace) QueryRange(_ context.Context, query string, over promv1.Range, _ ...promv1.Option) (
	model.Value, promv1.Warnings, promv1.Infos, error,
) {
	var matrix model.Matrix
	for p, pod := range q.pods {
		for _, container := range []string{"app", "proxy"} {
			stream := &model.SampleStream{Metric: model.Metric{"namespace": "shop", "pod": model.LabelValue(pod), "container": model.LabelValue(container)}}
			for at := over.Start; !at.After(over.End); at = at.Add(over.Step) {
				if v, ok := q.at(uint64(p), uint64(len(container)), uint64(len(query)), at); ok {
					stream.Values = append(stream.Values, model.SamplePair{Timestamp: model.TimeFromUnix(at.Unix()), Value: model.SampleValue(v)})
				}
			}
			if len(stream.Values) > 0 {
				matrix = append(matrix, stream)
			}
		}
	}
	return matrix, nil, nil, nil
}

func (q randomNamespace) at(pod, container, query uint64, at time.Time) (float64, bool) {
	born := q.dice(pod, 1, 0) % (3 * 24 * 12) // Each pod lives for some of the time.
	age := 1 + q.dice(pod, 2, 0)%(2*24*12)
	slot := uint64(at.Unix()/300 - start.Add(-3*24*time.Hour).Unix()/300)
	if slot < born || slot > born+age {
		return 0, false
	}
	thrown := q.dice(pod*7+container, query, uint64(at.Unix()))
	return float64(thrown%4096) / 1024, thrown>>32%5 != 0
}

// dice mixes its arguments into a number that looks random (the finalizer of SplitMix64).
func (q randomNamespace) dice(a, b, c uint64) uint64 {
	x := q.seed + a*0x9e3779b97f4a7c15 + b*0xbf58476d1ce4e5b9 + c*0x94d049bb133111eb
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func TestAnySplitOfTheTimeGivesTheSameHistory(t *testing.T) {
	targets := []history.Target{
		{Kind: "Deployment", Name: "api"}, {Kind: "StatefulSet", Name: "db"}, {Kind: "DaemonSet", Name: "agent"},
	}
	pods := []string{pod1, pod2, old1, "db-0", "db-1", "agent-x2k9z", "stranger"}
	rapid.Check(t, func(t *rapid.T) {
		o := options()
		o.Querier = randomNamespace{rapid.Uint64().Draw(t, "seed"), pods}
		o.Backfill = 60 * time.Hour
		end := start.Add(time.Duration(rapid.IntRange(0, 23).Draw(t, "minutes past")) * time.Minute)

		whole := read(t, o, []time.Time{end}, targets)
		o.Chunk = time.Duration(rapid.IntRange(12, 700).Draw(t, "slots in a chunk")) * 5 * time.Minute
		o.Overlap = time.Duration(rapid.IntRange(0, 24).Draw(t, "slots of overlap")) * 5 * time.Minute
		var times []time.Time
		at := end.Add(-time.Duration(rapid.IntRange(0, 36*60).Draw(t, "minutes before")) * time.Minute)
		for ; at.Before(end); at = at.Add(time.Duration(rapid.IntRange(1, 30*60).Draw(t, "minutes on")) * time.Minute) {
			times = append(times, at)
		}
		times = append(times, end)
		// All begin where the one read began.
		o.Backfill = times[0].Truncate(5 * time.Minute).Sub(end.Add(-o.Backfill).Truncate(time.Hour))
		split := read(t, o, times, targets)
		for name, want := range whole {
			if diff := equalHistory(want, split[name]); diff != "" {
				t.Fatalf("%s differs after reads at %v (-at once +in parts):\n%s", name, times, diff)
			}
		}
	})
}

func read(t *rapid.T, o history.Options, times []time.Time, targets []history.Target) map[string]history.Workload {
	r, err := history.New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, now := range times {
		if err := r.Sync(context.Background(), "shop", targets, now); err != nil {
			t.Fatal(err)
		}
	}
	all := map[string]history.Workload{}
	for _, target := range targets {
		if w, ok := r.Get("shop", target.Kind, target.Name); ok {
			all[fmt.Sprintf("%s/%s", target.Kind, target.Name)] = w
		}
	}
	return all
}
