package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/spf13/pflag"

	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/recommender/history"
	"github.com/loadline-dev/loadline/replay"
)

// prometheusFlags say which recording to read from Prometheus.
type prometheusFlags struct {
	url, config string
	// namespace is kubectl's flag.
	namespace string
	workloads []string
	days      int
}

// maxReplayDays is a year.
const maxReplayDays = 365

func (f *prometheusFlags) bind(set *pflag.FlagSet) {
	set.StringVar(&f.url, "prometheus", "", "URL of a Prometheus to read the recording from, such as http://127.0.0.1:9090")
	set.StringVar(&f.config, "config", "", "operator configuration file with the queries and credentials for --prometheus; without it the defaults apply")
	set.StringSliceVar(&f.workloads, "workload", nil, "which workloads of the namespace, as kind/name (default: all that kube-state-metrics told Prometheus of)")
	set.IntVar(&f.days, "days", 28, fmt.Sprintf("how many days to read, warm-up included, 2 to %d", maxReplayDays))
}

// promReader reads the recording of one namespace.
type promReader struct {
	flags   *prometheusFlags
	reader  *history.Reader
	querier history.Querier
	timeout time.Duration
	// start and end of the recording.
	start, end time.Time
}

func (f *prometheusFlags) read(ctx context.Context, status io.Writer) (recording, error) {
	p, err := f.open(time.Now())
	if err != nil {
		return recording{}, err
	}
	targets, err := p.targets(ctx)
	if err != nil {
		return recording{}, err
	}
	bar := newProgress(status, "reading days from Prometheus")
	workloads, err := p.readDays(ctx, targets, bar.update)
	bar.finish()
	if err != nil {
		return recording{}, err
	}
	if len(workloads) == 0 {
		return recording{}, notFoundError("Prometheus knows no use of these workloads in namespace %s in the last %d days", f.namespace, f.days)
	}
	r := recording{workloads: workloads, start: p.start, notes: []string{
		"CPU is that of the average pod, memory that of the largest: a workload is replayed as one pod.",
	}}
	r.currentKnown, err = p.readRequests(ctx, r.workloads)
	if err == nil && !r.currentKnown {
		r.notes = append(r.notes, "Prometheus does not know what every workload requests (kube_pod_container_resource_requests).")
	}
	return r, err
}

func (f *prometheusFlags) open(now time.Time) (*promReader, error) {
	if f.namespace == "" {
		return nil, usageError("--prometheus needs --namespace")
	}
	if f.days < 2 || f.days > maxReplayDays {
		return nil, usageError("--days %d: legal are 2 to %d", f.days, maxReplayDays)
	}
	cfg, err := loadConfig(f.config)
	if err != nil {
		return nil, err
	}
	cfg.Prometheus.URL, cfg.Prometheus.BackfillDays = f.url, 1
	querier, err := newHistoryClient(cfg.Prometheus)
	if err != nil {
		return nil, err
	}
	reader, err := newHistoryReader(cfg.Prometheus, nil)
	if err != nil {
		return nil, err
	}
	end := now.UTC().Truncate(replay.Step)
	return &promReader{
		flags: f, reader: reader, querier: querier, timeout: timeoutOf(cfg.Prometheus),
		start: end.AddDate(0, 0, -f.days), end: end,
	}, nil
}

func timeoutOf(cfg config.Prometheus) time.Duration {
	return cmp.Or(cfg.Timeout.Duration, config.Default().Prometheus.Timeout.Duration)
}

// targets are the workloads that were named, or all of the namespace.
func (p *promReader) targets(ctx context.Context) ([]history.Target, error) {
	var targets []history.Target
	for _, argument := range p.flags.workloads {
		kind, name, err := parseWorkload(argument)
		if err != nil {
			return nil, err
		}
		if !slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet"}, kind) {
			return nil, usageError("workload %q: it cannot be replayed; kinds are deployment, statefulset and daemonset", argument)
		}
		targets = append(targets, history.Target{Kind: kind, Name: name})
	}
	if len(targets) > 0 {
		return targets, nil
	}
	for _, k := range []struct{ kind, metric, label string }{
		{"Deployment", "kube_deployment_spec_replicas", "deployment"},
		{"StatefulSet", "kube_statefulset_replicas", "statefulset"},
		{"DaemonSet", "kube_daemonset_status_desired_number_scheduled", "daemonset"},
	} {
		query := fmt.Sprintf("group by (%s) (last_over_time(%s{namespace=%q}[%dd]))", k.label, k.metric, p.flags.namespace, p.flags.days)
		found, err := p.query(ctx, query)
		if err != nil {
			return nil, err
		}
		for _, series := range found {
			targets = append(targets, history.Target{Kind: k.kind, Name: string(series.Metric[model.LabelName(k.label)])})
		}
	}
	if len(targets) == 0 {
		return nil, notFoundError("Prometheus knows no workload of namespace %s from kube-state-metrics; name them with --workload kind/name", p.flags.namespace)
	}
	return targets, nil
}

// query asks for the present value of an expression.
func (p *promReader) query(ctx context.Context, query string) (model.Matrix, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	value, _, _, err := p.querier.QueryRange(ctx, query, promv1.Range{Start: p.end, End: p.end, Step: replay.Step})
	if err != nil {
		return nil, fmt.Errorf("ask Prometheus for %s: %w", query, err)
	}
	matrix, ok := value.(model.Matrix)
	if !ok {
		return nil, fmt.Errorf("ask Prometheus for %s: it answered with a %s instead of series", query, value.Type())
	}
	return matrix, nil
}

// readDays reads day by day with the recommender's reader, which holds the last 24 hours in full.
func (p *promReader) readDays(ctx context.Context, targets []history.Target, seen func(read, left int)) ([]replay.Workload, error) {
	steps := int(p.end.Sub(p.start) / replay.Step)
	all := map[string]*replay.Workload{}
	for day := range p.flags.days {
		until := p.start.AddDate(0, 0, day+1)
		if err := p.reader.Sync(ctx, p.flags.namespace, targets, until); err != nil {
			return nil, err
		}
		for _, t := range targets {
			past, ok := p.reader.Get(p.flags.namespace, t.Kind, t.Name)
			if !ok {
				continue
			}
			for name, c := range past.Containers {
				key := strings.ToLower(t.Kind) + "/" + t.Name + "/" + name
				if all[key] == nil {
					all[key] = &replay.Workload{Name: key, CPU: unknown(steps), Memory: unknown(steps)}
				}
				p.take(all[key], past, c)
			}
		}
		seen(day+1, p.flags.days-day-1)
	}
	workloads := make([]replay.Workload, 0, len(all))
	for _, key := range slices.Sorted(maps.Keys(all)) {
		workloads = append(workloads, *all[key])
	}
	return workloads, nil
}

// take copies the last day of a container to its place.
func (p *promReader) take(into *replay.Workload, past history.Workload, c history.Container) {
	cpu, memory := c.CPUTotal.Recent, c.WorkingSet.Recent
	for i := range cpu.Values {
		at := int(cpu.TimeAt(i).Sub(p.start) / replay.Step)
		if at < 0 || at >= len(into.CPU) {
			continue
		}
		if pods := past.Pods.Recent.At(cpu.TimeAt(i)); pods >= 1 {
			into.CPU[at] = float32(float64(cpu.Values[i]) / pods)
		}
		into.Memory[at] = float32(memory.At(cpu.TimeAt(i)))
	}
}

func unknown(n int) []float32 { return slices.Repeat([]float32{float32(math.NaN())}, n) }

// readRequests fills in what is requested today. It reports whether all of it is known.
func (p *promReader) readRequests(ctx context.Context, workloads []replay.Workload) (bool, error) {
	known := true
	for i := range workloads {
		w := &workloads[i]
		parts := strings.SplitN(w.Name, "/", 3)
		query := fmt.Sprintf(`max by (resource) (last_over_time(kube_pod_container_resource_requests{namespace=%q,pod=~%q,container=%q,resource=~"cpu|memory"}[1d]))`,
			p.flags.namespace, podPattern(parts[0], parts[1]), parts[2])
		found, err := p.query(ctx, query)
		if err != nil {
			return false, err
		}
		for _, series := range found {
			if len(series.Values) == 0 {
				continue
			}
			value := float64(series.Values[len(series.Values)-1].Value)
			if series.Metric["resource"] == "cpu" {
				w.Current.CPUMillis = int64(math.Ceil(value * 1000))
			} else {
				w.Current.MemoryBytes = int64(value)
			}
		}
		known = known && w.Current.CPUMillis > 0 && w.Current.MemoryBytes > 0
	}
	return known, nil
}

// podPattern matches the names that Kubernetes gives a workload's pods.
func podPattern(kind, name string) string {
	ends := map[string]string{"deployment": "-[a-z0-9]+-[a-z0-9]{5}", "statefulset": "-[0-9]+", "daemonset": "-[a-z0-9]{5}"}
	return regexp.QuoteMeta(name) + ends[kind]
}
