package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

// checkoutPod is a pod of the Deployment checkout as its ReplicaSet creates it: without a name, and with a field that no
// released version of Kubernetes has. Its container asks for the resources given.
func checkoutPod(resources string, more ...string) string {
	containers := append([]string{`{"name":"app","image":"shop/checkout:1","fieldFromTheFuture":{"a":[1,2]},"resources":` + resources + `}`}, more...)
	return podWith(`"annotations":{"team":"shop"},`, strings.Join(containers, ","))
}

func podWith(annotations, containers string) string {
	return `{"apiVersion":"v1","kind":"Pod","metadata":{` + annotations + `"generateName":"checkout-6d8f9c7b5d-",
		"labels":{"app":"checkout","pod-template-hash":"6d8f9c7b5d"},
		"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"checkout-6d8f9c7b5d","uid":"1","controller":true}]},
		"spec":{"schedulingWish":"soon","containers":[` + containers + `]}}`
}

func TestAPodGetsTheRecommendedSizes(t *testing.T) {
	const some = `{"requests":{"cpu":"1","memory":"1Gi"},"limits":{"memory":"2Gi"}}`
	cases := map[string]struct {
		rec       *v1alpha1.Recommendation
		resources string
		want      string
	}{
		"limits that stay": {
			recommend("Deployment", "checkout", container("app", "250m", "512Mi")), some,
			" requests.cpu=250m requests.memory=512Mi limits.memory=2Gi",
		},
		"a limit that would be under the request": {
			recommend("Deployment", "checkout", container("app", "250m", "3Gi")), some,
			" requests.cpu=250m requests.memory=3Gi limits.memory=3Gi",
		},
		"limits with headroom": {
			recommend("Deployment", "checkout", container("app", "250m", "512Mi"), limits(v1alpha1.LimitHeadroom, "1", "768Mi")), some,
			" requests.cpu=250m requests.memory=512Mi limits.cpu=1 limits.memory=768Mi",
		},
		"limits that are removed": {
			recommend("Deployment", "checkout", container("app", "250m", "512Mi"), limits(v1alpha1.LimitNone, "", "")), some,
			" requests.cpu=250m requests.memory=512Mi",
		},
		"a request of 0, which does not make the pod Guaranteed": {
			recommend("Deployment", "checkout", container("app", "250m", "512Mi")),
			`{"requests":{"cpu":"0","memory":"1Gi"},"limits":{"cpu":"4","memory":"1Gi"}}`,
			" requests.cpu=250m requests.memory=512Mi limits.cpu=4 limits.memory=1Gi",
		},
		"a limit of 0, which is none": {
			recommend("Deployment", "checkout", container("app", "250m", "512Mi")), `{"limits":{"cpu":"0","memory":"1Gi"}}`,
			" requests.cpu=250m requests.memory=512Mi limits.memory=1Gi",
		},
		"a Guaranteed pod stays Guaranteed": {
			recommend("Deployment", "checkout", container("app", "250m", "512Mi"), limits(v1alpha1.LimitNone, "", "")),
			`{"requests":{"cpu":"1","memory":"1Gi"},"limits":{"cpu":"1","memory":"1Gi"}}`,
			" requests.cpu=250m requests.memory=512Mi limits.cpu=250m limits.memory=512Mi",
		},
		"a container without any resources": {
			recommend("Deployment", "checkout", container("app", "250m", "512Mi")), `null`,
			" requests.cpu=250m requests.memory=512Mi",
		},
		"a container with empty resources": {
			recommend("Deployment", "checkout", container("app", "250m", "512Mi")), `{}`,
			" requests.cpu=250m requests.memory=512Mi",
		},
		"other resources are not touched": {
			recommend("Deployment", "checkout", container("app", "250m", "512Mi")),
			`{"requests":{"nvidia.com/gpu":"1"},"limits":{"nvidia.com/gpu":"1"}}`,
			" requests.cpu=250m requests.memory=512Mi requests.nvidia.com/gpu=1 limits.nvidia.com/gpu=1",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.rec)
			got := w.send(t, PathMutatePods, createPod("shop", checkoutPod(c.resources)))
			if !got.Allowed {
				t.Fatalf("refused: %v", got.Result)
			}
			if sized := sizes(t, got.object, 0); sized != c.want {
				t.Errorf("sizes%s, want%s", sized, c.want)
			}
			if revision := at(t, got.object, "metadata", "annotations", v1alpha1.AnnotationRevision); revision != "aaaaaaaa" {
				t.Errorf("revision %v, want aaaaaaaa", revision)
			}
			if n := w.outcomes(t)["pods injected"]; n != 1 {
				t.Errorf("counted %v, want one injected", w.outcomes(t))
			}
		})
	}
}

func TestWhatTheWebhookDoesNotKnowSurvives(t *testing.T) {
	w := newWorld(t, recommend("Deployment", "checkout", container("app", "250m", "512Mi")))
	got := w.send(t, PathMutatePods, createPod("shop", checkoutPod(`{"requests":{"cpu":"1"},"claims":[{"name":"gpu","request":"new"}]}`)))

	if v := at(t, got.object, "spec", "schedulingWish"); v != "soon" {
		t.Errorf("unknown pod field is %v", v)
	}
	if v := at(t, got.object, "spec", "containers", 0, "fieldFromTheFuture", "a", 1); v != 2.0 {
		t.Errorf("unknown container field is %v", v)
	}
	if v := at(t, got.object, "spec", "containers", 0, "resources", "claims", 0, "request"); v != "new" {
		t.Errorf("resource claim is %v", v)
	}
	if v := at(t, got.object, "metadata", "annotations", "team"); v != "shop" {
		t.Errorf("annotation of the team is %v", v)
	}
}

func TestAPodWithoutAnnotationsGetsThem(t *testing.T) {
	w := newWorld(t, recommend("Deployment", "checkout", container("app", "250m", "512Mi")))
	got := w.send(t, PathMutatePods, createPod("shop", podWith("", `{"name":"app","resources":{"requests":{"cpu":"1"}}}`)))
	want := map[string]any{
		v1alpha1.AnnotationOriginal: `{"app":{"requests":{"cpu":"1"}}}`, v1alpha1.AnnotationRevision: "aaaaaaaa",
		v1alpha1.AnnotationChanged: "app: cpu request 1 → 250m, memory request none → 512Mi",
	}
	if diff := cmp.Diff(want, at(t, got.object, "metadata", "annotations")); diff != "" {
		t.Error(diff)
	}
}

func TestAPodIsLeftAlone(t *testing.T) {
	sized := container("app", "250m", "512Mi")
	pod := checkoutPod(`{"requests":{"cpu":"1"}}`)
	cases := map[string]struct {
		rec       *v1alpha1.Recommendation
		namespace string
		mode      string
		req       *admissionv1.AdmissionRequest
		want      string
	}{
		"in kube-system, whatever is written there": {req: createPod("kube-system", pod), namespace: "kube-system", mode: "auto", want: "pods excluded-namespace"},
		"in Loadline's own namespace":               {req: createPod("loadline-system", pod), namespace: "loadline-system", mode: "auto", want: "pods excluded-namespace"},
		"in a namespace that only has the label":    {namespace: "other", mode: "", want: "pods not-opted-in"},
		"in a namespace nobody knows":               {req: createPod("unheard-of", pod), want: "pods not-opted-in"},
		"in a dry-run":                              {mode: "dry-run", want: "pods not-opted-in"},
		"in a namespace with a mistyped mode":       {mode: "Auto", want: "pods not-opted-in"},
		"where the workload narrows to dry-run":     {rec: recommend("Deployment", "checkout", sized, mode("dry-run")), want: "pods not-opted-in"},
		"without a Recommendation":                  {rec: recommend("Deployment", "cart", sized), want: "pods no-recommendation"},
		"where nothing is applicable yet": {
			rec:  recommend("Deployment", "checkout", func(r *v1alpha1.Recommendation) { r.Status.Applicable = nil }),
			want: "pods nothing-applicable",
		},
		"where the Recommendation is about something else": {
			rec: recommend("Deployment", "checkout", sized, func(r *v1alpha1.Recommendation) {
				r.Spec.TargetRef.APIVersion = "example.com/v1"
			}),
			want: "pods no-recommendation",
		},
		"with resources for the whole pod": {
			req:  createPod("shop", strings.Replace(pod, `"schedulingWish"`, `"resources":{"requests":{"cpu":"2"}},"schedulingWish"`, 1)),
			want: "pods pod-level-resources",
		},
		"on an update": {
			req:  request(admissionv1.Update, "", "v1", "Pod", "shop", pod, pod),
			want: "pods irrelevant",
		},
		"that gets an ephemeral container": {
			req: func() *admissionv1.AdmissionRequest {
				debugged := strings.Replace(pod, `"schedulingWish"`, `"ephemeralContainers":[{"name":"debugger","image":"busybox"}],"schedulingWish"`, 1)
				r := request(admissionv1.Update, "", "v1", "Pod", "shop", debugged, pod)
				r.SubResource = "ephemeralcontainers"
				return r
			}(),
			want: "pods irrelevant",
		},
		"without an owner": {
			req:  createPod("shop", `{"metadata":{"name":"bare"},"spec":{"containers":[{"name":"app"}]}}`),
			want: "pods no-owner",
		},
		"that is not a pod at all": {
			req:  createPod("shop", `{"metadata":{"labels":["no"]},"spec":7}`),
			want: "pods error",
		},
		"with a quantity that cannot be read": {
			req:  createPod("shop", checkoutPod(`{"requests":{"cpu":"many"}}`)),
			want: "pods error",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			rec := c.rec
			if rec == nil {
				rec = recommend("Deployment", "checkout", sized)
			}
			w := newWorld(t, rec)
			namespace := "shop"
			if c.namespace != "" {
				namespace = c.namespace
				rec.Namespace = namespace
				w.recommendations = map[string]*v1alpha1.Recommendation{namespace + "/" + rec.Name: rec}
			}
			if c.mode != "" {
				w.namespaces[namespace] = map[string]string{v1alpha1.AnnotationMode: c.mode}
			} else if c.namespace != "" {
				w.namespaces[namespace] = nil
			}
			req := c.req
			if req == nil {
				req = createPod(namespace, pod)
			}
			got := w.send(t, PathMutatePods, req)
			if !got.Allowed || len(got.Patch) > 0 {
				t.Errorf("allowed=%v, patch %s; want admitted unchanged", got.Allowed, got.Patch)
			}
			if diff := cmp.Diff(map[string]int{c.want: 1}, w.outcomes(t)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnyRefusedAnnotationOnTheNamespaceStopsInjection(t *testing.T) {
	w := newWorld(t, recommend("Deployment", "checkout", container("app", "250m", "512Mi")))
	w.namespaces["shop"][v1alpha1.AnnotationApproval] = "maybe"
	got := w.send(t, PathMutatePods, createPod("shop", checkoutPod(`{}`)))
	if !got.Allowed || len(got.Patch) > 0 {
		t.Errorf("patch %s, want none", got.Patch)
	}
}

func TestTheOwnerIsFoundWithoutAskingAnybody(t *testing.T) {
	const plain = `"spec":{"containers":[{"name":"app"}]}}`
	owned := func(labels, owner string) string {
		return `{"metadata":{"labels":{` + labels + `},"ownerReferences":[{` + owner + `,"uid":"1","controller":true}]},` + plain
	}
	cases := map[string]struct{ kind, name, pod, want string }{
		"a Deployment by its ReplicaSet's name": {
			"Deployment", "checkout",
			owned(`"pod-template-hash":"7f"`, `"apiVersion":"apps/v1","kind":"ReplicaSet","name":"checkout-7f"`), "pods injected",
		},
		"a Deployment with a dash and digits in its name": {
			"Deployment", "api-2",
			owned(`"pod-template-hash":"7f"`, `"apiVersion":"apps/v1","kind":"ReplicaSet","name":"api-2-7f"`), "pods injected",
		},
		"a StatefulSet": {
			"StatefulSet", "db",
			owned("", `"apiVersion":"apps/v1","kind":"StatefulSet","name":"db"`), "pods injected",
		},
		"a StatefulSet of another group": {
			"StatefulSet", "db",
			owned("", `"apiVersion":"apps.kruise.io/v1beta1","kind":"StatefulSet","name":"db"`), "pods no-recommendation",
		},
		"a CronJob by its Job's name": {
			"CronJob", "report",
			owned("", `"apiVersion":"batch/v1","kind":"Job","name":"report-29384756"`), "pods injected",
		},
		"a Job that is only called like one": {
			"CronJob", "other",
			owned("", `"apiVersion":"batch/v1","kind":"Job","name":"report-29384756"`), "pods no-recommendation",
		},
		"an owner that is not the controller": {
			"StatefulSet", "db",
			strings.Replace(owned("", `"apiVersion":"apps/v1","kind":"StatefulSet","name":"db"`), `"controller":true`, `"controller":false`, 1), "pods no-owner",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, recommend(c.kind, c.name, container("app", "250m", "512Mi")))
			w.send(t, PathMutatePods, createPod("shop", c.pod))
			if w.outcomes(t)[c.want] != 1 {
				t.Errorf("counted %v, want %s", w.outcomes(t), c.want)
			}
		})
	}
}

func TestExcludedContainersStayAsTheyAre(t *testing.T) {
	w := newWorld(t, recommend("Deployment", "checkout", container("app", "250m", "512Mi"), container("proxy", "50m", "64Mi")))
	w.namespaces["shop"][v1alpha1.AnnotationExcludeContainers] = "proxy"
	proxy := `{"name":"proxy","resources":{"requests":{"cpu":"2"}}}`
	got := w.send(t, PathMutatePods, createPod("shop", checkoutPod(`{"requests":{"cpu":"1"}}`, proxy)))
	if sized := sizes(t, got.object, 0); sized != " requests.cpu=250m requests.memory=512Mi" {
		t.Errorf("app has%s", sized)
	}
	if sized := sizes(t, got.object, 1); sized != " requests.cpu=2" {
		t.Errorf("excluded proxy has%s", sized)
	}
}

func TestAContainerThatItsWorkloadExcludesIsLeftAloneWhileOldSizesAreOnHold(t *testing.T) {
	rec := recommend("Deployment", "checkout", container("app", "250m", "512Mi"), container("proxy", "50m", "64Mi"))
	rec.Status.ExcludeContainers = []string{"proxy"}
	proxy := `{"name":"proxy","resources":{"requests":{"cpu":"2"}}}`
	got := newWorld(t, rec).send(t, PathMutatePods, createPod("shop", checkoutPod(`{"requests":{"cpu":"1"}}`, proxy)))
	if app, sized := sizes(t, got.object, 0), sizes(t, got.object, 1); app != " requests.cpu=250m requests.memory=512Mi" || sized != " requests.cpu=2" {
		t.Errorf("app has%s, excluded proxy has%s", app, sized)
	}
}

func TestWhileARevisionIsTriedNewPodsGetNothingLessThanBefore(t *testing.T) {
	good := recommend("Deployment", "checkout", container("app", "1", "256Mi")).Status.Applicable
	tried := func(rec *v1alpha1.Recommendation) {
		rec.Status.Trying, rec.Status.Memory = rec.Status.Applicable.Revision, &v1alpha1.DecisionMemory{LastGood: good}
	}
	const held, whole = "aaaaaaaa-held-back", "aaaaaaaa"
	cases := map[string]struct {
		option         recOption
		sizes, becomes string
	}{
		"of what was good":      {tried, " requests.cpu=1 requests.memory=512Mi", held},
		"of what they ask for":  {func(r *v1alpha1.Recommendation) { tried(r); r.Status.Memory = nil }, " requests.cpu=2 requests.memory=512Mi", held},
		"unless another is":     {func(r *v1alpha1.Recommendation) { tried(r); r.Status.Trying = "bbbbbbbb" }, " requests.cpu=250m requests.memory=512Mi", whole},
		"unless nobody tries":   {func(r *v1alpha1.Recommendation) { tried(r); r.Status.Mode = "initial" }, " requests.cpu=250m requests.memory=512Mi", whole},
		"which may be the same": {func(r *v1alpha1.Recommendation) { tried(r); r.Status.Memory.LastGood = r.Status.Applicable }, " requests.cpu=250m requests.memory=512Mi", whole},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, recommend("Deployment", "checkout", container("app", "250m", "512Mi"), c.option))
			got := w.send(t, PathMutatePods, createPod("shop", checkoutPod(`{"requests":{"cpu":"2","memory":"128Mi"}}`)))
			if sized := sizes(t, got.object, 0); sized != c.sizes {
				t.Errorf("app has%s, want%s", sized, c.sizes)
			}
			if revision := at(t, got.object, "metadata", "annotations", v1alpha1.AnnotationRevision); revision != c.becomes {
				t.Errorf("revision %v, want %s", revision, c.becomes)
			}
			annotations := at(t, got.object, "metadata", "annotations").(map[string]any)
			if why, _ := annotations[v1alpha1.AnnotationWhy].(string); strings.Contains(why, "tried on another pod") != (c.becomes == held) {
				t.Errorf("why: %q", why)
			}
			if again := w.send(t, PathMutatePods, createPod("shop", got.object)); len(again.Patch) > 0 {
				t.Errorf("called again: patch %s", again.Patch)
			}
		})
	}
}

func TestOrdinaryInitContainersAreNotTouched(t *testing.T) {
	w := newWorld(t, recommend("Deployment", "checkout", container("app", "250m", "512Mi"), container("migrate", "10m", "64Mi")))
	pod := strings.Replace(checkoutPod(`{}`), `"containers"`, `"initContainers":[{"name":"migrate","resources":{"requests":{"cpu":"2"}}}],"containers"`, 1)
	got := w.send(t, PathMutatePods, createPod("shop", pod))
	if v := at(t, got.object, "spec", "initContainers", 0, "resources", "requests", "cpu"); v != "2" {
		t.Errorf("init container requests %v", v)
	}
}

func TestANativeSideCarIsSizedWhereItIs(t *testing.T) {
	w := newWorld(t, recommend("Deployment", "checkout", container("app", "250m", "512Mi"), container("shipper", "20m", "64Mi")))
	pod := strings.Replace(checkoutPod(`{}`), `"containers"`, `"initContainers":[{"name":"migrate","resources":{"requests":{"cpu":"2"}}},`+
		`{"name":"shipper","restartPolicy":"Always","resources":{"requests":{"cpu":"1"},"claims":[{"name":"gpu"}]}},`+
		`{"name":"mesh","restartPolicy":"Always","resources":{"requests":{"cpu":"3"}}}],"containers"`, 1)
	got := w.send(t, PathMutatePods, createPod("shop", pod))
	requests := func(i int) any { return at(t, got.object, "spec", "initContainers", i, "resources", "requests") }
	want := []any{map[string]any{"cpu": "2"}, map[string]any{"cpu": "20m", "memory": "64Mi"}, map[string]any{"cpu": "3"}}
	if diff := cmp.Diff(want, []any{requests(0), requests(1), requests(2)}); diff != "" {
		t.Errorf("init container, side-car of the template, injected side-car (-want +got):\n%s", diff)
	}
	if v := at(t, got.object, "spec", "initContainers", 1, "resources", "claims", 0, "name"); v != "gpu" {
		t.Errorf("the side-car's claim is %v", v)
	}
	if again := w.send(t, PathMutatePods, createPod("shop", got.object)); len(again.Patch) > 0 {
		t.Errorf("called again: patch %s", again.Patch)
	}
}

func TestAGuaranteedPodStaysGuaranteed(t *testing.T) {
	const equal = `{"requests":{"cpu":"1","memory":"1Gi"},"limits":{"cpu":"1","memory":"1Gi"}}`
	sized := []recOption{container("vault", "10m", "32Mi"), container("shipper", "20m", "64Mi"), container("app", "250m", "512Mi")}
	for _, policy := range []v1alpha1.LimitPolicy{v1alpha1.LimitKeep, v1alpha1.LimitEqual, v1alpha1.LimitNone, v1alpha1.LimitHeadroom} {
		t.Run(string(policy), func(t *testing.T) {
			w := newWorld(t, recommend("Deployment", "checkout", append(sized, limits(policy, "", ""))...))
			w.namespaces["shop"][v1alpha1.AnnotationExcludeContainers] = "vault"
			pod := strings.Replace(checkoutPod(equal, `{"name":"vault","resources":`+equal+`}`), `"containers"`,
				`"initContainers":[{"name":"migrate","resources":`+equal+`},{"name":"shipper","restartPolicy":"Always","resources":`+equal+`}],"containers"`, 1)
			var after corev1.Pod
			if err := json.Unmarshal([]byte(w.send(t, PathMutatePods, createPod("shop", pod)).object), &after); err != nil {
				t.Fatal(err)
			}
			if present := apply.Present(&after); apply.QOSClass(present) != corev1.PodQOSGuaranteed || present["shipper"].Requests.CPUMillis != 20 {
				t.Errorf("%s with %+v", apply.QOSClass(present), present)
			}
		})
	}
}

func TestStaleSizesMakeNoPodGuaranteed(t *testing.T) {
	rec := recommend("Deployment", "checkout", container("app", "1", "1Gi"), limits(v1alpha1.LimitKeep, "", ""), observed(25*time.Hour))
	w := newWorld(t, rec)
	var after corev1.Pod
	pod := checkoutPod(`{"requests":{"cpu":"500m","memory":"2Gi"},"limits":{"cpu":"1","memory":"2Gi"}}`)
	if err := json.Unmarshal([]byte(w.send(t, PathMutatePods, createPod("shop", pod)).object), &after); err != nil {
		t.Fatal(err)
	}
	if present := apply.Present(&after); apply.QOSClass(present) != corev1.PodQOSBurstable || present["app"].Requests.MemoryBytes != 2<<30 {
		t.Errorf("%s with %+v", apply.QOSClass(present), present)
	}
}

func TestMemoryIsNotLoweredUnderATemplateThatTheRecommenderHasNotSeen(t *testing.T) {
	for name, c := range map[string]struct{ seen, resources, want string }{
		"a raised template": {
			"1Gi", `{"requests":{"cpu":"1","memory":"4Gi"},"limits":{"cpu":"1","memory":"4Gi"}}`,
			" requests.cpu=250m requests.memory=4Gi limits.cpu=250m limits.memory=4Gi",
		},
		"the template that was seen": {
			"4Gi", `{"requests":{"cpu":"1","memory":"4Gi"},"limits":{"cpu":"1","memory":"4Gi"}}`,
			" requests.cpu=250m requests.memory=700Mi limits.cpu=250m limits.memory=700Mi",
		},
		"a lowered template": {
			"4Gi", `{"requests":{"cpu":"1","memory":"1Gi"},"limits":{"cpu":"1","memory":"1Gi"}}`,
			" requests.cpu=250m requests.memory=700Mi limits.cpu=250m limits.memory=700Mi",
		},
		"a request where there was none": {"", `{"requests":{"memory":"4Gi"}}`, " requests.cpu=250m requests.memory=4Gi"},
		"a request of 0, which was seen": {
			"0", `{"requests":{"memory":"0"},"limits":{"memory":"4Gi"}}`, " requests.cpu=250m requests.memory=700Mi limits.memory=4Gi",
		},
		"a raise that is less than recommended": {
			"256Mi", `{"requests":{"memory":"512Mi"}}`, " requests.cpu=250m requests.memory=700Mi",
		},
	} {
		t.Run(name, func(t *testing.T) {
			rec := recommend("Deployment", "checkout", container("app", "250m", "700Mi"), limits(v1alpha1.LimitKeep, "", ""))
			before := v1alpha1.CurrentContainer{Name: "app"}
			if c.seen != "" {
				before.Requests.Memory = new(resource.MustParse(c.seen))
			}
			rec.Status.Current = &v1alpha1.CurrentValues{Containers: []v1alpha1.CurrentContainer{before}}
			w := newWorld(t, rec)
			first := w.send(t, PathMutatePods, createPod("shop", checkoutPod(c.resources)))
			if sized := sizes(t, first.object, 0); sized != c.want {
				t.Errorf("sizes%s, want%s", sized, c.want)
			}
			if again := w.send(t, PathMutatePods, createPod("shop", first.object)); len(again.Patch) > 0 {
				t.Errorf("called again: patch %s", again.Patch)
			}
		})
	}
}

func TestStaleSizesNeverLowerMemory(t *testing.T) {
	old := recommend("Deployment", "checkout", container("app", "250m", "512Mi"), limits(v1alpha1.LimitEqual, "", ""), observed(25*time.Hour))
	never := recommend("Deployment", "checkout", container("app", "250m", "512Mi"), limits(v1alpha1.LimitEqual, "", ""))
	never.Status.ObservedTime = nil
	for name, rec := range map[string]*v1alpha1.Recommendation{"a day old": old, "never confirmed": never} {
		t.Run(name, func(t *testing.T) {
			cases := map[string]struct{ resources, want string }{
				"the template asks for more": {
					`{"requests":{"cpu":"1","memory":"1Gi"},"limits":{"cpu":"1","memory":"2Gi"}}`,
					" requests.cpu=250m requests.memory=1Gi limits.cpu=250m limits.memory=2Gi",
				},
				"the template asks for less": {
					`{"requests":{"memory":"256Mi"},"limits":{"memory":"256Mi"}}`,
					" requests.cpu=250m requests.memory=512Mi limits.cpu=250m limits.memory=512Mi",
				},
				"the template has no limit": {
					`{"requests":{"memory":"1Gi"}}`,
					" requests.cpu=250m requests.memory=1Gi limits.cpu=250m",
				},
			}
			for name, c := range cases {
				t.Run(name, func(t *testing.T) {
					w := newWorld(t, rec)
					first := w.send(t, PathMutatePods, createPod("shop", checkoutPod(c.resources)))
					if sized := sizes(t, first.object, 0); sized != c.want {
						t.Errorf("sizes%s, want%s", sized, c.want)
					}
					if again := w.send(t, PathMutatePods, createPod("shop", first.object)); len(again.Patch) > 0 {
						t.Errorf("called again: patch %s", again.Patch)
					}
				})
			}
		})
	}
}

func TestCallingAgainChangesNothing(t *testing.T) {
	for _, policy := range []v1alpha1.LimitPolicy{v1alpha1.LimitKeep, v1alpha1.LimitEqual, v1alpha1.LimitNone} {
		t.Run(string(policy), func(t *testing.T) {
			w := newWorld(t, recommend("Deployment", "checkout", container("app", "250m", "512Mi"), limits(policy, "", "")))
			first := w.send(t, PathMutatePods, createPod("shop", checkoutPod(`{"requests":{"cpu":"1","memory":"100Mi"},"limits":{"memory":"1Gi"}}`)))
			if len(first.Patch) == 0 {
				t.Fatal("no patch for the first call")
			}
			again := w.send(t, PathMutatePods, createPod("shop", first.object))
			if len(again.Patch) > 0 {
				t.Errorf("patch %s, want none", again.Patch)
			}
			if w.outcomes(t)["pods unchanged"] != 1 {
				t.Errorf("counted %v, want one unchanged", w.outcomes(t))
			}
		})
	}
}

// A mesh injects its proxy after Loadline was called, without resources: the pod is no longer Guaranteed. What the pod asked
// for at first must not be forgotten over that, or its limits would shrink to what was injected.
func TestAContainerInjectedInBetweenDoesNotHideTheOriginal(t *testing.T) {
	w := newWorld(t, recommend("Deployment", "checkout", container("app", "250m", "512Mi")))
	first := w.send(t, PathMutatePods, createPod("shop", checkoutPod(`{"requests":{"cpu":"1","memory":"1Gi"},"limits":{"cpu":"1","memory":"1Gi"}}`)))
	injected := strings.Replace(first.object, `"containers":[`, `"containers":[{"name":"proxy"},`, 1)

	second := w.send(t, PathMutatePods, createPod("shop", injected))
	if got, want := sizes(t, second.object, 1), " requests.cpu=250m requests.memory=512Mi limits.cpu=1 limits.memory=1Gi"; got != want {
		t.Errorf("sizes%s, want%s", got, want)
	}
	if third := w.send(t, PathMutatePods, createPod("shop", second.object)); len(third.Patch) > 0 {
		t.Errorf("called a third time: patch %s", third.Patch)
	}
}

func TestAForgedOriginalIsNotBelieved(t *testing.T) {
	const resources = `{"requests":{"cpu":"1","memory":"1Gi"},"limits":{"cpu":"1","memory":"1Gi"}}`
	honest := newWorld(t, recommend("Deployment", "checkout", container("app", "250m", "512Mi"))).
		send(t, PathMutatePods, createPod("shop", checkoutPod(resources)))

	forgeries := map[string]string{
		"no limits, to stop being Guaranteed": `{"app":{"requests":{"cpu":"1"}}}`,
		"huge limits":                         `{"app":{"requests":{"cpu":"1"},"limits":{"cpu":"64","memory":"1Ti"}}}`,
		"a container that does not exist":     `{"ghost":{"limits":{"cpu":"64"}}}`,
		"not JSON":                            `{"app":`,
		"negative":                            `{"app":{"requests":{"cpu":"-1"}}}`,
		"empty":                               ``,
		"too large":                           `{"app":{}` + strings.Repeat(" ", 20000) + `}`,
	}
	for name, forged := range forgeries {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, recommend("Deployment", "checkout", container("app", "250m", "512Mi")))
			pod := podWith(fmt.Sprintf(`"annotations":{"team":"shop",%q:%q,%q:"aaaaaaaa"},`, v1alpha1.AnnotationOriginal, forged, v1alpha1.AnnotationRevision),
				`{"name":"app","resources":`+resources+`}`)
			got := w.send(t, PathMutatePods, createPod("shop", pod))
			if got, want := sizes(t, got.object, 0), sizes(t, honest.object, 0); got != want {
				t.Errorf("sizes%s, without the forgery%s", got, want)
			}
			if diff := cmp.Diff(at(t, honest.object, "metadata", "annotations"), at(t, got.object, "metadata", "annotations")); diff != "" {
				t.Errorf("annotations differ from those without the forgery:\n%s", diff)
			}
		})
	}
}

func TestACopiedPodCountsAsWhatItAsksFor(t *testing.T) {
	w := newWorld(t, recommend("Deployment", "checkout", container("app", "250m", "512Mi")))
	copied := w.send(t, PathMutatePods, createPod("shop", checkoutPod(`{"requests":{"cpu":"1","memory":"1Gi"},"limits":{"memory":"2Gi"}}`)))
	w.recommendations["shop/deployment-checkout"] = recommend("Deployment", "checkout", container("app", "300m", "600Mi"),
		func(r *v1alpha1.Recommendation) { r.Status.Applicable.Revision = "bbbbbbbb" })

	got := w.send(t, PathMutatePods, createPod("shop", copied.object))
	if got, want := sizes(t, got.object, 0), " requests.cpu=300m requests.memory=600Mi limits.memory=2Gi"; got != want {
		t.Errorf("sizes%s, want%s", got, want)
	}
	if original := at(t, got.object, "metadata", "annotations", v1alpha1.AnnotationOriginal); original !=
		`{"app":{"requests":{"cpu":"250m","memory":"512Mi"},"limits":{"memory":"2Gi"}}}` {
		t.Errorf("original is %v", original)
	}
}

func TestADryRunIsAnsweredAndCountedApart(t *testing.T) {
	w := newWorld(t, recommend("Deployment", "checkout", container("app", "250m", "512Mi")))
	req := createPod("shop", checkoutPod(`{}`))
	req.DryRun = new(true)
	if got := w.send(t, PathMutatePods, req); len(got.Patch) == 0 {
		t.Error("a dry-run request gets no patch")
	}
	if diff := cmp.Diff(map[string]int{"pods injected dry-run": 1}, w.outcomes(t)); diff != "" {
		t.Error(diff)
	}
}

func TestWhateverBreaksThePodIsAdmittedUnchanged(t *testing.T) {
	cases := map[string]struct {
		broken func() error
		want   string
	}{
		"the cache cannot answer": {func() error { return errors.New("the cache is not started") }, "pods error"},
		"the handler panics":      {func() error { panic("impossible") }, "pods panic"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, recommend("Deployment", "checkout", container("app", "250m", "512Mi")))
			w.broken = c.broken
			got := w.send(t, PathMutatePods, createPod("shop", checkoutPod(`{}`)))
			if !got.Allowed || len(got.Patch) > 0 {
				t.Errorf("allowed=%v, patch %s; want admitted unchanged", got.Allowed, got.Patch)
			}
			if diff := cmp.Diff(map[string]int{c.want: 1}, w.outcomes(t)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
