package main

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/internal/widecsv"
	"github.com/loadline-dev/loadline/replay"
)

// bytesPerGB is what a unit of the recorded memory stands for.
const bytesPerGB = 1e9

// traceResult is what the policies did with one trace.
type traceResult struct {
	Name  string       `json:"name"`
	Split replay.Split `json:"split"`
	// Notes of the replay.
	Notes []string `json:"notes,omitempty"`
	// Rows of every policy at its defaults, those that change pods in place also with refused raises.
	Rows []row `json:"rows"`
	// VPA at several quantiles, which the others are compared with.
	VPA replay.Curve `json:"vpa"`
	// Grid is nil in a quick run.
	Grid *grid `json:"grid,omitempty"`
}

// grid is Loadline in place, with and without forecast, for several amounts to give back and chances of a raise.
type grid struct {
	Workloads int          `json:"workloads"`
	Rows      []row        `json:"rows"`
	VPA       replay.Curve `json:"vpa"`
}

// gcPercent lets the heap grow to nine times what is alive before it is collected. That is a few dozen megabytes, and a fifth of
// a replay's time would else go into collecting what every decision leaves behind.
const gcPercent = 800

// refusalSeeds are those of the chance by which raises are refused. Rows with refused raises are means over them, because one alone
// decides too much of what is left unmet; in the grid, which has so many rows, the first has to do.
func refusalSeeds() []uint64 { return []uint64{1, 2, 3} }

func (b bench) runTrace(ctx context.Context, files traceFiles) (*traceResult, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	workloads, err := b.readTrace(files)
	if err != nil {
		return nil, err
	}
	if b.quick {
		workloads = everyNth(workloads, 3)
	}
	r := &traceResult{Name: files.name}
	result, err := b.replay(ctx, files.name+", defaults", workloads, replay.Options{
		Refused: []float64{0, 0.05}, RefusedFor: []time.Duration{time.Hour, 24 * time.Hour}, Seeds: refusalSeeds(),
	})
	if err != nil {
		return nil, err
	}
	r.Split, r.Notes = result.Split, result.Notes
	r.Rows, r.VPA = besideVPA(result)
	r.write(b)
	if b.quick {
		return r, nil
	}
	some := everyNth(workloads, b.gridEvery)
	shipped := float64(*config.Default().Policy.MaxGiveBackPercent) / 100
	result, err = b.replay(ctx, files.name+", grid", some, replay.Options{
		Policies:    []string{replay.LoadlineInPlace, replay.LoadlineNoForecast, replay.VPAPolicy},
		MaxGiveBack: []float64{0, shipped, 1}, Refused: []float64{0, 0.05, 0.20},
		RefusedFor: []time.Duration{5 * time.Minute, time.Hour, 24 * time.Hour}, Seeds: refusalSeeds()[:1],
	})
	if err != nil {
		return nil, err
	}
	r.Grid = &grid{Workloads: len(some)}
	r.Grid.Rows, r.Grid.VPA = besideVPA(result)
	r.Grid.write(b)
	return r, nil
}

// replay runs policies over the workloads, VPA at several quantiles.
func (b bench) replay(ctx context.Context, what string, workloads []replay.Workload, o replay.Options) (replay.Result, error) {
	p := newProgress(b.progress, what, len(workloads))
	defer p.finish()
	o.Turn = []string{replay.VPAPolicy}
	o.Progress = func(int, int) { p.add(1) }
	result, err := replay.Sweep(ctx, workloads, o)
	if err != nil {
		return replay.Result{}, fmt.Errorf("replay %s: %w", what, err)
	}
	return result, nil
}

// besideVPA returns the policies of a sweep in which only VPA's knob was turned, each beside VPA, and VPA's curve. The scores of
// single workloads are kept for computing intervals and not for the results.
func besideVPA(result replay.Result) (rows []row, vpa replay.Curve) {
	for i, curve := range result.Sweeps {
		r := row{PolicyResult: result.Policies[i]}
		r.Workloads = nil
		if curve.Policy == replay.VPAPolicy {
			vpa = curve
			r.point = curve.Points[slices.IndexFunc(curve.Points, func(p replay.Point) bool { return p.Shipped })]
		} else {
			r.Versus, r.point = curve.Versus[0], curve.Points[0]
		}
		rows = append(rows, r)
	}
	return rows, vpa
}

// readTrace reads the tables of a trace. Each workload of the CPU table takes the column of the same name from the others.
func (b bench) readTrace(files traceFiles) ([]replay.Workload, error) {
	cpu, err := b.readTable(files.cpu)
	if err != nil {
		return nil, err
	}
	workloads := make([]replay.Workload, len(cpu.Names))
	for i, name := range cpu.Names {
		workloads[i] = replay.Workload{Name: name, CPU: cpu.Columns[i]}
	}
	err = b.join(files.memory, cpu, func(i int, values []float32) {
		for t := range values {
			values[t] *= bytesPerGB
		}
		workloads[i].Memory = values
	})
	return workloads, err
}

func (b bench) readTable(name string) (*widecsv.Table, error) {
	table, err := widecsv.ReadFile(filepath.Join(b.data, name), nil)
	if err != nil {
		return nil, err // names the file
	}
	if table.Step != 0 && table.Step != replay.Step {
		return nil, fmt.Errorf("%s: rows are %s apart; want %s", name, table.Step, replay.Step)
	}
	return table, nil
}

// join reads a further table of a trace, if there is one, and hands out its columns. It has to have the rows and names of the
// table of CPU.
func (b bench) join(name string, cpu *widecsv.Table, give func(i int, values []float32)) error {
	if name == "" {
		return nil
	}
	table, err := b.readTable(name)
	if err != nil {
		return err
	}
	if table.Rows != cpu.Rows || len(table.Names) != len(cpu.Names) {
		return fmt.Errorf("%s: %d rows of %d series; the table of CPU has %d of %d", name, table.Rows, len(table.Names), cpu.Rows, len(cpu.Names))
	}
	for i, series := range cpu.Names {
		j := slices.Index(table.Names, series)
		if j < 0 {
			return fmt.Errorf("%s: there is no series %s, which the table of CPU has", name, series)
		}
		give(i, table.Columns[j])
	}
	return nil
}
