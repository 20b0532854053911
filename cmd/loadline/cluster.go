package main

import (
	"fmt"
	"io"

	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// clusterFlags are kubectl's flags for choosing a cluster, user and namespace. Without any, the kubeconfig's current context
// is used, or in a pod its service account.
type clusterFlags struct {
	rules     *clientcmd.ClientConfigLoadingRules
	overrides clientcmd.ConfigOverrides
}

func (f *clusterFlags) bind(set *pflag.FlagSet) {
	f.rules = clientcmd.NewDefaultClientConfigLoadingRules()
	set.StringVar(&f.rules.ExplicitPath, clientcmd.RecommendedConfigPathFlag, "", "path to the kubeconfig file")
	clientcmd.BindOverrideFlags(&f.overrides, set, clientcmd.RecommendedConfigOverrideFlags(""))
}

func (f *clusterFlags) loader() clientcmd.ClientConfig {
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(f.rules, &f.overrides)
}

func (f *clusterFlags) restConfig() (*rest.Config, error) {
	restConfig, err := f.loader().ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w", err)
	}
	return restConfig, nil
}

// namespace returns the namespace that the flags or the kubeconfig name.
func (f *clusterFlags) namespace() (string, error) {
	namespace, _, err := f.loader().Namespace()
	if err != nil {
		return "", fmt.Errorf("read the kubeconfig: %w", err)
	}
	return namespace, nil
}

// namespaceFlag returns the namespace given on the command line, or "" for all.
func (f *clusterFlags) namespaceFlag() string { return f.overrides.Context.Namespace }
