package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/report"
)

func newReportCommand(flags *clusterFlags, std streams) *cobra.Command {
	options := reportOptions{output: "table", nodes: true, operator: config.Default().Namespace}
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Show every recommendation, what it saves, and what to look at",
		Long: "Show every recommendation, what it saves in cores, GiB and money, how healthy the workloads are with the reason for every lost\n" +
			"point, which nodes could go, and what to look at: of all namespaces, or of the one given with --namespace. Nothing is changed.\n\n" +
			"table and markdown are for reading, csv for a spreadsheet, html is one page that needs nothing else and can be printed.\n" +
			"json and yaml hold everything; --since compares with one of them.",
		Example: "  loadline report\n  loadline report --output html > report.html\n" +
			"  loadline report --namespace shop --prices prices.yaml --output json > monday.json\n  loadline report --since monday.json",
		GroupID: "look",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			write, err := reportWriter(options.output)
			if err != nil {
				return err
			}
			in, err := options.input()
			if err != nil {
				return err
			}
			in.Namespace, in.Program = flags.namespaceFlag(), programOf(cmd)
			if err := in.Comparable(); err != nil {
				return usageError("--since %s: %w", options.since, err)
			}
			c, err := newClient(flags)
			if err != nil {
				return err
			}
			if err := options.gather(cmd.Context(), c, std, &in); err != nil {
				return err
			}
			if err := write(std.out, report.New(in)); err != nil {
				return fmt.Errorf("write the report: %w", err)
			}
			return nil
		},
	}
	options.bind(cmd.Flags())
	completes(cmd, "output", slices.Sorted(maps.Keys(reportFormats()))...)
	return cmd
}

// gather reads the cluster. Who may not read nodes, pods or the updater's state gets a report without them.
func (o *reportOptions) gather(ctx context.Context, c client.Client, std streams, in *report.Input) (err error) {
	bar := newProgress(std.err, "reading recommendations")
	in.Recommendations, err = listRecommendations(ctx, c, in.Namespace, bar.update)
	bar.finish()
	if err != nil {
		return err
	}
	in.Now = metav1.Time{Time: time.Now().UTC()}
	operator := findInstalled(ctx, c, o.operator)
	in.StaleAfter, in.Kinds = operator.config.Recommender.StaleAfter.Duration, operator.config.Scaling.Owners()
	if in.Halts, err = operator.halts(ctx, c); err != nil {
		_, _ = fmt.Fprintln(std.err, "loadline: whether the updater is stopped cannot be told:", err) // a remark, the report follows
	}
	if in.Namespace != "" { // Its pods alone say nothing about nodes.
		return nil
	}
	in.Recommendations = without(operator.config.Updater.ProbeNamespace, in.Recommendations)
	if o.nodes {
		if err := readNodes(ctx, c, in); err != nil {
			_, _ = fmt.Fprintln(std.err, "loadline: nodes are left out:", err) // a remark, the report follows
		}
	}
	return nil
}

// readNodes reads all nodes, and all pods in pages.
func readNodes(ctx context.Context, c client.Client, in *report.Input) error {
	nodes := &corev1.NodeList{}
	if err := c.List(ctx, nodes); err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	for next := ""; ; {
		page := &corev1.PodList{}
		if err := c.List(ctx, page, client.Limit(pageSize), client.Continue(next)); err != nil {
			in.Pods = nil
			return fmt.Errorf("list pods: %w", err)
		}
		in.Pods = append(in.Pods, page.Items...)
		if next = page.Continue; next == "" {
			break
		}
	}
	in.Nodes = nodes.Items
	return nil
}

// reportOptions are the flags of the report.
type reportOptions struct {
	output, prices, since, operator string
	nodes                           bool
}

func (o *reportOptions) bind(set *pflag.FlagSet) {
	set.StringVarP(&o.output, "output", "o", o.output, strings.Join(slices.Sorted(maps.Keys(reportFormats())), ", "))
	set.StringVar(&o.prices, "prices", "", "file with prices, see docs/report.md (default: public on-demand prices)")
	set.BoolVar(&o.nodes, "nodes", o.nodes, "say which nodes could go, which takes reading all pods; only without --namespace")
	set.StringVar(&o.since, "since", "", "earlier report to compare with, written with --output json or yaml")
	set.StringVar(&o.operator, operatorNamespaceFlag, o.operator, "where Loadline runs, to say whether its updater is stopped and which sizes are stale")
}

// input reads the files that the flags name.
func (o *reportOptions) input() (report.Input, error) {
	in := report.Input{Prices: report.DefaultPrices()}
	if o.prices != "" {
		text, err := os.ReadFile(o.prices)
		if err != nil {
			return in, fmt.Errorf("read the prices: %w", err)
		}
		if in.Prices, err = report.ParsePrices(text); err != nil {
			return in, fmt.Errorf("%s: %w", o.prices, err)
		}
	}
	if o.since != "" {
		text, err := os.ReadFile(o.since)
		if err != nil {
			return in, fmt.Errorf("read the earlier report: %w", err)
		}
		if in.Before, err = report.Parse(text); err != nil {
			return in, fmt.Errorf("%s: %w", o.since, err)
		}
	}
	return in, nil
}

// without leaves out the namespace in which the updater tries admission: nothing runs there.
func without(probe string, all []v1alpha1.Recommendation) []v1alpha1.Recommendation {
	return slices.DeleteFunc(all, func(r v1alpha1.Recommendation) bool { return r.Namespace == probe })
}

// reportFormats are the ways of writing a report.
func reportFormats() map[string]func(io.Writer, report.Report) error {
	return map[string]func(io.Writer, report.Report) error{
		"table": report.Table, "json": report.JSON, "yaml": report.YAML, "csv": report.CSV, "markdown": report.Markdown, "html": report.HTML,
	}
}

func reportWriter(output string) (func(io.Writer, report.Report) error, error) {
	if write, ok := reportFormats()[output]; ok {
		return write, nil
	}
	return nil, usageError("--output %q: legal are %s", output, strings.Join(slices.Sorted(maps.Keys(reportFormats())), ", "))
}

// progress is a bar on a terminal, and nothing elsewhere.
type progress struct{ bar *progressbar.ProgressBar }

func newProgress(w io.Writer, what string) progress {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return progress{}
	}
	return progress{bar: progressbar.NewOptions(-1, progressbar.OptionSetWriter(file), progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))}
}

func (p progress) update(read, left int) {
	if p.bar == nil {
		return
	}
	p.bar.ChangeMax(read + left)
	_ = p.bar.Set(read) // a bar that cannot be drawn is no reason to stop
}

func (p progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish() // as above
	}
}
