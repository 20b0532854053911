package replay

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// unmeasured is a workload of which so many steps at the beginning were not measured, of CPU and of memory.
func unmeasured(w Workload, cpu, memory int) Workload {
	for i := range cpu {
		w.CPU[i] = float32(math.NaN())
	}
	for i := range memory {
		w.Memory[i] = float32(math.NaN())
	}
	return w
}

func TestAWorkloadBeginsWhereBothItsCPUAndItsMemoryAreKnown(t *testing.T) {
	for name, c := range map[string]struct {
		cpu, memory int
		current     Amounts
		begin       int
	}{
		"memory was measured first":              {900, 600, Amounts{}, 900},
		"CPU was measured first":                 {600, 900, Amounts{}, 900},
		"there is no CPU":                        {6 * keptSteps, 600, Amounts{}, 600},
		"there is no memory":                     {600, 6 * keptSteps, Amounts{}, 600},
		"there is neither":                       {6 * keptSteps, 6 * keptSteps, Amounts{}, 6 * keptSteps},
		"the CPU that it asks for is known":      {900, 600, Amounts{CPUMillis: 7}, 600},
		"all that it asks for is known":          {900, 600, Amounts{CPUMillis: 7, MemoryBytes: gib}, 0},
		"what it asks for is known, and no more": {6 * keptSteps, 6 * keptSteps, Amounts{CPUMillis: 7, MemoryBytes: gib}, 6 * keptSteps},
	} {
		w := unmeasured(constant("web", 6, 0.5, gib), c.cpu, c.memory)
		w.Current = c.current
		if got := newTrace(&w, DefaultStart()).begin(); got != c.begin {
			t.Errorf("%s: it begins at step %d, want %d", name, got, c.begin)
		}
	}
	w := unmeasured(constant("web", 6, 0.5, gib), 4*keptSteps, 3*keptSteps)
	kept, score := record(&w, CurrentPolicy, short())
	if want := (Amounts{CPUMillis: 500, MemoryBytes: gib}); kept.have[0] != want || score.cpu.over != 0 {
		t.Errorf("where memory is known a day before CPU it starts from %+v, want %+v, and %d samples of CPU are over it", kept.have[0], want, score.cpu.over)
	}
}

func TestWhatAWorkloadAsksForIsKeptUntilItIsMeasured(t *testing.T) {
	current := Amounts{CPUMillis: 700, MemoryBytes: 2 * gib}
	const never = 6 * keptSteps
	for _, policy := range []string{VPAPolicy, KRRPolicy} {
		for _, begin := range []struct{ cpu, memory int }{
			{3 * keptSteps, 3 * keptSteps}, {4 * keptSteps, 3 * keptSteps}, {3 * keptSteps, 4 * keptSteps}, {3 * keptSteps, never}, {never, 3 * keptSteps},
		} {
			w := unmeasured(constant("web", 6, 0.5, gib), begin.cpu, begin.memory)
			w.Current = current
			kept, score := record(&w, policy, short())
			if score.cpu.over != 0 || score.memory.kills != 0 {
				t.Errorf("%s, CPU is measured from step %d on, memory from %d: %d samples over the request, %d kills", policy, begin.cpu, begin.memory, score.cpu.over, score.memory.kills)
			}
			last := kept.wants[len(kept.wants)-1]
			if cpu, memory := last.CPUMillis != current.CPUMillis, last.MemoryBytes != current.MemoryBytes; cpu != (begin.cpu < never) || memory != (begin.memory < never) {
				t.Errorf("%s, CPU is measured from step %d on, memory from %d: in the end it requests %+v", policy, begin.cpu, begin.memory, last)
			}
		}
	}
}

// flapping wants another request every six hours.
func flapping(*trace, int) policy {
	return scripted(func(i int) Amounts {
		return Amounts{CPUMillis: 1000 + int64(i/(6*stepsPerHour)%2), MemoryBytes: gib / 2}
	})
}

func TestRatesAreOfTheTimeThatAWorkloadIsScored(t *testing.T) {
	o, err := resolve(short())
	if err != nil {
		t.Fatal(err)
	}
	v := []variant{{policy: CurrentPolicy, make: flapping}}
	workloads := []Workload{constant("old", 9, 0.5, gib), unmeasured(constant("late", 9, 0.5, gib), 6*keptSteps, 6*keptSteps), unmeasured(constant("silent", 9, 0, 0), 9*keptSteps, 9*keptSteps)}
	r, err := run(t.Context(), workloads, o, v)
	if err != nil {
		t.Fatal(err)
	}
	got := r.Policies[0]
	for i, want := range []struct {
		days           int
		changes, kills float64
	}{{7, 28, 168}, {2, 28, 168}, {0, 0, 0}} {
		w := got.Workloads[i]
		if w.ScoredSeconds != want.days*24*3600 {
			t.Errorf("%s is scored on %d s, want %d days", w.Name, w.ScoredSeconds, want.days)
		}
		near(t, w.Name+": changes a week", w.ChangesPerWeek, want.changes, 4)
		if w.Memory != nil {
			near(t, w.Name+": kills a week", w.Memory.OOMPerWeek, want.kills, 1e-9)
		}
	}
	near(t, "changes a week of all", got.ChangesPerWeek, 28, 1)
	near(t, "kills a week of all", got.Memory.OOMPerWeek, 168, 1e-9)
	point := Point{Workloads: got.Workloads}.Over([]int{0, 1, 2})
	near(t, "kills a week of a draw of all", point.OOMPerWeek, got.Memory.OOMPerWeek, 1e-9)
}

func TestTheReportSaysHowManyWorkloadsBeganLateAndHowManyAreLeftOut(t *testing.T) {
	o := short()
	o.Policies = []string{CurrentPolicy}
	r := replayed(t, o, constant("old", 6, 0.5, gib), unmeasured(constant("late", 6, 0.5, gib), 3*keptSteps, 3*keptSteps),
		unmeasured(constant("as late", 6, 0.5, gib), 3*keptSteps, 0), unmeasured(constant("silent", 6, 0, 0), 6*keptSteps, 6*keptSteps))
	if r.Split.Late != 2 || r.Split.LeftOut != 1 {
		t.Errorf("%d late and %d left out, want 2 and 1", r.Split.Late, r.Split.LeftOut)
	}
	var table, page bytes.Buffer
	if err := Table(&table, r); err != nil {
		t.Fatal(err)
	}
	if err := HTML(&page, r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Began too late for the whole scored part: 2 of 4 workloads. They are scored from 24h after their first sample of CPU and memory on",
		"Without a sample that could be scored, and so in no number: 1 of 4 workloads.",
	} {
		if !strings.Contains(table.String(), want) || !strings.Contains(page.String(), want) {
			t.Errorf("table and page do not both say %q:\n%s", want, table.String())
		}
	}
	if r := replayed(t, o, constant("old", 6, 0.5, gib)); strings.Contains(strings.Join(r.Notes, " "), "scored part:") {
		t.Errorf("nothing is late, and yet: %q", r.Notes)
	}
}

func TestAChartDrawsNothingBeforeAWorkloadIsSized(t *testing.T) {
	w := unmeasured(constant("web", 6, 0.5, gib), 3*keptSteps, 3*keptSteps)
	w.CPU[5*keptSteps] = float32(math.NaN())
	o := short()
	o.Policies, o.ChartPoints = []string{CurrentPolicy}, 8 // Half a day each, of the four that are scored.
	r := replayed(t, o, w)
	nan := float32(math.NaN())
	c := r.Policies[0].Workloads[0].Chart
	equal := cmp.Comparer(func(a, b float32) bool { return a == b || a != a && b != b })
	if diff := cmp.Diff(Line{nan, nan, .5, .5, .5, .5, .5, .5}, c.CPUUsed, equal); diff != "" {
		t.Errorf("use (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Line{nan, nan, nan, nan, .5, .5, .5, .5}, c.CPURequested, equal); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if want := `"cpuRequested":[null,null,null,null,0.5,0.5,0.5,0.5]`; !strings.Contains(string(encoded), want) {
		t.Errorf("%s is not in %s", want, encoded)
	}
	var page bytes.Buffer
	if err := HTML(&page, r); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(page.String(), "NaN") {
		t.Error("the page says NaN")
	}
}
