package updater

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/updater/plan"
)

// seen is the workload that one look at these objects finds, where admission has worked for a day.
func seen(t *testing.T, objects []client.Object) plan.Workload {
	t.Helper()
	return seenWith(t, span{start.Add(-24 * time.Hour), start}, objects)
}

// seenWith is the workload that one look finds, where admission is known to have worked in that time.
func seenWith(t *testing.T, admits span, objects []client.Object) plan.Workload {
	t.Helper()
	w := newWorld(t, objects...)
	w.controller.ledger.admits = admits
	v, err := w.controller.gatherer.gather(t.Context(), start, w.controller.ledger)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.subjects) != 1 {
		t.Fatalf("%d workloads, want 1", len(v.subjects))
	}
	return v.subjects[0].Workload
}

func deployment(objects []client.Object) *appsv1.Deployment { return objects[1].(*appsv1.Deployment) }

func stored(objects []client.Object) *v1alpha1.Recommendation {
	return objects[2].(*v1alpha1.Recommendation)
}
func namespaceOf(objects []client.Object) map[string]string { return objects[0].GetAnnotations() }

func TestTheNarrowestModeIsInForce(t *testing.T) {
	cases := map[string]struct {
		namespace, workload, status string
		want                        v1alpha1.Mode
	}{
		"all agree":                        {"auto", "", "auto", "auto"},
		"the workload narrows":             {"auto", "initial", "auto", "initial"},
		"the workload cannot widen":        {"initial", "auto", "auto", "initial"},
		"the recommender knows of a cause": {"auto", "", "dry-run", "dry-run"},
		"never computed":                   {"auto", "", "", "off"},
		"a bad annotation":                 {"auto", "rubbish", "auto", "dry-run"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			objects := shop(500)
			namespaceOf(objects)[v1alpha1.AnnotationMode] = c.namespace
			if c.workload != "" {
				deployment(objects).Annotations = map[string]string{v1alpha1.AnnotationMode: c.workload}
			}
			stored(objects).Status.Mode = v1alpha1.Mode(c.status)
			if got := seen(t, objects).Mode; got != c.want {
				t.Errorf("mode = %s, want %s", got, c.want)
			}
		})
	}
}

func TestARolloutIsInProgressUntilEveryPodIsUpdated(t *testing.T) {
	cases := map[string]struct {
		change func(*appsv1.Deployment)
		want   bool
	}{
		"all updated":           {func(*appsv1.Deployment) {}, false},
		"spec not yet observed": {func(d *appsv1.Deployment) { d.Generation, d.Status.ObservedGeneration = 2, 1 }, true},
		"new pods are missing":  {func(d *appsv1.Deployment) { d.Status.UpdatedReplicas = 0 }, true},
		"old pods are left":     {func(d *appsv1.Deployment) { d.Status.Replicas = 2 }, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			objects := shop(500)
			c.change(deployment(objects))
			if got := seen(t, objects).RolloutInProgress; got != c.want {
				t.Errorf("in progress = %v, want %v", got, c.want)
			}
		})
	}
}

func TestAStatefulSetRollsOnlyWhereItsControllerReplacesPods(t *testing.T) {
	rolling := func(partition int32, strategy appsv1.StatefulSetUpdateStrategyType) *appsv1.StatefulSet {
		return &appsv1.StatefulSet{
			Spec: appsv1.StatefulSetSpec{UpdateStrategy: appsv1.StatefulSetUpdateStrategy{
				Type: strategy, RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: &partition},
			}},
			Status: appsv1.StatefulSetStatus{CurrentRevision: "a", UpdateRevision: "b", UpdatedReplicas: 1},
		}
	}
	if !statefulSetRolls(rolling(0, appsv1.RollingUpdateStatefulSetStrategyType), 3) {
		t.Error("1 of 3 updated: want a rollout in progress")
	}
	if statefulSetRolls(rolling(2, appsv1.RollingUpdateStatefulSetStrategyType), 3) {
		t.Error("1 of 3 updated and the other 2 under the partition: want no rollout")
	}
	if statefulSetRolls(rolling(0, appsv1.OnDeleteStatefulSetStrategyType), 3) {
		t.Error("under OnDelete nothing rolls by itself")
	}
}

func TestAStatefulSetThatLosesMoreThanAPod(t *testing.T) {
	set := func(change func(*appsv1.StatefulSetSpec)) *appsv1.StatefulSet {
		s := &appsv1.StatefulSet{Spec: appsv1.StatefulSetSpec{Replicas: new(int32(3))}}
		change(&s.Spec)
		return s
	}
	retain := func(when appsv1.PersistentVolumeClaimRetentionPolicyType) *appsv1.StatefulSet {
		return set(func(s *appsv1.StatefulSetSpec) {
			s.PersistentVolumeClaimRetentionPolicy = &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{WhenScaled: when}
		})
	}
	for name, c := range map[string]struct {
		set                   *appsv1.StatefulSet
		keepsPods, noEviction bool
	}{
		"as usual":                     {set: set(func(*appsv1.StatefulSetSpec) {})},
		"volumes stay":                 {set: retain(appsv1.RetainPersistentVolumeClaimRetentionPolicyType)},
		"volumes go with their pods":   {set: retain(appsv1.DeletePersistentVolumeClaimRetentionPolicyType), keepsPods: true},
		"its owner releases the pods":  {set: set(func(s *appsv1.StatefulSetSpec) { s.UpdateStrategy.Type = appsv1.OnDeleteStatefulSetStrategyType }), noEviction: true},
		"its controller releases them": {set: set(func(s *appsv1.StatefulSetSpec) { s.UpdateStrategy.Type = appsv1.RollingUpdateStatefulSetStrategyType })},
	} {
		t.Run(name, func(t *testing.T) {
			var w plan.Workload
			describeWorkload(c.set, &w)
			if got := w.KeepsPods != ""; got != c.keepsPods {
				t.Errorf("keeps its pods: %q", w.KeepsPods)
			}
			if got := notReplaceable(c.set); (got != "") != c.noEviction {
				t.Errorf("no eviction because %q", got)
			}
		})
	}
}

func TestSurroundingsOfAPod(t *testing.T) {
	objects := shop(500)
	namespaceOf(objects)[v1alpha1.AnnotationReplicas] = "auto"
	matching := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "checkout"}}
	objects = append(objects,
		&policyv1.PodDisruptionBudget{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "fresh"},
			Spec:       policyv1.PodDisruptionBudgetSpec{Selector: matching, MinAvailable: new(intstr.FromInt32(3))},
			Status:     policyv1.PodDisruptionBudgetStatus{DisruptionsAllowed: 2, CurrentHealthy: 5},
		},
		&policyv1.PodDisruptionBudget{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "not-yet-counted", Generation: 2},
			Spec:       policyv1.PodDisruptionBudgetSpec{Selector: matching, MinAvailable: new(intstr.FromString("60%"))},
			Status:     policyv1.PodDisruptionBudgetStatus{DisruptionsAllowed: 2, CurrentHealthy: 5, ObservedGeneration: 1},
		},
		&policyv1.PodDisruptionBudget{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "of-others"},
			Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "cart"}}},
		},
		&autoscalingv2.HorizontalPodAutoscaler{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "scaler"},
			Spec:       autoscalingv2.HorizontalPodAutoscalerSpec{ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: "checkout"}},
		},
		&v1alpha1.SizingPolicy{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "default"},
			Spec:       v1alpha1.SizingPolicySpec{Disruption: v1alpha1.DisruptionPolicy{MinReplicas: new(int32(5))}},
		},
		&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "bare"}},
	)
	w := seen(t, objects)
	if len(w.Pods) != 1 {
		t.Fatalf("%d pods, want the one that the Deployment owns", len(w.Pods))
	}
	want := []plan.DisruptionBudget{{Name: "fresh", Allowed: 2, Keeps: 3, Healthy: 5}, {Name: "not-yet-counted", Allowed: 0}}
	if diff := cmp.Diff(want, w.Pods[0].DisruptionBudgets); diff != "" {
		t.Errorf("disruption budgets (-want +got):\n%s", diff)
	}
	if !w.ScaleReplicas || w.Autoscaler != "scaler" {
		t.Errorf("scale = %v, autoscaler = %q; want replicas asked for and owned by the autoscaler", w.ScaleReplicas, w.Autoscaler)
	}
	wantDisruption := plan.Disruption{
		MaxUnavailable: intstr.FromString("25%"), EvictionsPerHour: 6, MinReplicas: 5,
		CanaryPods: 1, Observe: 10 * time.Minute, StartupGrace: 5 * time.Minute,
	}
	if diff := cmp.Diff(wantDisruption, w.Disruption); diff != "" {
		t.Errorf("disruption: the policy's minimum, defaults for the rest (-want +got):\n%s", diff)
	}
}

// evictedAt makes it known that a pod was evicted.
func evictedAt(objects []client.Object, at time.Time) {
	stored(objects).Status.Outcomes = []v1alpha1.Outcome{{Time: metav1.NewTime(at), Pod: "checkout-gone", PodUID: "uid-gone", Revision: "before", Result: v1alpha1.OutcomeEvicted}}
}

func TestWhatSpeaksAgainstEvictingAnyPod(t *testing.T) {
	cases := map[string]struct {
		change func(objects []client.Object)
		want   string
	}{
		"nothing": {func([]client.Object) {}, ""},
		"new pods would not go through admission": {
			func(o []client.Object) { o[0].SetLabels(nil) }, "no label loadline.dev/admission=enabled",
		},
		"new pods cannot be created": {func(o []client.Object) {
			deployment(o).Status.Conditions = []appsv1.DeploymentCondition{{
				Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "exceeded quota: small",
			}}
		}, "exceeded quota: small"},
		"new pods could be created again": {func(o []client.Object) {
			deployment(o).Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionFalse}}
		}, ""},
		"the pod that was evicted last has no successor": {func(o []client.Object) {
			deployment(o).Spec.Replicas = new(int32(2))
			evictedAt(o, start.Add(-2*time.Minute))
		}, "pod checkout-gone was evicted at"},
		"another pod may be tried after an hour": {func(o []client.Object) {
			deployment(o).Spec.Replicas = new(int32(2))
			deployment(o).Status = appsv1.DeploymentStatus{Replicas: 2, UpdatedReplicas: 2}
			o[3].SetCreationTimestamp(metav1.NewTime(start.Add(-3 * time.Hour)))
			evictedAt(o, start.Add(-2*time.Hour))
		}, ""},
		"its successor may still come": {func(o []client.Object) {
			deployment(o).Spec.Replicas = new(int32(2))
			evictedAt(o, start.Add(-time.Second))
		}, ""},
		"it has a successor, and another pod is missing": {func(o []client.Object) { // Pods are an hour old.
			deployment(o).Spec.Replicas = new(int32(2))
			evictedAt(o, start.Add(-61*time.Minute))
		}, ""},
		"no pod is missing": {func(o []client.Object) { evictedAt(o, start.Add(-2*time.Minute)) }, ""},
		"the policy that was named is missing": {
			func(o []client.Object) { namespaceOf(o)[v1alpha1.AnnotationPolicy] = "careful" }, "SizingPolicy careful",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			objects := shop(500)
			c.change(objects)
			w := seen(t, objects)
			got := w.NoEviction + w.NoSuccessor
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("said %q, want %q", got, c.want)
			}
		})
	}
}

func TestTheNumberOfPodsIsSetWhereAnnotationOrPolicySaysAuto(t *testing.T) {
	cases := map[string]struct {
		policy                          v1alpha1.ReplicaMode
		namespace, workload, policyName string
		want                            bool
	}{
		"neither":                                {policy: "recommend"},
		"the policy":                             {policy: "auto", want: true},
		"the namespace":                          {policy: "recommend", namespace: "auto", want: true},
		"a policy that says off":                 {policy: "off", namespace: "auto"},
		"the workload narrows the policy":        {policy: "auto", workload: "recommend"},
		"the workload may not widen the policy":  {policy: "recommend", workload: "auto"},
		"the policy that was named is not there": {policy: "auto", namespace: "auto", policyName: "missing"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			objects := append(shop(500), &v1alpha1.SizingPolicy{
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "default"},
				Spec:       v1alpha1.SizingPolicySpec{Replicas: v1alpha1.ReplicaPolicy{Mode: &c.policy}},
			})
			set := func(annotations map[string]string, key, value string) {
				if value != "" {
					annotations[key] = value
				}
			}
			deployment(objects).Annotations = map[string]string{}
			set(namespaceOf(objects), v1alpha1.AnnotationReplicas, c.namespace)
			set(namespaceOf(objects), v1alpha1.AnnotationPolicy, c.policyName)
			set(deployment(objects).Annotations, v1alpha1.AnnotationReplicas, c.workload)
			if got := seen(t, objects).ScaleReplicas; got != c.want {
				t.Errorf("scaled = %v, want %v", got, c.want)
			}
		})
	}
}

func TestSizesAreStaleOnceTheRecommenderIsSilentForADay(t *testing.T) {
	for ago, want := range map[time.Duration]bool{23 * time.Hour: false, 25 * time.Hour: true} {
		objects := shop(500)
		stored(objects).Status.ObservedTime = new(metav1.NewTime(start.Add(-ago)))
		if got := seen(t, objects).Stale; got != want {
			t.Errorf("after %s: stale = %v, want %v", ago, got, want)
		}
	}
}

func TestSizesAreStaleWhileTheTemplateAsksForMoreMemoryThanTheRecommenderSaw(t *testing.T) {
	for _, c := range []struct {
		seen, asks, limit string
		want              bool
	}{
		{"1Gi", "4Gi", "", true},
		{"1Gi", "", "4Gi", true},
		{"", "4Gi", "", true},
		{"4Gi", "4096Mi", "8Gi", false},
		{"4Gi", "", "4Gi", false},
		{"4Gi", "1Gi", "", false},
		{"4Gi", "", "", false},
		{"0", "0", "4Gi", false},
	} {
		objects := shop(500)
		container := v1alpha1.CurrentContainer{Name: "app"}
		if c.seen != "" {
			container.Requests.Memory = new(quantity(c.seen))
		}
		stored(objects).Status.Current = &v1alpha1.CurrentValues{Containers: []v1alpha1.CurrentContainer{container}}
		app := corev1.Container{Name: "app"}
		if c.asks != "" {
			app.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: quantity("1"), corev1.ResourceMemory: quantity(c.asks)}
		}
		if c.limit != "" {
			app.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: quantity(c.limit)}
		}
		workload := deployment(objects)
		workload.Spec.Template.Spec.Containers = []corev1.Container{app}
		stripDeployment(workload)
		if got := seen(t, objects).Stale; got != c.want {
			t.Errorf("seen %q, asks for %q under %q: stale = %v, want %v", c.seen, c.asks, c.limit, got, c.want)
		}
	}
}

func TestStaleSizesAreCountedWhereSomebodyOptedIn(t *testing.T) {
	w := newWorld(t, shop(500)...)
	w.clock.Step(25 * time.Hour)
	for mode, want := range map[string]float64{"auto": 1, "dry-run": 1, "off": 0} {
		w.annotate(map[string]string{v1alpha1.AnnotationMode: mode})
		w.round()
		if got := testutil.ToFloat64(w.controller.metrics.stale); got != want {
			t.Errorf("mode %s: %v stale Recommendations, want %v", mode, got, want)
		}
	}
}

func TestAnExcludedContainerIsNotSized(t *testing.T) {
	objects := shop(100)
	namespaceOf(objects)[v1alpha1.AnnotationExcludeContainers] = "app"
	if got := seen(t, objects).Values.Containers; len(got) != 0 {
		t.Errorf("sizes of %v, want none", got)
	}
}

func TestPodsThatCameWithoutSizesAfterAnEvictionAreKnown(t *testing.T) {
	objects := shop(100)
	rec := stored(objects)
	rec.Status.Applicable.ComputedTime = metav1.NewTime(start.Add(-3 * time.Hour))
	rec.Status.Outcomes = []v1alpha1.Outcome{{
		Time: metav1.NewTime(start.Add(-2 * time.Hour)), Pod: "before", PodUID: "before", Revision: rec.Status.Applicable.Revision, Result: v1alpha1.OutcomeEvicted,
	}}
	if !seen(t, objects).Pods[0].AdmittedWithout {
		t.Error("the pod was created after the eviction, without the revision: want it known")
	}
	if seenWith(t, span{start.Add(-time.Minute), start}, objects).Pods[0].AdmittedWithout {
		t.Error("admission is not known to have worked when the pod was created: want nothing held against it")
	}
	objects = shop(100)
	stored(objects).Status.Outcomes = rec.Status.Outcomes
	stored(objects).Status.Applicable.ComputedTime = metav1.NewTime(start.Add(-30 * time.Minute))
	if seen(t, objects).Pods[0].AdmittedWithout {
		t.Error("the revision is applicable again since the pod came: want nothing held against it")
	}
	objects = shop(100)
	stored(objects).Status = *rec.Status.DeepCopy()
	objects[3].SetAnnotations(map[string]string{v1alpha1.AnnotationRevision: rec.Status.Applicable.Revision})
	if seen(t, objects).Pods[0].AdmittedWithout {
		t.Error("the pod carries the revision: want nothing held against it")
	}
	objects[3].SetAnnotations(map[string]string{v1alpha1.AnnotationRevision: apply.HeldBack(rec.Status.Applicable.Revision)})
	if seen(t, objects).Pods[0].AdmittedWithout {
		t.Error("the pod was held back from the revision on purpose: want nothing held against it")
	}
}

func TestWhatANodeSaysAboutAResize(t *testing.T) {
	condition := func(kind corev1.PodConditionType, status corev1.ConditionStatus, reason string) corev1.PodCondition {
		return corev1.PodCondition{Type: kind, Status: status, Reason: reason, Message: "m", LastTransitionTime: metav1.NewTime(start)}
	}
	cases := map[string]struct {
		condition corev1.PodCondition
		want      plan.ResizeState
	}{
		"nothing":              {condition(corev1.PodReady, corev1.ConditionTrue, ""), plan.ResizeNone},
		"deferred":             {condition(corev1.PodResizePending, corev1.ConditionTrue, corev1.PodReasonDeferred), plan.ResizeDeferred},
		"no longer deferred":   {condition(corev1.PodResizePending, corev1.ConditionFalse, corev1.PodReasonDeferred), plan.ResizeNone},
		"infeasible":           {condition(corev1.PodResizePending, corev1.ConditionTrue, corev1.PodReasonInfeasible), plan.ResizeInfeasible},
		"in progress":          {condition(corev1.PodResizeInProgress, corev1.ConditionTrue, ""), plan.ResizeInProgress},
		"in progress, but not": {condition(corev1.PodResizeInProgress, corev1.ConditionTrue, corev1.PodReasonError), plan.ResizeError},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{c.condition}}}
			if got := resizeStatus(pod).State; got != c.want {
				t.Errorf("state = %q, want %q", got, c.want)
			}
		})
	}
}

func TestWhatCannotBeResizedWithoutARestart(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	restarts := []corev1.ContainerResizePolicy{{ResourceName: corev1.ResourceMemory, RestartPolicy: corev1.RestartContainer}}
	pod := &corev1.Pod{Spec: corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: "init"}, {Name: "sidecar", RestartPolicy: &always}},
		Containers:     []corev1.Container{{Name: "app"}, {Name: "jvm", ResizePolicy: restarts}},
	}}
	want := map[string]plan.Fixed{"init": {CPU: true, Memory: true}, "jvm": {Memory: true}}
	if diff := cmp.Diff(want, fixed(pod)); diff != "" {
		t.Errorf("fixed (-want +got):\n%s", diff)
	}
}

func TestTheCacheKeepsWhatTheUpdaterReads(t *testing.T) {
	objects := shop(100)
	before := seen(t, objects)
	pod := objects[3].(*corev1.Pod)
	pod.Annotations = map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}"}
	stripPod(pod)
	stripDeployment(deployment(objects))
	stripRecommendation(stored(objects))
	if diff := cmp.Diff(before, seen(t, objects)); diff != "" {
		t.Errorf("a stripped cluster looks different (-whole +stripped):\n%s", diff)
	}
	if len(pod.Annotations) != 0 {
		t.Errorf("annotations of others are cached: %v", pod.Annotations)
	}
}

func TestAStatefulSetThatWaitsForAPodOfItsOwnKeepsNoSuccessorAway(t *testing.T) {
	last := []v1alpha1.Outcome{{Time: metav1.NewTime(start.Add(-2 * time.Minute)), Pod: "db-2", Result: v1alpha1.OutcomeEvicted}}
	w := plan.Workload{Replicas: 3, Pods: []plan.Pod{{Name: "db-0", Created: start.Add(-time.Hour)}, {Name: "db-1", Ready: true, Created: start.Add(-time.Hour)}}}
	ordered, parallel := &appsv1.StatefulSet{}, &appsv1.StatefulSet{}
	parallel.Spec.PodManagementPolicy = appsv1.ParallelPodManagement
	if got := notReplaced(start, ordered, w, last); got != "" {
		t.Errorf("db-0, which is down, would never be replaced: %s", got)
	}
	if got := notReplaced(start, parallel, w, last); got == "" {
		t.Error("a successor that nothing waits for is not missed")
	}
	w.Pods[0].Ready = true
	if got := notReplaced(start, ordered, w, last); got == "" {
		t.Error("a successor that should have come is not missed")
	}
}
