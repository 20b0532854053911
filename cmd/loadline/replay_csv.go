package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/loadline-dev/loadline/internal/widecsv"
	"github.com/loadline-dev/loadline/replay"
)

// replayFiles are the files that a recording is read from.
type replayFiles struct {
	cpu, memory, current string
	unit, step, start    string
}

func (f *replayFiles) bind(set *pflag.FlagSet) {
	set.StringVar(&f.cpu, "cpu", "", "CSV file with the mean CPU use of each step, in cores")
	set.StringVar(&f.memory, "memory", "", "CSV file with the memory use of each step")
	set.StringVar(&f.unit, "memory-unit", "", "unit of --memory: B (bytes, as if it were left out), MiB, GiB or GB")
	set.StringVar(&f.current, "current", "", "CSV file with what is requested today: the header workload,cpu,memory and rows such as web,500m,1Gi")
	set.StringVar(&f.step, "step", "", "time between rows: 5m, or what divides it into equal parts, such as 1m; needed unless the files have times")
	set.StringVar(&f.start, "start", "", "time of the first row (RFC 3339); a Monday at midnight if neither this nor the files say it")
}

// units of memory in bytes.
func memoryUnit(name string) (float64, error) {
	switch name {
	case "", "B":
		return 1, nil
	case "MiB":
		return 1 << 20, nil
	case "GiB":
		return 1 << 30, nil
	case "GB":
		return 1e9, nil
	default:
		return 0, usageError("--memory-unit %q: legal are B, MiB, GiB and GB", name)
	}
}

func (f *replayFiles) read(ctx context.Context, std streams) (recording, error) {
	if count(f.cpu, f.memory, f.current) > 1 {
		return recording{}, usageError("--cpu, --memory and --current: one of them at most can be -, the standard input")
	}
	unit, err := memoryUnit(f.unit)
	if err != nil {
		return recording{}, err
	}
	cpu, err := readTable(ctx, f.cpu, std)
	if err != nil {
		return recording{}, err
	}
	rows, err := f.timing(cpu)
	if err != nil {
		return recording{}, err
	}
	if !rows.first.Equal(rows.start) {
		_, _ = fmt.Fprintf(std.err, "loadline: %s: the first row is of %s, which counts for the %s from %s on\n", f.cpu,
			rows.first.Format(time.RFC3339), model.Duration(replay.Step), rows.start.Format(time.TimeOnly))
	}
	r := recording{start: rows.start, workloads: make([]replay.Workload, len(cpu.Names))}
	for i, values := range cpu.Columns {
		r.workloads[i] = replay.Workload{Name: cpu.Names[i], CPU: rows.reduce(values, mean)}
	}
	if err := f.readBeside(ctx, cpu, std, func(i int, values []float32) {
		inBytes := rows.reduce(values, highest)
		for j := range inBytes {
			inBytes[j] = float32(float64(inBytes[j]) * unit)
		}
		r.workloads[i].Memory = inBytes
	}); err != nil {
		return recording{}, err
	}
	if err := f.checkUnit(r.workloads); err != nil {
		return recording{}, err
	}
	r.currentKnown, err = f.readCurrent(std.in, r.workloads)
	return r, err
}

// leastPeak is the number of bytes under which the largest of all values of memory is hardly one in bytes.
const leastPeak = 1 << 20

// checkUnit refuses memory that nobody said is in bytes and that cannot be: every policy would look perfect.
func (f *replayFiles) checkUnit(workloads []replay.Workload) error {
	if f.memory == "" || f.unit != "" {
		return nil
	}
	peak := float32(0)
	for _, w := range workloads {
		for _, v := range w.Memory {
			if v > peak {
				peak = v
			}
		}
	}
	if peak > 0 && peak < leastPeak {
		return usageError("%s: no value is over %g, too little for bytes: say with --memory-unit what they are; legal are B, MiB, GiB and GB", f.memory, peak)
	}
	return nil
}

// count tells how many of the paths are the standard input.
func count(paths ...string) (n int) {
	for _, path := range paths {
		if path == "-" {
			n++
		}
	}
	return n
}

// replayRows say which rows of a file make which step of the replay.
type replayRows struct {
	perStep int
	// first is when the first row was measured, and start when the step that it belongs to begins; zero if that is not known.
	first, start time.Time
	// lead is how many rows of the first step were before the file.
	lead int
}

func (f *replayFiles) timing(table *widecsv.Table) (replayRows, error) {
	asked := forecastFlags{step: f.step, start: f.start}
	if err := asked.parseTiming(); err != nil {
		return replayRows{}, err
	}
	t, err := asked.timing(table)
	if err != nil {
		return replayRows{}, err
	}
	if t.step > replay.Step || replay.Step%t.step != 0 {
		return replayRows{}, usageError("step %s: legal are %s and what divides it into equal parts, such as 1m", model.Duration(t.step), model.Duration(replay.Step))
	}
	start := t.start.Truncate(replay.Step)
	return replayRows{perStep: int(replay.Step / t.step), first: t.start, start: start, lead: int(t.start.Sub(start) / t.step)}, nil
}

// readBeside reads the file of memory, which needs the same columns and rows as the first; nothing if there is none.
func (f *replayFiles) readBeside(ctx context.Context, first *widecsv.Table, std streams, take func(i int, values []float32)) error {
	path := f.memory
	if path == "" {
		return nil
	}
	table, err := readTable(ctx, path, std)
	if err != nil {
		return err
	}
	if table.Rows != first.Rows {
		return fmt.Errorf("%s has %d rows and %s has %d: they must be of the same times", path, table.Rows, f.cpu, first.Rows)
	}
	if !table.Start.Equal(first.Start) || table.Step != first.Step {
		return fmt.Errorf("%s begins at %s in steps of %s, and %s at %s in steps of %s: they must be of the same times",
			path, table.Start.Format(time.RFC3339), table.Step, f.cpu, first.Start.Format(time.RFC3339), first.Step)
	}
	for i, name := range first.Names {
		at := slices.Index(table.Names, name)
		if at < 0 {
			return fmt.Errorf("%s has no column %q, which %s has: both need the same workloads", path, name, f.cpu)
		}
		take(i, table.Columns[at])
	}
	if len(table.Names) != len(first.Names) {
		before := 1 // the cells to the left of the first name, plus one
		if !table.Start.IsZero() {
			before++
		}
		for i, name := range table.Names {
			if !slices.Contains(first.Names, name) {
				return fmt.Errorf("%s, column %d: there is no workload %q in %s: both need the same workloads", path, before+i, name, f.cpu)
			}
		}
	}
	return nil
}

// reduce makes one value of the rows of each step, NaN where none of them is known. What is left over at the end is dropped.
func (r replayRows) reduce(values []float32, of func([]float32) float32) []float32 {
	if r.perStep == 1 {
		return values
	}
	out := make([]float32, 0, (r.lead+len(values))/r.perStep)
	for end := r.perStep - r.lead; end <= len(values); end += r.perStep {
		out = append(out, of(values[max(0, end-r.perStep):end]))
	}
	return out
}

func mean(values []float32) float32 {
	sum, n := 0.0, 0
	for _, v := range values {
		if x := float64(v); !math.IsNaN(x) {
			sum, n = sum+x, n+1
		}
	}
	return float32(sum / float64(n))
}

func highest(values []float32) float32 {
	most := float32(math.NaN())
	for _, v := range values {
		if !(v <= most) && !math.IsNaN(float64(v)) {
			most = v
		}
	}
	return most
}

// readCurrent reads what is requested today, if there is a file of it, and reports whether all of it is known. Every workload
// needs a row; an empty cell is not known.
func (f *replayFiles) readCurrent(stdin io.Reader, workloads []replay.Workload) (bool, error) {
	if f.current == "" {
		return false, nil
	}
	if err := f.parseCurrentFile(stdin, workloads); err != nil {
		return false, err
	}
	return !slices.ContainsFunc(workloads, func(w replay.Workload) bool {
		return w.Current.CPUMillis == 0 || w.Memory != nil && w.Current.MemoryBytes == 0
	}), nil
}

func (f *replayFiles) parseCurrentFile(stdin io.Reader, workloads []replay.Workload) error {
	file, err := widecsv.Open(f.current, stdin)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // It was only read.
	rows := csv.NewReader(widecsv.SkipMark(file))
	rows.FieldsPerRecord, rows.TrimLeadingSpace = len(currentHeader()), true
	left := make(map[string]*replay.Workload, len(workloads))
	for i := range workloads {
		left[workloads[i].Name] = &workloads[i]
	}
	for line := 0; ; line++ {
		cells, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%s: %w; legal are a header workload,cpu,memory and rows such as web,500m,1Gi", f.current, err)
		}
		for i, cell := range cells {
			cells[i] = strings.TrimSpace(cell)
		}
		if line == 0 {
			if !slices.Equal(cells, currentHeader()) {
				return fmt.Errorf("%s: line 1: the header is %q: legal is workload,cpu,memory", f.current, strings.Join(cells, ","))
			}
			continue
		}
		if err := takeCurrent(cells, left); err != nil {
			row, _ := rows.FieldPos(0)
			return fmt.Errorf("%s: line %d, %w", f.current, row, err)
		}
	}
	for _, w := range workloads {
		if left[w.Name] != nil {
			return fmt.Errorf("%s: workload %q of %s has no row", f.current, w.Name, f.cpu)
		}
	}
	return nil
}

func currentHeader() []string { return []string{"workload", "cpu", "memory"} }

// takeCurrent gives the row of a workload to it, which is then no longer left.
func takeCurrent(cells []string, left map[string]*replay.Workload) error {
	w, known := left[cells[0]]
	if !known {
		return fmt.Errorf("column 1: the recording has no workload %q", cells[0])
	}
	if w == nil {
		return fmt.Errorf("column 1: workload %q has a row already", cells[0])
	}
	left[cells[0]] = nil
	return parseCurrent(cells, &w.Current)
}

func parseCurrent(cells []string, into *replay.Amounts) error {
	for i, cell := range cells[1:] {
		if cell == "" {
			continue
		}
		q, err := resource.ParseQuantity(cell)
		if err != nil || q.Sign() <= 0 {
			return fmt.Errorf("column %d: %q is not a request; legal are quantities such as 500m or 1Gi, and an empty cell where none is known", i+2, cell)
		}
		if i == 0 {
			into.CPUMillis = q.MilliValue()
		} else {
			into.MemoryBytes = q.Value()
		}
	}
	return nil
}
