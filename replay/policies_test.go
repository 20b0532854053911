package replay

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/forecast"
)

func TestKRRTakesThePercentileOfTwoWeeksAndTheirMaximum(t *testing.T) {
	w := constant("web", 20, 0.1, gib)
	w.CPU[0], w.Memory[0] = 9, 9*gib // Too long ago to count.
	for i := range 14 * keptSteps / 10 {
		w.CPU[5*keptSteps+i] = 1 // A tenth of what counts.
	}
	w.Memory[6*keptSteps] = 2 * gib
	got := newKRR(krrQuantile)(newTrace(&w, monday), 19*keptSteps).want(19*keptSteps, pod{have: Amounts{1, 1}})
	if want := (Amounts{CPUMillis: 1000, MemoryBytes: wholeMiB(2 * gib * 1.15)}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestKRRIsAppliedOnceADayAndNotForATrifle(t *testing.T) {
	w := daily("web", 8, 1)
	for i := 5 * keptSteps; i < len(w.CPU); i++ {
		w.CPU[i] *= 3
	}
	kept, _ := record(&w, KRRPolicy, Options{Warmup: 48 * time.Hour})
	for i := range kept.wants {
		if kept.wants[i] != kept.have[i] && i%krrEvery != 0 {
			t.Errorf("changed %d steps after midnight", i%krrEvery)
		}
		if kept.wants[i] != kept.have[i] && !moved(kept.have[i], kept.wants[i], krrLeastShare) {
			t.Errorf("changed from %+v to %+v", kept.have[i], kept.wants[i])
		}
	}
}

func TestTheOracleFollowsTheClock(t *testing.T) {
	w := daily("web", 3, 1)
	o := Options{Warmup: 24 * time.Hour, Start: monday.Add(20 * time.Minute)}
	kept, _ := record(&w, OraclePolicy, o)
	for i := range kept.wants {
		at := o.Start.Add(12*time.Hour + time.Duration(i)*Step)
		if kept.wants[i] != kept.have[i] && i > 0 && at.Minute() != 0 {
			t.Errorf("changed at %s", at.Format(time.TimeOnly))
		}
	}
}

// What Loadline sees must be what recommender/history stores: hours are whole and aligned to the clock, 28 days of them, the
// running one included in the count, and the steps of 24 hours.
func TestLoadlineSeesWhatWouldBeStored(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := rapid.IntRange(2*keptSteps, 31*keptSteps).Draw(t, "steps")
		w := anyWorkload(t, "any", steps)
		tr := newTrace(&w, monday.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "offset"))*Step))
		i := rapid.IntRange(stepsPerHour, steps).Draw(t, "step")
		l := newLoadline(loadlineOptions{})(tr, keptSteps).(*loadline)
		l.look(i)
		until := tr.at(i)
		got := l.containers[container]
		oldest := until.Add(-Step).Truncate(time.Hour).Add(-(keptHours - 1) * time.Hour)
		first := tr.start
		if oldest.After(first) {
			first = oldest
		}
		if !l.input.History.From.Equal(first) || !l.input.History.Until.Equal(until) {
			t.Fatalf("from %s to %s, want %s to %s", l.input.History.From, l.input.History.Until, first, until)
		}
		want := stored(tr, w.CPU, first, until)
		if diff := cmp.Diff(want, got.CPUTotal, cmpopts.EquateNaNs()); diff != "" {
			t.Fatalf("CPU (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(stored(tr, w.Memory, first, until), got.WorkingSet, cmpopts.EquateNaNs()); diff != "" {
			t.Fatalf("memory (-want +got):\n%s", diff)
		}
		if l.input.History.Pods.HourlyMax.Len() != want.HourlyMax.Len() || l.input.History.Pods.Recent.Len() != want.Recent.Len() {
			t.Fatal("the number of pods covers another time than their use")
		}
	})
}

// stored computes from the samples what is stored of them.
func stored(tr *trace, values []float32, first, until time.Time) forecast.Usage {
	hour := first.Truncate(time.Hour)
	u := forecast.Usage{
		HourlyMean: forecast.Series{Start: hour, Step: time.Hour, Values: []float32{}},
		HourlyMax:  forecast.Series{Start: hour, Step: time.Hour, Values: []float32{}},
	}
	for ; !hour.Add(time.Hour).After(until); hour = hour.Add(time.Hour) {
		sum, n, most := 0.0, 0, math.NaN()
		for i, v := range values {
			if at := tr.at(i); !at.Before(hour) && at.Before(hour.Add(time.Hour)) && v == v {
				sum, n, most = sum+float64(v), n+1, math.Max(float64(v), orZero(most))
			}
		}
		u.HourlyMean.Values = append(u.HourlyMean.Values, float32(sum/float64(n)))
		u.HourlyMax.Values = append(u.HourlyMax.Values, float32(most))
	}
	recent := until.Add(-24 * time.Hour)
	if recent.Before(tr.start) {
		recent = tr.start
	}
	from, to := int(recent.Sub(tr.start)/Step), int(until.Sub(tr.start)/Step)
	u.Recent = forecast.Series{Start: recent, Step: Step, Values: values[from:to]}
	return u
}

func orZero(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}

func TestLoadlineLearnsFromAKill(t *testing.T) {
	w := constant("leak", 16, 0.5, gib)
	for i := 15 * keptSteps; i < len(w.Memory); i++ {
		w.Memory[i] = 2 * gib
	}
	o := Options{Policies: []string{LoadlineInPlace}, Warmup: 14 * 24 * time.Hour, CurrentKnown: true}
	w.Current = Amounts{CPUMillis: 1000, MemoryBytes: wholeMiB(1.5 * gib)}
	kept, _ := record(&w, LoadlineInPlace, o)
	last := kept.wants[len(kept.wants)-1]
	if last.MemoryBytes < 2*gib {
		t.Errorf("a day after the kill at 1.5 GiB the request is %d", last.MemoryBytes)
	}
}

func TestLoadlineIsToldOfARaiseThatIsPending(t *testing.T) {
	w := daily("web", 4, 1)
	l := newLoadline(loadlineOptions{})(newTrace(&w, monday), keptSteps).(*loadline)
	if got := l.pending(pod{pendingSince: -1}); got != nil {
		t.Errorf("nothing is pending and it is told of %v", got)
	}
	if got := l.pending(pod{pendingSince: 12}); !got[container].Equal(monday.Add(time.Hour)) {
		t.Errorf("pending since an hour after the start: %v", got)
	}
}

func TestARowDoesNotDependOnTheOtherRows(t *testing.T) {
	w := daily("web", 5, 1)
	o := Options{Warmup: 72 * time.Hour, Cadence: time.Hour}
	all := swept(t, o, w)
	for i, want := range all.Policies {
		o.Policies = []string{want.Policy}
		alone := swept(t, o, w)
		if diff := cmp.Diff(want, alone.Policies[0]); diff != "" {
			t.Errorf("%s beside the others and alone:\n%s", want.Policy, diff)
		}
		if diff := cmp.Diff(all.Sweeps[i].Points, alone.Sweeps[0].Points); diff != "" {
			t.Errorf("%s, its knob turned, beside the others and alone:\n%s", want.Policy, diff)
		}
	}
}

func TestLoadlineWithoutForecastHasNone(t *testing.T) {
	w := daily("web", 5, 1)
	for name, want := range map[string]bool{LoadlineInPlace: true, LoadlineEvict: true, LoadlineNoForecast: false} {
		kept, _ := record(&w, name, Options{Warmup: 96 * time.Hour})
		if got := len(kept.policy.(*loadline).input.Forecasts) > 0; got != want {
			t.Errorf("%s forecasts: %v", name, got)
		}
	}
}

// months is a workload whose history is long enough for every forecast: a day's rhythm whose peak differs from day to day.
func months(days int) Workload {
	w := daily("shop", days, 2)
	for i := range w.CPU {
		day := float64(i / keptSteps)
		w.CPU[i] *= float32(1 + 0.25*math.Sin(2.3*day))
	}
	return w
}

// weeks are options under which months(16) is scored on its last day.
func weeks(policies ...string) Options {
	return Options{Policies: policies, Warmup: 15 * 24 * time.Hour}
}

func TestRunningPodsFollowABoundThatDoesNotKnowTheFuture(t *testing.T) {
	w := months(16)
	kept, _ := record(&w, LoadlineInPlace, weeks())
	bound := kept.policy.(*loadline).input.Forecasts[container].NextHour
	if !bound.Known() {
		t.Fatal("after 16 days there is no bound of the hour")
	}
	const from = 15*keptSteps + keptSteps/2 + 7 // In the middle of an hour.
	changed := w
	changed.CPU, changed.Memory = slices.Clone(w.CPU), slices.Clone(w.Memory)
	for i := from; i < len(changed.CPU); i++ {
		changed.CPU[i], changed.Memory[i] = 3*changed.CPU[i]+1, 2*changed.Memory[i]
	}
	other, _ := record(&changed, LoadlineInPlace, weeks())
	decided := from - 14*keptSteps // Decisions begin a day before the scored part.
	if diff := cmp.Diff(kept.wants[:decided+1], other.wants[:decided+1]); diff != "" {
		t.Errorf("what comes after step %d changed what was decided before:\n%s", from, diff)
	}
	if slices.Equal(kept.wants[decided+1:], other.wants[decided+1:]) {
		t.Error("a threefold demand changed nothing")
	}
}

func TestTheForecastIsWhatDistinguishesTheRowsWithAndWithoutIt(t *testing.T) {
	r := replayed(t, weeks(LoadlineInPlace, LoadlineNoForecast), months(16))
	with, without := r.Policies[0], r.Policies[1]
	if with.CPU.Requested >= without.CPU.Requested || with.ChangesPerWeek <= without.ChangesPerWeek {
		t.Errorf("with a forecast %.3f cores and %.1f changes, without %.3f and %.1f", with.CPU.Requested, with.ChangesPerWeek,
			without.CPU.Requested, without.ChangesPerWeek)
	}
}

func TestTheMoreMayBeGivenBackTheLessIsRequested(t *testing.T) {
	o := weeks(LoadlineInPlace)
	o.MaxGiveBack = []float64{0, 0.25, 1}
	r := replayed(t, o, months(16))
	for i := range 2 {
		if less, more := r.Policies[i], r.Policies[i+1]; more.CPU.Requested >= 0.98*less.CPU.Requested {
			t.Errorf("%s requests %.3f cores, %s %.3f", less.Label, less.CPU.Requested, more.Label, more.CPU.Requested)
		}
	}
}

func TestRaisesThatAreRefusedLeaveDemandUnmetAndLockWhatIsGivenBack(t *testing.T) {
	o := weeks(LoadlineInPlace)
	o.Refused, o.RefusedFor, o.Cadence = []float64{0, 0.5}, []time.Duration{6 * time.Hour}, Step
	o.MaxGiveBack = []float64{1}
	r := replayed(t, o, months(16))
	none, some := r.Policies[0], r.Policies[1]
	if none.RefusedPerWeek != 0 || some.RefusedPerWeek == 0 || some.CPU.Unmet <= none.CPU.Unmet {
		t.Errorf("refused %v and %v a week, unmet %v and %v", none.RefusedPerWeek, some.RefusedPerWeek, none.CPU.Unmet, some.CPU.Unmet)
	}
	w := months(16)
	kept, _ := record(&w, LoadlineInPlace, Options{Warmup: o.Warmup, MaxGiveBack: o.MaxGiveBack, Refused: []float64{0.5}, RefusedFor: o.RefusedFor})
	if until := kept.policy.(*loadline).memory.Guard.Containers[container].GiveBackLockedUntil; until.IsZero() {
		t.Error("a raise was pending for six hours, and nothing keeps pods from giving back")
	}
}

func TestARefusedRaiseOfMemoryDoesNotLockCPU(t *testing.T) {
	w := constant("leak", 3, 0.1, gib)
	w.Current = Amounts{CPUMillis: 400, MemoryBytes: gib}
	var since []int
	v := variant{inPlace: true, setting: Setting{Refused: 1, RefusedForSeconds: 3600}, make: func(_ *trace, _ int) policy {
		return watching(func(_ int, p pod) Amounts {
			since = append(since, p.pendingSince)
			return Amounts{CPUMillis: 400, MemoryBytes: 2 * gib}
		})
	}}
	o, err := resolve(Options{Warmup: 48 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	playOne(&w, o, []variant{v}, goOn)
	if slices.ContainsFunc(since, func(i int) bool { return i >= 0 }) {
		t.Error("a raise of memory was told as one of CPU")
	}
}

func TestTheKnobTurnsTheTargetAndWhatRunningPodsFollow(t *testing.T) {
	o := weeks(LoadlineInPlace, LoadlineEvict)
	o.MaxGiveBack = []float64{1} // Running pods follow nothing but the bound.
	w := months(16)
	for i := 0; i < len(w.CPU); i += 40 { // Peaks that are too high to be covered for being rare.
		w.CPU[i] *= 4
	}
	r := swept(t, o, w)
	for _, c := range r.Sweeps {
		if first, last := c.Points[0], c.Points[len(c.Points)-1]; last.Slack < first.Slack+0.02 {
			t.Errorf("%s: slack goes from %.3f at p%.0f to %.3f at p%.0f", c.Label, first.Slack, 100*first.Knob, last.Slack, 100*last.Knob)
		}
	}
}

func TestAWorkloadOfWhichHardlyAnythingIsKnownHurtsNoOther(t *testing.T) {
	silent, late := daily("silent", 6, 1), daily("late", 6, 1)
	for i := range silent.CPU {
		silent.CPU[i], silent.Memory[i] = float32(math.NaN()), float32(math.NaN())
		if i < len(late.CPU)-keptSteps/2 {
			late.CPU[i], late.Memory[i] = float32(math.NaN()), float32(math.NaN())
		}
	}
	r, err := Run(t.Context(), []Workload{silent, daily("web", 6, 1), late}, short())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Policies {
		if s := p.CPU.Slack; !(s >= 0 && s < 1) {
			t.Errorf("%s: slack %v", p.Label, s)
		}
	}
}

func TestAWorkloadThatBeginsLateIsSizedAsItsFirstDayNeeds(t *testing.T) {
	w := daily("web", 6, 1)
	for i := range 4 * keptSteps {
		w.CPU[i], w.Memory[i] = float32(math.NaN()), float32(math.NaN())
	}
	r, err := Run(t.Context(), []Workload{w}, short())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Policies {
		if p.CPU.Unmet > 0.1 || p.Memory.OOMPerWeek > 2 {
			t.Errorf("%s leaves %.0f %% unmet, with %.1f kills a week", p.Label, 100*p.CPU.Unmet, p.Memory.OOMPerWeek)
		}
	}
}
