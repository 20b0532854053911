package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"github.com/loadline-dev/loadline/recommender/advice"
	"github.com/loadline-dev/loadline/recommender/advice/eval"
	"github.com/loadline-dev/loadline/recommender/advice/testdata"
	"github.com/loadline-dev/loadline/recommender/llm"
)

func newAdviseCommand(std streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "advise",
		Short:   "Try how well a language model reads events and business context",
		Example: "  loadline advise eval --rules",
		GroupID: "data",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAdviseEvalCommand(std))
	return cmd
}

func newAdviseEvalCommand(std streams) *cobra.Command {
	flags, e := &modelFlags{}, evaluation{std: std, clock: clock.RealClock{}}
	var rules bool
	cmd := &cobra.Command{
		Use:   "eval",
		Short: "Score a model, or the rules, on the evaluation set",
		Long: "Ask about each case of the evaluation set and compare the checked advice with what a careful person would accept.\n" +
			"A case is right if all that is wanted is there and nothing that is not acceptable. REFUSED counts the adjustments that\n" +
			"the checks refused, NO ADVICE the cases in which the model gave no usable answer; these count as wrong.\n\n" +
			"A tiny or random model shows only that the plumbing works: its numbers say nothing about the set, nor about larger models.",
		Example: "  loadline advise eval --url http://127.0.0.1:11434 --model llama3.1:8b\n  loadline advise eval --rules",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if rules && flags.url != "" {
				return usageError("--rules and --url exclude each other: the rules ask nobody")
			}
			advise, name, err := adviserOf(rules, flags)
			if err != nil {
				return err
			}
			return e.run(cmd.Context(), advise, name)
		},
	}
	flags.bind(cmd)
	cmd.Flags().BoolVar(&rules, "rules", false, "score the rules, which ask no model")
	cmd.Flags().StringVar(&e.cases, "cases", "", "folder with cases, *.yaml (default: the built-in set)")
	cmd.Flags().BoolVar(&e.verbose, "verbose", false, "tell what is wrong with each case that is not right")
	return cmd
}

// adviser gives checked advice on one piece of evidence.
type adviser func(context.Context, advice.Evidence) (advice.Advice, error)

func adviserOf(rules bool, flags *modelFlags) (advise adviser, name string, err error) {
	if rules {
		return func(_ context.Context, e advice.Evidence) (advice.Advice, error) { return advice.Rules(e), nil }, "the rules", nil
	}
	cfg, err := flags.settings()
	if err != nil {
		return nil, "", err
	}
	client, err := newModelClient(cfg)
	if err != nil {
		return nil, "", err
	}
	// Every case is asked, however many there are and however many failed before.
	const all = 1 << 20
	advisor, err := llm.NewAdvisor(client, llm.Options{
		Deadline: cfg.Deadline.Duration, Tries: cfg.Tries, AnswerTokens: cfg.AnswerTokens, QuestionsPerHour: all, RestAfter: all,
	})
	if err != nil {
		return nil, "", fmt.Errorf("prepare the advisor: %w", err)
	}
	return func(ctx context.Context, e advice.Evidence) (advice.Advice, error) {
		rules := advice.Rules(e)
		a, err := advisor.Advise(ctx, e)
		switch {
		case llm.OutcomeOf(err) == llm.NothingToAsk:
			return rules, nil
		case err != nil:
			return advice.Advice{}, err
		}
		return advice.Refine(rules, a, e), nil
	}, cfg.Model + " at " + cfg.URL, nil
}

// evaluation is one run over the cases.
type evaluation struct {
	std     streams
	clock   clock.PassiveClock
	cases   string
	verbose bool
}

// caseScore is the result of one case and how long the advice took.
type caseScore struct {
	eval.Result
	took time.Duration
}

func (e evaluation) run(ctx context.Context, advise adviser, name string) error {
	cases, err := eval.Read(testdata.Cases, "cases")
	if e.cases != "" {
		cases, err = eval.Read(os.DirFS(e.cases), ".")
	}
	if err != nil {
		return fmt.Errorf("read the cases: %w", err)
	}
	if len(cases) == 0 {
		return notFoundError("there is no *.yaml in %s", e.cases)
	}
	var results []caseScore
	for i, c := range cases {
		evidence, begin := c.Evidence(), e.clock.Now()
		a, err := advise(ctx, evidence)
		if hopeless(err) {
			return fmt.Errorf("ask %s: %w", name, err)
		}
		result := caseScore{Result: eval.Score(c, a), took: e.clock.Since(begin)}
		if err != nil {
			result.Result = eval.Fail(c, err)
		}
		results = append(results, result)
		_, _ = fmt.Fprintf(e.std.err, "%d of %d: %s in %s\n", i+1, len(cases), c.Name, result.took.Round(time.Millisecond)) // progress only
	}
	if e.verbose {
		if err := writeMistakes(e.std.out, results); err != nil {
			return err
		}
	}
	return writeScores(e.std.out, name, results)
}

// hopeless tells whether it makes no sense to go on: there is no such server or model, or it was told to stop.
func hopeless(err error) bool {
	return err != nil && slices.Contains([]llm.Outcome{llm.Unreachable, llm.NotFound, llm.Refused, llm.Canceled}, llm.OutcomeOf(err))
}

func writeMistakes(w io.Writer, results []caseScore) error {
	for _, r := range results {
		if r.Correct() {
			continue
		}
		var wrong []string
		for _, missed := range r.Missed {
			wrong = append(wrong, "missed "+missed)
		}
		for _, added := range r.Wrong {
			wrong = append(wrong, "added "+added)
		}
		if r.Failed != nil {
			wrong = append(wrong, r.Failed.Error())
		}
		if _, err := fmt.Fprintf(w, "%s: %s\n", r.Case, strings.Join(wrong, "; ")); err != nil {
			return fmt.Errorf("write the mistakes: %w", err)
		}
	}
	return nil
}

func writeScores(w io.Writer, name string, results []caseScore) error {
	plain := make([]eval.Result, len(results))
	for i, r := range results {
		plain[i] = r.Result
	}
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	_, err := fmt.Fprintln(table, "CLASS\tCASES\tRIGHT\tREFUSED\tNO ADVICE\tMEDIAN\tLONGEST")
	for _, s := range eval.Tally(plain) {
		median, longest := latency(results, s.Class)
		_, wrong := fmt.Fprintf(table, "%s\t%d\t%d %%\t%d\t%d\t%s\t%s\n", s.Class, s.Cases, 100*s.Correct/max(s.Cases, 1), s.Rejected, s.Failed,
			median.Round(time.Millisecond), longest.Round(time.Millisecond))
		err = errors.Join(err, wrong)
	}
	err = errors.Join(err, table.Flush())
	_, wrong := fmt.Fprintf(w, "\nThis is how %s did on these cases. A tiny or random model shows only that the plumbing works.\n", name)
	if err = errors.Join(err, wrong); err != nil {
		return fmt.Errorf("write the scores: %w", err)
	}
	return nil
}

// latency returns the median and the longest time of a class, or of all.
func latency(results []caseScore, class string) (median, longest time.Duration) {
	var times []time.Duration
	for _, r := range results {
		if class == "all" || r.Class == class {
			times = append(times, r.took)
		}
	}
	if len(times) == 0 {
		return 0, 0
	}
	slices.Sort(times)
	return times[len(times)/2], times[len(times)-1]
}
