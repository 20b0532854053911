package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/loadline-dev/loadline/report"
)

func newExplainCommand(flags *clusterFlags, std streams) *cobra.Command {
	return &cobra.Command{
		Use:     "explain KIND/NAME",
		Short:   "Tell how the sizes of one workload came about",
		Example: "  loadline explain deployment/checkout --namespace shop",
		GroupID: "look",
		Args:    exactlyOneWorkload,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(flags)
			if err != nil {
				return err
			}
			namespace, err := flags.namespace()
			if err != nil {
				return err
			}
			rec, err := findRecommendation(cmd.Context(), c, namespace, args[0])
			if err != nil {
				return err
			}
			if err := report.Explain(std.out, rec); err != nil {
				return fmt.Errorf("write the explanation: %w", err)
			}
			return nil
		},
	}
}

func exactlyOneWorkload(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError("name exactly one workload, such as deployment/checkout; got %d arguments", len(args))
	}
	_, _, err := parseWorkload(args[0])
	return err
}
