package recommender

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/internal/owner"
	"github.com/loadline-dev/loadline/recommender/advice"
)

// Gather reads everything that a decision on the target may look at. A workload that is gone gives an Input without
// containers and with an empty TargetUID.
func (e *Engine) Gather(ctx context.Context, target Target, now time.Time) (Input, error) {
	in := Input{Target: target, Cadence: e.Cadence}
	found, err := e.workload(ctx, target)
	if err != nil {
		return in, err
	}
	if err := e.gatherSettings(ctx, &in, found); err != nil {
		return in, err
	}
	if found == nil || in.Settings.Mode == v1alpha1.ModeOff {
		return in, nil
	}
	in.TargetUID, in.Replicas = found.uid, found.replicas
	in.Template = templateID(found.template)
	in.PodLevel = apply.HasPodLevelResources(&corev1.Pod{Spec: found.template})
	in.Controller = controllerOf(found.object)
	in.Declared = apply.DeclaredReplicas(found.object, found.replicas)
	in.Scaled, in.YieldFor = found.object, e.YieldFor
	if in.LimitBounds, err = e.limitBounds(ctx, target.Namespace); err != nil {
		return in, err
	}
	chooseContainers(&in, withDefaults(found.template, in.LimitBounds))
	in.DefaultMemory = silentOnMemory(found.template)
	// The slow part first, so that all the rest is fresh.
	if err := e.History.Ensure(ctx, target.Namespace, now); err != nil {
		if ctx.Err() != nil {
			return in, err // we are told to stop, which is no news about the history
		}
		in.HistoryProblem = err.Error()
	}
	in.History, _ = e.History.Get(target)
	in.Forecasts = e.Forecaster.Forecasts(in, now)
	if err := e.gatherPods(ctx, &in, now); err != nil {
		return in, err
	}
	if err := e.gatherRoom(ctx, &in, found, now); err != nil {
		return in, err
	}
	if in.HPA, in.Scalings, err = e.autoscaler(ctx, target); err != nil {
		return in, err
	}
	if e.Signals != nil {
		in.Signals, in.SignalProblems = e.Signals.Read(ctx, target, in.Policy.Signals, now)
	}
	err = e.gatherEvents(ctx, &in, now)
	return in, err
}

// chooseContainers divides the template's containers into those to size and those to leave alone. Native side-cars are sized
// like containers; ordinary init containers, whose usage is over before anybody measured it, are not. Resources of the pod as
// a whole are shared out by its owner: none of its containers is sized.
func chooseContainers(in *Input, template corev1.PodSpec) {
	candidates := slices.Clone(template.Containers)
	for _, c := range template.InitContainers {
		if apply.IsSidecar(c) {
			candidates = append(candidates, c)
		} else {
			in.LeftAlone, in.Init = append(in.LeftAlone, c), append(in.Init, c.Name)
		}
	}
	for _, c := range candidates {
		switch {
		case in.PodLevel, slices.Contains(in.Settings.ExcludeContainers, c.Name):
			in.LeftAlone = append(in.LeftAlone, c)
		case len(in.Containers) == maxContainers:
			in.LeftAlone = append(in.LeftAlone, c)
			in.Surplus++
		default:
			in.Containers = append(in.Containers, c)
		}
	}
}

// gatherRoom reads what policies of the cluster refuse, and what nodes and quotas have for the workload's pods.
func (e *Engine) gatherRoom(ctx context.Context, in *Input, found *workload, now time.Time) (err error) {
	if err := e.gatherRefusal(ctx, in, found, now); err != nil {
		return err
	}
	since := now.Add(-nodeRoomsFor)
	if len(in.Waiting) > 0 { // What is free decides, and the pods of a minute ago may be gone.
		since = now
	}
	if in.everywhere() {
		rooms, err := e.nodes.read(ctx, e.Client, since, now)
		if err != nil {
			return err
		}
		in.Nodes = smallestNode(rooms, found.template, in.Own)
	} else if in.Nodes, in.Free, err = e.nodes.forPod(ctx, e.Client, found.template, since, now); err != nil {
		return err
	}
	return e.gatherQuotas(ctx, in, found)
}

// limitBounds reads the LimitRanges of a namespace.
func (e *Engine) limitBounds(ctx context.Context, namespace string) ([]apply.LimitBound, error) {
	ranges := &corev1.LimitRangeList{}
	if err := e.Client.List(ctx, ranges, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list limit ranges of %s: %w", namespace, err)
	}
	return apply.LimitBounds(ranges.Items), nil
}

// withDefaults is the template as its pods turn out: LimitRanges fill in what it does not say.
func withDefaults(template corev1.PodSpec, bounds []apply.LimitBound) corev1.PodSpec {
	template.Containers, template.InitContainers = slices.Clone(template.Containers), slices.Clone(template.InitContainers)
	for _, containers := range [][]corev1.Container{template.Containers, template.InitContainers} {
		for i := range containers {
			containers[i].Resources = apply.WithLimitDefaults(bounds, containers[i].Resources)
		}
	}
	return template
}

// silentOnMemory returns the containers whose template does not speak of memory.
func silentOnMemory(template corev1.PodSpec) (names []string) {
	for _, c := range slices.Concat(template.Containers, template.InitContainers) {
		_, request := c.Resources.Requests[corev1.ResourceMemory]
		if _, limit := c.Resources.Limits[corev1.ResourceMemory]; !request && !limit {
			names = append(names, c.Name)
		}
	}
	return names
}

// gatherSettings combines the annotations of namespace and workload with the policy.
func (e *Engine) gatherSettings(ctx context.Context, in *Input, found *workload) error {
	namespace := &corev1.Namespace{}
	if err := e.Client.Get(ctx, types.NamespacedName{Name: in.Target.Namespace}, namespace); err != nil {
		return fmt.Errorf("get namespace %s: %w", in.Target.Namespace, err)
	}
	if namespace.DeletionTimestamp != nil { // as good as gone: nothing can be created in it any more
		return fmt.Errorf("get namespace %s: %w", in.Target.Namespace, apierrors.NewNotFound(corev1.Resource("namespaces"), in.Target.Namespace))
	}
	fromNamespace, namespaceErrors := v1alpha1.ParseAnnotations(namespace.Annotations)
	var fromWorkload v1alpha1.Settings
	var workloadErrors []v1alpha1.AnnotationError
	if found != nil {
		fromWorkload, workloadErrors = v1alpha1.ParseAnnotations(found.annotations)
	}
	name := cmp.Or(fromNamespace.Policy, v1alpha1.DefaultPolicyName)
	written, err := e.policy(ctx, in, name, fromNamespace.Policy != "")
	if err != nil {
		return err
	}
	// The namespace's policy decides on overrides: a workload cannot allow them to itself by naming another.
	overrides := *cmp.Or(written.AllowOverrides, e.DefaultPolicy.AllowOverrides)
	if override := fromWorkload.Policy; override != "" && overrides {
		if written, err = e.policy(ctx, in, override, true); err != nil {
			return err
		}
	}
	in.Settings = v1alpha1.Resolve(fromNamespace, fromWorkload, namespaceErrors, workloadErrors, overrides)
	in.Policy = config.ResolvePolicy(config.ForPriority(e.DefaultPolicy, in.Settings.Priority), written)
	in.Annotations = annotationEvidence(in.Settings)
	if in.VPA, err = e.vpa(ctx, in.Target); err == nil && in.VPA != (VPA{}) {
		in.Settings = in.Settings.HeldAtDryRun(in.VPA.why())
	}
	return err
}

// controllerOf is what keeps an object as it is, as kind and name; empty where nothing does.
func controllerOf(object metav1.Object) string {
	owner := metav1.GetControllerOfNoCopy(object)
	if owner == nil {
		return ""
	}
	return owner.Kind + "/" + owner.Name
}

// policy returns the named policy as it is written, and an empty one if there is none. One that was asked for and does not exist is
// a problem that a person has to see; the operator's default takes its place meanwhile.
func (e *Engine) policy(ctx context.Context, in *Input, name string, asked bool) (v1alpha1.SizingPolicySpec, error) {
	found := &v1alpha1.SizingPolicy{}
	key := types.NamespacedName{Namespace: in.Target.Namespace, Name: name}
	err := e.Client.Get(ctx, key, found)
	switch {
	case err == nil:
		return found.Spec, nil
	case apierrors.IsNotFound(err):
		if asked {
			in.PolicyProblem = fmt.Sprintf("SizingPolicy %s does not exist; the operator's default policy is used, and nothing is lowered", key)
		}
		return v1alpha1.SizingPolicySpec{}, nil
	default:
		return v1alpha1.SizingPolicySpec{}, fmt.Errorf("get SizingPolicy %s: %w", key, err)
	}
}

// annotationEvidence numbers the business context that people wrote.
func annotationEvidence(settings v1alpha1.Effective) []advice.Annotation {
	var out []advice.Annotation
	add := func(a advice.Annotation) {
		a.ID = fmt.Sprintf("A%d", len(out)+1)
		out = append(out, a)
	}
	for _, text := range settings.Contexts {
		add(advice.Annotation{Key: v1alpha1.AnnotationContext, Text: text})
	}
	for _, event := range settings.Events {
		add(advice.Annotation{
			Key:  v1alpha1.AnnotationEventPrefix + event.Name,
			Text: fmt.Sprintf("%s/%s demand=%d%%", event.Start.Format(time.RFC3339), event.End.Format(time.RFC3339), event.DemandPercent),
			Event: &advice.TypedEvent{
				Name: event.Name, Start: event.Start, End: event.End, DemandPercent: event.DemandPercent, Recurrence: event.Recurrence,
			},
		})
	}
	return out
}

// podOwnerIndex finds pods by their workload, as kind/name.
const podOwnerIndex = "loadline.owner"

// podOwner returns the function that gives the value of podOwnerIndex for a pod.
func podOwner(kinds owner.Kinds) client.IndexerFunc {
	return func(object client.Object) []string {
		if pod, ok := object.(*corev1.Pod); ok {
			if of, ok := kinds.Of(pod); ok {
				return []string{of.Kind + "/" + of.Name}
			}
		}
		return nil
	}
}

// gatherPods collects from the status of the workload's pods the out-of-memory kills, and since when raises are pending.
// Containers that are not sized, such as injected side-cars, which are not in the template, do not count. Excluded ones do:
// what a kill taught is known when somebody includes them again.
func (e *Engine) gatherPods(ctx context.Context, in *Input, now time.Time) error {
	target, pods := in.Target, &corev1.PodList{}
	err := e.Client.List(ctx, pods, client.InNamespace(target.Namespace),
		client.MatchingFields{podOwnerIndex: target.Kind + "/" + target.Name}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return fmt.Errorf("list pods of %s %s/%s: %w", target.Kind, target.Namespace, target.Name, err)
	}
	kills := e.departed.of(target, now)
	for i := range pods.Items {
		kills = append(kills, OOMKills(&pods.Items[i])...)
		in.PendingRaises = earliest(in.PendingRaises, pendingRaises(&pods.Items[i]))
		if admission, ok := admissionOf(&pods.Items[i], now); ok {
			in.Admissions = append(in.Admissions, admission)
		}
		in.Unmeasured.add(*in, &pods.Items[i], now)
		addPlaced(in, &pods.Items[i])
		if w, ok := waitsForNode(&pods.Items[i], now.Add(-e.Cadence.Unschedulable)); ok {
			in.Waiting = append(in.Waiting, w)
		}
	}
	in.OOMKills = slices.DeleteFunc(kills, func(k OOMKill) bool { return !inTemplate(*in, k.Container) })
	slices.SortFunc(in.OOMKills, compareKills)
	return nil
}

// inTemplate reports whether the workload's template has a container of that name which is, or could be, sized.
func inTemplate(in Input, name string) bool {
	is := func(c corev1.Container) bool { return c.Name == name }
	return slices.ContainsFunc(in.Containers, is) || slices.ContainsFunc(in.LeftAlone, is)
}
