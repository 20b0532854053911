package history_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/loadline-dev/loadline/recommender/history"
)

func TestTotalAndHottestOverThePods(t *testing.T) {
	f := newFakePrometheus(t,
		fakeSeries{cpuMetric, pod1, "app", always(0.5)},
		fakeSeries{cpuMetric, pod2, "app", always(1.5)},
		fakeSeries{memoryMetric, pod1, "app", always(100 << 20)},
		fakeSeries{memoryMetric, pod2, "app", always(300 << 20)},
		fakeSeries{rssMetric, pod1, "app", always(90 << 20)},
		fakeSeries{throttledMetric, pod2, "app", always(2)},
		fakeSeries{periodsMetric, pod2, "app", always(8)},
	)
	r := f.reader(t)
	sync1(t, r, start, api)
	w := get(t, r, api)
	c := w.Containers["app"]
	for name, got := range map[string]struct{ got, want float64 }{
		"CPU total, cores":            {last(c.CPUTotal.HourlyMean.Values), 2},
		"CPU of the hottest, cores":   {last(c.CPUHottest.Recent.Values), 1.5},
		"working set of the hottest":  {last(c.WorkingSet.HourlyMax.Values), 300 << 20},
		"RSS of the hottest":          {last(c.RSS.HourlyMax.Values), 90 << 20},
		"throttled share of a pod":    {last(c.Throttled.Recent.Values), 0.25},
		"pods":                        {last(w.Pods.HourlyMax.Values), 2},
		"hours known":                 {float64(c.CPUTotal.KnownHours()), 72},
		"five-minute values known":    {float64(c.CPUTotal.Recent.Known()), 288},
		"throttled hours, never kept": {float64(c.Throttled.HourlyMax.Len()), 0},
	} {
		if got.got != got.want {
			t.Errorf("%s: got %v, want %v", name, got.got, got.want)
		}
	}
	if !w.Until.Equal(start) || !w.From.Equal(start.Add(-72*time.Hour)) {
		t.Errorf("history from %v until %v, want the three days until %v", w.From, w.Until, start)
	}
}

func TestAShareOfThrottledPeriodsIsKnownWhereBothNumbersAre(t *testing.T) {
	sinceLastHour := func(at time.Time) (float64, bool) { return 0, at.After(start.Add(-time.Hour)) }
	f := newFakePrometheus(t,
		fakeSeries{cpuMetric, pod1, "app", always(1)},
		fakeSeries{throttledMetric, pod1, "app", sinceLastHour},
		fakeSeries{periodsMetric, pod1, "app", always(0)},
	)
	r := f.reader(t)
	sync1(t, r, start, api)
	got := get(t, r, api).Containers["app"].Throttled.Recent
	if known := got.Known(); known != 12 || last(got.Values) != 0 {
		t.Errorf("%d shares are known, the last is %v, want a 0 for each five minutes of the last hour", known, last(got.Values))
	}
}

func TestAnHourHasTheMeanAndTheMaximumOfItsFiveMinutes(t *testing.T) {
	// Within the hour from 11:00, evaluations at 11:05 … 12:00 say 1 … 12.
	f := newFakePrometheus(t, fakeSeries{cpuMetric, pod1, "app", func(at time.Time) (float64, bool) {
		return at.Sub(start.Add(-time.Hour)).Minutes() / 5, at.After(start.Add(-time.Hour))
	}})
	r := f.reader(t)
	sync1(t, r, start.Add(7*time.Minute), api)
	cpu := get(t, r, api).Containers["app"].CPUTotal

	if diff := cmp.Diff([]float32{6.5}, cpu.HourlyMean.Values); diff != "" {
		t.Errorf("hourly mean (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]float32{12}, cpu.HourlyMax.Values); diff != "" {
		t.Errorf("hourly maximum (-want +got):\n%s", diff)
	}
	if !cpu.HourlyMax.Start.Equal(start.Add(-time.Hour)) {
		t.Errorf("the hour starts at %v", cpu.HourlyMax.Start)
	}
	// The running hour is in Recent only: 12:00 to 12:05.
	if got := last(cpu.Recent.Values); got != 13 || !cpu.Recent.End().Equal(start.Add(5*time.Minute)) {
		t.Errorf("the newest value is %v until %v, want 13 until 12:05", got, cpu.Recent.End())
	}
}

func TestRolloutsKeepHistory(t *testing.T) {
	f := newFakePrometheus(t,
		fakeSeries{cpuMetric, old1, "app", constant(3, start.Add(-72*time.Hour), start.Add(-24*time.Hour))},
		fakeSeries{cpuMetric, pod1, "app", constant(1, start.Add(-24*time.Hour+5*time.Minute), start)},
	)
	r := f.reader(t)
	sync1(t, r, start, history.Target{Kind: "Deployment", Name: "api", Pods: []string{pod1}})
	cpu := get(t, r, api).Containers["app"].CPUTotal
	if cpu.KnownHours() != 72 || cpu.HourlyMax.Values[10] != 3 || last(cpu.HourlyMax.Values) != 1 {
		t.Errorf("got %d hours, %v in the old pod's time and %v now; want 72, 3 and 1",
			cpu.KnownHours(), cpu.HourlyMax.Values[10], last(cpu.HourlyMax.Values))
	}
}

func TestTwoScrapersOfOnePodCountOnce(t *testing.T) {
	f := newFakePrometheus(t,
		fakeSeries{cpuMetric, pod1, "app", always(1)},
		fakeSeries{cpuMetric, pod1, "app", always(1.1)},
	)
	r := f.reader(t)
	sync1(t, r, start, api)
	w := get(t, r, api)
	if got := last(w.Containers["app"].CPUTotal.Recent.Values); got != float64(float32(1.1)) {
		t.Errorf("total is %v cores, want 1.1: the same pod was counted twice", got)
	}
	if got := last(w.Pods.Recent.Values); got != 1 {
		t.Errorf("got %v pods, want 1", got)
	}
}

func TestAGapIsUnknownAndNotZero(t *testing.T) {
	gap := func(at time.Time) (float64, bool) {
		return 1, at.Before(start.Add(-5*time.Hour)) || at.After(start.Add(-2*time.Hour))
	}
	f := newFakePrometheus(t, fakeSeries{cpuMetric, pod1, "app", gap}, fakeSeries{memoryMetric, pod1, "app", gap})
	r := f.reader(t)
	sync1(t, r, start, api)
	w := get(t, r, api)
	inGap := w.Containers["app"].CPUTotal.HourlyMax.Len() - 4
	for name, v := range map[string]float32{
		"CPU": w.Containers["app"].CPUTotal.HourlyMax.Values[inGap], "pods": w.Pods.HourlyMax.Values[inGap],
	} {
		if !isNaN(v) {
			t.Errorf("%s in the gap is %v, want NaN", name, v)
		}
	}
}

func TestNoPodsIsZeroWhereOthersWereSeen(t *testing.T) {
	scaledDown := constant(1, start.Add(-72*time.Hour), start.Add(-4*time.Hour))
	f := newFakePrometheus(t,
		fakeSeries{cpuMetric, pod1, "app", scaledDown},
		fakeSeries{cpuMetric, "other-0", "app", always(1)}, // A workload that nobody asked for will do.
	)
	r := f.reader(t)
	sync1(t, r, start, api)
	w := get(t, r, api)
	if got := last(w.Pods.Recent.Values); got != 0 {
		t.Errorf("got %v pods, want 0: other pods were seen and none of this workload", got)
	}
	if got := last(w.Containers["app"].CPUTotal.Recent.Values); !math.IsNaN(got) {
		t.Errorf("CPU total is %v, want NaN: nothing ran", got)
	}
}

func TestNothingIsReadTwiceButTheOverlap(t *testing.T) {
	f := newFakePrometheus(t, fakeSeries{cpuMetric, pod1, "app", always(1)})
	r := f.reader(t)
	sync1(t, r, start, api)
	for _, ask := range f.asked() {
		if ask.span() > 24*time.Hour {
			t.Errorf("a query over %v, want at most the chunk of 24h", ask.span())
		}
	}
	sync1(t, r, start.Add(4*time.Minute), api)
	if asked := f.asked(); len(asked) != 0 {
		t.Errorf("%d queries within the same five minutes, want none", len(asked))
	}
	sync1(t, r, start.Add(5*time.Minute), api)
	asked := f.asked()
	if len(asked) != 5 {
		t.Errorf("%d queries for one namespace and five minutes, want 5", len(asked))
	}
	for _, ask := range asked {
		// The new value at 12:05, and again 11:55 and 12:00.
		if !ask.start.Equal(start.Add(-5*time.Minute)) || !ask.end.Equal(start.Add(5*time.Minute)) {
			t.Errorf("asked from %v to %v, want 11:55 to 12:05", ask.start, ask.end)
		}
	}
}

func TestLateSamplesAreFound(t *testing.T) {
	// The server's clock, or its remote write, is 35 minutes behind: more than the overlap.
	arrived := start.Add(-35 * time.Minute)
	f := newFakePrometheus(t, fakeSeries{cpuMetric, pod1, "app", func(at time.Time) (float64, bool) {
		return 1, !at.After(arrived)
	}})
	r := f.reader(t)
	sync1(t, r, start, api)
	if cpu := get(t, r, api).Containers["app"].CPUTotal.Recent; cpu.Known() != 288-7 {
		t.Fatalf("%d values known, want all but the last 7", cpu.Known())
	}
	arrived = start.Add(5 * time.Minute)
	sync1(t, r, start.Add(5*time.Minute), api)
	if cpu := get(t, r, api).Containers["app"].CPUTotal.Recent; cpu.Known() != 288 {
		t.Errorf("%d values known after the late samples arrived, want 288", cpu.Known())
	}
}

func TestAValueOnceSeenIsNotLoweredByALaterAnswer(t *testing.T) {
	// One of two replicas behind a load balancer has a hole and sees less.
	value := 2.0
	f := newFakePrometheus(t, fakeSeries{memoryMetric, pod1, "app", func(time.Time) (float64, bool) { return value, value > 0 }})
	r := f.reader(t)
	sync1(t, r, start, api)
	for _, value = range []float64{1, 0} {
		sync1(t, r, start.Add(5*time.Minute), api)
	}
	recent := get(t, r, api).Containers["app"].WorkingSet.Recent.Values
	if recent[len(recent)-2] != 2 {
		t.Errorf("the value of 11:55 became %v, want 2", recent[len(recent)-2])
	}
}

func TestAWorkloadThatIsAddedLaterGetsItsPast(t *testing.T) {
	f := newFakePrometheus(t,
		fakeSeries{cpuMetric, pod1, "app", always(1)},
		fakeSeries{cpuMetric, "db-0", "postgres", always(4)},
		fakeSeries{cpuMetric, "oddly.named", "postgres", always(2)},
	)
	r := f.reader(t)
	sync1(t, r, start, api)
	f.asked()
	db := history.Target{Kind: "StatefulSet", Name: "db", Pods: []string{"oddly.named"}}
	sync1(t, r, start, api, db)
	for _, ask := range f.asked() {
		if matches(map[string]string{"namespace": "shop", "container": "app", "pod": pod1}, ask.query) {
			t.Errorf("the past of api was read again: %s", ask.query)
		}
	}
	cpu := get(t, r, db).Containers["postgres"].CPUTotal
	if cpu.KnownHours() != 72 || last(cpu.HourlyMax.Values) != 6 {
		t.Errorf("db has %d hours and %v cores, want 72 and 6", cpu.KnownHours(), last(cpu.HourlyMax.Values))
	}
	sync1(t, r, start.Add(5*time.Minute), api, db)
	if got := get(t, r, db).Until; !got.Equal(start.Add(5 * time.Minute)) {
		t.Errorf("db was read until %v, want until the newest", got)
	}
}

func TestAForgottenWorkloadIsGoneAndCanComeBack(t *testing.T) {
	f := newFakePrometheus(t, fakeSeries{cpuMetric, pod1, "app", always(1)})
	r := f.reader(t)
	sync1(t, r, start, api)
	r.Forget("shop", api.Kind, api.Name)
	r.Forget("nowhere", api.Kind, api.Name)
	if _, ok := r.Get("shop", api.Kind, api.Name); ok {
		t.Error("a forgotten workload is still there")
	}
	sync1(t, r, start, api)
	if w := get(t, r, api); w.Containers["app"].CPUTotal.KnownHours() != 72 {
		t.Error("its history did not come back")
	}
}

func TestWhatNobodyAsksForIsDroppedAfterADay(t *testing.T) {
	f := newFakePrometheus(t, fakeSeries{cpuMetric, pod1, "app", always(1)}, fakeSeries{cpuMetric, "db-0", "app", always(1)})
	r := f.reader(t)
	db := history.Target{Kind: "StatefulSet", Name: "db"}
	sync1(t, r, start, api, db)
	sync1(t, r, start.Add(20*time.Hour), db)
	if w := get(t, r, api); !w.Until.Equal(start.Add(20 * time.Hour)) {
		t.Errorf("api was left out of one list and stopped at %v", w.Until)
	}
	sync1(t, r, start.Add(25*time.Hour), db)
	if _, ok := r.Get("shop", api.Kind, api.Name); ok {
		t.Error("a workload that nobody asked for in 25 hours is still there")
	}
	if err := r.Sync(t.Context(), "bank", nil, start.Add(51*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.Get("shop", db.Kind, db.Name); ok {
		t.Error("a namespace that nobody asked for in 26 hours is still there")
	}
}

func TestWithoutAnySampleThereIsNoHistory(t *testing.T) {
	r := newFakePrometheus(t).reader(t)
	sync1(t, r, start, api)
	if w, ok := r.Get("shop", api.Kind, api.Name); ok {
		t.Errorf("got a history of nothing: %+v", w)
	}
}

func TestHistoryIsBoundedTo28Days(t *testing.T) {
	f := newFakePrometheus(t, fakeSeries{cpuMetric, pod1, "app", always(1)})
	r := f.reader(t, func(o *history.Options, _ *history.ClientOptions) { o.Backfill = 0 })
	sync1(t, r, start, api)
	for range 3 { // A week at a time, with Prometheus away in between.
		now := get(t, r, api).Until.Add(7*24*time.Hour + 25*time.Minute)
		sync1(t, r, now, api)
	}
	w := get(t, r, api)
	cpu := w.Containers["app"].CPUTotal
	if cpu.HourlyMax.Len() != 671 || cpu.KnownHours() != 671 || cpu.Recent.Known() != 288 {
		t.Errorf("%d hours, %d known, %d recent; want 671 whole hours beside the running one, all known, and 288",
			cpu.HourlyMax.Len(), cpu.KnownHours(), cpu.Recent.Known())
	}
	if !w.Pods.HourlyMax.Start.Equal(cpu.HourlyMax.Start) || w.Pods.Recent.Len() != cpu.Recent.Len() {
		t.Error("pods and CPU do not start alike")
	}
}

func TestAContainerGoneFor28DaysIsDropped(t *testing.T) {
	f := newFakePrometheus(t,
		fakeSeries{cpuMetric, pod1, "app", always(1)},
		fakeSeries{cpuMetric, pod1, "removed-sidecar", constant(1, start.Add(-time.Hour), start)},
	)
	r := f.reader(t)
	sync1(t, r, start, api)
	if _, ok := get(t, r, api).Containers["removed-sidecar"]; !ok {
		t.Fatal("the container is not there to begin with")
	}
	sync1(t, r, start.Add(29*24*time.Hour), api)
	if _, ok := get(t, r, api).Containers["removed-sidecar"]; ok {
		t.Error("a container that was last seen 29 days ago is still there")
	}
}

func TestAClockThatWentBackReadsAnew(t *testing.T) {
	f := newFakePrometheus(t, fakeSeries{cpuMetric, pod1, "app", always(1)})
	r := f.reader(t)
	sync1(t, r, start.Add(48*time.Hour), api)
	sync1(t, r, start, api)
	if got := get(t, r, api).Until; !got.Equal(start) {
		t.Errorf("history ends at %v, in a time that has not come", got)
	}
	if err := r.Sync(t.Context(), "shop", []history.Target{api}, time.Time{}); err == nil {
		t.Error("a clock without a time was accepted")
	}
}

func TestGetReturnsACopy(t *testing.T) {
	f := newFakePrometheus(t, fakeSeries{cpuMetric, pod1, "app", always(1)})
	r := f.reader(t)
	sync1(t, r, start, api)
	first := get(t, r, api)
	clear(first.Containers["app"].CPUTotal.HourlyMax.Values)
	if got := last(get(t, r, api).Containers["app"].CPUTotal.HourlyMax.Values); got != 1 {
		t.Errorf("a caller's change reached the store: %v", got)
	}
}

func TestQueriesSayWhatTheTemplateSays(t *testing.T) {
	f := newFakePrometheus(t, fakeSeries{cpuMetric, pod1, "app", always(1)})
	r := f.reader(t, func(o *history.Options, _ *history.ClientOptions) {
		o.ExtraMatchers = `cluster="prod"`
		o.Labels = history.Labels{Namespace: "exported_namespace", Pod: "exported_pod", Container: "name"}
		o.RateWindow = 10 * time.Minute
		o.Queries.RSS, o.Queries.Periods, o.Queries.ThrottledPeriods = "", "", ""
	})
	sync1(t, r, start, api)
	asked := map[string]bool{}
	for _, ask := range f.asked() {
		asked[ask.query] = true
	}
	const selector = `{exported_namespace="shop",name!="",name!="POD",cluster="prod"}`
	want := map[string]bool{
		`max by (exported_namespace,exported_pod,name) (rate(container_cpu_usage_seconds_total` + selector + `[10m]))`:          true,
		`max by (exported_namespace,exported_pod,name) (max_over_time(container_memory_working_set_bytes` + selector + `[5m]))`: true,
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("queries (-want +got):\n%s", diff)
	}
}

func TestALongWorkloadNameIsFoundWhenAddedLater(t *testing.T) {
	name := strings.Repeat("a", 57) + ".b"
	pod := (name + "-6d4cf56db6-")[:58] + "x2k9z"
	f := newFakePrometheus(t, fakeSeries{cpuMetric, pod1, "app", always(1)}, fakeSeries{cpuMetric, pod, "app", always(1)})
	r := f.reader(t)
	sync1(t, r, start, api)
	long := history.Target{Kind: "Deployment", Name: name}
	sync1(t, r, start, api, long)
	if get(t, r, long).Containers["app"].CPUTotal.KnownHours() != 72 {
		t.Error("the pods whose names were cut off were not found")
	}
}

// equalHistory returns the difference, with NaN equal to NaN.
func equalHistory(a, b history.Workload) string {
	return cmp.Diff(a, b, cmp.Comparer(func(a, b []float32) bool {
		return slices.EqualFunc(a, b, func(a, b float32) bool { return a == b || isNaN(a) && isNaN(b) })
	}))
}
