package recommender

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// Labeler repairs the admission label of namespaces where the webhook missed a change, because it was down when the
// annotation was written. The label only lets the API server call the webhook; the annotation decides.
type Labeler struct {
	Client   client.Client
	Excluded func(namespace string) bool
}

// Reconcile makes the label of one namespace follow its annotation.
func (l *Labeler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	if l.Excluded(req.Name) {
		return reconcile.Result{}, nil
	}
	namespace := &corev1.Namespace{}
	if err := l.Client.Get(ctx, req.NamespacedName, namespace); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	wanted := v1alpha1.WantsAdmissionLabel(namespace.Annotations)
	has := namespace.Labels[v1alpha1.LabelAdmission] == v1alpha1.LabelAdmissionEnabled
	if wanted == has || namespace.DeletionTimestamp != nil {
		return reconcile.Result{}, nil
	}
	before := namespace.DeepCopy()
	if wanted {
		if namespace.Labels == nil {
			namespace.Labels = map[string]string{}
		}
		namespace.Labels[v1alpha1.LabelAdmission] = v1alpha1.LabelAdmissionEnabled
	} else {
		delete(namespace.Labels, v1alpha1.LabelAdmission)
	}
	err := l.Client.Patch(ctx, namespace, client.MergeFrom(before), client.FieldOwner(v1alpha1.FieldManagerRecommender))
	if client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("repair label %s of namespace %s: %w", v1alpha1.LabelAdmission, req.Name, err)
	}
	log.FromContext(ctx).Info("repaired admission label", "enabled", wanted)
	return reconcile.Result{}, nil
}

func (l *Labeler) setup(mgr ctrl.Manager) error {
	changed := predicate.Or(predicate.AnnotationChangedPredicate{}, predicate.LabelChangedPredicate{})
	return ctrl.NewControllerManagedBy(mgr).Named("namespace-label").For(&corev1.Namespace{}, builder.WithPredicates(changed)).Complete(l)
}
