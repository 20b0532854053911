package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// write prints the median over the rounds of every figure.
func write(w io.Writer, o options, results map[string][]result) error {
	fmt.Fprintf(w, "%d pods of %d workloads, %d rounds, medians; fixed pace: %d pods/s; as fast as possible: %d clients\n\n",
		o.pods, o.workloads, o.rounds, o.rate, o.workers)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "webhook\tasked p50\tasked p99\tcall, mean\tcreate p50\tcreate p99\tpods/s\tmissed\tCPU/pod\tserver\tmemory\t")
	for _, name := range []string{"none", constantName, loadlineName, "vpa 1.8.1"} {
		rounds := results[name]
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%.0f\t%.0f\t%s\t%s\t%s\t\n", name,
			shown(rounds, func(r result) time.Duration { return quantile(r.asked, 0.5) }),
			shown(rounds, func(r result) time.Duration { return quantile(r.asked, 0.99) }),
			shown(rounds, func(r result) time.Duration { return r.webhook }),
			shown(rounds, func(r result) time.Duration { return quantile(r.paced, 0.5) }),
			shown(rounds, func(r result) time.Duration { return quantile(r.paced, 0.99) }),
			median(rounds, func(r result) float64 { return r.perSecond }),
			median(rounds, func(r result) float64 { return float64(r.missed) }),
			shown(rounds, func(r result) time.Duration { return r.cpu / time.Duration(o.pods) }),
			shown(rounds, func(r result) time.Duration { return r.server / time.Duration(o.pods) }),
			mebibytes(median(rounds, func(r result) float64 { return float64(r.peak) })))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprint(w, `
asked:     the webhook alone, over TLS, at the fixed pace (bar for Loadline's p99: 2ms)
call:      what the API server waited for it, by its own account
create:    what a client waited for its pod at the fixed pace
missed:    pods, of twice the number above, that came without the recommended sizes because the webhook did not answer in time
CPU/pod:   processor time of the webhook at the fixed pace
server:    the same of the API server
memory:    the largest resident set so far
constant:  a webhook that gives every pod the same sizes without looking at it; none can add less

`)
	for _, added := range []struct {
		what string
		of   func(result) time.Duration
	}{
		{"call, mean", func(r result) time.Duration { return r.webhook }},
		{"create p50", func(r result) time.Duration { return quantile(r.paced, 0.5) }},
		{"create p99", func(r result) time.Duration { return quantile(r.paced, 0.99) }},
		{"CPU of the API server, per pod", func(r result) time.Duration { return r.server / time.Duration(o.pods) }},
		{"CPU of the webhook, per pod", func(r result) time.Duration { return r.cpu / time.Duration(o.pods) }},
	} {
		over := func(name, base string) time.Duration {
			difference := func(r result) float64 { return float64(added.of(r)) }
			return time.Duration(median(results[name], difference) - median(results[base], difference))
		}
		ours, theirs := over(loadlineName, "none"), over("vpa 1.8.1", "none")
		fmt.Fprintf(w, "%s, added: constant %s, loadline %s, vpa %s: %.2f of the autoscaler's (bar: 0.33), %.2f of it beyond the constant's\n",
			added.what, brief(over(constantName, "none")), brief(ours), brief(theirs), ours.Seconds()/theirs.Seconds(),
			over(loadlineName, constantName).Seconds()/over("vpa 1.8.1", constantName).Seconds())
	}
	return nil
}

// quantile of values in ascending order; 0 without any.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func median(rounds []result, of func(result) float64) float64 {
	values := make([]float64, len(rounds))
	for i, r := range rounds {
		values[i] = of(r)
	}
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 0 {
		return (values[middle-1] + values[middle]) / 2
	}
	return values[middle]
}

// shown is the median in words, or a dash for 0.
func shown(rounds []result, of func(result) time.Duration) string {
	d := time.Duration(median(rounds, func(r result) float64 { return float64(of(r)) }))
	if d == 0 {
		return "–"
	}
	return brief(d)
}

func brief(d time.Duration) string { return d.Round(10 * time.Microsecond).String() }

func mebibytes(bytes float64) string {
	if bytes == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f MiB", bytes/(1<<20))
}
