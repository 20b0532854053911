package migrate

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// sized are the kinds that Loadline sizes.
var sized = []string{"Deployment", "StatefulSet", "DaemonSet", "CronJob"}

// vpaSpec is the part of a VerticalPodAutoscaler's spec that is read, as version 1.8 has it.
type vpaSpec struct {
	TargetRef struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Name       string `json:"name"`
	} `json:"targetRef"`
	UpdatePolicy struct {
		UpdateMode           string `json:"updateMode"`
		MinReplicas          *int32 `json:"minReplicas"`
		EvictionRequirements []any  `json:"evictionRequirements"`
		EvictAfterOOMSeconds *int64 `json:"evictAfterOOMSeconds"`
	} `json:"updatePolicy"`
	ResourcePolicy resourcePolicy `json:"resourcePolicy"`
	Recommenders   []any          `json:"recommenders"`
	StartupBoost   map[string]any `json:"startupBoost"`
}

type resourcePolicy struct {
	ContainerPolicies []containerPolicy `json:"containerPolicies"`
}

type containerPolicy struct {
	ContainerName       string              `json:"containerName"`
	Mode                string              `json:"mode"`
	MinAllowed          corev1.ResourceList `json:"minAllowed"`
	MaxAllowed          corev1.ResourceList `json:"maxAllowed"`
	ControlledResources []string            `json:"controlledResources"`
	ControlledValues    string              `json:"controlledValues"`
	OOMBumpUpRatio      *resource.Quantity  `json:"oomBumpUpRatio"`
	OOMMinBumpUp        *resource.Quantity  `json:"oomMinBumpUp"`
	StartupBoost        map[string]any      `json:"startupBoost"`
}

// VPA translates VerticalPodAutoscalers.
func VPA(vpas []unstructured.Unstructured, known Known) (Result, error) {
	r := Result{Source: fmt.Sprintf("%d VerticalPodAutoscalers", len(vpas))}
	var wishes []wish
	for _, vpa := range vpas {
		var read struct {
			Spec vpaSpec `json:"spec"`
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(vpa.Object, &read); err != nil {
			return r, fmt.Errorf("read VerticalPodAutoscaler %s/%s: %w", vpa.GetNamespace(), vpa.GetName(), err)
		}
		t := read.Spec.TargetRef
		w := Workload{Namespace: vpa.GetNamespace(), APIVersion: t.APIVersion, Kind: t.Kind, Name: t.Name}
		if !slices.Contains(sized, t.Kind) {
			r.Notes = append(r.Notes, fmt.Sprintf("%s: Loadline sizes %v; see scaling.kinds for others with a scale subresource", w, sized))
			continue
		}
		if known.excludes(w.Namespace) {
			r.Notes = append(r.Notes, fmt.Sprintf("%s: Loadline never touches namespace %s; VerticalPodAutoscaler %s goes on as it is", w, w.Namespace, vpa.GetName()))
			continue
		}
		if known.gone(w) {
			r.Notes = append(r.Notes, fmt.Sprintf("%s: %s; VerticalPodAutoscaler %s is left out", w, known.absent(w), vpa.GetName()))
			continue
		}
		if found, ok := known.find(w); ok {
			w.Containers = found.Containers
		}
		wishes = append(wishes, r.translate(w, read.Spec))
		if mode := read.Spec.UpdatePolicy.UpdateMode; mode != "Off" && known.read(w.Namespace) {
			r.Before = append(r.Before, fmt.Sprintf(`kubectl --namespace %s patch verticalpodautoscaler %s --type=merge --patch '{"spec":{"updatePolicy":{"updateMode":"Off"}}}'`,
				vpa.GetNamespace(), vpa.GetName()))
		}
	}
	err := r.build(wishes, known)
	return r, err
}

// translate says what one VerticalPodAutoscaler asks for, and notes what cannot be said.
func (r *Result) translate(w Workload, spec vpaSpec) wish {
	note := func(format string, args ...any) {
		r.Notes = append(r.Notes, w.String()+": "+fmt.Sprintf(format, args...))
	}
	wanted := wish{Workload: w}
	var known bool
	if wanted.mode, wanted.updater, known = updateMode(spec.UpdatePolicy.UpdateMode); !known {
		note("updateMode %q is not known, dry-run is taken", spec.UpdatePolicy.UpdateMode)
	}
	if n := spec.UpdatePolicy.MinReplicas; n != nil {
		wanted.policy.Disruption.MinReplicas = new(max(*n, 1))
	}
	if len(spec.UpdatePolicy.EvictionRequirements) > 0 {
		note("evictionRequirements: the policy's behavior.up and behavior.down have cooldowns and thresholds instead")
	}
	if spec.UpdatePolicy.EvictAfterOOMSeconds != nil {
		note("evictAfterOOMSeconds: Loadline raises memory after a kill without waiting")
	}
	if len(spec.Recommenders) > 0 {
		note("recommenders: there is one way of finding sizes")
	}
	if len(spec.StartupBoost) > 0 {
		note("startupBoost: a start may be slower than with it; raise cpu.min where that hurts")
	}
	r.exclude(&wanted, spec.ResourcePolicy.ContainerPolicies)
	r.containers(w, spec.ResourcePolicy.ContainerPolicies, &wanted.policy)
	return wanted
}

// exclude names the containers whose mode is Off. For "*" these are all that have no policy of their own; where they are not known,
// the workload is only watched.
func (r *Result) exclude(wanted *wish, policies []containerPolicy) {
	var named []string
	others := false
	for _, c := range policies {
		switch {
		case c.ContainerName == "*":
			others = c.Mode == "Off"
			continue
		case c.Mode == "Off":
			wanted.exclude = append(wanted.exclude, c.ContainerName)
		}
		named = append(named, c.ContainerName)
	}
	switch {
	case others && len(wanted.Containers) == 0:
		r.Notes = append(r.Notes, fmt.Sprintf("%s: mode Off of all containers that are not named, and which those are was not read: dry-run is taken", wanted))
		wanted.mode = v1alpha1.ModeDryRun
	case others:
		r.Notes = append(r.Notes, fmt.Sprintf("%s: mode Off of all containers that are not named: add those that it gets later to %s",
			wanted, v1alpha1.AnnotationExcludeContainers))
		for _, name := range wanted.Containers {
			if !slices.Contains(named, name) {
				wanted.exclude = append(wanted.exclude, name)
			}
		}
	}
	slices.Sort(wanted.exclude)
}

// updateMode translates when pods are changed. VPA's default is Recreate.
func updateMode(mode string) (m v1alpha1.Mode, updater v1alpha1.UpdaterMode, known bool) {
	switch mode {
	case "Off":
		return v1alpha1.ModeDryRun, "", true
	case "Initial":
		return v1alpha1.ModeInitial, "", true
	case "", "Recreate", "Auto":
		return v1alpha1.ModeAuto, v1alpha1.UpdaterEvict, true
	case "InPlaceOrRecreate":
		return v1alpha1.ModeAuto, v1alpha1.UpdaterInPlaceOrEvict, true
	case "InPlace":
		return v1alpha1.ModeAuto, v1alpha1.UpdaterInPlace, true
	default:
		return v1alpha1.ModeDryRun, "", false
	}
}

// containers translates bounds and limits. A SizingPolicy has one set for all containers of a workload: it gets the widest.
func (r *Result) containers(w Workload, all []containerPolicy, into *v1alpha1.SizingPolicySpec) {
	active := slices.DeleteFunc(slices.Clone(all), func(c containerPolicy) bool { return c.Mode == "Off" })
	limit := v1alpha1.LimitRatio // VPA's default: limits follow requests in proportion.
	if len(active) > 0 && !slices.ContainsFunc(active, func(c containerPolicy) bool { return c.ControlledValues != "RequestsOnly" }) {
		limit = v1alpha1.LimitKeep
		r.unnamed(w, all)
	}
	into.CPU.Limit, into.Memory.Limit = &limit, &limit
	for _, c := range active {
		r.container(w, c, len(active) > 1, limit)
	}
	into.CPU.Min, into.CPU.Max = bounds(active, corev1.ResourceCPU)
	into.Memory.Min, into.Memory.Max = bounds(active, corev1.ResourceMemory)
}

// unnamed notes containers that no policy names: VPA moves their limits with their requests.
func (r *Result) unnamed(w Workload, all []containerPolicy) {
	rest := slices.DeleteFunc(slices.Clone(w.Containers), func(name string) bool {
		return slices.ContainsFunc(all, func(c containerPolicy) bool { return c.ContainerName == name || c.ContainerName == "*" })
	})
	if len(rest) > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%s: containers that no policy names keep their limits as well, because a SizingPolicy has one rule for all: %s", w, strings.Join(rest, ", ")))
	}
}

// container notes what cannot be said about one of a workload's containers.
func (r *Result) container(w Workload, c containerPolicy, several bool, limit v1alpha1.LimitPolicy) {
	note := func(format string, args ...any) {
		r.Notes = append(r.Notes, fmt.Sprintf("%s, container %s: %s", w, c.ContainerName, fmt.Sprintf(format, args...)))
	}
	switch bounded := len(c.MinAllowed)+len(c.MaxAllowed) > 0; {
	case bounded && several:
		note("its bounds are merged with those of the others, the smallest min and the largest max, because a SizingPolicy has one set for all")
	case bounded && c.ContainerName != "*":
		note("its bounds hold for every container of the workload")
	}
	if len(c.ControlledResources) == 1 {
		note("controlledResources %v: Loadline sizes CPU and memory", c.ControlledResources)
	}
	if c.ControlledValues == "RequestsOnly" && limit != v1alpha1.LimitKeep {
		note("controlledValues RequestsOnly: another container's limits follow its requests, and so do these")
	}
	if c.OOMBumpUpRatio != nil || c.OOMMinBumpUp != nil {
		note("oomBumpUpRatio, oomMinBumpUp: Loadline raises by the larger of 20 %% and 100 MiB")
	}
	if len(c.StartupBoost) > 0 {
		note("startupBoost: a start may be slower than with it")
	}
}

// bounds are the smallest min and the largest max; a container without one makes it none.
func bounds(all []containerPolicy, name corev1.ResourceName) (smallest, largest *resource.Quantity) {
	for i, c := range all {
		low, hasLow := c.MinAllowed[name]
		high, hasHigh := c.MaxAllowed[name]
		switch {
		case !hasLow || low.Sign() <= 0:
			smallest = nil
		case i == 0 || smallest != nil && low.Cmp(*smallest) < 0:
			smallest = &low
		}
		switch {
		case !hasHigh || high.Sign() <= 0:
			largest = nil
		case i == 0 || largest != nil && high.Cmp(*largest) > 0:
			largest = &high
		}
	}
	return smallest, largest
}
