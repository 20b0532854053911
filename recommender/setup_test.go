package recommender

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/meta/testrestmapper"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/internal/testkit"
)

// The cache refuses to read what it does not watch, which would fail every decision.
func TestEverythingThatIsReadIsWatched(t *testing.T) {
	scheme := newScheme(t)
	mgr, err := ctrl.NewManager(&rest.Config{Host: "https://127.0.0.1:1"}, ctrl.Options{
		Scheme: scheme, Cache: CacheOptions(true), Metrics: metricsserver.Options{BindAddress: "0"},
		MapperProvider: func(*rest.Config, *http.Client) (apimeta.RESTMapper, error) {
			return testrestmapper.TestOnlyStaticRESTMapper(scheme), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	options := Options{Config: config.Default(), History: &fakeHistory{}, Clock: clocktesting.NewFakeClock(noon), Registerer: prometheus.NewRegistry()}
	options.Advisor = func(func(string)) Advisor { return &forgetful{} }
	if err := Setup(t.Context(), mgr, options); err != nil {
		t.Fatal(err)
	}
	for _, list := range []client.ObjectList{
		&corev1.NamespaceList{}, &corev1.NodeList{}, &corev1.PodList{}, &appsv1.DeploymentList{}, &appsv1.StatefulSetList{}, &appsv1.DaemonSetList{},
		&autoscalingv2.HorizontalPodAutoscalerList{}, &v1alpha1.RecommendationList{}, &v1alpha1.SizingPolicyList{}, &corev1.EventList{},
	} {
		err := mgr.GetClient().List(t.Context(), list)
		if _, notStarted := errors.AsType[*cache.ErrCacheNotStarted](err); !notStarted {
			t.Errorf("%T: %v, want it to be watched and only the cache not to be started", list, err)
		}
	}
}

func TestWhichWorkloadsAChangeConcerns(t *testing.T) {
	s := openShop(t, testkit.Deployment("shop", "cart", 1).Object(), &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "agent"}},
		&appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "db"}})
	m := mapper{engine: s.recommender.Engine, excluded: config.Default().Excluded}
	pod := testkit.Deployment("shop", "checkout", 1).Container("app", "1", "1Gi").Pod(0).Object()
	hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}}
	hpa.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{Kind: kindDeployment, Name: "checkout"}
	rec := &v1alpha1.Recommendation{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}}
	rec.Spec.TargetRef = v1alpha1.TargetReference{Kind: kindDeployment, Name: "checkout"}
	system := pod.DeepCopy()
	system.Namespace = "kube-system"

	one := []Target{checkoutTarget}
	all := []Target{{"shop", kindDeployment, "cart"}, checkoutTarget, {"shop", kindStatefulSet, "db"}, {"shop", kindDaemonSet, "agent"}}
	for name, c := range map[string]struct{ got, want []Target }{
		"a killed pod":                 {m.killedPod(t.Context(), pod), one},
		"a bare pod":                   {m.killedPod(t.Context(), &corev1.Pod{}), nil},
		"a pod that is not ours":       {m.killedPod(t.Context(), system), nil},
		"an autoscaler":                {m.autoscaler(t.Context(), hpa), one},
		"a Recommendation":             {m.recommendation(t.Context(), rec), one},
		"a namespace":                  {m.namespace(t.Context(), testkit.Namespace("shop")), all},
		"a namespace that is not ours": {m.namespace(t.Context(), testkit.Namespace("kube-system")), nil},
		"a policy":                     {m.namespaceOf(t.Context(), policy("default", v1alpha1.SizingPolicySpec{})), all},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}

	scaled := hpa.DeepCopy()
	scaled.Status.CurrentReplicas = 7
	edited := hpa.DeepCopy()
	edited.Spec.MaxReplicas = 7
	p := autoscalerChanged()
	if p.Update(event.UpdateEvent{ObjectOld: hpa, ObjectNew: scaled}) || !p.Update(event.UpdateEvent{ObjectOld: hpa, ObjectNew: edited}) {
		t.Error("only an autoscaler's spec concerns a workload")
	}
}

func TestTheNumberOfPodsIsLeftToAControllerThatOwnsTheWorkload(t *testing.T) {
	deployment := testkit.Deployment("shop", "checkout", 3).Container("app", "2", "2Gi").Object()
	for _, owner := range []string{"", "Prometheus"} {
		owned := deployment.DeepCopy()
		if owner != "" {
			owned.OwnerReferences = []metav1.OwnerReference{{APIVersion: "monitoring.coreos.com/v1", Kind: owner, Name: "k8s", Controller: new(true)}}
		}
		s := newShop(t, testkit.Namespace("shop", v1alpha1.AnnotationMode, "auto", v1alpha1.AnnotationReplicas, "auto"), owned)
		s.reconcile()
		status := s.recommendation().Status
		if applies := status.Applicable.Replicas != nil; applies != (owner == "") || status.Replicas.Owner != strings.TrimPrefix(owner+"/k8s", "/k8s") {
			t.Errorf("owned by %q: a number applies: %v, decided by %q", owner, applies, status.Replicas.Owner)
		}
		if status.Replicas.Target == nil {
			t.Error("the number is not even recommended")
		}
	}
}

func TestOtherKindsAreDecidedLikeDeployments(t *testing.T) {
	template := corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{testkit.Container("app", "2", "2Gi")}}}
	s := newShop(t, testkit.Namespace("shop", v1alpha1.AnnotationMode, "auto", v1alpha1.AnnotationReplicas, "auto"),
		&appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "db", UID: "u"}, Spec: appsv1.StatefulSetSpec{Template: template}},
		&appsv1.DaemonSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "agent", UID: "u"}, Spec: appsv1.DaemonSetSpec{Template: template},
			Status: appsv1.DaemonSetStatus{DesiredNumberScheduled: 5},
		})
	for target, replicas := range map[Target]int32{{"shop", kindStatefulSet, "db"}: 1, {"shop", kindDaemonSet, "agent"}: 5} {
		in, err := s.recommender.Engine.Gather(t.Context(), target, noon)
		if err != nil || in.Replicas != replicas || len(in.Containers) != 1 {
			t.Errorf("%v: %d replicas, %d containers, error %v", target, in.Replicas, len(in.Containers), err)
		}
		in.History = s.history.known["Deployment/checkout"]
		in.Forecasts = (&Forecaster{}).Forecasts(in, noon)
		decision, memory := Decide(noon, in, Memory{})
		status := Publication{Now: noon, Input: in, Decision: decision, Memory: memory, Previous: &v1alpha1.Recommendation{}}.Status()
		if hasNumber, wants := status.Candidate.Replicas != nil, target.Kind == kindStatefulSet; hasNumber != wants {
			t.Errorf("%v: number of pods %v; the nodes decide on those of a DaemonSet", target, status.Candidate.Replicas)
		}
	}
}
