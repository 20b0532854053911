package webhook

import (
	"context"
	"fmt"
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// lookup is everything that handlers may ask. All of it comes from memory.
type lookup interface {
	// Annotations returns the loadline.dev annotations of a namespace, or false if the namespace is not known.
	Annotations(ctx context.Context, namespace string) (map[string]string, bool, error)
	// Recommendation returns a Recommendation without its forecast, advice and trail, or nil. The caller must not change it.
	Recommendation(ctx context.Context, namespace, name string) (*v1alpha1.Recommendation, error)
	// Autoscaler returns the name of a HorizontalPodAutoscaler of the workload, or "".
	Autoscaler(ctx context.Context, namespace, kind, workload string) (string, error)
}

// CacheOptions returns the options of the only cache the webhook reads: Recommendations without their reasoning, the
// annotations of namespaces, LimitRanges, and of autoscalers, disruption budgets and nodes what warnings need. Reading anything else is an error instead of a new
// informer. Objects are handed out without a copy, so a manager with this cache must not be shared with code that changes
// what it reads.
func CacheOptions() cache.Options {
	return cache.Options{
		ReaderFailOnMissingInformer:  true,
		NewInformer:                  newInformer,
		DefaultTransform:             cache.TransformStripManagedFields(),
		DefaultUnsafeDisableDeepCopy: new(true),
		ByObject: map[client.Object]cache.ByObject{
			&v1alpha1.Recommendation{}:               {Transform: stripRecommendation},
			&autoscalingv2.HorizontalPodAutoscaler{}: {Transform: stripAutoscaler},
			&corev1.LimitRange{}:                     {},
			&policyv1.PodDisruptionBudget{}:          {Transform: stripBudget},
			&corev1.Node{}:                           {Transform: stripNode},
			namespaceMetadata():                      {Transform: stripNamespace},
		},
	}
}

func namespaceMetadata() *metav1.PartialObjectMetadata {
	ns := &metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return ns
}

// stripMeta is what is left of the metadata of every cached object.
func stripMeta(m metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: m.Name, Namespace: m.Namespace, UID: m.UID, ResourceVersion: m.ResourceVersion}
}

func stripRecommendation(in any) (any, error) {
	if rec, ok := in.(*v1alpha1.Recommendation); ok {
		return strippedRecommendation(rec), nil
	}
	return in, nil
}

// strippedRecommendation is what is left of a Recommendation, and of what is left.
func strippedRecommendation(rec *v1alpha1.Recommendation) *v1alpha1.Recommendation {
	why := rec.Status.Display.Why
	if c, a := rec.Status.Candidate, rec.Status.Applicable; c != nil && a != nil && c.Revision != a.Revision {
		why = "" // it is about sizes that are not applied yet
	}
	var good *v1alpha1.DecisionMemory
	if m := rec.Status.Memory; m != nil && m.LastGood != nil {
		good = &v1alpha1.DecisionMemory{LastGood: forNewPods(m.LastGood)}
	}
	return &v1alpha1.Recommendation{
		ObjectMeta: stripMeta(rec.ObjectMeta),
		Spec:       v1alpha1.RecommendationSpec{TargetRef: rec.Spec.TargetRef},
		Status: v1alpha1.RecommendationStatus{
			Mode:              rec.Status.Mode,
			ExcludeContainers: rec.Status.ExcludeContainers,
			TargetUID:         rec.Status.TargetUID,
			Display:           v1alpha1.Display{Why: why},
			Current:           memoryOf(rec.Status.Current),
			ObservedTime:      rec.Status.ObservedTime,
			Applicable:        forNewPods(rec.Status.Applicable),
			Replicas:          rec.Status.Replicas,
			Trying:            rec.Status.Trying,
			Memory:            good,
		},
	}
}

// forNewPods is what is left of sizes: without those for pods that run.
func forNewPods(v *v1alpha1.RevisionedValues) *v1alpha1.RevisionedValues {
	if v == nil {
		return nil
	}
	kept := *v
	kept.Containers = slices.Clone(v.Containers)
	for i := range kept.Containers {
		kept.Containers[i].InPlace, kept.Containers[i].Band = v1alpha1.ResourceAmounts{}, v1alpha1.Band{}
	}
	return &kept
}

// memoryOf is what is left of the present sizes: the memory that containers ask for in their template and were seen to use.
func memoryOf(current *v1alpha1.CurrentValues) *v1alpha1.CurrentValues {
	if current == nil {
		return nil
	}
	kept := &v1alpha1.CurrentValues{}
	for _, c := range current.Containers {
		kept.Containers = append(kept.Containers, v1alpha1.CurrentContainer{
			Name: c.Name, Requests: v1alpha1.ResourceAmounts{Memory: c.Requests.Memory}, PeakMemory: c.PeakMemory,
		})
	}
	return kept
}

func stripAutoscaler(in any) (any, error) {
	hpa, ok := in.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok {
		return in, nil
	}
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: stripMeta(hpa.ObjectMeta),
		Spec:       autoscalingv2.HorizontalPodAutoscalerSpec{ScaleTargetRef: hpa.Spec.ScaleTargetRef, Metrics: hpa.Spec.Metrics},
	}, nil
}

func stripNamespace(in any) (any, error) {
	ns, ok := in.(*metav1.PartialObjectMetadata)
	if !ok {
		return in, nil
	}
	kept := namespaceMetadata()
	kept.ObjectMeta = stripMeta(ns.ObjectMeta)
	kept.Annotations = v1alpha1.OwnAnnotations(ns.Annotations)
	return kept, nil
}

// scaleTargetIndex finds autoscalers by what they scale.
const scaleTargetIndex = "loadline.dev/scale-target"

func scaleTargetKey(kind, name string) string { return kind + "/" + name }

func indexScaleTarget(obj client.Object) []string {
	hpa, ok := obj.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok {
		return nil
	}
	return []string{scaleTargetKey(hpa.Spec.ScaleTargetRef.Kind, hpa.Spec.ScaleTargetRef.Name)}
}

// prepareCache starts the informers and indexes that admission needs. The cache itself is started by its owner, and the webhook is ready
// once it is filled; see lateFacts for the rest.
func prepareCache(ctx context.Context, c cache.Cache) error {
	for _, obj := range []client.Object{
		&v1alpha1.Recommendation{}, &autoscalingv2.HorizontalPodAutoscaler{}, &corev1.LimitRange{}, namespaceMetadata(),
	} {
		if _, err := c.GetInformer(ctx, obj, cache.BlockUntilSynced(false)); err != nil {
			return fmt.Errorf("watch %T: %w", obj, err)
		}
	}
	if err := c.IndexField(ctx, &autoscalingv2.HorizontalPodAutoscaler{}, scaleTargetIndex, indexScaleTarget); err != nil {
		return fmt.Errorf("index autoscalers: %w", err)
	}
	return nil
}

// cached answers from a cache with CacheOptions.
type cached struct{ reader client.Reader }

func (c cached) Annotations(ctx context.Context, namespace string) (map[string]string, bool, error) {
	ns := namespaceMetadata()
	if err := c.reader.Get(ctx, client.ObjectKey{Name: namespace}, ns); err != nil {
		return nil, false, ignoreNotFound(err, "namespace")
	}
	return ns.Annotations, true, nil
}

func (c cached) Recommendation(ctx context.Context, namespace, name string) (*v1alpha1.Recommendation, error) {
	rec := &v1alpha1.Recommendation{}
	if err := c.reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, rec); err != nil {
		return nil, ignoreNotFound(err, "recommendation")
	}
	return rec, nil
}

func (c cached) Autoscaler(ctx context.Context, namespace, kind, workload string) (string, error) {
	var found autoscalingv2.HorizontalPodAutoscalerList
	err := c.reader.List(ctx, &found, client.InNamespace(namespace), client.MatchingFields{scaleTargetIndex: scaleTargetKey(kind, workload)})
	if err != nil {
		return "", fmt.Errorf("look up autoscalers in the cache: %w", err)
	}
	if len(found.Items) == 0 {
		return "", nil
	}
	return found.Items[0].Name, nil
}

func ignoreNotFound(err error, what string) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf("look up the %s in the cache: %w", what, err)
}
