package apitest

import (
	"maps"
	"strings"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// change is a write of one of Loadline's accounts, and a part of the answer; empty if it is accepted.
type change[T client.Object] struct {
	make    func(T)
	refused string
}

func checkChanges[T client.Object](t *testing.T, account client.Client, before T, changes map[string]change[T]) {
	t.Helper()
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			after, ok := before.DeepCopyObject().(T)
			if !ok {
				t.Fatal("the copy has another type")
			}
			c.make(after)
			err := account.Patch(t.Context(), after, client.MergeFrom(before), client.DryRunAll)
			switch {
			case c.refused == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)):
				t.Errorf("want a refusal that says %q, got: %v", c.refused, err)
			}
		})
	}
}

func namespace(name string, labels, annotations map[string]string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels, Annotations: annotations}}
}

func TestTheRecommenderChangesOnlyItsLabelsOfANamespace(t *testing.T) {
	const label = "loadline.dev/admission"
	labelled := namespace("labelled", map[string]string{"team": "shop"}, map[string]string{"loadline.dev/mode": "auto"})
	bare := namespace("bare", nil, nil)
	create(t, labelled)
	create(t, bare)
	for _, before := range []*corev1.Namespace{labelled, bare} {
		t.Run(before.Name, func(t *testing.T) {
			checkChanges(t, as(t, "recommender"), before, map[string]change[*corev1.Namespace]{
				"sets its label":           {func(n *corev1.Namespace) { n.Labels[label] = "enabled" }, ""},
				"changes nothing":          {func(*corev1.Namespace) {}, ""},
				"adds another label":       {func(n *corev1.Namespace) { n.Labels["pod-security.kubernetes.io/enforce"] = "privileged" }, "only labels of loadline.dev/"},
				"removes another label":    {func(n *corev1.Namespace) { delete(n.Labels, "kubernetes.io/metadata.name"); n.Labels["x"] = "y" }, "only labels of loadline.dev/"},
				"opts a namespace in":      {func(n *corev1.Namespace) { n.Annotations = map[string]string{"loadline.dev/mode": "initial"} }, "must not change the annotations"},
				"adds another annotation":  {func(n *corev1.Namespace) { n.Annotations = map[string]string{"owner": "me"} }, "must not change the annotations"},
				"adds a finalizer":         {func(n *corev1.Namespace) { n.Finalizers = []string{"loadline.dev/keep"} }, "nothing but labels"},
				"adds an owner":            {func(n *corev1.Namespace) { n.OwnerReferences = ownedBy("Node", "node-0") }, "nothing but labels"},
				"label and annotation":     {func(n *corev1.Namespace) { n.Labels[label] = "enabled"; n.Annotations = map[string]string{"a": "b"} }, "must not change the annotations"},
				"another label under ours": {func(n *corev1.Namespace) { n.Labels["loadline.dev.evil/x"] = "y" }, "only labels of loadline.dev/"},
			})
		})
	}

	t.Run("removes its label", func(t *testing.T) {
		optedOut := labelled.DeepCopy()
		optedOut.Labels[label] = "enabled"
		if err := admin.Update(t.Context(), optedOut); err != nil {
			t.Fatal(err)
		}
		checkChanges(t, as(t, "recommender"), optedOut, map[string]change[*corev1.Namespace]{
			"its own":     {func(n *corev1.Namespace) { delete(n.Labels, label) }, ""},
			"another one": {func(n *corev1.Namespace) { delete(n.Labels, "team") }, "only labels of loadline.dev/"},
		})
	})
	t.Run("people are not concerned", func(t *testing.T) {
		checkChanges(t, admin, bare, map[string]change[*corev1.Namespace]{
			"an annotation and a label": {func(n *corev1.Namespace) {
				n.Labels["x"], n.Annotations = "y", map[string]string{"loadline.dev/mode": "off"}
			}, ""},
		})
	})
}

func ownedBy(kind, name string) []metav1.OwnerReference {
	return []metav1.OwnerReference{{APIVersion: "v1", Kind: kind, Name: name, UID: "0"}}
}

// pod that nothing schedules.
func pod(namespace string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "pod-", Namespace: namespace},
		Spec: corev1.PodSpec{
			SchedulingGates: []corev1.PodSchedulingGate{{Name: "loadline.dev/test"}},
			Containers: []corev1.Container{{Name: "app", Image: "app:1", Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("64Mi")},
			}}},
		},
	}
}

func TestTheUpdaterChangesOnlyItsAnnotationsOfAPod(t *testing.T) {
	annotated, bare := pod("default"), pod("default")
	annotated.Annotations = map[string]string{"team": "shop"}
	create(t, annotated)
	create(t, bare)
	for name, before := range map[string]*corev1.Pod{"a pod with annotations": annotated, "a pod without": bare} {
		t.Run(name, func(t *testing.T) {
			annotate := func(key, value string) func(*corev1.Pod) {
				return func(p *corev1.Pod) {
					p.Annotations = maps.Clone(p.Annotations)
					if p.Annotations == nil {
						p.Annotations = map[string]string{}
					}
					p.Annotations[key] = value
				}
			}
			checkChanges(t, as(t, "updater"), before, map[string]change[*corev1.Pod]{
				"writes down the original": {annotate("loadline.dev/original", "{}"), ""},
				"writes down how it was":   {annotate("loadline.dev/resized", "{}"), ""},
				"what admission writes":    {annotate("loadline.dev/revision", "abc"), "only the annotations loadline.dev/original"},
				"what people write":        {annotate("loadline.dev/mode", "auto"), "only the annotations loadline.dev/original"},
				"another annotation":       {annotate("team", "cart"), "only the annotations loadline.dev/original"},
				"a label":                  {func(p *corev1.Pod) { p.Labels = map[string]string{"loadline.dev/x": "y"} }, "nothing but annotations"},
				"another image":            {func(p *corev1.Pod) { p.Spec.Containers[0].Image = "evil:1" }, "nothing but annotations"},
				"a finalizer":              {func(p *corev1.Pod) { p.Finalizers = []string{"loadline.dev/keep"} }, "nothing but annotations"},
				"an owner":                 {func(p *corev1.Pod) { p.OwnerReferences = ownedBy("Node", "node-0") }, "nothing but annotations"},
			})
		})
	}
}

func TestTheUpdaterChangesOnlyTheMinimumOfAnAutoscaler(t *testing.T) {
	autoscaler := func(labels map[string]string) *autoscalingv2.HorizontalPodAutoscaler {
		return &autoscalingv2.HorizontalPodAutoscaler{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "web-", Namespace: "default", Labels: labels, Annotations: map[string]string{"team": "shop"}},
			Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
				ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"},
				MinReplicas:    new(int32(2)), MaxReplicas: 9,
			},
		}
	}
	plain, keda := autoscaler(nil), autoscaler(map[string]string{"scaledobject.keda.sh/name": "web"})
	create(t, plain)
	create(t, keda)
	raise := func(h *autoscalingv2.HorizontalPodAutoscaler) {
		h.Spec.MinReplicas, h.Annotations["loadline.dev/raised-min-replicas"] = new(int32(6)), "2 raised to 6"
	}
	const onlyMinimum, onlyNote = "nothing but minReplicas", "only the annotation loadline.dev/raised-min-replicas"
	checkChanges(t, as(t, "updater"), plain, map[string]change[*autoscalingv2.HorizontalPodAutoscaler]{
		"raises the minimum": {raise, ""},
		"another annotation": {func(h *autoscalingv2.HorizontalPodAutoscaler) { h.Annotations["team"] = "cart" }, onlyNote},
		"what people write":  {func(h *autoscalingv2.HorizontalPodAutoscaler) { h.Annotations["loadline.dev/mode"] = "off" }, onlyNote},
		"the maximum":        {func(h *autoscalingv2.HorizontalPodAutoscaler) { h.Spec.MaxReplicas = 90 }, onlyMinimum},
		"another target":     {func(h *autoscalingv2.HorizontalPodAutoscaler) { h.Spec.ScaleTargetRef.Name = "db" }, onlyMinimum},
		"another metric": {func(h *autoscalingv2.HorizontalPodAutoscaler) {
			h.Spec.Metrics[0].Resource.Target.AverageUtilization = new(int32(10))
		}, onlyMinimum},
		"an owner": {func(h *autoscalingv2.HorizontalPodAutoscaler) { h.OwnerReferences = ownedBy("Node", "node-0") }, onlyMinimum},
		"how it behaves": {func(h *autoscalingv2.HorizontalPodAutoscaler) {
			h.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: new(int32(9))}}
		}, onlyMinimum},
		"a label that hides KEDA": {func(h *autoscalingv2.HorizontalPodAutoscaler) { h.Labels = map[string]string{"x": "y"} }, onlyMinimum},
	})
	checkChanges(t, as(t, "updater"), keda, map[string]change[*autoscalingv2.HorizontalPodAutoscaler]{
		"the minimum of one that KEDA owns": {raise, "an autoscaler of KEDA"},
	})
}

func TestTheUpdaterMayResizeAndEvictButNotDelete(t *testing.T) {
	updater, p := as(t, "updater"), pod("default")
	p.Spec.SchedulingGates, p.Spec.NodeName = nil, cluster.NodeNames[0]
	create(t, p)
	resized := p.DeepCopy()
	resized.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse("500m")
	if err := updater.SubResource("resize").Patch(t.Context(), resized, client.StrategicMergeFrom(p), client.DryRunAll); err != nil {
		t.Errorf("a resize is refused: %v", err)
	}
	if err := updater.Delete(t.Context(), p, client.DryRunAll); !apierrors.IsForbidden(err) {
		t.Errorf("a deletion is not refused: %v", err)
	}
}

func TestNoPodEverRunsInTheProbeNamespace(t *testing.T) {
	for name, account := range map[string]client.Client{"the updater": as(t, "updater"), "an administrator": admin} {
		t.Run(name, func(t *testing.T) {
			if err := account.Create(t.Context(), pod("loadline-probe"), client.DryRunAll); err != nil {
				t.Errorf("a dry run is refused: %v", err)
			}
			err := account.Create(t.Context(), pod("loadline-probe"))
			if err == nil || !strings.Contains(err.Error(), "dryRun=All only") {
				t.Errorf("a real pod is not refused: %v", err)
			}
		})
	}
}

func TestTheUpdaterCreatesPodsNowhereElse(t *testing.T) {
	if err := as(t, "updater").Create(t.Context(), pod("default"), client.DryRunAll); !apierrors.IsForbidden(err) {
		t.Errorf("not refused: %v", err)
	}
}

func TestNeitherRecommenderNorWebhookWritesWorkloads(t *testing.T) {
	p := pod("default")
	create(t, p)
	for _, part := range []string{"recommender", "webhook"} {
		account := as(t, part)
		changed := p.DeepCopy()
		changed.Annotations = map[string]string{"loadline.dev/original": "{}"}
		for name, err := range map[string]error{
			"patch a pod":    account.Patch(t.Context(), changed, client.MergeFrom(p), client.DryRunAll),
			"create a pod":   account.Create(t.Context(), pod("default"), client.DryRunAll),
			"delete a pod":   account.Delete(t.Context(), p, client.DryRunAll),
			"read a Secret":  account.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "any"}, &corev1.Secret{}),
			"resize a pod":   account.SubResource("resize").Patch(t.Context(), changed, client.MergeFrom(p), client.DryRunAll),
			"list Secrets":   account.List(t.Context(), &corev1.SecretList{}, client.InNamespace("loadline-system")),
			"list the world": account.List(t.Context(), &corev1.ConfigMapList{}),
		} {
			if !apierrors.IsForbidden(err) {
				t.Errorf("the %s may %s: %v", part, name, err)
			}
		}
	}
}

// An installation must not change what the parts repair, or every upgrade would be a fight about it.
func TestTheProbeNamespaceIsOptedIn(t *testing.T) {
	n := &corev1.Namespace{}
	if err := admin.Get(t.Context(), client.ObjectKey{Name: "loadline-probe"}, n); err != nil {
		t.Fatal(err)
	}
	if n.Labels["loadline.dev/admission"] != "enabled" || n.Annotations["loadline.dev/mode"] != "initial" {
		t.Errorf("labels %v, annotations %v", n.Labels, n.Annotations)
	}
}
