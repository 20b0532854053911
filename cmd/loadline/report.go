package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/report"
	"github.com/loadline-dev/loadline/updater"
)

func newReportCommand(flags *clusterFlags, std streams) *cobra.Command {
	options := reportOptions{output: "table"}
	cmd := &cobra.Command{
		Use:     "report",
		Short:   "Show every recommendation, what it saves, and what to look at",
		Long:    "Show every recommendation, what it saves, and what to look at: of all namespaces, or of the one given with --namespace.",
		Example: "  loadline report\n  loadline report --namespace shop --output json",
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
			c, err := newClient(flags)
			if err != nil {
				return err
			}
			bar := newProgress(std.err, "reading recommendations")
			recommendations, err := listRecommendations(cmd.Context(), c, flags.namespaceFlag(), bar.update)
			bar.finish()
			if err != nil {
				return err
			}
			if flags.namespaceFlag() == "" {
				recommendations = withoutProbe(recommendations)
			}
			in.Now, in.Recommendations = metav1.Time{Time: time.Now().UTC()}, recommendations
			if halts, err := updater.Halts(cmd.Context(), c, config.Default()); err == nil { // not everybody may read it
				in.Halts = halts
			}
			if err := write(std.out, report.New(in)); err != nil {
				return fmt.Errorf("write the report: %w", err)
			}
			return nil
		},
	}
	options.bind(cmd.Flags())
	return cmd
}

// reportOptions are the flags of the report.
type reportOptions struct{ output, prices, since string }

func (o *reportOptions) bind(set *pflag.FlagSet) {
	set.StringVarP(&o.output, "output", "o", o.output, "table or json")
	set.StringVar(&o.prices, "prices", "", "file with prices, see docs/report.md (default: public on-demand prices)")
	set.StringVar(&o.since, "since", "", "earlier report to compare with, written with --output json or yaml")
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

// withoutProbe leaves out the namespace in which the updater tries admission: nothing runs there.
func withoutProbe(all []v1alpha1.Recommendation) []v1alpha1.Recommendation {
	probe := config.Default().Updater.ProbeNamespace
	return slices.DeleteFunc(all, func(r v1alpha1.Recommendation) bool { return r.Namespace == probe })
}

func reportWriter(output string) (func(io.Writer, report.Report) error, error) {
	switch output {
	case "table":
		return report.Table, nil
	case "json":
		return report.JSON, nil
	default:
		return nil, usageError("--output %q: legal are table and json", output)
	}
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
