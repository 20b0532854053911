package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/internal/doctor"
	"github.com/loadline-dev/loadline/updater"
)

// operatorNamespaceFlag names the namespace of Loadline itself.
const operatorNamespaceFlag = "operator-namespace"

// updaterAccount is there wherever the updater runs, be it in a pod or not.
const updaterAccount = "loadline-updater"

// installed is what is known of the Loadline that runs in a cluster.
type installed struct {
	config config.Config
	// doubt is why that may not be its configuration; nil if it is.
	doubt error
}

// findInstalled reads the configuration that the Deployments in a namespace use. Where that cannot be told, it is the default.
func findInstalled(ctx context.Context, reader client.Reader, namespace string) installed {
	cfg, from, err := doctor.FindConfig(ctx, reader, namespace)
	if err == nil && from == "" && reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: updaterAccount}, &corev1.ServiceAccount{}) != nil {
		err = fmt.Errorf("there is no Loadline in namespace %s; name the one where it runs with --%s", namespace, operatorNamespaceFlag)
	}
	return installed{cfg, err}
}

// halts says why the updater stands still. None in a place that may be the wrong one is an error.
func (i installed) halts(ctx context.Context, reader client.Reader) ([]string, error) {
	halts, err := updater.Halts(ctx, reader, i.config)
	if err == nil && len(halts) == 0 {
		err = i.doubt
	}
	return halts, err
}
