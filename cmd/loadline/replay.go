package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/loadline-dev/loadline/replay"
)

const replayHelp = `Show what would have happened: replay sizing policies over recorded use, each decision from what was known by then, and
score what they would have requested against what was used.

The recording comes from CSV files or from Prometheus. A CSV file has one column for each workload with its name on top and
one row for each step, in cores or bytes of one pod; an empty cell is a missing value; it may be compressed with gzip, and -
reads standard input. The policies are
  loadline-inplace     Loadline, changing running pods in place
  loadline-evict       Loadline, replacing pods, with few changes
  loadline-noforecast  loadline-inplace without its forecast: what is left shows what the forecast is worth
  vpa                  the Vertical Pod Autoscaler with its defaults
  krr                  Robusta's recommender with its defaults, applied once a day
  current              what is requested today, from --current
  oracle               knows the next hour: nobody who meets all demand can request less by the hour

Slack is the part of the requests that is not used, violation how often a workload used more CPU than it requested, unmet how
much of its demand that was. docs/replay.md explains every number and what is assumed.`

// replayFlags are the flags of loadline replay.
type replayFlags struct {
	files                                          replayFiles
	prometheus                                     prometheusFlags
	warmup, cadence, output                        string
	policies, giveBack, refused, refusedFor, sweep []string
	seeds                                          []uint
	workers                                        int
	prices                                         replay.Prices
}

func newReplayCommand(cluster *clusterFlags, std streams) *cobra.Command {
	flags := &replayFlags{
		warmup: "14d", cadence: "5m", output: "table", refusedFor: []string{"1h"}, workers: runtime.GOMAXPROCS(0), prices: replay.DefaultPrices(),
	}
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Show what would have happened under Loadline, VPA and others",
		Long:  replayHelp,
		Example: "  loadline replay --cpu cpu.csv --memory memory.csv --step 5m --warmup 14d\n" +
			"  loadline replay --cpu cpu.csv.gz --sweep --refused-raises 5% --refused-for 1h --output html > replay.html\n" +
			"  loadline replay --prometheus http://127.0.0.1:9090 --namespace shop --days 21",
		GroupID: "data",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := flags.refuseStray(cmd.Flags()); err != nil {
				return err
			}
			flags.prometheus.namespace = cluster.namespaceFlag()
			return runReplay(cmd.Context(), flags, std)
		},
	}
	set := cmd.Flags()
	flags.files.bind(set)
	flags.prometheus.bind(set)
	set.StringVar(&flags.warmup, "warmup", flags.warmup, "history at the beginning that nobody is scored on")
	set.StringVar(&flags.cadence, "cadence", flags.cadence, "how often decisions are made; the shipped recommender decides every 5m")
	set.StringSliceVar(&flags.policies, "policies", nil, "which policies to replay, separated by commas (default: all)")
	set.StringSliceVar(&flags.giveBack, "max-give-back", nil, "how much of its target a running pod may give back, such as 0,25%,unlimited, each a row (default: 25%)")
	set.StringSliceVar(&flags.refused, "refused-raises", nil, "which share of in-place raises nodes put off, such as 5%,20%, each a row (default: none)")
	set.StringSliceVar(&flags.refusedFor, "refused-for", flags.refusedFor, "for how long they put them off, such as 5m,1h,24h, each a row")
	set.UintSliceVar(&flags.seeds, "seed", []uint{0}, "seed of the chance by which raises are put off; several, such as 1,2,3, are averaged")
	set.StringSliceVar(&flags.sweep, "sweep", nil, "also turn each policy's knob, or with --sweep=vpa that of some, and compare with vpa where both do the same harm")
	set.Lookup("sweep").NoOptDefVal = sweepAll
	set.Float64Var(&flags.prices.CoreHour, "price-core-hour", flags.prices.CoreHour, "price of a requested core per hour")
	set.Float64Var(&flags.prices.GiBHour, "price-gib-hour", flags.prices.GiBHour, "price of a requested GiB of memory per hour")
	set.StringVarP(&flags.output, "output", "o", flags.output, "table, json or html")
	completes(cmd, "output", "table", "json", "html")
	set.IntVar(&flags.workers, "workers", flags.workers, "how many workloads to replay at once (default: one for each core)")
	set.Lookup("workers").DefValue = "0" // Said in words: the number differs from machine to machine.
	return cmd
}

func runReplay(ctx context.Context, flags *replayFlags, std streams) error {
	write, err := replayWriter(flags.output)
	if err != nil {
		return err
	}
	options, err := flags.options()
	if err != nil {
		return err
	}
	recorded, err := flags.read(ctx, std)
	if err != nil {
		return err
	}
	options.Start, options.CurrentKnown = recorded.start, recorded.currentKnown
	if flags.output == "html" {
		options.ChartPoints = chartPoints
	}
	bar := newProgress(std.err, "replaying workloads")
	options.Progress = bar.update
	run := replay.Run
	if len(flags.sweep) > 0 {
		run = replay.Sweep
	}
	result, err := run(ctx, recorded.workloads, options)
	bar.finish()
	if err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	result.Notes = append(result.Notes, recorded.notes...)
	if err := write(std.out, result); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// sweepAll is what --sweep without a value means.
const sweepAll = "all"

// chartPoints of each workload's chart: half the points of a wide screen.
const chartPoints = 400

func replayWriter(output string) (func(io.Writer, replay.Result) error, error) {
	switch output {
	case "table":
		return replay.Table, nil
	case "json":
		return replay.JSON, nil
	case "html":
		return replay.HTML, nil
	default:
		return nil, usageError("--output %q: legal are table, json and html", output)
	}
}

// recording is what was read.
type recording struct {
	workloads []replay.Workload
	// start is zero if it is not known.
	start        time.Time
	currentKnown bool
	notes        []string
}

// refuseStray refuses flags that would say nothing: those of the other kind of recording, and a time without raises that are
// put off for it.
func (f *replayFlags) refuseStray(set *pflag.FlagSet) error {
	source, stray := "--cpu", []string{"namespace", "workload", "days", "config"}
	switch {
	case f.prometheus.url != "":
		source, stray = "--prometheus", []string{"memory", "memory-unit", "current", "step", "start"}
	case f.files.cpu == "":
		stray = nil
	}
	for _, name := range stray {
		if set.Changed(name) {
			return usageError("--%s is not read with %s: leave one of them out", name, source)
		}
	}
	if set.Changed("memory-unit") && f.files.memory == "" {
		return usageError("--memory-unit needs --memory, the file that it is the unit of")
	}
	if set.Changed("refused-for") && len(f.refused) == 0 {
		return usageError("--refused-for needs --refused-raises: without it no raise is put off")
	}
	return nil
}

func (f *replayFlags) read(ctx context.Context, std streams) (recording, error) {
	switch {
	case f.files.cpu != "" && f.prometheus.url != "":
		return recording{}, usageError("--cpu and --prometheus: name one of them")
	case f.files.cpu != "":
		return f.files.read(ctx, std)
	case f.prometheus.url != "":
		return f.prometheus.read(ctx, std.err)
	default:
		return recording{}, usageError("name a recording: --cpu FILE.csv, or --prometheus URL with --namespace")
	}
}

// options are those of the flags that do not depend on the recording.
func (f *replayFlags) options() (replay.Options, error) {
	o := replay.Options{Policies: f.policies, Prices: &f.prices, Workers: f.workers}
	for _, seed := range f.seeds {
		o.Seeds = append(o.Seeds, uint64(seed))
	}
	if f.workers < 1 {
		return o, usageError("--workers %d: legal are 1 and more", f.workers)
	}
	var err error
	if o.Warmup, err = parseSteps("--warmup", f.warmup); err != nil {
		return o, err
	}
	if o.Cadence, err = parseSteps("--cadence", f.cadence); err != nil {
		return o, err
	}
	if err := f.actuation(&o); err != nil {
		return o, err
	}
	if !slices.Equal(f.sweep, []string{sweepAll}) {
		o.Turn = f.sweep
	}
	if err := o.Check(); err != nil {
		return o, codedError{error: err, code: exitUsage}
	}
	return o, nil
}

// actuation sets what in-place changes may do and what becomes of them.
func (f *replayFlags) actuation(o *replay.Options) error {
	for _, text := range f.giveBack {
		if text == "unlimited" {
			text = "100%"
		}
		give, err := parseShare("--max-give-back", text, "0, 25% or unlimited")
		if err != nil {
			return err
		}
		o.MaxGiveBack = append(o.MaxGiveBack, give)
	}
	for _, text := range f.refused {
		part, err := parseShare("--refused-raises", text, "5%")
		if err != nil {
			return err
		}
		o.Refused = append(o.Refused, part)
	}
	for _, text := range f.refusedFor {
		d, err := parseSteps("--refused-for", text)
		if err != nil {
			return err
		}
		o.RefusedFor = append(o.RefusedFor, d)
	}
	return nil
}

// parseSteps reads a duration such as 14d or 5m that is a positive multiple of five minutes.
func parseSteps(flag, text string) (time.Duration, error) {
	d, err := model.ParseDuration(text)
	if err != nil || d <= 0 || time.Duration(d)%replay.Step != 0 {
		return 0, usageError("%s %q: legal are multiples of %s, such as 1h or 14d", flag, text, model.Duration(replay.Step))
	}
	return time.Duration(d), nil
}

// parseShare reads a share such as 5%, or 0.
func parseShare(flag, text, example string) (float64, error) {
	number, isPercent := strings.CutSuffix(strings.TrimSpace(text), "%")
	part, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || !(part >= 0 && part <= 100) || (!isPercent && part != 0) {
		return 0, usageError("%s %q: legal are percentages from 0%% to 100%%, such as %s", flag, text, example)
	}
	return part / 100, nil
}
