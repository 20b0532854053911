// Package migrate says in Loadline's annotations and SizingPolicies what the objects of other autoscalers say, and lists what
// cannot be said. It reads objects and returns objects; nothing is applied.
package migrate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// Workload is one that exists, whether or not anybody sizes it.
type Workload struct {
	Namespace, APIVersion, Kind, Name string
	Labels, Annotations               map[string]string
	// Containers are the names of those in its template, without those that only prepare a start.
	Containers []string
}

// Known are the workloads that were read besides the objects of the other autoscaler.
type Known struct {
	Workloads []Workload
	// All says that there are no others in the namespaces that were read.
	All bool
	// Excluded reports the namespaces that Loadline never touches; nil is none.
	Excluded func(namespace string) bool
}

// read reports whether any workload of a namespace was read, or all that there are.
func (k Known) read(namespace string) bool {
	return k.All || slices.ContainsFunc(k.Workloads, func(w Workload) bool { return w.Namespace == namespace })
}

// find returns a workload as it was read, and whether it was.
func (k Known) find(w Workload) (Workload, bool) {
	i := slices.IndexFunc(k.Workloads, func(other Workload) bool { return other.key() == w.key() })
	if i < 0 {
		return w, false
	}
	return k.Workloads[i], true
}

// gone reports whether a workload would have been read if it existed, because others of its kind in its namespace were.
func (k Known) gone(w Workload) bool {
	_, found := k.find(w)
	return !found && (k.All || slices.ContainsFunc(k.Workloads, func(other Workload) bool { return other.Namespace == w.Namespace && other.Kind == w.Kind }))
}

func (k Known) excludes(namespace string) bool { return k.Excluded != nil && k.Excluded(namespace) }

// absent says what is the matter with a workload that is gone. A file may have been written with a selector.
func (k Known) absent(w Workload) string {
	if k.All {
		return "there is none"
	}
	return fmt.Sprintf("it is not among the %ss of its namespace that were read: read all of them, or none", w.Kind)
}

func (w Workload) key() string { return w.Namespace + "/" + w.Kind + "/" + w.Name }

// String names the workload, or the namespace where it stands for all in it.
func (w Workload) String() string {
	if w.Name == "" {
		return "namespace " + w.Namespace
	}
	return w.Namespace + " " + strings.ToLower(w.Kind) + "/" + w.Name
}

// Result is what was read, in Loadline's words.
type Result struct {
	// Source says what was read, such as "3 VerticalPodAutoscalers".
	Source string
	// Before are commands to run first, so that no two change the same pods.
	Before []string
	// Objects to apply on the server's side, where those with annotations alone are merged into what exists.
	Objects []any
	// Notes list what does not translate, each with its object.
	Notes []string
}

// wish is what somebody wants for one workload.
type wish struct {
	Workload
	mode    v1alpha1.Mode
	updater v1alpha1.UpdaterMode
	exclude []string
	policy  v1alpha1.SizingPolicySpec
}

// annotated is a namespace or a workload of which only annotations are written.
type annotated struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metadata `json:"metadata"`
}

type metadata struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// policy is a SizingPolicy without the fields that are not set.
type policy struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metadata       `json:"metadata"`
	Spec            map[string]any `json:"spec"`
}

// policyName is the SizingPolicy of a namespace; those of single workloads have their names appended.
const policyName = "imported"

// modes from narrow to wide.
func width(m v1alpha1.Mode) int {
	return slices.Index([]v1alpha1.Mode{v1alpha1.ModeOff, v1alpha1.ModeDryRun, v1alpha1.ModeInitial, v1alpha1.ModeAuto}, m)
}

// build turns wishes into objects, namespace by namespace. Workloads that nobody wished anything for are opted out.
func (r *Result) build(wishes []wish, known Known) error {
	byNamespace := map[string][]wish{}
	for _, w := range wishes {
		byNamespace[w.Namespace] = append(byNamespace[w.Namespace], w)
	}
	for _, namespace := range slices.Sorted(maps.Keys(byNamespace)) {
		wanted := byNamespace[namespace]
		slices.SortFunc(wanted, func(a, b wish) int { return cmp.Compare(a.key(), b.key()) })
		if err := r.namespace(namespace, wanted, known); err != nil {
			return err
		}
	}
	return nil
}

// namespace writes one namespace: its policies, its workloads, and its own annotations.
func (r *Result) namespace(namespace string, wanted []wish, known Known) error {
	policies, err := countPolicies(wanted)
	if err != nil {
		return err
	}
	widest := slices.MaxFunc(wanted, func(a, b wish) int { return width(a.mode) - width(b.mode) }).mode
	common := policies.commonest
	granted := widest
	if wanted[0].Name != "" {
		granted = grant(widest, namespace, known)
	}
	own := map[string]string{v1alpha1.AnnotationMode: string(granted), v1alpha1.AnnotationPolicy: policyName}
	if wanted[0].Name == "" { // it stands for all of them
		maps.Copy(own, wanted[0].annotations())
		wanted = nil
	}
	if len(policies.specs[common]) == 0 && len(policies.specs) == 1 {
		delete(own, v1alpha1.AnnotationPolicy)
	} else {
		spec := maps.Clone(policies.specs[common])
		if len(policies.specs) > 1 {
			spec["allowOverrides"] = true // or no workload could name a policy of its own
		}
		r.Objects = append(r.Objects, sizingPolicy(namespace, policyName, spec))
	}
	seen := map[string]bool{}
	for _, w := range wanted {
		if seen[w.key()] {
			r.Notes = append(r.Notes, w.String()+": more than one object asks for it; the first counts")
			continue
		}
		seen[w.key()] = true
		if err := r.workload(w, widest, policies); err != nil {
			return err
		}
	}
	r.others(namespace, known.Workloads, seen)
	if len(wanted) > 0 {
		r.tellOthers(namespace, widest, granted, known)
	}
	// Last, so that no workload gets more than it should in between.
	r.Objects = append(r.Objects, annotated{metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, metadata{Name: namespace, Annotations: own}})
	return nil
}

// tellOthers says what the mode of a namespace means for workloads that nobody asked anything for.
func (r *Result) tellOthers(namespace string, widest, granted v1alpha1.Mode, known Known) {
	who := "workloads that are made in it later"
	if !known.All {
		who = "workloads that were not read, and those that are made in it later,"
	}
	switch {
	case granted != widest:
		r.Notes = append(r.Notes, fmt.Sprintf("namespace %s: none of its workloads was read, and %s would also be for those that nobody sized: %s is taken, and its VerticalPodAutoscalers go on as they are. Read its workloads as well",
			namespace, widest, granted))
	case widest != v1alpha1.ModeOff:
		r.Notes = append(r.Notes, fmt.Sprintf("namespace %s: %s get its mode, %s; annotate those that should not with %s=off", namespace, who, widest, v1alpha1.AnnotationMode))
	}
}

// grant is the widest mode, where it is known which workloads it would be for; else nothing that changes pods.
func grant(widest v1alpha1.Mode, namespace string, known Known) v1alpha1.Mode {
	if !known.read(namespace) && width(widest) > width(v1alpha1.ModeDryRun) {
		return v1alpha1.ModeDryRun
	}
	return widest
}

// others opts out what nobody asked for.
func (r *Result) others(namespace string, workloads []Workload, asked map[string]bool) {
	for _, w := range workloads {
		if w.Namespace == namespace && !asked[w.key()] {
			r.Objects = append(r.Objects, w.with(map[string]string{v1alpha1.AnnotationMode: string(v1alpha1.ModeOff)}))
		}
	}
}

// workload writes what one workload has of its own.
func (r *Result) workload(w wish, granted v1alpha1.Mode, policies counted) error {
	own := w.annotations()
	if w.mode != granted {
		own[v1alpha1.AnnotationMode] = string(w.mode)
	}
	key, spec, err := content(w.policy)
	if err != nil {
		return err
	}
	if key != policies.commonest {
		name := policyName + "-" + strings.ToLower(w.Kind) + "-" + w.Name
		r.Objects = append(r.Objects, sizingPolicy(w.Namespace, name, spec))
		own[v1alpha1.AnnotationPolicy] = name
	}
	if len(own) > 0 {
		r.Objects = append(r.Objects, w.with(own))
	}
	return nil
}

// annotations of a wish, besides its mode and its policy. What is the default is not written.
func (w wish) annotations() map[string]string {
	own := map[string]string{}
	if w.updater != "" && w.updater != v1alpha1.UpdaterInPlaceOrEvict {
		own[v1alpha1.AnnotationUpdater] = string(w.updater)
	}
	if len(w.exclude) > 0 {
		own[v1alpha1.AnnotationExcludeContainers] = strings.Join(w.exclude, ",")
	}
	return own
}

func (w Workload) with(annotations map[string]string) annotated {
	return annotated{metav1.TypeMeta{APIVersion: w.APIVersion, Kind: w.Kind}, metadata{Name: w.Name, Namespace: w.Namespace, Annotations: annotations}}
}

func sizingPolicy(namespace, name string, spec map[string]any) policy {
	return policy{
		metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "SizingPolicy"}, metadata{Name: name, Namespace: namespace}, spec,
	}
}

// counted are the policies of a namespace by what is in them, and which most workloads have.
type counted struct {
	specs     map[string]map[string]any
	commonest string
}

func countPolicies(wanted []wish) (counted, error) {
	c := counted{specs: map[string]map[string]any{}}
	uses := map[string]int{}
	for _, w := range wanted {
		key, spec, err := content(w.policy)
		if err != nil {
			return c, err
		}
		c.specs[key] = spec
		uses[key]++
	}
	for _, key := range slices.Sorted(maps.Keys(uses)) {
		if uses[key] > uses[c.commonest] {
			c.commonest = key
		}
	}
	return c, nil
}

// content returns a policy's fields without the empty ones, and the same as text.
func content(spec v1alpha1.SizingPolicySpec) (string, map[string]any, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return "", nil, fmt.Errorf("encode a policy: %w", err)
	}
	fields := map[string]any{}
	if err := json.Unmarshal(text, &fields); err != nil {
		return "", nil, fmt.Errorf("encode a policy: %w", err)
	}
	dropEmpty(fields)
	if text, err = json.Marshal(fields); err != nil {
		return "", nil, fmt.Errorf("encode a policy: %w", err)
	}
	return string(text), fields, nil
}

func dropEmpty(fields map[string]any) {
	for name, value := range fields {
		if inner, ok := value.(map[string]any); ok {
			if dropEmpty(inner); len(inner) == 0 {
				delete(fields, name)
			}
		}
	}
}
