package migrate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// What Goldilocks reads, on namespaces and on workloads.
const (
	goldilocksEnabled  = "goldilocks.fairwinds.com/enabled"
	goldilocksMode     = "goldilocks.fairwinds.com/vpa-update-mode"
	goldilocksPolicy   = "goldilocks.fairwinds.com/vpa-resource-policy"
	goldilocksReplicas = "goldilocks.fairwinds.com/vpa-min-replicas"
	goldilocksExclude  = "goldilocks.fairwinds.com/exclude-containers"
)

// Goldilocks translates the labels and annotations of Goldilocks on namespaces, and on the workloads in them, as far as they are
// known. What is on a workload counts before what is on its namespace.
func Goldilocks(namespaces []corev1.Namespace, known Known) (Result, error) {
	var r Result
	var wishes []wish
	enabled := 0
	for _, ns := range namespaces {
		if !strings.EqualFold(ns.Labels[goldilocksEnabled], "true") {
			continue
		}
		enabled++
		if known.excludes(ns.Name) {
			r.Notes = append(r.Notes, fmt.Sprintf("namespace %s: Loadline never touches it; Goldilocks goes on looking after it", ns.Name))
			continue
		}
		mine := slices.DeleteFunc(slices.Clone(known.Workloads), func(w Workload) bool { return w.Namespace != ns.Name })
		if len(mine) == 0 {
			mine = []Workload{{Namespace: ns.Name}} // Its workloads are not known: what holds for all of them.
		}
		for _, w := range mine {
			spec, err := goldilocksSpec(ns, w)
			if err != nil {
				return r, err
			}
			if w.Annotations[goldilocksExclude] != "" || w.Labels[goldilocksExclude] != "" {
				r.Notes = append(r.Notes, fmt.Sprintf("%s: %s only hides containers in Goldilocks' page; %s would keep them as they are",
					w, goldilocksExclude, v1alpha1.AnnotationExcludeContainers))
			}
			wishes = append(wishes, r.translate(w, spec))
		}
		r.Before = append(r.Before, fmt.Sprintf("kubectl label namespace %s %s-", ns.Name, goldilocksEnabled))
	}
	r.Source = fmt.Sprintf("%d namespaces that Goldilocks looks after", enabled)
	err := r.build(wishes, known)
	return r, err
}

// goldilocksSpec is the spec of the VerticalPodAutoscaler that Goldilocks makes for a workload.
func goldilocksSpec(ns corev1.Namespace, w Workload) (vpaSpec, error) {
	value := func(key string) string {
		return cmp.Or(w.Annotations[key], w.Labels[key], ns.Annotations[key], ns.Labels[key])
	}
	var spec vpaSpec
	spec.UpdatePolicy.UpdateMode = "Off" // Goldilocks' default
	for _, known := range []string{"Off", "Initial", "Recreate", "Auto", "InPlaceOrRecreate", "InPlace"} {
		if strings.EqualFold(value(goldilocksMode), known) {
			spec.UpdatePolicy.UpdateMode = known
		}
	}
	if text := value(goldilocksReplicas); text != "" {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return spec, fmt.Errorf("namespace %s: %s is %q, must be a number", ns.Name, goldilocksReplicas, text)
		}
		spec.UpdatePolicy.MinReplicas = new(int32(n))
	}
	if text := value(goldilocksPolicy); text != "" {
		if err := json.Unmarshal([]byte(text), &spec.ResourcePolicy); err != nil {
			return spec, fmt.Errorf("namespace %s: read %s: %w", ns.Name, goldilocksPolicy, err)
		}
	}
	return spec, nil
}
