package updater

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

// asksForMore reports whether a template asks for more memory than the recommender saw in it: somebody raised it, and the sizes were made
// before. Templates of kinds that the operator configures are not looked at.
func asksForMore(workload client.Object, current *v1alpha1.CurrentValues) bool {
	seen, spec := apply.SeenMemory(current), podTemplate(workload).Spec
	return slices.ContainsFunc(slices.Concat(spec.Containers, spec.InitContainers), func(c corev1.Container) bool {
		before, known := seen[c.Name]
		return known && apply.ResourcesOf(c.Resources).Defaulted().Requests.MemoryBytes > before
	})
}

// podTemplate is what is left in the cache of a workload's pod template; nothing for kinds that the operator configures.
func podTemplate(workload client.Object) corev1.PodTemplateSpec {
	switch o := workload.(type) {
	case *appsv1.Deployment:
		return o.Spec.Template
	case *appsv1.StatefulSet:
		return o.Spec.Template
	case *appsv1.DaemonSet:
		return o.Spec.Template
	}
	return corev1.PodTemplateSpec{}
}
