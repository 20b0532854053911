package scenarios

import (
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/e2e/shop"
)

// recordedStep is the distance of two samples in the recorded traces, and the grid on which Loadline reads.
const recordedStep = 5 * time.Minute

// trace is one recorded machine: CPU in cores and memory in bytes, every five minutes.
type trace struct {
	name        string
	cpu, memory []float64
}

// recorded returns 50 traces: from the folder that the environment variable DATA names, or generated ones if it is not set. A
// folder without the files is an error: who names one wants to know.
func recorded() ([]trace, error) {
	const count = 50
	folder := os.Getenv("DATA")
	if folder == "" {
		return generated(count), nil
	}
	names, cpu, err := readColumns(filepath.Join(folder, "bitbrains_august_cpu_cores.csv.gz"), count, 1)
	if err != nil {
		return nil, err
	}
	_, memory, err := readColumns(filepath.Join(folder, "bitbrains_august_memory_gb.csv.gz"), count, 1e9)
	if err != nil {
		return nil, err
	}
	traces := make([]trace, count)
	for i := range traces {
		traces[i] = trace{names[i], cpu[i], memory[i]}
	}
	return traces, nil
}

// traceSource names where recorded gets its traces from.
func traceSource() string {
	if folder := os.Getenv("DATA"); folder != "" {
		return "the Bitbrains traces in " + folder
	}
	return "the generator, because DATA is not set"
}

// generated returns traces of 30 days with a day's rhythm, each of another size and noise.
func generated(count int) []trace {
	traces := make([]trace, count)
	for i := range traces {
		size := float64(i + 1)
		cpu := shop.Noisy(shop.Diurnal(0.02*size, 0.1*size), 0.3)
		memory := shop.Noisy(shop.Flat(40*size*shop.Mebibyte), 0.1)
		traces[i].name = fmt.Sprintf("vm%d", i)
		for t := time.Unix(0, 0); t.Before(time.Unix(0, 0).Add(30 * 24 * time.Hour)); t = t.Add(recordedStep) {
			traces[i].cpu, traces[i].memory = append(traces[i].cpu, cpu(t)), append(traces[i].memory, memory(t))
		}
	}
	return traces
}

// readColumns reads the first columns of a compressed CSV file with a header, times a unit.
func readColumns(path string, count int, unit float64) ([]string, [][]float64, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	rows, err := csv.NewReader(unzipped).ReadAll()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	columns := make([][]float64, count)
	for line, row := range rows[1:] {
		for i := range columns {
			value, err := strconv.ParseFloat(row[i], 64)
			if err != nil {
				return nil, nil, fmt.Errorf("%s:%d: %w", path, line+2, err)
			}
			columns[i] = append(columns[i], value*unit)
		}
	}
	return rows[0][:count], columns, nil
}

// at returns the value of samples whose last one covers the five minutes before end; earlier and later times take the first
// and the last value.
func at(samples []float64, end time.Time) shop.Curve {
	return func(t time.Time) float64 {
		fromEnd := int(math.Floor(float64(t.Sub(end)) / float64(recordedStep)))
		return samples[min(max(len(samples)+fromEnd, 0), len(samples)-1)]
	}
}

// recordedEnd is the grid point at which the traces end: in the present from then on, the last value goes on.
func recordedEnd(now time.Time) time.Time { return now.Truncate(recordedStep) }

const recordedNamespace = "recorded"

func recordedShop(now time.Time) ([]shop.Workload, error) {
	traces, err := recorded()
	if err != nil {
		return nil, err
	}
	var workloads []shop.Workload
	for _, tr := range traces {
		workloads = append(workloads, shop.Workload{
			Namespace: recordedNamespace, Name: tr.name, Replicas: 1,
			Requests: map[string]string{"cpu": "1", "memory": "16Gi"},
			CPU:      at(tr.cpu, recordedEnd(now)), Memory: at(tr.memory, recordedEnd(now)),
			History: now.Sub(recordedEnd(now).Add(-27 * 24 * time.Hour)),
		})
	}
	return workloads, nil
}

func TestFiftyRecordedWorkloadsAreSizedAsAnIndependentCalculationSays(t *testing.T) {
	workloads, err := recordedShop(started)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d workloads with histories from %s", len(workloads), traceSource())
	s := newScene(t, recordedNamespace, workloads)
	s.create(&v1alpha1.SizingPolicy{ // Sizes at once, so that the numbers are those of the history alone.
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: v1alpha1.DefaultPolicyName},
		Spec: v1alpha1.SizingPolicySpec{Behavior: v1alpha1.Behavior{
			Up:   v1alpha1.Movement{ThresholdPercent: new(int32(0)), MaxStepPercent: new(int32(1000))},
			Down: v1alpha1.Movement{ThresholdPercent: new(int32(0)), MaxStepPercent: new(int32(100)), Cooldown: &metav1.Duration{}},
		}},
	})
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "dry-run"})
	var leaking []string
	for _, w := range workloads {
		rec := s.ready("Deployment", w.Name)
		got := target(rec.Status.Applicable)
		now := rec.Status.Applicable.ComputedTime.Time
		// A trace that only ever rises is taken for a leak: then the peak, or the present request, gets no margin.
		margin, least := 1.15, 32.0*shop.Mebibyte
		if hasFinding(rec, "MemoryLeakSuspected") {
			margin, least = 1, 16*1024*shop.Mebibyte
			leaking = append(leaking, w.Name)
		}
		// Between the end of the history and the first scrape of the new pods nothing was measured, which may move the quantile to
		// one of its neighbours, and is a large part of the time that a rare peak takes.
		low, high := max(10, independentCPU(w, now, 0.94, 5)), max(10, independentCPU(w, now, 0.96, 15))
		memory := max(least, independentMemory(w, now, margin))
		s.Expect(float64(got.CPUMillis)).To(And(BeNumerically(">=", low-max(2, 0.02*low)), BeNumerically("<=", high+max(2, 0.02*high))),
			"CPU of %s in millicores:\n%s", w.Name, describe(rec))
		s.Expect(float64(got.MemoryBytes)).To(BeNumerically("~", memory, shop.Mebibyte), "memory of %s in bytes:\n%s", w.Name, describe(rec))
	}
	t.Logf("taken for leaks: %q", leaking)
	s.Expect(len(leaking)).To(BeNumerically("<=", len(workloads)/10), "a detector that sees leaks everywhere would excuse every number")
	list := &v1alpha1.RecommendationList{}
	s.Expect(loadline.Client.List(t.Context(), list, client.InNamespace(s.namespace))).To(Succeed())
	s.Expect(list.Items).To(HaveLen(len(workloads)))
}

// independentCPU computes the target of a workload with one pod in millicores, from the samples that went into Prometheus
// and from nothing of Loadline's code. A quantile (of 95 % in Loadline) of the five-minute values, each weighing half as much for every day of its
// age, or a higher value where 1 % more of the time costs no more than the price (10 % in Loadline), plus 5 %. Of what is older than a day Loadline keeps the mean and the maximum of each hour, so here an hour is one
// value at the maximum and eleven at what remains of the mean.
func independentCPU(w shop.Workload, now time.Time, quantile, price float64) float64 {
	type sample struct{ value, weight float64 }
	var samples []sample
	add := func(value float64, start time.Time, hours float64) {
		samples = append(samples, sample{value, hours * math.Exp2(-now.Sub(start).Hours()/24)})
	}
	begin := started.Add(-w.History).Truncate(time.Hour).Add(time.Hour)
	end := now.Truncate(recordedStep)
	recent := end.Add(-24 * time.Hour).Truncate(time.Hour)
	if recent.Before(end.Add(-24 * time.Hour)) {
		recent = recent.Add(time.Hour)
	}
	for hour := begin; hour.Before(recent); hour = hour.Add(time.Hour) {
		sum, highest := 0.0, 0.0
		for i := range 12 {
			value := w.CPU(hour.Add(time.Duration(i) * recordedStep))
			sum, highest = sum+value, max(highest, value)
		}
		add(highest, hour, 1./12)
		add((sum-highest)/11, hour, 11./12)
	}
	for slot := recent; slot.Before(end); slot = slot.Add(recordedStep) {
		add(w.CPU(slot), slot, 1./12)
	}
	slices.SortFunc(samples, func(a, b sample) int { return cmp.Compare(a.value, b.value) })
	whole := 0.0
	for _, s := range samples {
		whole += s.weight
	}
	below, covered, least := 0.0, 0.0, math.Inf(1)
	for _, s := range samples {
		below += s.weight
		if cost := math.Log(s.value) - price*below/whole; below >= quantile*whole && cost < least {
			covered, least = s.value, cost
		}
	}
	return covered * 1.05 * 1000
}

func hasFinding(rec *v1alpha1.Recommendation, kind string) bool {
	return slices.ContainsFunc(rec.Status.Findings, func(f v1alpha1.Finding) bool { return f.Type == kind })
}

// independentMemory computes the target in bytes: the largest sample of the last eight days, which are whole hours and the
// latest one, times a margin, in whole mebibytes.
func independentMemory(w shop.Workload, now time.Time, margin float64) float64 {
	highest := 0.0
	latest := now.Truncate(recordedStep).Add(-recordedStep).Truncate(time.Hour)
	from := latest.Add(-(8*24 - 1) * time.Hour)
	if begin := started.Add(-w.History); begin.After(from) {
		from = begin
	}
	for t := from; t.Before(now); t = t.Add(recordedStep) {
		highest = max(highest, w.Memory(t))
	}
	return math.Ceil(highest*margin/shop.Mebibyte) * shop.Mebibyte
}
