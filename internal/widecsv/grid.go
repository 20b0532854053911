package widecsv

import (
	"errors"
	"fmt"
	"math"
	"time"
)

const (
	// strayShare is one row in how many may lie beside the steps of the others: exports have some where clocks were changed.
	strayShare = 100
	// A table may become mostStretch times as long, and spareSteps longer, by the steps that no row was written for.
	mostStretch, spareSteps = 10, 10_000
)

// grid lays the rows of a table with times out in even steps.
type grid struct {
	// times of the rows, none before the one above it.
	times []time.Time
	step  time.Duration
	// slots are the step of each row, counted from the first.
	slots []int
	// stray is the first row beside the steps, or of the step of another row, and strays how many there are.
	stray, strays int
}

// spread takes the most common distance of two rows for the step, and gives every step a row.
func (p *parser) spread() error {
	table := p.table
	if len(p.times) < 2 {
		return nil
	}
	g := grid{times: p.times, step: commonDistance(p.times), slots: make([]int, len(p.times))}
	if row, err := g.place(); err != nil {
		return fmt.Errorf("line %d, column 1: %w", p.first+row, err)
	}
	table.Step, table.Stray = g.step, g.strays
	rows := g.slots[len(g.slots)-1] + 1
	table.Missing = rows - (len(g.times) - g.shared())
	if rows == table.Rows && g.strays == 0 {
		return nil
	}
	table.Rows = rows
	for i, column := range table.Columns {
		table.Columns[i] = g.layOut(column, rows)
	}
	return nil
}

// commonDistance returns the most common distance between two rows that are not of the same time, the smallest of several; 0 if
// there is none.
func commonDistance(times []time.Time) time.Duration {
	counts := make(map[time.Duration]int)
	for i, t := range times[1:] {
		if d := t.Sub(times[i]); d > 0 {
			counts[d]++
		}
	}
	step, most := time.Duration(0), 0
	for d, n := range counts {
		if n > most || n == most && d < step {
			step, most = d, n
		}
	}
	return step
}

// place finds the step of every row: the nearest one. An error is about the row that it returns.
func (g *grid) place() (row int, err error) {
	if g.step == 0 {
		return 1, errors.New("the time is not later than the row before; rows have to be in the order of time")
	}
	limit := time.Duration(mostStretch*len(g.times) + spareSteps)
	for i, t := range g.times {
		after := t.Sub(g.times[0])
		slot, rest := after/g.step, after%g.step
		if slot > limit {
			return i, fmt.Errorf("%s is %s after the row before, but most rows are %s apart; most of the file would be a gap",
				t.Format(time.RFC3339), t.Sub(g.times[i-1]), g.step)
		}
		if rest > 0 && rest >= g.step-rest {
			slot++
		}
		g.slots[i] = int(slot)
		if rest == 0 && (i == 0 || g.slots[i] != g.slots[i-1]) {
			continue
		}
		if g.strays++; g.strays == 1 {
			g.stray = i
		}
	}
	if g.strays*strayShare > len(g.times) {
		return g.stray, g.strayError()
	}
	return 0, nil
}

func (g *grid) strayError() error {
	t := g.times[g.stray]
	distance := t.Sub(g.times[g.stray-1]) // The first row is never one.
	if distance == 0 {
		return fmt.Errorf("%s is not later than the row before; rows have to be in the order of time", t.Format(time.RFC3339))
	}
	return fmt.Errorf("%s is %s after the row before, but most rows are %s apart; rows have to be in equal steps, with none or empty cells where nothing was measured",
		t.Format(time.RFC3339), distance, g.step)
}

// shared returns how many rows are of a step that another row above them has.
func (g *grid) shared() (n int) {
	for i, slot := range g.slots[1:] {
		if slot == g.slots[i] {
			n++
		}
	}
	return n
}

// layOut moves values to their steps. Of several in one step the largest counts; without one the value is missing.
func (g *grid) layOut(values []float32, rows int) []float32 {
	out := make([]float32, rows)
	for i := range out {
		out[i] = float32(math.NaN())
	}
	for i, v := range values {
		if at := g.slots[i]; !(v <= out[at]) && v == v {
			out[at] = v
		}
	}
	return out
}
