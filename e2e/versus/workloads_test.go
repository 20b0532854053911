package versus

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/loadline-dev/loadline/internal/widecsv"
)

const (
	step     = 5 * time.Minute
	perDay   = int(24 * time.Hour / step)
	days     = 21
	mebibyte = 1 << 20
)

// workload is what one container used: CPU in cores and memory in bytes, one value per step, NaN where none was measured.
// Memory is nil if only CPU is sized.
type workload struct {
	name        string
	cpu, memory []float32
}

func (w workload) bytes(i int) float64 {
	if w.memory == nil {
		return math.NaN()
	}
	return float64(w.memory[i])
}

// shape gives cores and bytes at a step.
type shape func(i int) (cores, bytes float64)

// generated returns 20 workloads that differ in what they make VPA do. The same call gives the same values.
func generated() []workload {
	chance := rand.New(rand.NewPCG(20, 26))
	noise := func(share float64) float64 { return math.Exp(share * chance.NormFloat64()) }
	day := func(i int) float64 { return 2 * math.Pi * float64(i%perDay) / float64(perDay) }
	wave := func(i int) float64 { return 1 - math.Cos(day(i)) }
	weekend := func(i int) bool { return i/perDay%7 >= 5 }
	pick := func(condition bool, yes, no float64) float64 {
		if condition {
			return yes
		}
		return no
	}
	leak := 100.0 * mebibyte
	shapes := []struct {
		name string
		at   shape
	}{
		{"steady", func(int) (float64, float64) { return 0.4 * noise(0.05), 300 * mebibyte * noise(0.02) }},
		// The first pod is so far from its target that it is replaced when it is old enough, twelve hours after the beginning.
		{"killed five minutes after a start", func(i int) (float64, float64) {
			return 0.37, pick(i == acting+perDay/2+1, 700, 390) * mebibyte
		}},
		{"daily wave", func(i int) (float64, float64) {
			return (0.1 + 0.5*wave(i)) * noise(0.2), (200 + 100*wave(i)) * mebibyte * noise(0.1)
		}},
		{"weekdays only", func(i int) (float64, float64) {
			return pick(weekend(i), 0.05, 0.05+wave(i)) * noise(0.3), pick(weekend(i), 150, 150+80*wave(i)) * mebibyte
		}},
		{"night job", func(i int) (float64, float64) {
			busy := i%perDay < perDay/24
			return pick(busy, 3.5, 0.02) * noise(0.1), pick(busy, 4000, 90) * mebibyte * noise(0.05)
		}},
		{"bursts", func(int) (float64, float64) {
			burst := chance.IntN(100) == 0
			return pick(burst, 2, 0.1) * noise(0.3), pick(burst, 700, 250) * mebibyte * noise(0.1)
		}},
		{"heavy tail", func(int) (float64, float64) { return 0.05 * noise(1.2), 120 * mebibyte * noise(0.7) }},
		{"mostly nothing", func(int) (float64, float64) {
			used := chance.IntN(30) == 0
			return pick(used, 0.3, 0), pick(used, 60*mebibyte, 0)
		}},
		{"nothing", func(int) (float64, float64) { return 0, 0 }},
		{"tiny", func(int) (float64, float64) { return 0.002 * noise(0.8), 4 * mebibyte * noise(0.5) }},
		{"beyond the last bucket", func(i int) (float64, float64) {
			return 900 + 200*wave(i), (0.9 + 0.2*wave(i)) * 1e12
		}},
		{"level shift up", func(i int) (float64, float64) {
			late := i > 10*perDay+17
			return pick(late, 0.9, 0.3) * noise(0.1), pick(late, 260, 90) * mebibyte * noise(0.05)
		}},
		{"level shift down", func(i int) (float64, float64) {
			late := i > 8*perDay+101
			return pick(late, 0.2, 1.2) * noise(0.1), pick(late, 200, 1000) * mebibyte * noise(0.05)
		}},
		{"growth", func(i int) (float64, float64) {
			grown := 1 + 3*float64(i)/float64(days*perDay)
			return 0.2 * grown * noise(0.15), 180 * grown * mebibyte * noise(0.05)
		}},
		{"leak", func(i int) (float64, float64) {
			leak += 0.4 * mebibyte
			if i%(5*perDay) == 0 {
				leak = 100 * mebibyte
			}
			return 0.15 * noise(0.2), leak
		}},
		{"killed ten minutes after a start", func(i int) (float64, float64) {
			return 0.37, pick(i == acting+perDay/2+2, 700, 390) * mebibyte
		}},
		{"killed again and again", func(i int) (float64, float64) {
			return 0.2 * noise(0.2), pick(i/perDay%4 == 3 && i%7 == 0, 300+40*float64(i/perDay), 200) * mebibyte * noise(0.2)
		}},
		{"gaps", func(i int) (float64, float64) {
			cores, bytes := (0.1+0.2*wave(i))*noise(0.3), 260*mebibyte*noise(0.1)
			hole := i/perDay == 9 || i%97 < 5
			return pick(hole, math.NaN(), cores), pick(hole, math.NaN(), bytes)
		}},
		{"late start", func(i int) (float64, float64) {
			early := i < 13*perDay+7
			return pick(early, math.NaN(), 0.5*noise(0.4)), pick(early, math.NaN(), 400*mebibyte*noise(0.2))
		}},
		{"hourly square", func(i int) (float64, float64) {
			high := i/12%2 == 0
			return pick(high, 1.5, 0.2) * noise(0.05), pick(high, 640, 320) * mebibyte * noise(0.3)
		}},
	}
	workloads := make([]workload, len(shapes))
	for n, s := range shapes {
		workloads[n].name = s.name
		for i := range days * perDay {
			cores, bytes := s.at(i)
			workloads[n].cpu = append(workloads[n].cpu, float32(cores))
			workloads[n].memory = append(workloads[n].memory, float32(bytes))
		}
	}
	return workloads
}

// recorded returns 20 workloads from the folder that the environment variable DATA names, and skips the test without it.
func recorded(t *testing.T) []workload {
	t.Helper()
	const (
		count        = 20
		cpuSuffix    = "_cpu_cores.csv.gz"
		memorySuffix = "_memory_gb.csv.gz"
		gigabyte     = 1e9
	)
	folder := os.Getenv("DATA")
	if folder == "" {
		t.Skip("needs recorded usage: set DATA to a folder with bitbrains_*" + cpuSuffix + " and bitbrains_*" + memorySuffix)
	}
	paths, err := filepath.Glob(filepath.Join(folder, "bitbrains_*"+cpuSuffix))
	if err != nil || len(paths) == 0 {
		t.Fatalf("there is no bitbrains_*%s in %s (%v)", cpuSuffix, folder, err)
	}
	cpu := table(t, paths[0], 1)
	memory := table(t, strings.TrimSuffix(paths[0], cpuSuffix)+memorySuffix, gigabyte)
	workloads := make([]workload, min(count, len(cpu.Names)))
	for i := range workloads {
		pick := i * len(cpu.Names) / len(workloads)
		workloads[i] = workload{cpu.Names[pick], cpu.Columns[pick], memory.Columns[pick]}
	}
	return workloads
}

// table reads a file, times a unit.
func table(t *testing.T, path string, unit float32) *widecsv.Table {
	t.Helper()
	table, err := widecsv.ReadFile(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, column := range table.Columns {
		for i := range column {
			column[i] *= unit
		}
	}
	return table
}
