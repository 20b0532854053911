package updater

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	loadlineac "github.com/loadline-dev/loadline/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/config"
)

// world is a cluster in memory with the updater in it. Its API server resizes at once and, as long as admits is true, gives
// the probe pod its sizes; faults are put in by tests.
type world struct {
	t          *testing.T
	client     client.WithWatch
	clock      *clocktesting.FakeClock
	controller *controller
	events     *events.FakeRecorder

	admits bool
	// admissionTakes is how long the probe's pod is on its way.
	admissionTakes time.Duration
	// onProbe is called while it is.
	onProbe func()
	// resizeError and evictError are returned instead of doing it.
	resizeError, evictError func(pod string) error
	// refuses is what is said to a resize to these resources.
	refuses func(corev1.ResourceRequirements) error
	// scaleError is returned instead of setting a number of pods.
	scaleError func() error
	// minimumError is returned instead of changing an autoscaler, which was asked for minimumTries times.
	minimumError error
	minimumTries int
	// evictions are the bodies of the evictions that were asked for.
	evictions []*policyv1.Eviction
	// statusWrites counts the writes of Recommendations' statuses, resized and evicted name the pods, in order.
	statusWrites     int
	resized, evicted []string
}

// start is not a whole second, as no real time is; the API keeps seconds.
var start = time.Date(2026, 11, 18, 12, 0, 0, 123456789, time.UTC)

func newWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	// Only what these tests use: the client in memory goes through all kinds that the scheme knows, at every write.
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, batchv1.AddToScheme, autoscalingv1.AddToScheme, autoscalingv2.AddToScheme, policyv1.AddToScheme, v1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	none := func(string) error { return nil }
	w := &world{t: t, clock: clocktesting.NewFakeClock(start), events: events.NewFakeRecorder(100), admits: true, onProbe: func() {}, resizeError: none, evictError: none, scaleError: func() error { return nil }}
	w.client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.Recommendation{}, &corev1.Pod{}).
		WithInterceptorFuncs(interceptor.Funcs{Create: w.create, Patch: w.patch, SubResourcePatch: w.patchSubResource, SubResourceCreate: w.createSubResource, SubResourceUpdate: w.updateSubResource, SubResourceApply: w.applyStatus}).
		Build()
	own := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: config.Default().Namespace, Name: config.Default().Updater.RecordConfigMap}}
	if err := w.client.Create(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	w.restart()
	return w
}

// restart replaces the updater by a new one, which remembers nothing.
func (w *world) restart() {
	w.t.Helper()
	cfg := config.Default()
	m, err := newMetrics(prometheus.NewRegistry())
	if err != nil {
		w.t.Fatal(err)
	}
	w.controller = &controller{
		clock:    w.clock,
		gatherer: gatherer{reader: w.client, live: w.client, config: cfg, resources: servesResize{}, metrics: m},
		probe:    &probe{client: w.client, namespace: cfg.Updater.ProbeNamespace, maxAge: cfg.Updater.ProbeMaxAge.Duration, maxLatency: cfg.Updater.ProbeMaxLatency.Duration, clock: w.clock, metrics: m},
		actor:    actor{client: w.client},
		reporter: newReporter(w.client, w.events),
		ledger:   newLedger(cfg.Updater),
		record:   &record{reader: w.client, client: w.client, name: types.NamespacedName{Namespace: cfg.Namespace, Name: cfg.Updater.RecordConfigMap}},
		budget:   budgetOf(cfg.Updater),
		rules:    rulesOf(cfg.Updater.Breaker),
		metrics:  m,
		started:  w.clock.Now(),

		apiTrouble: silences{},
	}
}

type servesResize struct{}

func (servesResize) ServerResourcesForGroupVersion(string) (*metav1.APIResourceList, error) {
	return &metav1.APIResourceList{APIResources: []metav1.APIResource{{Name: "pods"}, {Name: "pods/resize"}}}, nil
}

// round runs one round, half a minute after the last one.
func (w *world) round() {
	w.t.Helper()
	w.clock.Step(30 * time.Second)
	if err := w.controller.round(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) create(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
	pod, ok := obj.(*corev1.Pod)
	if !ok || !slices.Contains(opts, client.CreateOption(client.DryRunAll)) {
		return c.Create(ctx, obj, opts...)
	}
	w.onProbe()
	w.clock.Step(w.admissionTakes)
	if w.admits {
		values := probeValues()
		pod.Annotations = map[string]string{v1alpha1.AnnotationRevision: apply.Revision(values)}
		sized := apply.Desired(values, apply.Present(pod), apply.ForNewPod)[probeContainer]
		pod.Spec.Containers[0].Resources = sized.Into(pod.Spec.Containers[0].Resources)
	}
	return nil
}

// patch refuses a patch with another UID, as the API server does.
func (w *world) patch(ctx context.Context, c client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	if _, ok := obj.(*autoscalingv2.HorizontalPodAutoscaler); ok && w.minimumError != nil {
		w.minimumTries++
		return w.minimumError
	}
	data, err := patch.Data(obj)
	if err != nil {
		return err
	}
	var meant metav1.PartialObjectMetadata
	if err := json.Unmarshal(data, &meant); err != nil {
		return err
	}
	if _, isPod := obj.(*corev1.Pod); isPod && meant.UID != "" && meant.UID != w.pod(obj.GetName()).UID {
		return errOtherUID
	}
	return c.Patch(ctx, obj, patch, opts...)
}

func (w *world) patchSubResource(ctx context.Context, c client.Client, name string, obj client.Object, patch client.Patch, _ ...client.SubResourcePatchOption) error {
	if name != "resize" {
		return fmt.Errorf("unexpected patch of %s", name)
	}
	if err := w.resizeError(obj.GetName()); err != nil {
		return err
	}
	data, err := patch.Data(obj)
	if err != nil {
		return err
	}
	pod := w.pod(obj.GetName())
	before, err := json.Marshal(pod)
	if err != nil {
		return err
	}
	after, err := strategicpatch.StrategicMergePatch(before, data, pod)
	if err != nil {
		return err
	}
	var changed corev1.Pod
	if err := json.Unmarshal(after, &changed); err != nil {
		return err
	}
	if changed.UID != pod.UID {
		return errOtherUID
	}
	if w.refuses != nil {
		if err := w.refuses(changed.Spec.Containers[0].Resources); err != nil {
			return err
		}
	}
	w.resized = append(w.resized, pod.Name)
	if err := c.Update(ctx, &changed); err != nil {
		return err
	}
	for i := range changed.Status.ContainerStatuses {
		changed.Status.ContainerStatuses[i].Resources = &changed.Spec.Containers[i].Resources
	}
	return c.Status().Update(ctx, &changed)
}

func (w *world) createSubResource(ctx context.Context, c client.Client, name string, obj, body client.Object, _ ...client.SubResourceCreateOption) error {
	if name != "eviction" {
		return fmt.Errorf("unexpected create of %s", name)
	}
	if err := w.evictError(obj.GetName()); err != nil {
		return err
	}
	if eviction, ok := body.(*policyv1.Eviction); ok {
		w.evictions = append(w.evictions, eviction)
	}
	w.evicted = append(w.evicted, obj.GetName())
	return c.Delete(ctx, obj)
}

func (w *world) updateSubResource(ctx context.Context, c client.Client, name string, obj client.Object, opts ...client.SubResourceUpdateOption) error {
	if name == "scale" {
		if err := w.scaleError(); err != nil {
			return err
		}
	}
	return c.SubResource(name).Update(ctx, obj, opts...)
}

func (w *world) applyStatus(ctx context.Context, c client.Client, _ string, obj runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
	if rec, ok := obj.(*loadlineac.RecommendationApplyConfiguration); ok && *rec.GetNamespace() == "shop" {
		w.statusWrites++
	}
	return c.Status().Apply(ctx, obj, opts...)
}

func (w *world) pod(name string) *corev1.Pod {
	w.t.Helper()
	pod := &corev1.Pod{}
	if err := w.client.Get(w.t.Context(), client.ObjectKey{Namespace: "shop", Name: name}, pod); err != nil {
		w.t.Fatal(err)
	}
	return pod
}

func (w *world) recommendation() *v1alpha1.Recommendation {
	w.t.Helper()
	rec := &v1alpha1.Recommendation{}
	if err := w.client.Get(w.t.Context(), client.ObjectKey{Namespace: "shop", Name: "deployment-checkout"}, rec); err != nil {
		w.t.Fatal(err)
	}
	return rec
}

// told are the reasons of the Events since the last call.
func (w *world) told() []string {
	var reasons []string
	for {
		select {
		case e := <-w.events.Events:
			reasons = append(reasons, strings.Fields(e)[1])
		default:
			return reasons
		}
	}
}

// shop is a namespace in mode auto with the Deployment checkout, its Recommendation of 500m and 512Mi, and pods that ask for
// the CPU that is given, in millicores.
func shop(cpuMillis ...int64) []client.Object {
	count := int32(len(cpuMillis)) //nolint:gosec // a handful
	values := apply.Values{Containers: []apply.Container{{
		Name: "app", Target: apply.Amounts{CPUMillis: 500, MemoryBytes: 512 * apply.MiB}, InPlace: apply.Amounts{CPUMillis: 500, MemoryBytes: 512 * apply.MiB},
		CPUBand: apply.Interval{Min: 400, Max: 600}, MemoryBand: apply.Interval{Min: 400 * apply.MiB, Max: 600 * apply.MiB},
	}}}
	applicable := apply.ToAPI(values, apply.Revision(values), start)
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: "shop", Annotations: map[string]string{v1alpha1.AnnotationMode: "auto"},
			Labels: map[string]string{v1alpha1.LabelAdmission: v1alpha1.LabelAdmissionEnabled},
		}},
		&appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout"},
			Spec:       appsv1.DeploymentSpec{Replicas: &count},
			Status:     appsv1.DeploymentStatus{Replicas: count, UpdatedReplicas: count},
		},
		&v1alpha1.Recommendation{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deployment-checkout"},
			Spec:       v1alpha1.RecommendationSpec{TargetRef: v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "checkout"}},
			Status: v1alpha1.RecommendationStatus{
				Mode: v1alpha1.ModeAuto, Revision: applicable.Revision, Applicable: applicable, ObservedTime: new(metav1.NewTime(start)),
			},
		},
	}
	for i, cpu := range cpuMillis {
		objects = append(objects, podOf(fmt.Sprintf("checkout-%d", i), cpu))
	}
	return objects
}

func podOf(name string, cpuMillis int64) *corev1.Pod {
	resources := corev1.ResourceRequirements{Requests: corev1.ResourceList{
		corev1.ResourceCPU: *resource.NewMilliQuantity(cpuMillis, resource.DecimalSI), corev1.ResourceMemory: resource.MustParse("512Mi"),
	}}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, UID: types.UID("uid-" + name), CreationTimestamp: metav1.NewTime(start.Add(-time.Hour)),
			Labels:          map[string]string{"app": "checkout", "pod-template-hash": "abc"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "checkout-abc", Controller: new(true)}},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Resources: resources}}},
		Status: corev1.PodStatus{
			Phase:             corev1.PodRunning,
			Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "app", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, Resources: &resources}},
		},
	}
}

// annotate sets annotations of the namespace.
func (w *world) annotate(annotations map[string]string) {
	w.t.Helper()
	ns := &corev1.Namespace{}
	if err := w.client.Get(w.t.Context(), client.ObjectKey{Name: "shop"}, ns); err != nil {
		w.t.Fatal(err)
	}
	maps.Copy(ns.Annotations, annotations)
	if err := w.client.Update(w.t.Context(), ns); err != nil {
		w.t.Fatal(err)
	}
}

func quantity(text string) resource.Quantity { return resource.MustParse(text) }

// disrupting is the namespace's policy with this disruption section.
func disrupting(d v1alpha1.DisruptionPolicy) *v1alpha1.SizingPolicy {
	return &v1alpha1.SizingPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: v1alpha1.DefaultPolicyName}, Spec: v1alpha1.SizingPolicySpec{Disruption: d},
	}
}

func withoutCanary() v1alpha1.DisruptionPolicy {
	return v1alpha1.DisruptionPolicy{Canary: v1alpha1.CanaryPolicy{Pods: new(int32(0))}}
}

// killed makes the pod's status tell of an out-of-memory kill, a moment from now.
func (w *world) killed(name string) {
	w.t.Helper()
	pod := w.pod(name)
	pod.Status.ContainerStatuses[0].RestartCount++
	pod.Status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{
		Reason: "OOMKilled", ExitCode: 137, FinishedAt: metav1.NewTime(w.clock.Now().Add(10 * time.Second)),
	}
	if err := w.client.Status().Update(w.t.Context(), pod); err != nil {
		w.t.Fatal(err)
	}
}

// rounds lets time pass.
func (w *world) rounds(d time.Duration) {
	w.t.Helper()
	for range d / (30 * time.Second) {
		w.round()
	}
}

// publish makes other sizes applicable, as the recommender does: so many millicores.
func (w *world) publish(cpuMillis int64, change func(*v1alpha1.RecommendationStatus)) {
	w.t.Helper()
	rec := w.recommendation()
	values := apply.FromAPI(rec.Status.Applicable)
	values.Containers[0].Target.CPUMillis, values.Containers[0].InPlace.CPUMillis = cpuMillis, cpuMillis
	values.Containers[0].CPUBand = apply.Interval{Min: cpuMillis * 4 / 5, Max: cpuMillis * 6 / 5}
	rec.Status.Applicable = apply.ToAPI(values, apply.Revision(values), w.clock.Now())
	rec.Status.ObservedTime = new(metav1.NewTime(w.clock.Now()))
	if change != nil {
		change(&rec.Status)
	}
	if err := w.client.Status().Update(w.t.Context(), rec); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) condition(kind string) metav1.Condition {
	w.t.Helper()
	c := meta.FindStatusCondition(w.recommendation().Status.Conditions, kind)
	if c == nil {
		w.t.Fatalf("there is no condition %s", kind)
	}
	return *c
}
