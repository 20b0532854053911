package versus

import (
	"testing"
	"time"

	"github.com/loadline-dev/loadline/replay"
)

func TestReplayOfVPAChangesWhatTheRealVPAChanges(t *testing.T) {
	t.Parallel()
	compareReplays(t, generated())
}

func TestReplayOfVPAChangesWhatTheRealVPAChangesOnRecordedUsage(t *testing.T) {
	t.Parallel()
	compareReplays(t, recorded(t))
}

func TestReplayOfVPAWithoutMemoryChangesWhatTheRealVPAChangesForCPUAlone(t *testing.T) {
	t.Parallel()
	workloads := generated()
	for i := range workloads {
		workloads[i].memory = nil
	}
	compareReplays(t, workloads)
}

// compareReplays runs every workload twice, under the real VPA and as a replay of the policy of that name, each on its own:
// what one of them requests decides what it does next. All requests and scores have to be equal.
func compareReplays(t *testing.T, workloads []workload) {
	t.Helper()
	const scored = acting + perDay // A replay acts for a day before it counts.
	var inputs []replay.Workload
	for _, w := range workloads {
		inputs = append(inputs, replay.Workload{Name: w.name, CPU: w.cpu, Memory: w.memory, Current: usual})
	}
	steps := len(workloads[0].cpu) - scored
	result, err := replay.Run(t.Context(), inputs, replay.Options{
		Policies: []string{replay.VPAPolicy}, Start: begin, Warmup: time.Duration(scored) * step, ChartPoints: steps, CurrentKnown: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	changes := 0
	for i, w := range workloads {
		ours := result.Policies[0].Workloads[i]
		turns := play(t, w, shipped())[scored-1:]
		compareRequests(t, w, turns[1:], ours.Chart)
		changes += compareScores(t, w, turns, ours)
	}
	t.Logf("%d workloads, %d steps each, %d changes", len(workloads), steps, changes)
}

// compareRequests compares what was requested in every step.
func compareRequests(t *testing.T, w workload, turns []turn, chart *replay.Chart) {
	t.Helper()
	for i, turn := range turns {
		got := replay.Amounts{CPUMillis: int64(chart.CPURequested[i]*1000 + 0.5)}
		want := turn.requests
		if w.memory == nil {
			want.MemoryBytes = 0
		} else {
			got.MemoryBytes = int64(chart.MemoryRequested[i])
		}
		if apart(want, got) > tolerance {
			t.Errorf("%s, step %d, %s: VPA requests %+v, the replay %+v", w.name, i, turn.at, want, got)
			return
		}
	}
}

// compareScores compares the scores of a replay with those computed here from the requests under the real VPA. The first
// turn is the one before the first that counts. It returns how often the requests changed.
func compareScores(t *testing.T, w workload, turns []turn, got replay.WorkloadResult) int {
	t.Helper()
	var cpu, memory tally
	changes := 0
	for i, turn := range turns[1:] {
		at := len(w.cpu) - len(turns) + 1 + i
		cpu.add(float64(w.cpu[at]), float64(turn.requests.CPUMillis)/1000)
		memory.add(w.bytes(at), float64(turn.requests.MemoryBytes))
		if turn.killed {
			memory.kills++
		}
		if turn.requests != turns[i].requests {
			changes++
		}
	}
	weeks := float64(len(turns)-1) / float64(7*perDay)
	cpu.compare(t, w.name+", CPU", got.CPU, weeks)
	if w.memory != nil {
		memory.compare(t, w.name+", memory", *got.Memory, weeks)
	}
	if want := float64(changes) / weeks; relative(want, got.ChangesPerWeek) > tolerance {
		t.Errorf("%s: VPA changes %.2f times a week, the replay %.2f", w.name, want, got.ChangesPerWeek)
	}
	return changes
}

// tally adds up the scores of one resource.
type tally struct {
	used, requested, wasted, missing float64
	samples, short, kills            int
}

func (s *tally) add(used, requested float64) {
	if used != used {
		return
	}
	s.samples++
	s.used += used
	s.requested += requested
	s.wasted += max(requested-used, 0)
	s.missing += max(used-requested, 0)
	if used > requested*(1+1e-6) { // What was used is a float32, what is requested is not.
		s.short++
	}
}

func (s *tally) compare(t *testing.T, name string, got replay.Usage, weeks float64) {
	t.Helper()
	for _, score := range []struct {
		name      string
		want, got float64
	}{
		{"slack", share(s.wasted, s.requested), got.Slack},
		{"violation", share(float64(s.short), float64(s.samples)), got.Violation},
		{"unmet demand", share(s.missing, s.used), got.Unmet},
		{"requested per used", share(s.requested, s.used), got.RequestedPerUsed},
		{"kills per week", float64(s.kills) / weeks, got.OOMPerWeek},
	} {
		if relative(score.want, score.got) > tolerance {
			t.Errorf("%s: %s is %g under VPA and %g in the replay", name, score.name, score.want, score.got)
		}
	}
}

func share(part, whole float64) float64 {
	if whole == 0 {
		return 0
	}
	return part / whole
}
