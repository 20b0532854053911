package history_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/loadline-dev/loadline/recommender/history"
)

// A CronJob that runs for a quarter of an hour every hour; each run needs a little more than the one before.
func TestTheLastTwentyRunsOfACronJobAreToldApart(t *testing.T) {
	const every, length = time.Hour, 15 * time.Minute
	var series []fakeSeries
	for i := range 30 {
		scheduled := start.Add(-time.Duration(30-i) * every)
		pod := fmt.Sprintf("report-%d-x2k9z", scheduled.Unix()/60)
		during := func(v float64) func(time.Time) (float64, bool) {
			return func(at time.Time) (float64, bool) {
				if at.Sub(scheduled) == length { // The last five minutes are the busiest.
					v *= 2
				}
				return v, at.After(scheduled) && !at.After(scheduled.Add(length))
			}
		}
		series = append(series, fakeSeries{cpuMetric, pod, "app", during(float64(i + 1))}, fakeSeries{memoryMetric, pod, "app", during(float64(i+1) * (1 << 20))})
	}
	f := newFakePrometheus(t, series...)
	r := f.reader(t)
	report := history.Target{Kind: "CronJob", Name: "report"}
	sync1(t, r, start, report)
	runs := get(t, r, report).Runs
	if len(runs) != 20 || !runs[0].Scheduled.Equal(start.Add(-20*every)) || !runs[19].Scheduled.Equal(start.Add(-every)) {
		t.Fatalf("%d runs, want the last 20: %+v", len(runs), runs)
	}
	peak := runs[19].Containers["app"]
	if peak.CPU < 30 || peak.WorkingSet < 30<<20 || !math.IsNaN(peak.RSS) {
		t.Errorf("the last run used %+v", peak)
	}
	sync1(t, r, start.Add(10*time.Minute), report)
	if again := get(t, r, report).Runs; len(again) != 20 || again[19].Containers["app"].CPU != peak.CPU {
		t.Errorf("later the runs are others: %+v", again)
	}
}
