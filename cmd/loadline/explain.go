package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/recommender/advice"
	"github.com/loadline-dev/loadline/report"
)

func newExplainCommand(flags *clusterFlags, std streams) *cobra.Command {
	model := &modelFlags{}
	var question, output string
	cmd := &cobra.Command{
		Use:   "explain KIND/NAME",
		Short: "Tell how the sizes of one workload came about",
		Long: "Tell how the sizes of one workload came about, from what is stored in its Recommendation.\n\n" +
			"--ask puts a question to a language model, which may answer from the stored reasoning only and has to name the entries\n" +
			"that its answer rests on. An answer that rests on none, or holds a number that they do not hold, is not given out.",
		Example: "  loadline explain deployment/checkout --namespace shop\n" +
			"  loadline explain deployment/checkout --namespace shop --ask \"why did it go up?\" --url http://127.0.0.1:11434",
		GroupID: "look",
		Args:    exactlyOneWorkload,

		ValidArgsFunction: completeWorkloads(flags),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(flags)
			if err != nil {
				return err
			}
			namespace, err := flags.namespace()
			if err != nil {
				return err
			}
			rec, err := asked{programOf(cmd), namespace, args[0]}.find(cmd.Context(), c)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("ask") {
				return answer(cmd.Context(), model, question, rec, std)
			}
			return writeAs(std.out, output, rec, func() error { return report.Explain(std.out, rec) })
		},
	}
	model.bind(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "json or yaml: the Recommendation itself; without it sentences for people")
	completes(cmd, "output", "json", "yaml")
	cmd.Flags().StringVar(&question, "ask", "", "a question about the sizes, which a language model answers from the stored reasoning")
	return cmd
}

// answer answers a question from the trail, or says why it cannot be answered.
func answer(ctx context.Context, model *modelFlags, question string, rec *v1alpha1.Recommendation, std streams) error {
	ask, err := model.asking()
	if err != nil {
		return err
	}
	trail := rec.Status.Trail
	q, err := advice.AskTrail(question, trail, ask.budget())
	if err != nil {
		return fmt.Errorf("write the question: %w", err)
	}
	var reply advice.Reply
	err = ask.until(ctx, q, func(text []byte) (err error) {
		reply, err = advice.ParseReply(text, question, trail)
		return err
	})
	if err != nil {
		return err
	}
	if !reply.Answered {
		return notFoundError("no answer: %s; without --ask the whole reasoning is shown", reply.Why)
	}
	if err := report.Answer(std.out, rec, reply.Text, reply.Cites); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

func exactlyOneWorkload(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError("name exactly one workload, such as deployment/checkout; got %d arguments", len(args))
	}
	_, _, err := parseWorkload(args[0])
	return err
}
