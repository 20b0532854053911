package webhook

import (
	"context"
	"fmt"

	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// namespaces keeps the admission label of namespaces in step with their annotations, and validates the annotations.
type namespaces struct {
	excluded func(namespace string) bool
}

// label sets or removes loadline.dev/admission in the request that writes the annotations, so that opting in and out need
// nothing else to run.
func (n *namespaces) label(_ context.Context, req *admissionv1.AdmissionRequest) (answer, error) {
	if !isWrite(req) {
		return answer{outcome: outcomeIrrelevant}, nil
	}
	ns, err := decode[metaOnly](req.Object)
	if err != nil {
		return answer{}, err
	}
	if ns.Metadata.beingDeleted() {
		return answer{outcome: outcomeUnchanged}, nil
	}
	want := v1alpha1.WantsAdmissionLabel(ns.Metadata.Annotations) && !n.excluded(ns.Metadata.Name)
	has, present := ns.Metadata.Labels[v1alpha1.LabelAdmission]
	const at = "/metadata/labels"
	switch {
	case want && has != v1alpha1.LabelAdmissionEnabled:
		entry := map[string]string{v1alpha1.LabelAdmission: v1alpha1.LabelAdmissionEnabled}
		return answer{outcome: outcomeLabelled, patches: setEntries(at, ns.Metadata.Labels != nil, entry)}, nil
	case !want && present:
		remove := jsonpatch.NewOperation("remove", at+pointer(v1alpha1.LabelAdmission), nil)
		return answer{outcome: outcomeLabelled, patches: []jsonpatch.JsonPatchOperation{remove}, warnings: n.labelWarnings(req, ns)}, nil
	}
	return answer{outcome: outcomeUnchanged}, nil
}

// labelWarnings tells a person who put the label on by hand that this is not how to opt in. Opting out removes the label
// without a word.
func (n *namespaces) labelWarnings(req *admissionv1.AdmissionRequest, ns *metaOnly) []string {
	old, err := decodeOld[metaOnly](req.OldObject)
	if err != nil || old.Metadata.Labels[v1alpha1.LabelAdmission] == ns.Metadata.Labels[v1alpha1.LabelAdmission] {
		return nil
	}
	return []string{fmt.Sprintf("label %s is removed: Loadline sets it itself when annotation %s is initial or auto",
		v1alpha1.LabelAdmission, v1alpha1.AnnotationMode)}
}

// validate refuses bad annotations that this request adds or changes.
func (n *namespaces) validate(_ context.Context, req *admissionv1.AdmissionRequest) (answer, error) {
	a, ns, err := validateAnnotations(req)
	if err != nil || ns == nil {
		return a, err
	}
	if n.excluded(ns.Metadata.Name) && len(v1alpha1.OwnAnnotations(ns.Metadata.Annotations)) > 0 {
		a = a.warn(fmt.Sprintf("namespace %s is never sized: it belongs to the cluster or to Loadline, or the operator's configuration excludes it",
			ns.Metadata.Name))
	}
	return a, nil
}

// validateAnnotations is ratcheting: a bad annotation is refused only when this request adds or changes it, and never on an
// object that is being deleted; what was bad before gives a warning. The object is nil if there is nothing to check.
func validateAnnotations(req *admissionv1.AdmissionRequest) (answer, *metaOnly, error) {
	if !isWrite(req) {
		return answer{outcome: outcomeIrrelevant}, nil, nil
	}
	obj, err := decode[metaOnly](req.Object)
	if err != nil {
		return answer{}, nil, err
	}
	if obj.Metadata.beingDeleted() {
		return answer{outcome: outcomeAllowed}, nil, nil
	}
	old, err := decodeOld[metaOnly](req.OldObject)
	if err != nil {
		return answer{}, nil, err
	}
	refused, standing := v1alpha1.Changed(old.Metadata.Annotations, obj.Metadata.Annotations)
	return verdict(errorStrings(refused), errorStrings(standing)), obj, nil
}

// isWrite reports whether the request creates or updates a whole object.
func isWrite(req *admissionv1.AdmissionRequest) bool {
	return req.SubResource == "" && (req.Operation == admissionv1.Create || req.Operation == admissionv1.Update)
}
