package main

import (
	"bytes"
	"encoding/gob"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

var midnight = time.Now().UTC().Truncate(24 * time.Hour)

func stream(t testing.TB, all ...series) *bytes.Buffer {
	t.Helper()
	var buf bytes.Buffer
	enc := gob.NewEncoder(&buf)
	for _, s := range all {
		if err := enc.Encode(s); err != nil {
			t.Fatal(err)
		}
	}
	return &buf
}

// read returns the samples of the metric by time.
func read(t *testing.T, dir, metric string) map[int64]float64 {
	t.Helper()
	db, err := tsdb.Open(dir, nil, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	q, err := db.Querier(math.MinInt64, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = q.Close() }()
	samples := map[int64]float64{}
	set := q.Select(t.Context(), false, nil, labels.MustNewMatcher(labels.MatchEqual, "__name__", metric))
	for set.Next() {
		it := set.At().Iterator(nil)
		for it.Next() == chunkenc.ValFloat {
			at, v := it.At()
			samples[at] = v
		}
	}
	if set.Err() != nil {
		t.Fatal(set.Err())
	}
	return samples
}

func TestACounterAddsUpItsRatesOverGapsAndBlocks(t *testing.T) {
	dir := t.TempDir()
	start := midnight.Add(-24*time.Hour - 2*time.Minute)
	s := series{
		Labels: map[string]string{"__name__": "seconds_total"}, Kind: counter, Start: start, Step: time.Minute,
		Values: []float64{0.5, math.NaN(), 1, 2},
	}

	if err := run(t.Context(), dir, stream(t, s)); err != nil {
		t.Fatal(err)
	}

	got := read(t, dir, "seconds_total")
	want := map[int64]float64{
		start.UnixMilli():                      30,
		start.Add(2 * time.Minute).UnixMilli(): 90, // in the next block
		start.Add(3 * time.Minute).UnixMilli(): 210,
	}
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for at, v := range want {
		if got[at] != v {
			t.Errorf("at %d: %v, want %v", at, got[at], v)
		}
	}
}

func TestALaterPieceOfTheSameSeriesStartsAgainAtZero(t *testing.T) {
	dir := t.TempDir()
	name := map[string]string{"__name__": "seconds_total"}
	before := series{Labels: name, Kind: counter, Start: midnight.Add(-time.Hour), Step: time.Minute, Values: []float64{1, 1}}
	after := series{Labels: name, Kind: counter, Start: midnight.Add(-30 * time.Minute), Step: time.Minute, Values: []float64{1}}

	if err := run(t.Context(), dir, stream(t, before, after)); err != nil {
		t.Fatal(err)
	}

	if got := read(t, dir, "seconds_total")[after.Start.UnixMilli()]; got != 60 {
		t.Errorf("after the restart the counter is %v, want 60", got)
	}
}

func TestSeriesThatPrometheusCouldNotUseAreRefused(t *testing.T) {
	named := map[string]string{"__name__": "x"}
	for want, s := range map[string]series{
		"in the future":              {Labels: named, Start: time.Now(), Step: time.Hour, Values: make([]float64, 2)},
		"__name__ is missing":        {Start: midnight, Step: time.Minute},
		"kind 7 is unknown":          {Labels: named, Kind: 7, Step: time.Minute},
		"step 0s is below one milli": {Labels: named},
	} {
		if err := run(t.Context(), t.TempDir(), stream(t, s)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got: %v", want, err)
		}
	}
}

// BenchmarkTwoWeeks writes 14 days of a hundred containers, two metrics at one
// sample a minute.
func BenchmarkTwoWeeks(b *testing.B) {
	var all []series
	values := make([]float64, 14*24*60)
	for i := range values {
		values[i] = 0.3 + 0.2*math.Sin(float64(i)/229) + 0.01*math.Sin(float64(i*i))
	}
	start := time.Now().Add(-14 * 24 * time.Hour)
	for i := range 200 {
		all = append(all, series{Labels: map[string]string{"__name__": "x", "i": string(rune('A' + i))}, Kind: i % 2, Start: start, Step: time.Minute, Values: values})
	}
	input := stream(b, all...).Bytes()
	for b.Loop() {
		if err := run(b.Context(), b.TempDir(), bytes.NewReader(input)); err != nil {
			b.Fatal(err)
		}
	}
}
