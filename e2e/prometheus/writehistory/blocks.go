package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// blockMillis is the time that one block covers, in milliseconds. Windows start
// at multiples of it since the epoch.
const blockMillis = 24 * 3600 * 1000

// headMillis is what the block writer is told. Its head takes samples that are
// at most half of this older than its newest one, and every series starts again
// at the beginning of the window, so it has to be more than twice blockMillis.
const headMillis = 3 * blockMillis

// series has the shape of history.Series in the e2e module.
type series struct {
	Labels map[string]string
	Kind   int // 0 gauge, 1 counter given as a rate per second
	Start  time.Time
	Step   time.Duration
	Values []float64
}

const counter = 1

func (s series) validate(now time.Time) error {
	switch {
	case s.Labels["__name__"] == "":
		return errors.New("the label __name__ is missing")
	case s.Kind != 0 && s.Kind != counter:
		return fmt.Errorf("kind %d is unknown, legal are 0 (gauge) and 1 (counter)", s.Kind)
	case s.Step < time.Millisecond:
		return fmt.Errorf("step %s is below one millisecond", s.Step)
	}
	if end := s.Start.Add(time.Duration(len(s.Values)-1) * s.Step); end.After(now) {
		return fmt.Errorf("it ends at %s, in the future", end.UTC().Format(time.RFC3339))
	}
	return nil
}

// blocks holds one open block writer per window, so that series can come one
// after the other, each over the whole time.
type blocks struct {
	dir     string
	now     time.Time
	windows map[int64]*tsdb.BlockWriter
}

func newBlocks(dir string, now time.Time) *blocks {
	return &blocks{dir: dir, now: now, windows: map[int64]*tsdb.BlockWriter{}}
}

func (b *blocks) add(ctx context.Context, s series) error {
	if err := s.validate(b.now); err != nil {
		return err
	}
	var (
		lbls   = labels.FromMap(s.Labels)
		start  = s.Start.UnixMilli()
		step   = s.Step.Milliseconds()
		total  float64
		window = int64(math.MinInt64)
		app    storage.Appender
		ref    storage.SeriesRef
	)
	for i, v := range s.Values {
		if math.IsNaN(v) {
			continue
		}
		if s.Kind == counter {
			total += v * s.Step.Seconds()
			v = total
		}
		t := start + int64(i)*step
		if w := t / blockMillis; w != window {
			if err := commit(app); err != nil {
				return err
			}
			writer, err := b.window(w)
			if err != nil {
				return err
			}
			window, app, ref = w, writer.Appender(ctx), 0
		}
		var err error
		if ref, err = app.Append(ref, lbls, t, v); err != nil {
			return errors.Join(fmt.Errorf("append the sample of %s: %w", time.UnixMilli(t).UTC().Format(time.RFC3339), err), app.Rollback())
		}
	}
	return commit(app)
}

func commit(app storage.Appender) error {
	if app == nil {
		return nil
	}
	if err := app.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

func (b *blocks) window(n int64) (*tsdb.BlockWriter, error) {
	if w, ok := b.windows[n]; ok {
		return w, nil
	}
	w, err := tsdb.NewBlockWriter(slog.New(slog.DiscardHandler), b.dir, headMillis)
	if err != nil {
		return nil, fmt.Errorf("open a block writer: %w", err)
	}
	b.windows[n] = w
	return w, nil
}

// flush writes the blocks, oldest first.
func (b *blocks) flush(ctx context.Context) error {
	for _, n := range slices.Sorted(maps.Keys(b.windows)) {
		if _, err := b.windows[n].Flush(ctx); err != nil {
			return fmt.Errorf("write the block of %s: %w", time.UnixMilli(n*blockMillis).UTC().Format(time.DateOnly), err)
		}
	}
	return nil
}

func (b *blocks) close() {
	for _, w := range b.windows {
		_ = w.Close() // scratch space only, the block itself is written by flush
	}
}
