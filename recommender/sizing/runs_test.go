package sizing

import (
	"math"
	"testing"
	"time"
)

func TestABatchWorkloadIsSizedFromThePeaksOfItsRuns(t *testing.T) {
	in := Input{Policy: Policy{CPU: ResourcePolicy{Quantile: 0.95, Margin: 0.15}, Memory: ResourcePolicy{Margin: 0.15}}}
	c := ContainerInput{Name: "app"}
	for i := range 20 { // 0.1 to 2 cores, 100 to 119 MiB
		c.Runs = append(c.Runs, Run{Scheduled: time.Unix(int64(i), 0), CPU: 0.1 * float64(i+1), Memory: float64(100+i) * (1 << 20)})
	}
	in.Containers = []ContainerInput{c}
	got := ProposeRuns(in).Containers[0]
	if got.Target.CPUMillis != 2300 { // p95 is 1.9 cores, and the 2 of one run in 20 cost little more; and 15 %
		t.Errorf("CPU %dm, want 2300m", got.Target.CPUMillis)
	}
	if want := int64(math.Ceil(119 * (1 << 20) * 1.15)); max(want-got.Target.MemoryBytes, got.Target.MemoryBytes-want) > 64 {
		t.Errorf("memory %d, want the largest run and 15 %%, %d", got.Target.MemoryBytes, want)
	}
	if got.InPlace != got.Target || len(got.Runs) != 20 {
		t.Errorf("in place %+v after %d runs", got.InPlace, len(got.Runs))
	}
}

func TestOneRunThatTowersOverTheRestIsNotCovered(t *testing.T) {
	c := ContainerInput{Name: "app", Runs: []Run{{CPU: 2, Memory: math.NaN()}}}
	for range 19 {
		c.Runs = append(c.Runs, Run{CPU: 1, Memory: math.NaN()})
	}
	in := Input{Policy: Policy{CPU: ResourcePolicy{Quantile: 0.95}}, Containers: []ContainerInput{c}}
	if got := ProposeRuns(in).Containers[0].Target.CPUMillis; got != 1000 {
		t.Errorf("CPU %dm, want the 1000m of 19 of 20 runs", got)
	}
}

func TestRunsThatCannotBeTrueAreIgnored(t *testing.T) {
	in := Input{Policy: Policy{CPU: ResourcePolicy{Quantile: 0.95}}, Containers: []ContainerInput{{Name: "app", Runs: []Run{
		{CPU: math.NaN(), Memory: 1 << 20}, {CPU: math.Inf(1), Memory: -1}, {CPU: 1e9, Memory: math.NaN()}, {CPU: 0.5, Memory: 2 << 20},
	}}}}
	p := ProposeRuns(in)
	got := p.Containers[0]
	if got.Target != (Amounts{CPUMillis: 500, MemoryBytes: 2 << 20}) || len(got.Runs) != 2 {
		t.Errorf("sized %+v after %d runs", got.Target, len(got.Runs))
	}
	found := false
	for _, f := range p.Findings {
		found = found || f.Type == FindingCorruptInput
	}
	if !found {
		t.Errorf("nobody is told: %+v", p.Findings)
	}
}

func TestAKillCountsWhereNoRunWasMeasured(t *testing.T) {
	p := ProposeRuns(Input{Containers: []ContainerInput{{Name: "app", OOMFloorBytes: 300 << 20}}})
	if got := p.Containers[0]; got.Target.MemoryBytes != 300<<20 || !got.OOMRaised || got.Target.CPUMillis != 0 {
		t.Errorf("sized %+v", got.Target)
	}
}
