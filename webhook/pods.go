package webhook

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"

	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

// pods injects requests and limits into pods that are being created. Ordinary init containers are never changed.
type pods struct {
	gate
	limits limitRanges
}

// podView is the part of a pod that is read. Only CPU and memory of containers and four annotations are ever written.
type podView struct {
	Metadata objectMeta `json:"metadata"`
	Spec     struct {
		Resources      *corev1.ResourceRequirements `json:"resources"`
		InitContainers []containerView              `json:"initContainers"`
		Containers     []containerView              `json:"containers"`
	} `json:"spec"`
}

type containerView struct {
	Name          string                         `json:"name"`
	Resources     *corev1.ResourceRequirements   `json:"resources"`
	RestartPolicy *corev1.ContainerRestartPolicy `json:"restartPolicy"`
}

func (p *pods) mutate(ctx context.Context, req *admissionv1.AdmissionRequest) (answer, error) {
	if req.Operation != admissionv1.Create || req.SubResource != "" {
		return answer{outcome: outcomeIrrelevant}, nil
	}
	effective, why, err := p.grant(ctx, req.Namespace, nil)
	if err != nil || why != "" {
		return answer{outcome: why}, err
	}
	view, err := decode[podView](req.Object)
	if err != nil {
		return answer{}, err
	}
	pod := view.pod()
	pod.Namespace = req.Namespace
	workload, owned := p.kinds.Of(pod)
	if !owned {
		return answer{outcome: outcomeNoOwner}, nil
	}
	rec, why, err := p.sizes(ctx, target{req.Namespace, p.kinds.APIVersion(workload, pod), workload.Kind, workload.Name})
	if err != nil || why != "" {
		return answer{outcome: why}, err
	}
	if apply.HasPodLevelResources(pod) {
		return leftAlone(rec, outcomePodResources, "they set resources for the pod as a whole (spec.resources), which its containers share"), nil
	}
	excluded := slices.Concat(effective.ExcludeContainers, rec.Status.ExcludeContainers)
	s := sizer{
		values: sizable(apply.FromAPI(rec.Status.Applicable), pod, excluded),
		stale:  p.stale(rec), seen: apply.SeenMemory(rec.Status.Current),
	}
	if st := rec.Status; st.Trying == st.Applicable.Revision && st.Mode == v1alpha1.ModeAuto {
		s.floor = new(goodOf(st))
	}
	return p.size(ctx, view, pod, s, rec)
}

// size injects what the sizer says, unless a LimitRange of the namespace would then refuse the pod. What is held back, and is too much
// for it, gives way to the sizes that are tried: they were made to fit, and the pod as written may have less memory than it needs.
func (p *pods) size(ctx context.Context, view *podView, pod *corev1.Pod, s sizer, rec *v1alpha1.Recommendation) (answer, error) {
	original := s.original(pod)
	sized := s.desired(original)
	if len(sized) == 0 {
		return answer{outcome: outcomeNotApplicable}, nil
	}
	ranges, err := p.limits.LimitRanges(ctx, pod.Namespace)
	if err != nil {
		return answer{}, err
	}
	if s.floor != nil && forbidden(ranges, pod, sized) != "" {
		s.floor = nil
		sized = s.desired(original)
	}
	if why := forbidden(ranges, pod, sized); why != "" {
		return leftAlone(rec, outcomeLimitRange, "a LimitRange of the namespace forbids the recommended sizes; raise it, or bound the SizingPolicy: "+why), nil
	}
	d := decision{original: original, sized: sized, revision: rec.Status.Applicable.Revision, why: rec.Status.Display.Why}
	if s.heldBack(original, sized) {
		d.why = "revision " + d.revision + " is tried on another pod first; until it was well there, nothing becomes less"
		d.revision = apply.HeldBack(d.revision)
	}
	a, err := inject(view, pod, d)
	switch {
	case errors.Is(err, errNoRoom):
		return leftAlone(rec, outcomeNoRoom, err.Error()), nil
	case err == nil && a.outcome == outcomeInjected:
		a.notice = noticeOf(rec, corev1.EventTypeNormal, reasonInjected, d.revision,
			"new pods get revision "+d.revision+": "+d.changes(pod))
	}
	return a, err
}

// inject builds the patch. It is empty for a pod that carries everything already, so calling the webhook again changes
// nothing.
func inject(view *podView, pod *corev1.Pod, d decision) (answer, error) {
	annotations, err := d.annotations(pod)
	if err != nil {
		return answer{}, err
	}
	ops := setAnnotations(view.Metadata.Annotations, annotations)
	for _, l := range []struct {
		at         string
		containers []containerView
	}{{"/spec/initContainers/", view.Spec.InitContainers}, {"/spec/containers/", view.Spec.Containers}} {
		for i, c := range l.containers {
			if want, ok := d.sized[c.Name]; ok {
				ops = append(ops, resourceOps(l.at+strconv.Itoa(i)+"/resources", c.Resources, want)...)
			}
		}
	}
	if len(ops) == 0 {
		return answer{outcome: outcomeUnchanged}, nil
	}
	return answer{outcome: outcomeInjected, patches: ops}, nil
}

// resourceOps patches CPU and memory of one container, key by key: other resources and claims stay as they are.
func resourceOps(at string, has *corev1.ResourceRequirements, want apply.Resources) []jsonpatch.JsonPatchOperation {
	var have corev1.ResourceRequirements
	if has != nil {
		have = *has
	}
	next := want.Into(have)
	requests, ops := changes(at+"/requests", have.Requests, next.Requests)
	limits, removals := changes(at+"/limits", have.Limits, next.Limits)
	ops = append(ops, removals...)
	if has == nil {
		whole := map[string]map[string]string{"requests": requests, "limits": limits}
		maps.DeleteFunc(whole, func(_ string, list map[string]string) bool { return len(list) == 0 })
		if len(whole) == 0 {
			return nil
		}
		return []jsonpatch.JsonPatchOperation{jsonpatch.NewOperation("add", at, whole)}
	}
	ops = append(ops, setEntries(at+"/requests", have.Requests != nil, requests)...)
	return append(ops, setEntries(at+"/limits", have.Limits != nil, limits)...)
}

// changes returns the entries of a list that are new or different, and the removals of those that are gone.
func changes(at string, have, next corev1.ResourceList) (set map[string]string, removals []jsonpatch.JsonPatchOperation) {
	set = map[string]string{}
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		before, had := have[name]
		after, has := next[name]
		switch {
		case has && (!had || before.Cmp(after) != 0):
			set[string(name)] = after.String()
		case had && !has:
			removals = append(removals, jsonpatch.NewOperation("remove", at+pointer(string(name)), nil))
		}
	}
	return set, removals
}

// pod is the view as the type that apply and owner read. Fields that are not in the view are empty.
func (v *podView) pod() *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name:            v.Metadata.Name,
		Labels:          v.Metadata.Labels,
		Annotations:     v.Metadata.Annotations,
		OwnerReferences: v.Metadata.OwnerReferences,
	}}
	pod.Spec.Resources = v.Spec.Resources
	pod.Spec.InitContainers = containers(v.Spec.InitContainers)
	pod.Spec.Containers = containers(v.Spec.Containers)
	return pod
}

func containers(views []containerView) []corev1.Container {
	out := make([]corev1.Container, len(views))
	for i, c := range views {
		out[i].Name, out[i].RestartPolicy = c.Name, c.RestartPolicy
		if c.Resources != nil {
			out[i].Resources = *c.Resources
		}
	}
	return out
}
