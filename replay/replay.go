// Package replay shows what would have happened: it runs sizing policies over the recorded use of workloads, each decision
// from what was known by then, and scores what they requested against what was used.
//
// Loadline's policies are not a model of Loadline: they call recommender.Decide and package apply on the history that would
// have been stored, and remember what would have been stored. VPA and KRR are written anew from their published constants.
// The package reads no files and no network; docs/replay.md explains every number.
package replay

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Run replays the policies over the workloads. All must have as many samples as the first; missing ones are NaN.
//
// It fails if the options or workloads are not usable, and with the context's cause when that ends. The result does not
// depend on the number of workers.
func Run(ctx context.Context, workloads []Workload, o Options) (Result, error) {
	resolved, err := resolve(o)
	if err != nil {
		return Result{}, err
	}
	return run(ctx, workloads, resolved, resolved.variants())
}

func run(ctx context.Context, workloads []Workload, o *Options, variants []variant) (Result, error) {
	split, err := newSplit(workloads, o)
	if err != nil {
		return Result{}, err
	}
	scores, err := playAll(ctx, workloads, o, variants)
	if err != nil {
		return Result{}, err
	}
	split.Late, split.LeftOut = unlike(scores, split)
	result := Result{Split: split, Notes: notes(split, o)}
	names := make([]string, len(workloads))
	for i := range workloads {
		names[i] = workloads[i].Name
	}
	for v := range variants {
		row := make([]played, len(workloads))
		for w := range workloads {
			row[w] = scores[w][v]
		}
		result.Policies = append(result.Policies, score(variants[v], names, row, o))
	}
	return result, nil
}

// playAll replays every workload under every variant, as many workloads at a time as there are workers. The scores are in
// the order of the workloads and, for each, of the variants.
func playAll(ctx context.Context, workloads []Workload, o *Options, variants []variant) ([][]played, error) {
	workers := o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	scores := make([][]played, len(workloads))
	var mu sync.Mutex
	done := 0
	var group errgroup.Group
	group.SetLimit(workers)
	for w := range workloads {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			scores[w] = playOne(&workloads[w], o, variants, ctx.Err)
			mu.Lock()
			defer mu.Unlock()
			if done++; o.Progress != nil {
				o.Progress(done, len(workloads)-done)
			}
			return nil
		})
	}
	_ = group.Wait() // A play ends early at worst, which it does with the context.
	return scores, context.Cause(ctx)
}

// playOne replays one workload under every variant. It ends early, with fewer scores, when stop has an answer.
func playOne(w *Workload, o *Options, variants []variant, stop func() error) []played {
	t := newTrace(w, o.Start)
	g := game{
		trace: t, scored: int(o.Warmup / Step), cadence: int(o.Cadence / Step), chartPoints: o.ChartPoints,
	}
	first := int(o.settle() / Step)
	g.from = min(max(g.scored-first, t.begin()+first), t.len()) // Nobody can size what has not begun.
	scores := make([]played, 0, len(variants))
	for _, v := range variants {
		g.variant = v
		score, stopped := g.playSeeds(o.Seeds, stop)
		if stopped {
			break
		}
		scores = append(scores, score)
	}
	return scores
}

// newSplit checks the workloads and says which part of their history counts.
func newSplit(workloads []Workload, o *Options) (Split, error) {
	if len(workloads) == 0 {
		return Split{}, fmt.Errorf("there is no workload to replay")
	}
	steps := len(workloads[0].CPU)
	split := Split{
		Workloads: len(workloads), StepSeconds: seconds(Step), Start: o.Start, Scored: o.Start.Add(o.Warmup),
		End: o.Start.Add(time.Duration(steps) * Step), CurrentKnown: o.CurrentKnown, Prices: *o.Prices,
	}
	if !split.End.After(split.Scored) {
		return Split{}, fmt.Errorf("the history of %s is not longer than the warm-up of %s, so nothing is left to score",
			shortDuration(split.End.Sub(split.Start)), shortDuration(o.Warmup))
	}
	seen, used := make(map[string]bool, len(workloads)), false
	for i := range workloads {
		w := &workloads[i]
		if err := w.check(steps); err != nil {
			return Split{}, err
		}
		if seen[w.Name] {
			return Split{}, fmt.Errorf("two workloads are named %s", w.Name)
		}
		seen[w.Name] = true
		split.HasMemory = split.HasMemory || len(w.Memory) > 0
		used = used || slices.ContainsFunc(w.CPU[o.Warmup/Step:], func(v float32) bool { return v > 0 })
	}
	if !used {
		return Split{}, fmt.Errorf("no workload used any CPU after the warm-up of %s, so there is nothing to compare requests with", shortDuration(o.Warmup))
	}
	return split, nil
}

// unlike counts the workloads that began too late to be scored on the whole scored part, and those that are not scored at all.
func unlike(scores [][]played, s Split) (late, leftOut int) {
	whole := int(s.End.Sub(s.Scored) / Step)
	for _, variants := range scores {
		switch steps := variants[0].steps; {
		case steps == 0:
			leftOut++
		case steps < whole:
			late++
		}
	}
	return late, leftOut
}

// notes say what was assumed.
func notes(s Split, o *Options) []string {
	var out []string
	if !s.CurrentKnown {
		out = append(out, "What is requested today is not known, or not everywhere: where it is not, every policy starts from, and current keeps, the most "+
			"that the workload used before policies began to act, up to a day before the scored part, or in its first day if it began later.")
	}
	if s.Late > 0 {
		out = append(out, fmt.Sprintf("Began too late for the whole scored part: %d of %s. They are scored from %s after their first sample of CPU and memory on, "+
			"and rates are per week that was scored.", s.Late, count(s.Workloads, "workload"), shortDuration(o.settle())))
	}
	if s.LeftOut > 0 {
		out = append(out, fmt.Sprintf("Without a sample that could be scored, and so in no number: %d of %s.", s.LeftOut, count(s.Workloads, "workload")))
	}
	if len(o.Seeds) > 1 && slices.ContainsFunc(o.Refused, func(share float64) bool { return share > 0 }) {
		out = append(out, fmt.Sprintf("Rows with refused raises are means over %d seeds of chance; their charts are of the first.", len(o.Seeds)))
	}
	if !s.HasMemory {
		out = append(out, "There is no memory in the input, so memory is not replayed.")
	}
	if o.Cadence != Step {
		out = append(out, fmt.Sprintf("Decisions are made every %s instead of every %s.", shortDuration(o.Cadence), shortDuration(Step)))
	}
	return out
}
