package config

import (
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ownKinds are known without any configuration, or are none that could be sized.
var ownKinds = []string{"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod"}

var (
	kindName    = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{0,62}$`)
	versionName = regexp.MustCompile(`^v[0-9]+[a-z0-9]*$`)
)

func (v *checks) scaleKinds(at *field.Path, kinds []ScaleKind) {
	var seen []string
	for i, k := range kinds {
		at := at.Index(i)
		v.name(at.Child("group"), k.Group)
		v.rule(at.Child("version"), "such as v1alpha1")
		v.rule(at.Child("kind"), "such as Rollout, none of Kubernetes itself")
		v.rule(at.Child("podTemplateHashLabel"), "a name of a label, or empty")
		if !versionName.MatchString(k.Version) {
			v.add(field.Invalid(at.Child("version"), k.Version, "must be a version such as v1alpha1"))
		}
		v.label(at.Child("resource"), k.Resource)
		switch {
		case !kindName.MatchString(k.Kind):
			v.add(field.Invalid(at.Child("kind"), k.Kind, "must be a kind such as Rollout"))
		case slices.Contains(ownKinds, k.Kind):
			v.add(field.Invalid(at.Child("kind"), k.Kind, "is a kind of Kubernetes itself"))
		case slices.Contains(seen, k.Kind):
			v.add(field.Duplicate(at.Child("kind"), k.Kind))
		}
		seen = append(seen, k.Kind)
		if k.PodTemplateHashLabel != "" {
			for _, message := range validation.IsQualifiedName(k.PodTemplateHashLabel) {
				v.add(field.Invalid(at.Child("podTemplateHashLabel"), k.PodTemplateHashLabel, message))
			}
		}
	}
}
