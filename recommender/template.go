package recommender

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// Template is what is remembered of a workload's pod template.
type Template struct {
	// ID is templateID's; empty if the template was never seen.
	ID string
	// Since when it is so; zero if it never changed while somebody looked.
	Since time.Time
}

// seen is what is remembered once a template with that ID was seen.
func (t Template) seen(now time.Time, id string) Template {
	switch {
	case id == "" || id == t.ID:
		return t
	case t.ID == "":
		return Template{ID: id}
	default:
		return Template{ID: id, Since: now}
	}
}

// templateID is a digest of what a pod template asks for, such as environment, commands and volumes. Images are left out
// because they are remembered by container, sizes because they are what Loadline decides, and annotations because a restart is
// no rollout of anything new.
func templateID(spec corev1.PodSpec) string {
	spec = *spec.DeepCopy()
	spec.Resources = nil
	for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			containers[i].Image, containers[i].Resources, containers[i].ResizePolicy = "", corev1.ResourceRequirements{}, nil
		}
	}
	content, err := json.Marshal(spec)
	if err != nil {
		return "" // A spec that was decoded can be encoded.
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:8])
}

func templateOf(m *v1alpha1.TemplateMemory) Template {
	if m == nil {
		return Template{}
	}
	return Template{ID: m.ID, Since: timeOf(m.Since)}
}

func (t Template) status() *v1alpha1.TemplateMemory {
	if t.ID == "" {
		return nil
	}
	return &v1alpha1.TemplateMemory{ID: t.ID, Since: timeOrNil(t.Since)}
}
