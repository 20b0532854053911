package sizing

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/loadline-dev/loadline/forecast"
)

func checkBytes(t *testing.T, what string, got int64, want float64) {
	t.Helper()
	if math.Abs(float64(got)-want) > 1e-6*want {
		t.Errorf("%s: got %s, want %s", what, bytesText(got), bytesText(int64(want)))
	}
}

func findingTypes(p Proposal) []string {
	var types []string
	for _, f := range p.Findings {
		types = append(types, f.Type)
	}
	return types
}

func checkFindings(t *testing.T, in Input, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, findingTypes(Propose(in))); diff != "" {
		t.Errorf("findings (want, got):\n%s", diff)
	}
}

func TestMemoryCoversTheLargestPodEverSeen(t *testing.T) {
	memory := usage(gib)
	memory.HourlyMax = usage(gib).HourlyMax
	memory.HourlyMax.Values = slices.Clone(memory.HourlyMax.Values)
	memory.HourlyMax.Values[5] = 3 * gib // Two weeks ago, once.
	got := propose(t, input(with(func(c *ContainerInput) { c.MemoryHottest = memory })))
	checkBytes(t, "target", got.Target.MemoryBytes, 3*1.15*gib)
	checkBytes(t, "in place", got.InPlace.MemoryBytes, 3*1.15*gib)
	checkBytes(t, "peak", got.Peak.MemoryBytes, 3*gib)
	checkTrail(t, got.Trail, "Memory: the largest pod of the last 14 days had 3.00 GiB; plus 15 % margin: 3.45 GiB.")
}

// TestMemoryCoversTheLatestDaysOfAHistoryWithoutGaps has a peak nine days ago.
func TestMemoryCoversTheLatestDaysOfAHistoryWithoutGaps(t *testing.T) {
	const age = 9 * 24
	for name, test := range map[string]struct {
		days    int
		missing int // hours before now in which nothing was measured
		want    float64
	}{
		"eight days do not see it": {days: 8, want: gib},
		"ten days do":              {days: 10, want: 3 * gib},
		"eight days of which two were not measured do": {days: 8, missing: 48, want: 3 * gib},
		"more days than there are":                     {days: 28, want: 3 * gib},
	} {
		t.Run(name, func(t *testing.T) {
			hourly := slices.Repeat([]float32{gib}, 14*24)
			hourly[len(hourly)-age] = 3 * gib
			for i := range test.missing {
				hourly[len(hourly)-1-i] = float32(math.NaN())
			}
			in := input(with(func(c *ContainerInput) { c.MemoryHottest = usageOf(hourly) }))
			in.Policy.Memory.PeakHours = test.days * 24
			got := propose(t, in)
			checkBytes(t, "target", got.Target.MemoryBytes, test.want*1.15)
			checkBytes(t, "peak that is sized from", got.SizedPeakBytes, test.want)
			checkBytes(t, "peak of all days", got.Peak.MemoryBytes, 3*gib)
			if got.MemoryHours != 14*24-test.missing {
				t.Errorf("%d hours: what may be lowered depends on the whole history", got.MemoryHours)
			}
		})
	}
}

func TestAnOldPeakIsTold(t *testing.T) {
	hourly := slices.Repeat([]float32{gib}, 14*24)
	hourly[5] = 3 * gib
	in := input(with(func(c *ContainerInput) { c.MemoryHottest = usageOf(hourly) }))
	in.Policy.Memory.PeakHours = 8 * 24
	checkTrail(t, propose(t, in).Trail, "Memory: the largest pod of the last 8 days had 1.00 GiB (before that up to 3.00 GiB); plus 15 % margin: 1.15 GiB.")
}

func TestAnOutOfMemoryKillRaisesMemoryEvenWithoutHistory(t *testing.T) {
	for name, memory := range map[string]forecast.Usage{"history": usage(gib), "no history": {}} {
		in := input(with(func(c *ContainerInput) { c.MemoryHottest, c.OOMFloorBytes = memory, 5*gib }))
		got := propose(t, in)
		if got.Target.MemoryBytes != 5*gib || !got.OOMRaised {
			t.Errorf("%s: got %+v", name, got)
		}
		checkFindings(t, in, FindingOOMKilled)
	}
}

func TestACorruptMeasurementNeitherRaisesNorLowersMemory(t *testing.T) {
	for name, value := range map[string]float64{"negative": -1, "infinite": math.Inf(1), "absurd": 1e16} {
		t.Run(name, func(t *testing.T) {
			memory := usageOf(slices.Repeat([]float32{gib}, 14*24))
			memory.HourlyMax.Values[3] = float32(value) // Shared by mean and maximum.
			in := input(with(func(c *ContainerInput) { c.MemoryHottest = memory }))
			checkBytes(t, "target", propose(t, in).Target.MemoryBytes, 2*gib) // The present request, over 1.15 GiB.
			checkFindings(t, in, FindingCorruptInput)
		})
	}
}

func TestALeakIsFoundAndStopsTheRaising(t *testing.T) {
	var rising []float32
	for i := range 14 * 24 {
		rising = append(rising, float32(gib*(0.5+float64(i)/(14*24)+0.1*math.Sin(2*math.Pi*float64(i)/24))))
	}
	c := with(func(c *ContainerInput) { c.MemoryHottest = usageOf(rising) })
	checkFindings(t, input(c), FindingMemoryLeak)
	checkBytes(t, "kept at the request", propose(t, input(c)).Target.MemoryBytes, 2*gib)
	c.Current.Requests.MemoryBytes = gib
	got := propose(t, input(c))
	if got.Target.MemoryBytes != got.Peak.MemoryBytes || got.Peak.MemoryBytes <= gib {
		t.Errorf("got %+v, want the peak without margin", got)
	}
}

func TestWhatIsALeakAndWhatIsNot(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	for _, test := range []struct {
		name string
		leak bool
		days int
		mib  func(hour float64) float64
	}{
		{"a steady rise", true, 14, func(h float64) float64 { return 300 + h }},
		{"a steady rise with noise and a daily wave", true, 14, func(h float64) float64 {
			return 300 + h + 30*math.Sin(2*math.Pi*h/24) + 10*chance.Float64()
		}},
		{"a steady rise, a restart, and the same rise again", true, 14, func(h float64) float64 {
			if h < 100 {
				return 300 + 5*h
			}
			return 200 + h
		}},
		{"restarts so often that no rise is a week old", false, 14, func(h float64) float64 { return 200 + 3*math.Mod(h, 144) }},
		{"a rise that is too short", false, 6, func(h float64) float64 { return 300 + 5*h }},
		{"a daily wave", false, 14, func(h float64) float64 { return 300 + 200*math.Sin(2*math.Pi*h/24) }},
		{"a quiet weekend", false, 14, func(h float64) float64 {
			if math.Mod(h, 168) > 120 {
				return 200
			}
			return 400
		}},
		{"a warm-up that stays flat", false, 14, func(h float64) float64 { return 600 - 400*math.Exp(-h/36) }},
		{"a warm-up in steps that stays flat", false, 14, func(h float64) float64 { return 200 + 2*min(h, 120) + chance.Float64() }},
		{"a slow rise of a few percent", false, 14, func(h float64) float64 { return 1000 + h/10 }},
		{"a fall", false, 14, func(h float64) float64 { return 1000 - h }},
		{"noise", false, 14, func(float64) float64 { return 300 + 100*chance.Float64() }},
		{"nothing", false, 14, func(float64) float64 { return 0 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			var values []float32
			for i := range test.days * 24 {
				values = append(values, float32(test.mib(float64(i))*(1<<20)))
			}
			if got := findLeak(usageOf(values)); got.suspected != test.leak {
				t.Errorf("got %+v, want %v", got, test.leak)
			}
		})
	}
}

func TestFindings(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*ContainerInput)
		want   []string
	}{
		{"nothing to say", func(*ContainerInput) {}, nil},
		{"a fifth of the periods throttled", func(c *ContainerInput) { c.Throttled = usage(0.2) }, []string{FindingThrottling}},
		{"a twentieth of the periods throttled", func(c *ContainerInput) { c.Throttled = usage(0.05) }, nil},
		{"nothing requested", func(c *ContainerInput) { c.Current = Resources{} }, []string{FindingNoRequests}},
		{"memory requested only", func(c *ContainerInput) { c.Current.Requests.CPUMillis = 0 }, nil},
		{"a negative rate", func(c *ContainerInput) { c.CPUHottest = usage(0.4, -1) }, []string{FindingCorruptInput}},
		{"a million cores and more", func(c *ContainerInput) { c.CPUTotal = usage(0.8, 2e6) }, []string{FindingCorruptInput}},
	} {
		t.Run(test.name, func(t *testing.T) { checkFindings(t, input(with(test.change)), test.want...) })
	}
}
