package history_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/loadline-dev/loadline/recommender/history"
)

// flatNamespace is a Querier with one pod of each workload, all of them at one core or byte.
type flatNamespace struct{ workloads int }

func (q flatNamespace) QueryRange(_ context.Context, _ string, over promv1.Range, _ ...promv1.Option) (
	model.Value, promv1.Warnings, promv1.Infos, error,
) {
	matrix := make(model.Matrix, 0, q.workloads*4)
	for i := range q.workloads {
		for c := range 4 {
			stream := &model.SampleStream{Metric: model.Metric{
				"namespace": "shop", "pod": model.LabelValue(fmt.Sprintf("db-%d-0", i)), "container": model.LabelValue(fmt.Sprintf("c%d", c)),
			}}
			for at := over.Start; !at.After(over.End); at = at.Add(over.Step) {
				stream.Values = append(stream.Values, model.SamplePair{Timestamp: model.TimeFromUnix(at.Unix()), Value: 1})
			}
			matrix = append(matrix, stream)
		}
	}
	return matrix, nil, nil, nil
}

func flat(tb testing.TB, workloads int) (*history.Reader, []history.Target) {
	tb.Helper()
	o := options()
	o.Querier = flatNamespace{workloads}
	r, err := history.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	targets := make([]history.Target, workloads)
	for i := range targets {
		targets[i] = history.Target{Kind: "StatefulSet", Name: fmt.Sprintf("db-%d", i)}
	}
	return r, targets
}

// BenchmarkMemory reports the live bytes per container, at four containers to a workload.
func BenchmarkMemory(b *testing.B) {
	const workloads = 250
	for b.Loop() {
		before := liveBytes()
		r, targets := flat(b, workloads)
		if err := r.Sync(b.Context(), "shop", targets, start); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(liveBytes()-before)/(4*workloads), "bytes/container")
		runtime.KeepAlive(r)
	}
}

func liveBytes() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkSync is the read of five new minutes of a namespace of 1,000 containers, without the time of Prometheus and of
// decoding its answer.
func BenchmarkSync(b *testing.B) {
	r, targets := flat(b, 250)
	now := start
	for b.Loop() {
		if err := r.Sync(b.Context(), "shop", targets, now); err != nil {
			b.Fatal(err)
		}
		now = now.Add(5 * time.Minute)
	}
}

// BenchmarkGet copies the history of a workload with four containers.
func BenchmarkGet(b *testing.B) {
	r, targets := flat(b, 1)
	if err := r.Sync(b.Context(), "shop", targets, start); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := r.Get("shop", "StatefulSet", "db-0"); !ok {
			b.Fatal("no history")
		}
	}
}

// BenchmarkDecode decodes an answer of a day of 100 containers, with the client that is used.
func BenchmarkDecode(b *testing.B) {
	var body strings.Builder
	body.WriteString(`{"status":"success","data":{"resultType":"matrix","result":[`)
	for i := range 100 {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"metric":{"namespace":"shop","pod":"db-%d","container":"app"},"values":[`, i)
		for s := range 288 {
			fmt.Fprintf(&body, `[%d,"0.12345678%d"],`, start.Unix()+int64(s)*300, s)
		}
		fmt.Fprintf(&body, `[%d,"1"]]}`, start.Unix()+288*300)
	}
	body.WriteString(`]}}`)
	f := newFakePrometheus(b)
	f.misbehave(answer(200, body.String()))
	client, err := history.NewClient(history.ClientOptions{URL: f.server.URL})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(body.Len()))
	for b.Loop() {
		if _, _, _, err := client.QueryRange(b.Context(), "up", promv1.Range{Start: start, End: start, Step: time.Minute}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(100*289), "ns/sample")
}
