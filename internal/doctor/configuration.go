package doctor

import (
	"bytes"
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/config"
)

// configKey is the file that the Deployments mount from a ConfigMap.
const configKey = "config.yaml"

// FindConfig returns the configuration that the parts in a namespace run with, and the ConfigMap that it is from, as configmap/NAME,
// which is named for an error in it, too. Where there is no Deployment, or none that mounts one, it is the default, from nowhere.
func FindConfig(ctx context.Context, reader client.Reader, namespace string) (cfg config.Config, from string, err error) {
	cfg = config.Default()
	cfg.Namespace = namespace
	list := &appsv1.DeploymentList{}
	err = reader.List(ctx, list, client.InNamespace(namespace), client.MatchingLabels{"app.kubernetes.io/part-of": "loadline"})
	if err != nil {
		return cfg, "", fmt.Errorf("list the Deployments in namespace %s: %w", namespace, err)
	}
	for i := range list.Items {
		for _, v := range list.Items[i].Spec.Template.Spec.Volumes {
			if v.ConfigMap == nil {
				continue
			}
			key := client.ObjectKey{Namespace: namespace, Name: v.ConfigMap.Name}
			from = "configmap/" + key.Name
			var found corev1.ConfigMap
			if err := reader.Get(ctx, key, &found); err != nil {
				return cfg, from, fmt.Errorf("read ConfigMap %s: %w", key, err)
			}
			text, there := found.Data[configKey]
			if !there {
				continue
			}
			loaded, err := config.Load(bytes.NewReader([]byte(text)))
			if err != nil {
				return cfg, from, fmt.Errorf("key %s of ConfigMap %s: %w", configKey, key, err)
			}
			return loaded, from, nil
		}
	}
	return cfg, "", nil
}
