package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

func newApproveCommand(flags *clusterFlags, std streams) *cobra.Command {
	var revision string
	cmd := &cobra.Command{
		Use:   "approve KIND/NAME",
		Short: "Approve the candidate sizes of one workload",
		Long: "Approve the candidate sizes of one workload, so that they may be applied where approval is manual.\n\n" +
			"What is approved is one revision: sizes that are computed later wait for their own approval. With --revision nothing\n" +
			"is approved unless the candidate still is that revision, so that what you saw is what you approve.",
		Example: "  loadline approve deployment/checkout --namespace shop --revision 3f1c0a9b2d4e5f60",
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
			message, err := approve(cmd.Context(), c, approval{asked{programOf(cmd), namespace, args[0]}, revision})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(std.out, message)
			return err
		},
	}
	cmd.Flags().StringVar(&revision, "revision", "", "approve only if this is the candidate's revision")
	return cmd
}

// approval is what a person approves: the candidate of a workload, and only that revision if one is named.
type approval struct {
	asked
	revision string
}

// approve writes the candidate's revision into the spec, and returns what to tell the person.
func approve(ctx context.Context, c client.Client, a approval) (string, error) {
	rec, err := a.find(ctx, c)
	if err != nil {
		return "", err
	}
	candidate, err := approvable(rec, a)
	if err != nil {
		return "", err
	}
	before := rec.DeepCopy()
	rec.Spec.ApprovedRevision = candidate
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := c.Patch(ctx, rec, patch, client.FieldOwner(v1alpha1.FieldManagerCLI)); err != nil {
		if apierrors.IsConflict(err) {
			return "", fmt.Errorf("the recommendation for %s changed meanwhile and nothing was approved; look again with: %s", a.workload, a.look())
		}
		return "", fmt.Errorf("approve %s: %w", a.workload, err)
	}
	sizes := before.Status.Display
	message := fmt.Sprintf("Approved revision %s of %s: CPU %s, memory %s.", candidate, a.workload, cmp.Or(sizes.CPU, "as it is"), cmp.Or(sizes.Memory, "as it is"))
	if before.Status.Approval != v1alpha1.ApprovalManual {
		message += fmt.Sprintf("\nNothing waited for it: approval is %s here.", cmp.Or(before.Status.Approval, v1alpha1.ApprovalAutomatic))
	}
	return message, nil
}

// approvable returns the revision to approve, or why there is none.
func approvable(rec *v1alpha1.Recommendation, a approval) (string, error) {
	candidate := rec.Status.Candidate
	switch {
	case candidate == nil:
		return "", fmt.Errorf("there are no sizes to approve for %s yet: %s", a.workload, cmp.Or(rec.Status.Display.Why, "it was not looked at yet"))
	case a.revision != "" && a.revision != candidate.Revision:
		return "", fmt.Errorf("the candidate of %s is revision %s by now, not %s; look again with: %s", a.workload, candidate.Revision, a.revision, a.look())
	default:
		return candidate.Revision, nil
	}
}

// look is the command that shows the present candidate.
func (a approval) look() string {
	return fmt.Sprintf("%s explain %s --namespace %s", a.program, a.workload, a.namespace)
}
