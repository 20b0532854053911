package webhook

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

// workloads injects the number of pods into Deployments and StatefulSets, where somebody allowed it with replicas: auto.
//
// A Recommendation holds a number to apply only if an annotation or else the policy says auto. That is what this webhook
// knows of the policy; the annotations as they are now narrow it.
type workloads struct {
	gate
	yieldFor time.Duration
}

// workloadView is the part of a Deployment or StatefulSet that is read.
type workloadView struct {
	Metadata struct {
		objectMeta
		ManagedFields []metav1.ManagedFieldsEntry `json:"managedFields"`
	} `json:"metadata"`
	Spec struct {
		Replicas *int32 `json:"replicas"`
		Paused   bool   `json:"paused"`
	} `json:"spec"`
}

// object is the view as the type that package apply reads.
func (w *workloadView) object() *metav1.ObjectMeta {
	return &metav1.ObjectMeta{Annotations: w.Metadata.Annotations, ManagedFields: w.Metadata.ManagedFields}
}

// replicas is the number in the spec; the API server takes 1 where there is none.
func (w *workloadView) replicas() int32 {
	if w.Spec.Replicas == nil {
		return 1
	}
	return *w.Spec.Replicas
}

func (w *workloads) mutate(ctx context.Context, req *admissionv1.AdmissionRequest) (answer, error) {
	if !isWrite(req) || !w.isScalable(req) {
		return answer{outcome: outcomeIrrelevant}, nil
	}
	view, err := decode[workloadView](req.Object)
	if err != nil {
		return answer{}, err
	}
	old, err := decodeOld[workloadView](req.OldObject)
	if err != nil {
		return answer{}, err
	}
	if why := handsOff(req, view, old); why != "" {
		return answer{outcome: why}, nil
	}
	effective, why, err := w.grant(ctx, req.Namespace, view.Metadata.Annotations)
	if err != nil || why != "" {
		return answer{outcome: why}, err
	}
	if effective.ReplicaMode(v1alpha1.ReplicasAuto) != v1alpha1.ReplicasAuto {
		return answer{outcome: outcomeNotOptedIn}, nil
	}
	return w.scale(ctx, req, view, old)
}

// scale replaces the number of pods that was asked for by the recommended one, unless somebody asks for a new number.
func (w *workloads) scale(ctx context.Context, req *admissionv1.AdmissionRequest, view, old *workloadView) (answer, error) {
	t := target{req.Namespace, req.Kind.Group + "/" + req.Kind.Version, req.Kind.Kind, view.Metadata.Name}
	autoscaler, err := w.lookup.Autoscaler(ctx, t.namespace, t.kind, t.name)
	if err != nil {
		return answer{}, err
	}
	if autoscaler != "" {
		return answer{outcome: outcomeAutoscaled}, nil
	}
	rec, why, err := w.sizes(ctx, t)
	if err != nil || why != "" {
		return answer{outcome: why}, err
	}
	if want := rec.Status.Applicable.Replicas; want == nil || *want <= 0 {
		return answer{outcome: outcomeNotApplicable}, nil
	}
	return w.decide(req, rec, view, old), nil
}

// decide chooses between the number that was asked for, one that somebody set before, and the recommended one.
func (w *workloads) decide(req *admissionv1.AdmissionRequest, rec *v1alpha1.Recommendation, view, old *workloadView) answer {
	recommended, asked := *rec.Status.Applicable.Replicas, view.replicas()
	holds := !w.stale(rec)
	if w.outlived(rec) {
		recommended, holds = *apply.LastingReplicas(rec.Status, w.clock.Now()), false
	}
	want := max(recommended, least(req, rec.Status.Mode, asked, old))
	if asked == recommended && asked == want {
		return answer{outcome: outcomeUnchanged}
	}
	if req.Operation == admissionv1.Update && w.yieldFor > 0 {
		if a, yields := w.yield(req, rec, view, old); yields {
			return a
		}
	}
	if want == asked || want < asked && !holds {
		return answer{outcome: outcomeUnchanged}
	}
	becomes := fmt.Sprintf("spec.replicas %d becomes %d, which Loadline recommends", asked, want)
	if want > recommended {
		becomes = fmt.Sprintf("spec.replicas stays %d instead of %d; Loadline recommends %d", want, asked, recommended)
	}
	return answer{outcome: outcomeInjected, patches: setReplicas(view, want, map[string]string{
		v1alpha1.AnnotationOriginalReplicas: strconv.Itoa(int(asked)),
	}), warnings: []string{fmt.Sprintf("%s; annotation %s=%s on this %s keeps your number",
		becomes, v1alpha1.AnnotationReplicas, v1alpha1.ReplicasRecommend, req.Kind.Kind)}}
}

// least is the number that no recommendation takes a request below; 0 where there is none. Pods may be there already when a StatefulSet
// is created: to change its volume claims people delete it without its pods. Going down in that moment would take all of them at once
// that are too many, and perhaps their volumes, where the updater goes step by step or not at all.
func least(req *admissionv1.AdmissionRequest, mode v1alpha1.Mode, asked int32, old *workloadView) int32 {
	switch {
	case req.Operation == admissionv1.Update:
		return floor(mode, asked, old.replicas())
	case req.Kind.Group == "apps" && req.Kind.Kind == "StatefulSet":
		return asked
	}
	return 0
}

// floor is the number that no recommendation takes an update below. Under auto it is what runs: the updater lowers that, step by
// step and within budgets, and a manifest that is applied again must not do it all at once. Elsewhere nobody else would ever lower
// it, so an update may, as far as it does so itself.
func floor(mode v1alpha1.Mode, asked, runs int32) int32 {
	if mode == v1alpha1.ModeAuto {
		return runs
	}
	return min(asked, runs)
}

// setReplicas is the patch that sets the number of pods and annotations.
func setReplicas(view *workloadView, replicas int32, annotations map[string]string) []jsonpatch.JsonPatchOperation {
	return append(setAnnotations(view.Metadata.Annotations, annotations), jsonpatch.NewOperation("add", "/spec/replicas", replicas))
}

func (w *workloads) isScalable(req *admissionv1.AdmissionRequest) bool {
	if k, ok := w.kinds.Named(req.Kind.Kind); ok {
		return group(k.APIVersion) == req.Kind.Group
	}
	return req.Kind.Group == "apps" && (req.Kind.Kind == "Deployment" || req.Kind.Kind == "StatefulSet")
}

// handsOff tells why a request is left alone whatever is recommended: it does not decide the number of pods, or a person set
// that number to 0 or stopped the rollout.
func handsOff(req *admissionv1.AdmissionRequest, view, old *workloadView) outcome {
	switch {
	case view.Metadata.beingDeleted():
		return outcomeIrrelevant
	case req.Operation == admissionv1.Update && view.replicas() == old.replicas():
		return outcomeIrrelevant
	case view.replicas() == 0:
		return outcomeScaledToZero
	case view.Spec.Paused:
		return outcomePaused
	}
	return ""
}

// validateWorkload refuses bad annotations that this request adds or changes.
func validateWorkload(_ context.Context, req *admissionv1.AdmissionRequest) (answer, error) {
	a, _, err := validateAnnotations(req)
	return a, err
}
