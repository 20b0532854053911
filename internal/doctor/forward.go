package doctor

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/config"
)

// forward is the command that looks again with an address that only the cluster's own DNS knows brought to a local port, and
// whether the address is such a one.
func (e examiner) forward(ctx context.Context, address, flag string, port int) (command string, inCluster bool) {
	u, err := url.Parse(address)
	if err != nil {
		return "", false
	}
	name, namespace, inCluster := e.hostService(ctx, u.Hostname())
	if !inCluster {
		return "", false
	}
	there, insecure := cmp.Or(u.Port(), "80"), ""
	if u.Scheme == "https" {
		there, insecure = cmp.Or(u.Port(), "443"), " --insecure"
	}
	here := fmt.Sprintf("%s://localhost:%d", u.Scheme, port)
	return fmt.Sprintf("kubectl --namespace %s port-forward service/%s %d:%s >/dev/null & "+
		"curl --silent --show-error%s --output /dev/null --retry 10 --retry-delay 1 --retry-connrefused %s && %s %s %s; kill $!",
		namespace, name, port, there, insecure, here, e.again(), flag, here+u.Path), true
}

// elsewhere says that a server cannot be asked because a file of its credentials is not on this machine.
func elsewhere(err error) string {
	return "it cannot be asked from here, because its credentials are files of the recommender's pod: " + err.Error()
}

// inside is the command that looks from within the recommender's pod, with its files and its network.
func (e examiner) inside() string {
	return fmt.Sprintf("kubectl --namespace %s exec deployment/%s -- /loadline doctor --config /etc/loadline/%s",
		e.Config.Namespace, cmp.Or(e.deployments["recommender"], "loadline-recommender"), configKey)
}

// again is the command that looks once more at the same installation.
func (e examiner) again() string {
	command := e.Program + " doctor"
	if e.Config.Namespace != config.Default().Namespace {
		command += " --operator-namespace " + e.Config.Namespace
	}
	if e.ConfigFrom != "" && !strings.HasPrefix(e.ConfigFrom, "configmap/") {
		command += " --config " + e.ConfigFrom
	}
	return command
}

// hostService finds the Service that a host's name means inside the cluster. A name without svc may also be one of the internet, or of
// the network around: it is taken for a Service only where there is one.
func (e examiner) hostService(ctx context.Context, host string) (name, namespace string, found bool) {
	labels := strings.Split(host, ".")
	switch {
	case len(labels) >= 3 && labels[2] == "svc":
		return labels[0], labels[1], true
	case len(labels) == 1:
		labels = append(labels, e.Config.Namespace)
	case len(labels) > 2:
		return "", "", false
	}
	err := e.client.Get(ctx, client.ObjectKey{Namespace: labels[1], Name: labels[0]}, &corev1.Service{})
	return labels[0], labels[1], err == nil
}
