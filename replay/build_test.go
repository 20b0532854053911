package replay

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const gib = 1 << 30

// constant is a workload that always uses the same.
func constant(name string, days int, cores, bytes float32) Workload {
	w := Workload{Name: name}
	for range days * keptSteps {
		w.CPU, w.Memory = append(w.CPU, cores), append(w.Memory, bytes)
	}
	return w
}

// daily is a workload with a day's rhythm, a quick wave on top of it, and a little more memory every hour.
func daily(name string, days int, cores float64) Workload {
	w := Workload{Name: name}
	for i := range days * keptSteps {
		hour := float64(i) / float64(stepsPerHour)
		day := 1 + 0.6*math.Sin(2*math.Pi*hour/24) + 0.2*math.Sin(2*math.Pi*hour*3.7)
		w.CPU = append(w.CPU, float32(cores*day))
		w.Memory = append(w.Memory, float32(gib*cores*(0.5+0.2*day)))
	}
	return w
}

// anyWorkload draws a workload of so many steps with bursts, zeros and holes.
func anyWorkload(t *rapid.T, name string, steps int) Workload {
	values := func(label string, most float32) []float32 {
		level := rapid.Float32Range(0, most).Draw(t, label+" level")
		burst := rapid.SliceOfN(rapid.OneOf(
			rapid.Float32Range(0, 2), rapid.Float32Range(0, 2), rapid.Just(float32(0)), rapid.Just(float32(math.NaN())),
		), 7, 97).Draw(t, label+" shape")
		out := make([]float32, steps)
		for i := range out {
			out[i] = level * burst[(i/3)%len(burst)]
		}
		return out
	}
	return Workload{Name: name, CPU: values("cpu", 8), Memory: values("memory", 8*gib)}
}

// replayed runs all workloads with a short warm-up.
func replayed(t *testing.T, o Options, workloads ...Workload) Result {
	t.Helper()
	if o.Warmup == 0 {
		o.Warmup = 48 * time.Hour
	}
	result, err := Run(t.Context(), workloads, o)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// swept is replayed with every knob turned.
func swept(t *testing.T, o Options, workloads ...Workload) Result {
	t.Helper()
	result, err := Sweep(t.Context(), workloads, o)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// scripted is a policy that wants the same whatever happens.
type scripted func(i int) Amounts

func (s scripted) want(i int, _ pod) Amounts { return s(i) }

func (scripted) killed(int, int64) {}

// recorded keeps what a policy was asked and answered.
type recorded struct {
	policy
	have, wants []Amounts
}

func (r *recorded) want(i int, p pod) Amounts {
	r.have = append(r.have, p.have)
	r.wants = append(r.wants, r.policy.want(i, p))
	return r.wants[len(r.wants)-1]
}

func goOn() error { return nil }

// record plays one policy on one workload and returns what it was asked and answered.
func record(w *Workload, name string, o Options) (*recorded, played) {
	o.Policies = []string{name}
	resolved, err := resolve(o)
	if err != nil {
		panic(err)
	}
	v := resolved.variants()[0]
	kept := &recorded{}
	inner := v.make
	v.make = func(t *trace, from int) policy {
		kept.policy = inner(t, from)
		return kept
	}
	return kept, playOne(w, resolved, []variant{v}, goOn)[0]
}

// watching is a policy that may look at the pod.
type watching func(i int, p pod) Amounts

func (w watching) want(i int, p pod) Amounts { return w(i, p) }

func (watching) killed(int, int64) {}
