package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// hint is what a person can do about an error, or empty where the error itself says it.
func hint(err error) string {
	switch {
	case emptyConfig(err):
		return "there is no kubeconfig: name one with --kubeconfig or KUBECONFIG"
	case apierrors.IsForbidden(err):
		return "your account has no right to this; the cluster roles view and edit of a namespace hold Loadline's objects: kubectl auth can-i get recommendations.loadline.dev"
	case apierrors.IsUnauthorized(err):
		return "the cluster does not know you: sign in again, or choose another --context"
	default:
		return ""
	}
}

// emptyConfig looks for the error that clientcmd knows only where nothing is wrapped around it.
func emptyConfig(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if clientcmd.IsEmptyConfig(err) {
			return true
		}
	}
	return false
}

// asked is a workload as a person named it: kind/name, in a namespace, to a program that is called so.
type asked struct{ program, namespace, workload string }

// missing says why a workload has no Recommendation, as far as that can be seen.
func (a asked) missing(ctx context.Context, c client.Client) error {
	ns, namespace := &corev1.Namespace{}, a.namespace
	err := c.Get(ctx, client.ObjectKey{Name: namespace}, ns)
	settings, _ := v1alpha1.ParseAnnotations(ns.Annotations)
	switch none := fmt.Sprintf("there is no recommendation for %s in namespace %s", a.workload, namespace); {
	case apierrors.IsNotFound(err):
		return notFoundError("there is no namespace %s; see: kubectl get namespaces", namespace)
	case err != nil:
		return notFoundError("%s; is the namespace annotated with %s, and does the workload exist?", none, v1alpha1.AnnotationMode)
	case settings.Mode == "" || settings.Mode == v1alpha1.ModeOff:
		return notFoundError("%s, because it has not opted in; begin with: kubectl annotate namespace %s %s=%s", none, namespace, v1alpha1.AnnotationMode, v1alpha1.ModeDryRun)
	default:
		return notFoundError("%s, which has opted in; does the workload exist, and does the recommender run? See: %s doctor", none, a.program)
	}
}

// completeWorkloads completes kind/name with the workloads that have a Recommendation in the namespace.
func completeWorkloads(flags *clusterFlags) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		const none = cobra.ShellCompDirectiveNoFileComp
		if len(args) > 0 {
			return nil, none
		}
		c, err := newClient(flags)
		if err != nil {
			return nil, none
		}
		namespace, err := flags.namespace()
		if err != nil {
			return nil, none
		}
		all, err := listRecommendations(cmd.Context(), c, namespace, func(int, int) {})
		if err != nil {
			return nil, none
		}
		var found []cobra.Completion
		for _, r := range all {
			found = append(found, typed(r.Spec.TargetRef.Kind)+"/"+r.Spec.TargetRef.Name)
		}
		return found, none
	}
}
