package replay

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// short options replay two days of warm-up by the hour, which is quick.
func short() Options { return Options{Warmup: 48 * time.Hour, Cadence: time.Hour} }

func TestTheOracleLeavesNoDemandUnmet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorkload(t, "any", 3*keptSteps+rapid.IntRange(0, 30).Draw(t, "more"))
		w.CPU[len(w.CPU)-1] = 1 // Of no use at all there is nothing to replay.
		o := short()
		o.Policies, o.Start = []string{OraclePolicy}, DefaultStart().Add(time.Duration(rapid.IntRange(0, 11).Draw(t, "offset"))*Step)
		o.Cadence = time.Duration(rapid.IntRange(1, 30).Draw(t, "cadence")) * Step
		r, err := Run(t.Context(), []Workload{w}, o)
		if err != nil {
			t.Fatal(err)
		}
		p := r.Policies[0]
		if p.CPU.Violation != 0 || p.CPU.Unmet != 0 || p.Memory != nil && (p.Memory.Violation != 0 || p.Memory.OOMPerWeek != 0) {
			t.Fatalf("the oracle was surprised: %+v, memory %+v", p.CPU, p.Memory)
		}
	})
}

func TestNoPolicyKnowsTheFuture(t *testing.T) {
	for _, name := range PolicyNames() {
		if name == OraclePolicy {
			continue
		}
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				const steps = 2*keptSteps + keptSteps/3
				w, other := anyWorkload(t, "any", steps), anyWorkload(t, "any", steps)
				from := rapid.IntRange(keptSteps+1, steps-1).Draw(t, "from")
				changed := Workload{Name: w.Name, CPU: slices.Concat(w.CPU[:from], other.CPU[from:]), Memory: slices.Concat(w.Memory[:from], other.Memory[from:])}
				o := short()
				one, _ := record(&w, name, o)
				two, _ := record(&changed, name, o)
				begun := newTrace(&w, DefaultStart()).begin() + keptSteps // A day after the first sample decisions begin.
				if begun > from {
					return
				}
				decided := (from - begun) / stepsPerHour // The last one at or before the start of step from.
				if diff := cmp.Diff(one.wants[:decided+1], two.wants[:decided+1]); diff != "" {
					t.Fatalf("what comes after step %d changed what was decided before:\n%s", from, diff)
				}
			})
		})
	}
}

func TestARequestIsConstantBetweenChanges(t *testing.T) {
	for _, name := range PolicyNames() {
		t.Run(name, func(t *testing.T) {
			w := daily("web", 4, 1)
			o := short()
			o.Warmup = 24 * time.Hour
			kept, score := record(&w, name, o)
			moved := 0
			for i := 1; i < len(kept.have); i++ {
				if kept.have[i] != kept.have[i-1] && i > 12 { // Decisions of the 12 h before the scored part do not count.
					moved++
				}
			}
			if last := len(kept.wants) - 1; kept.wants[last] != kept.have[last] {
				moved++
			}
			if score.changes != moved {
				t.Errorf("the request moved %d times and %d changes were counted", moved, score.changes)
			}
		})
	}
}

func TestTheNumberOfWorkersDoesNotChangeTheResult(t *testing.T) {
	var workloads []Workload
	for i := range 7 {
		workloads = append(workloads, daily(string(rune('a'+i)), 4, 0.3*float64(i+1)))
	}
	o := short()
	o.Refused, o.RefusedFor, o.ChartPoints = []float64{0.3}, []time.Duration{time.Hour}, 20
	o.Workers = 1
	one, err := Sweep(t.Context(), workloads, o)
	if err != nil {
		t.Fatal(err)
	}
	o.Workers = 5
	many, err := Sweep(t.Context(), workloads, o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(one, many); diff != "" {
		t.Errorf("one worker and five differ:\n%s", diff)
	}
}

func TestAConstantRequestIsScoredByHand(t *testing.T) {
	w := constant("half", 3, 0.5, gib)
	w.CPU[2*keptSteps+10], w.Memory[2*keptSteps+10] = 4, 4*gib
	w.CPU[2*keptSteps+20] = float32(math.NaN())
	w.Current = Amounts{CPUMillis: 2000, MemoryBytes: 2 * gib}
	r := replayed(t, Options{Policies: []string{CurrentPolicy}, CurrentKnown: true}, w)
	p := r.Policies[0]
	const n = float64(keptSteps - 1) // Samples that are known.
	const used = 0.5*(n-1) + 4
	near(t, "slack", p.CPU.Slack, 1-(0.5*(n-1)+2)/(2.0*n), 1e-9)
	near(t, "requested ÷ used", p.CPU.RequestedPerUsed, 2*n/used, 1e-9)
	near(t, "violation", p.CPU.Violation, 1.0/n, 1e-9)
	near(t, "unmet", p.CPU.Unmet, 2/used, 1e-9)
	near(t, "OOM kills per week", p.Memory.OOMPerWeek, 7, 1e-9)
	near(t, "changes", p.ChangesPerWeek, 0, 0)
	near(t, "cost per week", p.CostPerWeek, 168*(2*0.03+2*0.004), 1e-9)
}

func TestWhatIsFreeCostsNothing(t *testing.T) {
	w := constant("web", 3, 0.5, gib)
	near(t, "cost at no prices", replayed(t, Options{Policies: []string{CurrentPolicy}, Prices: &Prices{}}, w).Policies[0].CostPerWeek, 0, 0)
	memory := replayed(t, Options{Policies: []string{CurrentPolicy}, Prices: &Prices{GiBHour: 2}}, w).Policies[0].CostPerWeek
	near(t, "cost where only memory has a price", memory, 168*2, 1e-9)
}

func TestAKillCountsOncePerHour(t *testing.T) {
	w := constant("leak", 3, 0.5, gib)
	for i := range 2 * stepsPerHour {
		w.Memory[2*keptSteps+100+i] = 4 * gib
	}
	w.Current = Amounts{CPUMillis: 1000, MemoryBytes: 2 * gib}
	r := replayed(t, Options{Policies: []string{CurrentPolicy}, CurrentKnown: true}, w)
	near(t, "kills per week", r.Policies[0].Memory.OOMPerWeek, 2*7, 1e-9)
}

func TestARefusedRaiseOnlyEverLeavesMoreDemandUnmet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorkload(t, "any", 3*keptSteps)
		wishes := rapid.SliceOfN(rapid.Int64Range(1, 9000), 3, 50).Draw(t, "wishes")
		v := variant{inPlace: true, make: func(*trace, int) policy {
			return scripted(func(i int) Amounts { return Amounts{CPUMillis: wishes[i/5%len(wishes)], MemoryBytes: gib} })
		}}
		o, err := resolve(Options{Warmup: 48 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		unmet := func(refused float64, d time.Duration) float64 {
			v.setting = Setting{Refused: refused, RefusedForSeconds: seconds(d)}
			return playOne(&w, o, []variant{v}, goOn)[0].cpu.unmet
		}
		none, some := unmet(0, 0), unmet(rapid.Float64Range(0, 1).Draw(t, "share"), 25*time.Minute)
		if some < none {
			t.Fatalf("%v cores were unmet with refusals and %v without", some, none)
		}
	})
}

func TestARefusedRaiseIsPendingForItsTimeAndThenCarriedOut(t *testing.T) {
	r := newRefusals(Setting{Refused: 1, RefusedForSeconds: 3600}, 0, "web")
	for i := 100; i < 112; i++ {
		allowed, asked := r.raise(i)
		if allowed || asked != (i == 100) || r.since != 100 {
			t.Fatalf("step %d: allowed %v, asked %v, pending since %d", i, allowed, asked, r.since)
		}
	}
	if allowed, asked := r.raise(112); !allowed || asked {
		t.Errorf("after an hour: allowed %v, asked anew %v", allowed, asked)
	}
}

func TestANodeThatRefusedStaysFullThoughTheRaiseIsNotWantedForAWhile(t *testing.T) {
	const hour = stepsPerHour
	tried := 0
	for start := 0; start < 20*hour; start += 2 * hour {
		r := newRefusals(Setting{Refused: 0.5, RefusedForSeconds: 3600}, 0, "web")
		if allowed, _ := r.raise(start); allowed {
			continue
		}
		tried++
		r.settled()
		for i := start + 1; i < start+hour; i++ {
			if allowed, asked := r.raise(i); allowed || asked != (i != start+6) {
				t.Fatalf("%d steps after the node was full: allowed %v, asked anew %v", i-start, allowed, asked)
			}
			if i != start+5 { // At this step the raise goes on being wanted.
				r.settled()
			}
		}
	}
	if tried < 3 {
		t.Fatalf("only %d of the nodes refused", tried)
	}
}

func TestARaiseThatIsStillWantedIsCarriedOutWhenTheNodeHasRoom(t *testing.T) {
	w := constant("web", 3, 0.1, gib)
	w.Current = Amounts{CPUMillis: 400, MemoryBytes: gib}
	var kept *recorded
	v := variant{inPlace: true, setting: Setting{Refused: 1, RefusedForSeconds: 3600}, make: func(_ *trace, from int) policy {
		kept = &recorded{policy: scripted(func(i int) Amounts {
			if at := i - from; at < 3 || at >= 6 && at < 8 { // For two steps the raise is not wanted.
				return Amounts{CPUMillis: 400, MemoryBytes: gib}
			}
			return Amounts{CPUMillis: 900, MemoryBytes: gib}
		})}
		return kept
	}}
	o, err := resolve(Options{Warmup: 48 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	playOne(&w, o, []variant{v}, goOn)
	raised := slices.IndexFunc(kept.have, func(a Amounts) bool { return a.CPUMillis == 900 })
	if want := 3 + stepsPerHour + 1; raised != want { // Seen at the step after it was carried out.
		t.Errorf("the raise that was refused at step 3 for an hour was carried out before step %d, want %d", raised, want)
	}
}

func TestAboutTheAskedShareOfRaisesIsRefused(t *testing.T) {
	refused := 0
	for i := range 10_000 {
		r := newRefusals(Setting{Refused: 0.2, RefusedForSeconds: 300}, 7, "web")
		if allowed, _ := r.raise(i); !allowed {
			refused++
		}
	}
	near(t, "refused of 10,000", float64(refused), 2000, 150)
}

func TestWhatIsRequestedTodayIsWhereEveryPolicyStarts(t *testing.T) {
	w := constant("web", 3, 0.5, gib)
	w.Current = Amounts{CPUMillis: 1234, MemoryBytes: 3 * gib}
	for _, name := range PolicyNames() {
		kept, _ := record(&w, name, short())
		if kept.have[0] != w.Current {
			t.Errorf("%s starts from %+v", name, kept.have[0])
		}
	}
	w.Current = Amounts{}
	w.CPU[7], w.Memory[8] = 1.5, 2*gib
	kept, _ := record(&w, CurrentPolicy, short())
	if want := (Amounts{CPUMillis: 1500, MemoryBytes: 2 * gib}); kept.have[0] != want {
		t.Errorf("without present requests the policies start from %+v, the most that was used is %+v", kept.have[0], want)
	}
}

func TestOptionsThatMakeNoSenseAreNamed(t *testing.T) {
	good := constant("web", 3, 1, gib)
	for want, run := range map[string]func() (Options, []Workload){
		`policy "vpn": legal are loadline-inplace,`: func() (Options, []Workload) { return Options{Policies: []string{"vpn"}}, nil },
		"cadence 7m: it must be a multiple of 5m":   func() (Options, []Workload) { return Options{Cadence: 7 * time.Minute}, nil },
		"warm-up 1h: it must be at least 2h":        func() (Options, []Workload) { return Options{Warmup: time.Hour}, nil },
		"policy vpa is named twice":                 func() (Options, []Workload) { return Options{Policies: []string{"vpa", "krr", "vpa"}}, nil },
		"share 1.5: it must be between 0 and 1":     func() (Options, []Workload) { return Options{MaxGiveBack: []float64{1.5}}, nil },
		"give-back 0.3 %: legal are whole percent":  func() (Options, []Workload) { return Options{MaxGiveBack: []float64{0.003}}, nil },
		"price NaN: legal are numbers from 0 up":    func() (Options, []Workload) { return Options{Prices: &Prices{CoreHour: math.NaN()}}, nil },
		"price +Inf: legal are numbers from 0 up":   func() (Options, []Workload) { return Options{Prices: &Prices{GiBHour: math.Inf(1)}}, nil },
		"seed 4 is named twice":                     func() (Options, []Workload) { return Options{Seeds: []uint64{4, 2, 4}}, nil },
		"needs how long they are refused":           func() (Options, []Workload) { return Options{Refused: []float64{0.1}}, nil },
		"there is no workload to replay":            func() (Options, []Workload) { return Options{}, nil },
		"the history of 72h is not longer than the warm-up of 336h": func() (Options, []Workload) {
			return Options{}, []Workload{good}
		},
		"workload db has 576 samples of CPU, the first workload has 864": func() (Options, []Workload) {
			return short(), []Workload{good, constant("db", 2, 1, gib)}
		},
		"two workloads are named web": func() (Options, []Workload) { return short(), []Workload{good, good} },
	} {
		o, workloads := run()
		if _, err := Run(t.Context(), workloads, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestAReplayStopsWhenItsContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	if _, err := Run(ctx, []Workload{daily("web", 20, 1)}, Options{}); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}

func TestProgressCountsEveryWorkload(t *testing.T) {
	var seen []int
	o := short()
	o.Policies = []string{CurrentPolicy}
	o.Progress = func(done, left int) { seen = append(seen, done, left) }
	replayed(t, o, constant("a", 3, 1, gib), constant("b", 3, 1, gib))
	if diff := cmp.Diff([]int{1, 1, 2, 0}, seen); diff != "" {
		t.Error(diff)
	}
}

func TestAChartKeepsPeaksOfUseAndValleysOfRequests(t *testing.T) {
	w := constant("web", 3, 0.5, gib)
	w.CPU[2*keptSteps+50] = 2
	w.Current = Amounts{CPUMillis: 1000, MemoryBytes: 2 * gib}
	c := replayed(t, Options{Policies: []string{CurrentPolicy}, ChartPoints: 24}, w).Policies[0].Workloads[0].Chart
	if len(c.CPUUsed) != 24 || len(c.MemoryRequested) != 24 || c.SpanSeconds != 3600 {
		t.Fatalf("got %d points of %d s", len(c.CPUUsed), c.SpanSeconds)
	}
	if c.CPUUsed[4] != 2 || c.CPUUsed[5] != 0.5 || c.CPURequested[4] != 1 || c.MemoryUsed[0] != gib || c.MemoryRequested[23] != 2*gib {
		t.Errorf("got %+v", c)
	}
}

func TestTheTableHasACellForEveryColumnWhereMemoryIsNotKnown(t *testing.T) {
	w := daily("web", 6, 1)
	for i := range w.Memory {
		w.Memory[i] = float32(math.NaN())
	}
	o := short()
	o.Policies = []string{CurrentPolicy}
	r, err := Run(t.Context(), []Workload{w}, o)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := Table(&got, r); err != nil {
		t.Fatal(err)
	}
	if row := strings.Fields(strings.Split(got.String(), "\n")[3]); len(row) != 10 || row[6] != "–" || row[7] != "–" {
		t.Errorf("the row is %q:\n%s", row, got.String())
	}
}

func TestTheTableOfASmallReplay(t *testing.T) {
	o := short()
	o.Policies = []string{VPAPolicy, KRRPolicy, CurrentPolicy, OraclePolicy}
	r, err := Sweep(t.Context(), []Workload{daily("web", 6, 1), daily("db", 6, 0.4), constant("idle", 6, 0.02, gib/8)}, o)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := Table(&got, r); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/table.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("testdata/table.txt (-want +got):\n%s", diff)
	}
}

func TestSeveralSeedsGiveTheMeanOfWhatEachGivesAlone(t *testing.T) {
	refused := []variant{{
		policy: LoadlineInPlace, inPlace: true, setting: Setting{Refused: 0.5, RefusedForSeconds: 3600},
		make: func(*trace, int) policy {
			return scripted(func(i int) Amounts { return Amounts{CPUMillis: 400 + 200*int64(i/7%2), MemoryBytes: gib} })
		},
	}, {policy: CurrentPolicy, make: newCurrent}}
	workloads := []Workload{constant("web", 5, 0.5, gib), unmeasured(constant("db", 5, 0.5, gib), 3*keptSteps, 3*keptSteps)}
	with := func(seeds ...uint64) Result {
		o := short()
		o.Seeds, o.ChartPoints, o.Refused, o.RefusedFor = seeds, 5, []float64{0.5}, []time.Duration{time.Hour}
		resolved, err := resolve(o)
		if err != nil {
			t.Fatal(err)
		}
		r, err := run(t.Context(), workloads, resolved, refused)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	all := with(3, 1, 7)
	row := all.Policies[0]
	var want []SeedResult
	violation, unmet, refusals := 0.0, 0.0, 0.0
	for _, seed := range []uint64{3, 1, 7} {
		alone := with(seed).Policies[0]
		if alone.BySeed != nil {
			t.Errorf("one seed is listed by itself: %+v", alone.BySeed)
		}
		want = append(want, SeedResult{
			Seed: seed, Slack: alone.CPU.Slack, Violation: alone.CPU.Violation, Unmet: alone.CPU.Unmet,
			RequestedPerUsed: alone.CPU.RequestedPerUsed, ChangesPerWeek: alone.ChangesPerWeek,
		})
		violation += alone.CPU.Violation / 3
		unmet += alone.CPU.Unmet / 3
		refusals += alone.RefusedPerWeek / 3
	}
	if diff := cmp.Diff(want, row.BySeed); diff != "" {
		t.Errorf("by seed (-want +got):\n%s", diff)
	}
	if want[0].Unmet == want[1].Unmet {
		t.Errorf("seeds make no difference: %+v", want)
	}
	near(t, "violation", row.CPU.Violation, violation, 1e-9)
	near(t, "unmet", row.CPU.Unmet, unmet, 1e-9)
	near(t, "refused a week", row.RefusedPerWeek, refusals, 1e-9)
	if row.Workloads[0].ScoredSeconds != 3*24*3600 || row.Workloads[0].Chart == nil {
		t.Errorf("of the workload: %d s, chart %v", row.Workloads[0].ScoredSeconds, row.Workloads[0].Chart)
	}
	if current := all.Policies[1]; current.BySeed != nil {
		t.Errorf("chance has no part in what is requested today, and yet: %+v", current.BySeed)
	}
	if !strings.Contains(strings.Join(all.Notes, " "), "means over 3 seeds") {
		t.Errorf("no note tells of the seeds: %q", all.Notes)
	}
}
