package main

import (
	"maps"
	"slices"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
)

// completes lets shells complete the values of a flag, where they are these words.
func completes(cmd *cobra.Command, flag string, words ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)) // The flag is there: a test completes each.
}

// completeCluster lets shells complete what chooses the cluster and the namespace.
func completeCluster(root *cobra.Command, flags *clusterFlags) {
	const none = cobra.ShellCompDirectiveNoFileComp
	namespaces := func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		c, err := newClient(flags)
		if err != nil {
			return nil, none
		}
		list := &corev1.NamespaceList{}
		if err := c.List(cmd.Context(), list); err != nil {
			return nil, none
		}
		var found []cobra.Completion
		for i := range list.Items {
			found = append(found, list.Items[i].Name)
		}
		return found, none
	}
	contexts := func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		kubeconfig, err := flags.loader().RawConfig()
		if err != nil {
			return nil, none
		}
		return slices.Sorted(maps.Keys(kubeconfig.Contexts)), none
	}
	for flag, complete := range map[string]cobra.CompletionFunc{
		clientcmd.FlagNamespace: namespaces, operatorNamespaceFlag: namespaces, clientcmd.FlagContext: contexts,
	} {
		for _, cmd := range append(root.Commands(), root) {
			if cmd.Flags().Lookup(flag) != nil || cmd.PersistentFlags().Lookup(flag) != nil {
				_ = cmd.RegisterFlagCompletionFunc(flag, complete) // The flag is there.
			}
		}
	}
}
