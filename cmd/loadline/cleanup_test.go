package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
)

func newCleanup(objects ...client.Object) (cleanup, *bytes.Buffer) {
	out := &bytes.Buffer{}
	return cleanup{
		client: fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(objects...).Build(),
		clock:  clocktesting.NewFakePassiveClock(time.Unix(1000, 0)), out: out, config: config.Default(),
	}, out
}

func raised(name string, minimum int32, note string) *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Annotations: map[string]string{v1alpha1.AnnotationRaisedMinimum: note, "team": "shop"}},
		Spec:       autoscalingv2.HorizontalPodAutoscalerSpec{MinReplicas: &minimum, MaxReplicas: 9},
	}
}

func TestCleanupTakesBackWhatLoadlineLeftAndNothingElse(t *testing.T) {
	replicas := int32(7)
	c, out := newCleanup(
		raised("ours", 6, "2 raised to 6"), raised("changed", 4, "2 raised to 6"),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: "shop", Labels: map[string]string{v1alpha1.LabelAdmission: "enabled", "team": "shop"},
			Annotations: map[string]string{v1alpha1.AnnotationMode: "auto"},
		}},
		&appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Annotations: map[string]string{
				v1alpha1.AnnotationOriginalReplicas: "2", v1alpha1.AnnotationScaled: "x", v1alpha1.AnnotationPriority: "high",
			}},
			Spec: appsv1.DeploymentSpec{Replicas: &replicas},
		},
	)
	if err := c.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"HorizontalPodAutoscaler shop/changed: forget what minReplicas was: somebody else has changed it",
		"HorizontalPodAutoscaler shop/ours: put minReplicas back from 6 to 2",
		"Namespace /shop: remove the label loadline.dev/admission",
		"Deployment shop/web: remove the annotations about the number of pods",
		"",
	}, "\n")
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("told (want, got):\n%s", diff)
	}
	for name, minimum := range map[string]int32{"ours": 2, "changed": 4} {
		hpa := &autoscalingv2.HorizontalPodAutoscaler{}
		c.get(t, "shop", name, hpa)
		if *hpa.Spec.MinReplicas != minimum || !cmp.Equal(hpa.Annotations, map[string]string{"team": "shop"}) {
			t.Errorf("autoscaler %s: minReplicas %d, annotations %v; want %d and nothing of Loadline", name, *hpa.Spec.MinReplicas, hpa.Annotations, minimum)
		}
	}
	ns, web := &corev1.Namespace{}, &appsv1.Deployment{}
	c.get(t, "", "shop", ns)
	c.get(t, "shop", "web", web)
	if !cmp.Equal(ns.Labels, map[string]string{"team": "shop"}) || ns.Annotations[v1alpha1.AnnotationMode] != "auto" {
		t.Errorf("namespace: labels %v, annotations %v", ns.Labels, ns.Annotations)
	}
	if *web.Spec.Replicas != 7 || !cmp.Equal(web.Annotations, map[string]string{v1alpha1.AnnotationPriority: "high"}) {
		t.Errorf("workload: %d pods, annotations %v; want 7, and what a person wrote", *web.Spec.Replicas, web.Annotations)
	}
	out.Reset()
	if err := c.run(t.Context()); err != nil || out.Len() > 0 {
		t.Errorf("a second time: %v, %q; want nothing to do", err, out)
	}
}

// Controllers write the status of autoscalers and workloads all the time.
func TestCleanupDoesAgainWhatMetAConflict(t *testing.T) {
	c, out := newCleanup(raised("ours", 6, "2 raised to 6"))
	conflicts := 1
	c.client = interceptor.NewClient(c.client.(client.WithWatch), interceptor.Funcs{
		Patch: func(ctx context.Context, inner client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			if conflicts > 0 {
				conflicts--
				hpa := &autoscalingv2.HorizontalPodAutoscaler{}
				c.get(t, object.GetNamespace(), object.GetName(), hpa)
				hpa.Annotations["team"] = "billing"
				if err := inner.Update(ctx, hpa); err != nil {
					t.Error(err)
				}
			}
			return inner.Patch(ctx, object, patch, options...)
		},
	})
	if err := c.run(t.Context()); err != nil {
		t.Fatalf("after a conflict: %v\n%s", err, out)
	}
	hpa := &autoscalingv2.HorizontalPodAutoscaler{}
	c.get(t, "shop", "ours", hpa)
	if *hpa.Spec.MinReplicas != 2 || !cmp.Equal(hpa.Annotations, map[string]string{"team": "billing"}) {
		t.Errorf("minReplicas %d, annotations %v; want 2, and what somebody else wrote meanwhile", *hpa.Spec.MinReplicas, hpa.Annotations)
	}
}

func (c *cleanup) get(t *testing.T, namespace, name string, object client.Object) {
	t.Helper()
	if err := c.client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, object); err != nil {
		t.Fatal(err)
	}
}

func TestCleanupRefusesWhileLoadlineRuns(t *testing.T) {
	lease := func(holder string, renewed int64) *coordinationv1.Lease {
		return &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Namespace: "loadline-system", Name: "loadline-updater"},
			Spec:       coordinationv1.LeaseSpec{HolderIdentity: &holder, RenewTime: new(metav1.NewMicroTime(time.Unix(renewed, 0))), LeaseDurationSeconds: new(int32(15))},
		}
	}
	for name, test := range map[string]struct {
		leases []client.Object
		runs   bool
	}{
		"a lease that is held":           {[]client.Object{lease("updater-1", 990)}, true},
		"a lease that ran out":           {[]client.Object{lease("updater-1", 980)}, false},
		"a lease that was given up":      {[]client.Object{lease("", 999)}, false},
		"a cluster that never had parts": {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := newCleanup(test.leases...)
			if err := c.stopped(t.Context()); (err != nil) != test.runs {
				t.Errorf("stopped() = %v, want an error: %v", err, test.runs)
			}
		})
	}
}

func TestCleanupKnowsTheKindsThatTheConfigurationAdds(t *testing.T) {
	kind := schema.GroupVersionKind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Rollout"}
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	// The fake client lists metadata of registered types only, and gives what it stored.
	scheme.AddKnownTypeWithName(kind, &metav1.PartialObjectMetadata{})
	scheme.AddKnownTypeWithName(kind.GroupVersion().WithKind("RolloutList"), &metav1.PartialObjectMetadataList{})
	rollout := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "web", Annotations: map[string]string{v1alpha1.AnnotationScaled: "x", "team": "shop"},
	}}
	rollout.SetGroupVersionKind(kind)
	c, out := newCleanup()
	c.client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(rollout).Build()
	c.config.Scaling.Kinds = []config.ScaleKind{{Group: "argoproj.io", Version: "v1alpha1", Kind: "Rollout", Resource: "rollouts"}}
	if err := c.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := "Rollout shop/web: remove the annotations about the number of pods\n"; out.String() != want {
		t.Errorf("told %q, want %q", out, want)
	}
	c.get(t, "shop", "web", rollout)
	if got := rollout.GetAnnotations()[v1alpha1.AnnotationScaled]; got != "" {
		t.Errorf("the annotation is still there: %q", got)
	}
}
