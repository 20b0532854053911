package recommender

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/internal/owner"
	"github.com/loadline-dev/loadline/recommender/history"
)

// Options are what Setup needs besides the manager.
type Options struct {
	Config     config.Config
	History    HistoryReader
	Clock      clock.Clock
	Registerer prometheus.Registerer
	// Advisor makes what asks a model. It calls notify with a target's key when it knows more of it, and it is run with the
	// controllers. Nil means that no model is asked.
	Advisor func(notify func(key string)) Advisor
	// Signals reads the signals of policies for the model; nil means none.
	Signals *Signals
	// Querier reads the health signals of policies.
	Querier history.Querier
}

// Setup adds the recommender's controllers to the manager.
func Setup(ctx context.Context, mgr ctrl.Manager, opts Options) error {
	if err := prepareCache(ctx, mgr, opts.Config.Scaling.Owners(), opts.Advisor != nil); err != nil {
		return err
	}
	metrics, err := NewMetrics(opts.Registerer)
	if err != nil {
		return err
	}
	cfg := opts.Config
	r := &Reconciler{
		Client: mgr.GetClient(), Engine: NewEngine(mgr.GetClient(), opts.History, cfg), Clock: opts.Clock,
		Recorder: mgr.GetEventRecorder("loadline-recommender"), Metrics: metrics,
		Every: cfg.Recommender.SyncInterval.Duration, JitterShare: float64(cfg.Recommender.ResyncJitterPercent) / 100,
		Retention: cfg.Recommender.Retention.Duration, wake: &wake{},
	}
	r.Engine.Querier = opts.Querier
	if opts.Advisor != nil {
		r.Engine.Advisor, r.Engine.Signals = opts.Advisor(r.wake.visit), opts.Signals
		if err := mgr.Add(r.Engine.Advisor); err != nil {
			return fmt.Errorf("add the advisor: %w", err)
		}
	}
	// The probe's namespace is the updater's: it plays the recommender there.
	excluded := func(namespace string) bool { return cfg.Excluded(namespace) || namespace == cfg.Updater.ProbeNamespace }
	if err := r.setup(mgr, cfg.Recommender.Workers, excluded); err != nil {
		return fmt.Errorf("set up recommendation controller: %w", err)
	}
	if err := (&Labeler{Client: mgr.GetClient(), Excluded: excluded}).setup(mgr); err != nil {
		return fmt.Errorf("set up namespace label controller: %w", err)
	}
	return nil
}

// prepareCache asks for everything that is read before the first controller starts, so that its first read finds it all.
// Events about other things than refused pods are read for a model only.
func prepareCache(ctx context.Context, mgr ctrl.Manager, kinds owner.Kinds, withModel bool) error {
	if err := mgr.GetFieldIndexer().IndexField(ctx, &corev1.Pod{}, podOwnerIndex, podOwner(kinds)); err != nil {
		return fmt.Errorf("index pods by workload: %w", err)
	}
	objects := []client.Object{
		&corev1.Namespace{}, &corev1.Node{}, &corev1.LimitRange{}, &corev1.ResourceQuota{}, &corev1.Event{}, &appsv1.Deployment{}, &appsv1.StatefulSet{}, &appsv1.DaemonSet{}, &batchv1.CronJob{},
		&autoscalingv2.HorizontalPodAutoscaler{}, &v1alpha1.Recommendation{}, &v1alpha1.SizingPolicy{},
	}
	for _, k := range kinds {
		objects = append(objects, (&Engine{Kinds: kinds}).custom(k.Kind))
	}
	if err := mgr.GetFieldIndexer().IndexField(ctx, &corev1.Event{}, refusedIndex, refusedBy(kinds)); err != nil {
		return fmt.Errorf("index events by the workload whose pods are refused: %w", err)
	}
	if withModel {
		if err := mgr.GetFieldIndexer().IndexField(ctx, &corev1.Event{}, involvedIndex, involved); err != nil {
			return fmt.Errorf("index events by what they are about: %w", err)
		}
	}
	for _, object := range objects {
		if _, err := mgr.GetCache().GetInformer(ctx, object, cache.BlockUntilSynced(false)); err != nil {
			return fmt.Errorf("watch %T: %w", object, err)
		}
	}
	return nil
}

func (r *Reconciler) setup(mgr ctrl.Manager, workers int, excluded func(namespace string) bool) error {
	m := mapper{engine: r.Engine, excluded: excluded}
	changed := builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))
	build := builder.TypedControllerManagedBy[Target](mgr)
	for _, k := range r.Engine.Kinds {
		build = build.Watches(r.Engine.custom(k.Kind), m.one(k.Kind), changed)
	}
	c, err := build.
		Named("recommendation").
		WithOptions(controller.TypedOptions[Target]{MaxConcurrentReconciles: workers}).
		Watches(&appsv1.Deployment{}, m.one(kindDeployment), changed).
		Watches(&appsv1.StatefulSet{}, m.one(kindStatefulSet), changed).
		Watches(&appsv1.DaemonSet{}, m.one(kindDaemonSet), changed).
		Watches(&batchv1.CronJob{}, m.one(kindCronJob), changed).
		Watches(&v1alpha1.Recommendation{}, handler.TypedEnqueueRequestsFromMapFunc(m.recommendation),
			builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, harmReported()))).
		Watches(&v1alpha1.SizingPolicy{}, handler.TypedEnqueueRequestsFromMapFunc(m.namespaceOf), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&autoscalingv2.HorizontalPodAutoscaler{}, handler.TypedEnqueueRequestsFromMapFunc(m.autoscaler), builder.WithPredicates(autoscalerChanged())).
		Watches(&corev1.Namespace{}, handler.TypedEnqueueRequestsFromMapFunc(m.namespace), builder.WithPredicates(predicate.AnnotationChangedPredicate{})).
		Watches(&corev1.Pod{}, handler.TypedEnqueueRequestsFromMapFunc(m.killedPod), builder.WithPredicates(outOfMemoryKilled())).
		WatchesRawSource(r.wake.source()).
		Build(r)
	if err != nil {
		return err
	}
	served, err := isServed(mgr.GetRESTMapper(), vpaKind())
	if err != nil {
		return fmt.Errorf("look for VerticalPodAutoscalers: %w", err)
	}
	watch := func() error {
		return c.Watch(source.TypedKind(mgr.GetCache(), client.Object(anyVPA()), handler.TypedEnqueueRequestsFromMapFunc(m.vpa),
			predicate.TypedGenerationChangedPredicate[client.Object]{}))
	}
	if served { // Nothing is decided before they are all known.
		return watch()
	}
	return mgr.Add(await{kind: vpaKind(), mapper: mgr.GetRESTMapper(), clock: r.Clock, every: min(r.Every, time.Minute), watch: watch})
}

// CacheOptions keeps the cache small: of a pod only what says who owns it, what it asked for and has, and how its containers ended, of events only the
// warnings, and without a model only those about pods that could not be created. The API server drops events after an hour by default.
func CacheOptions(withModel bool) cache.Options {
	warnings := fields.Set{"type": corev1.EventTypeWarning}
	if !withModel {
		warnings["reason"] = reasonFailedCreate
	}
	return cache.Options{
		ReaderFailOnMissingInformer: true,
		DefaultTransform:            stripUnnamed,
		ByObject: map[client.Object]cache.ByObject{
			&autoscalingv2.HorizontalPodAutoscaler{}: {Transform: stripAutoscaler},
			&corev1.Pod{}:                            {Transform: stripPod},
			&corev1.Node{}:                           {Transform: stripNode},
			&corev1.Event{}:                          {Transform: stripEvent, Field: warnings.AsSelector()},
		},
	}
}

func stripAutoscaler(object any) (any, error) {
	if hpa, ok := object.(metav1.Object); ok {
		apply.KeepMinimum(hpa)
	}
	return object, nil
}

// stripPod drops what the recommender never reads: at 20,000 pods this is most of the cache.
func stripPod(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	pod.ManagedFields = nil
	maps.DeleteFunc(pod.Annotations, func(key, _ string) bool {
		return key != v1alpha1.AnnotationRevision && key != v1alpha1.AnnotationOriginal
	})
	if len(pod.Annotations) == 0 {
		pod.Annotations = nil
	}
	spec := corev1.PodSpec{
		NodeName: pod.Spec.NodeName, PriorityClassName: pod.Spec.PriorityClassName, ActiveDeadlineSeconds: pod.Spec.ActiveDeadlineSeconds,
		Overhead: pod.Spec.Overhead,
	}
	for _, c := range pod.Spec.Containers {
		spec.Containers = append(spec.Containers, corev1.Container{Name: c.Name, Resources: c.Resources})
	}
	for _, c := range pod.Spec.InitContainers {
		spec.InitContainers = append(spec.InitContainers, corev1.Container{Name: c.Name, Resources: c.Resources, RestartPolicy: c.RestartPolicy})
	}
	pod.Spec = spec
	conditions := slices.DeleteFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type != corev1.PodResizePending && c.Type != corev1.DisruptionTarget && (c.Type != corev1.PodScheduled || c.Status == corev1.ConditionTrue)
	})
	pod.Status = corev1.PodStatus{
		Phase: pod.Status.Phase, ContainerStatuses: pod.Status.ContainerStatuses, Conditions: conditions,
		InitContainerStatuses: slices.DeleteFunc(pod.Status.InitContainerStatuses, func(status corev1.ContainerStatus) bool {
			return !slices.ContainsFunc(spec.InitContainers, func(c corev1.Container) bool { return c.Name == status.Name && apply.IsSidecar(c) })
		}),
	}
	return pod, nil
}

func stripNode(object any) (any, error) {
	node, ok := object.(*corev1.Node)
	if !ok {
		return object, nil
	}
	node.ManagedFields, node.Annotations = nil, nil
	node.Status = corev1.NodeStatus{Allocatable: node.Status.Allocatable}
	return node, nil
}
