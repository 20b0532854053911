package replay

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Step is the length of one sample: the resolution at which Loadline reads its history.
const Step = 5 * time.Minute

const stepsPerHour = int(time.Hour / Step)

// Workload is the history of one container, of one pod or of the average of its pods. Samples are means over Step, NaN
// where nothing was measured.
type Workload struct {
	// Name is unique among the workloads of a replay.
	Name string
	// CPU in cores.
	CPU []float32
	// Memory in bytes; empty if it is not known. As long as CPU.
	Memory []float32
	// Current is what is requested today; an amount of 0 is not known.
	Current Amounts
}

// trace is a workload made ready for replaying: what Loadline would have stored at any time is a part of its slices.
type trace struct {
	workload *Workload
	start    time.Time
	// firstHour is the start of the hour that start lies in; hourly values count from there.
	firstHour time.Time
	// lead is how many steps of that hour lie before start.
	lead               int
	cpuMean, cpuMax    []float32
	memoryMean, memMax []float32
	ones, hourlyOnes   []float32
	hasMemory          bool
	forecasts          map[float64]*forecasts // by the level of their bound
	demands            demands
}

func newTrace(w *Workload, start time.Time) *trace {
	t := &trace{workload: w, start: start, firstHour: start.Truncate(time.Hour), hasMemory: len(w.Memory) > 0, forecasts: map[float64]*forecasts{}, demands: demands{}}
	t.lead = int(start.Sub(t.firstHour) / Step)
	t.cpuMean, t.cpuMax = t.hourly(w.CPU)
	t.memoryMean, t.memMax = t.hourly(w.Memory)
	t.ones, t.hourlyOnes = ones(keptSteps), ones(keptHours)
	return t
}

func ones(n int) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = 1
	}
	return values
}

// hourly returns mean and maximum of every hour that begins in the series, also of those it does not fill.
func (t *trace) hourly(values []float32) (mean, highest []float32) {
	for from := -t.lead; from < len(values); from += stepsPerHour {
		sum, n, most := 0.0, 0, float32(math.NaN())
		for _, v := range values[max(from, 0):min(from+stepsPerHour, len(values))] {
			if v != v {
				continue
			}
			sum += float64(v)
			n++
			if !(v <= most) {
				most = v
			}
		}
		mean, highest = append(mean, float32(sum/float64(n))), append(highest, most)
	}
	return mean, highest
}

func (t *trace) len() int { return len(t.workload.CPU) }

// begin returns the first step at which everything has been measured that policies start from because nobody says what is
// requested: CPU, and memory. What is never measured is not waited for; if nothing ever is, it is the end.
func (t *trace) begin() int {
	w := t.workload
	cpu, memory := firstKnown(w.CPU), firstKnown(w.Memory)
	if cpu == len(w.CPU) && memory == len(w.Memory) {
		return t.len()
	}
	begin := 0
	if w.Current.CPUMillis <= 0 && cpu < len(w.CPU) {
		begin = cpu
	}
	if w.Current.MemoryBytes <= 0 && memory < len(w.Memory) {
		begin = max(begin, memory)
	}
	return begin
}

// firstKnown is the index of the first value that is not missing, the length if there is none.
func firstKnown(values []float32) int {
	if i := slices.IndexFunc(values, func(v float32) bool { return v == v }); i >= 0 {
		return i
	}
	return len(values)
}

// at returns the start of step i.
func (t *trace) at(i int) time.Time { return t.start.Add(time.Duration(i) * Step) }

// hoursBefore returns how many hourly values are whole when step i begins.
func (t *trace) hoursBefore(i int) int { return (t.lead + i) / stepsPerHour }

func (t *trace) hourAt(h int) time.Time { return t.firstHour.Add(time.Duration(h) * time.Hour) }

// usage of step i; memory is NaN where it is not known.
func (t *trace) usage(i int) (cores, bytes float64) {
	cores, bytes = float64(t.workload.CPU[i]), math.NaN()
	if t.hasMemory {
		bytes = float64(t.workload.Memory[i])
	}
	return cores, bytes
}

// check says what is wrong with a workload.
func (w *Workload) check(steps int) error {
	switch {
	case w.Name == "":
		return fmt.Errorf("a workload has no name")
	case len(w.CPU) != steps:
		return fmt.Errorf("workload %s has %d samples of CPU, the first workload has %d", w.Name, len(w.CPU), steps)
	case len(w.Memory) != 0 && len(w.Memory) != steps:
		return fmt.Errorf("workload %s has %d samples of memory and %d of CPU", w.Name, len(w.Memory), steps)
	}
	if err := within(w.CPU, maxCores, "cores"); err != nil {
		return fmt.Errorf("workload %s: CPU: %w", w.Name, err)
	}
	if err := within(w.Memory, maxBytes, "bytes"); err != nil {
		return fmt.Errorf("workload %s: memory: %w", w.Name, err)
	}
	return nil
}

// The most that a sample may be: no machine has as much, and the recommender believes no more either.
const (
	maxCores = 100_000
	maxBytes = 1 << 50
)

func within(values []float32, most float64, unit string) error {
	for i, v := range values {
		if v < 0 || float64(v) > most {
			return fmt.Errorf("%g %s %s after the beginning: legal are 0 to %.0f; is the unit right?", v, unit, time.Duration(i)*Step, most)
		}
	}
	return nil
}
