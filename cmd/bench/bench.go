package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"
)

// bench is one run over a folder of recordings.
type bench struct {
	options
	// out takes the tables, as Markdown; progress what shall not be kept.
	out, progress io.Writer
}

// results are everything that was measured.
type results struct {
	// Version of this program, which tells the commit that it was built from.
	Version string  `json:"version"`
	Machine string  `json:"machine"`
	Seconds float64 `json:"seconds"`
	// Quick: only a third of the series were scored, and the bars are judged by those.
	Quick  bool           `json:"quick,omitempty"`
	M4     *m4Result      `json:"m4,omitempty"`
	Traces []*traceResult `json:"traces,omitempty"`
	Bars   []bar          `json:"bars"`
}

func (b bench) run(ctx context.Context, found recordings) error {
	started := time.Now()
	r := results{Quick: b.quick, Version: version(), Machine: fmt.Sprintf("%s %s/%s, %d cores", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))}
	b.printf("Measured %s with %s.\n\n", r.Version, r.Machine)
	var unusable []error
	if found.m4Train != "" {
		b.printf("## M4 hourly\n\n")
		measured, err := b.runM4(ctx, found)
		if ctx.Err() != nil {
			return err
		}
		if err != nil {
			unusable = append(unusable, err)
			b.printf("It could not be measured: %v\n\n", err)
		} else {
			r.M4 = measured
			r.Bars = append(r.Bars, measured.bars()...)
		}
	}
	for _, files := range found.traces {
		measured, err := b.runTrace(ctx, files)
		if ctx.Err() != nil {
			return err
		}
		if err != nil { // The others are worth the hour that they take.
			unusable = append(unusable, err)
			b.printf("## %s\n\nIt could not be measured: %v\n\n", files.name, err)
			continue
		}
		r.Traces = append(r.Traces, measured)
		r.Bars = append(r.Bars, measured.bars()...)
	}
	b.printf("## Bars\n\n")
	if b.quick {
		b.printf("A quick run: a third of the series and of the workloads stands for all.\n\n")
	}
	writeBars(b.out, r.Bars)
	r.Seconds = time.Since(started).Seconds()
	b.printf("The whole run took %.0f s.\n", r.Seconds)
	return errors.Join(append(unusable, b.save(r))...)
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "an unknown version"
}

func (b bench) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(b.out, format, args...) // the results are also saved
}

func (b bench) save(r results) error {
	if b.options.out == "" {
		return nil
	}
	encoded, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the results: %w", err)
	}
	if err := os.WriteFile(b.options.out, append(encoded, '\n'), 0o644); err != nil {
		return fmt.Errorf("save the results: %w", err)
	}
	return nil
}

// each runs do for 0 to n−1 on all cores and stops at the first error.
func (b bench) each(ctx context.Context, what string, n int, do func(i int) error) error {
	p := newProgress(b.progress, what, n)
	defer p.finish()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			defer p.add(1)
			return do(i)
		})
	}
	return group.Wait()
}
