package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// world is a cluster as the caches show it, with the webhook's handlers in front of it.
type world struct {
	namespaces      map[string]map[string]string
	recommendations map[string]*v1alpha1.Recommendation
	autoscalers     map[string]string
	limitRanges     map[string][]corev1.LimitRange
	hpas            []autoscalingv2.HorizontalPodAutoscaler
	budgets         []policyv1.PodDisruptionBudget
	node            apply.Amounts
	broken          func() error

	registry *prometheus.Registry
	mux      http.Handler
	herald   *herald
	recorder *events.FakeRecorder
}

func (w *world) Annotations(_ context.Context, namespace string) (map[string]string, bool, error) {
	if w.broken != nil {
		if err := w.broken(); err != nil {
			return nil, false, err
		}
	}
	annotations, known := w.namespaces[namespace]
	return annotations, known, nil
}

func (w *world) Recommendation(_ context.Context, namespace, name string) (*v1alpha1.Recommendation, error) {
	return w.recommendations[namespace+"/"+name], nil
}

func (w *world) Autoscaler(_ context.Context, namespace, kind, workload string) (string, error) {
	return w.autoscalers[namespace+"/"+kind+"/"+workload], nil
}

func (w *world) LimitRanges(_ context.Context, namespace string) ([]corev1.LimitRange, error) {
	return w.limitRanges[namespace], nil
}

func (w *world) Autoscalers(context.Context, string) ([]autoscalingv2.HorizontalPodAutoscaler, error) {
	return w.hpas, nil
}

func (w *world) DisruptionBudgets(context.Context, string) ([]policyv1.PodDisruptionBudget, error) {
	return w.budgets, nil
}

func (w *world) LargestNode(context.Context) (apply.Amounts, error) { return w.node, nil }

// newWorld has a namespace shop in mode initial.
func newWorld(tb testing.TB, recs ...*v1alpha1.Recommendation) *world {
	tb.Helper()
	w := &world{
		namespaces:      map[string]map[string]string{"shop": {v1alpha1.AnnotationMode: "initial"}},
		recommendations: map[string]*v1alpha1.Recommendation{},
		autoscalers:     map[string]string{},
		limitRanges:     map[string][]corev1.LimitRange{},
		registry:        prometheus.NewPedanticRegistry(),
	}
	for _, rec := range recs {
		w.recommendations[rec.Namespace+"/"+rec.Name] = rec
	}
	w.recorder = events.NewFakeRecorder(noticesWaiting)
	w.mux, w.herald = serve(tb, w, w.recorder, w.registry)
	return w
}

// told are the Events that were made of what happened so far, as type, reason and note.
func (w *world) told() []string {
	for len(w.herald.queue) > 0 {
		w.herald.metrics.notice(w.herald.announce(<-w.herald.queue))
	}
	var told []string
	for len(w.recorder.Events) > 0 {
		told = append(told, <-w.recorder.Events)
	}
	return told
}

func serve(tb testing.TB, look caches, recorder events.EventRecorder, registry prometheus.Registerer) (http.Handler, *herald) {
	tb.Helper()
	server := ctrlwebhook.NewServer(ctrlwebhook.Options{})
	h, err := register(server, look, recorder, Options{
		Excluded:   func(ns string) bool { return ns == "kube-system" || ns == "loadline-system" },
		YieldFor:   time.Hour,
		Registerer: registry,
		Clock:      clocktesting.NewFakePassiveClock(noon),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return server.WebhookMux(), h
}

// outcomes are the counted requests: handler and outcome, with "dry-run" for those.
func (w *world) outcomes(t *testing.T) map[string]int {
	t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, family := range families {
		if family.GetName() != "loadline_webhook_requests_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			key := labels["webhook"] + " " + labels["outcome"]
			if labels["dry_run"] == "true" {
				key += " dry-run"
			}
			counts[key] = int(m.GetCounter().GetValue())
		}
	}
	return counts
}

// request builds an admission request out of raw JSON.
func request(operation admissionv1.Operation, group, version, kind, namespace, object, old string) *admissionv1.AdmissionRequest {
	req := &admissionv1.AdmissionRequest{
		UID:       "7b8f2a3e-0000-4000-8000-000000000000",
		Operation: operation,
		Kind:      metav1.GroupVersionKind{Group: group, Version: version, Kind: kind},
		Namespace: namespace,
	}
	if object != "" {
		req.Object = runtime.RawExtension{Raw: []byte(object)}
	}
	if old != "" {
		req.OldObject = runtime.RawExtension{Raw: []byte(old)}
	}
	return req
}

func createPod(namespace, pod string) *admissionv1.AdmissionRequest {
	return request(admissionv1.Create, "", "v1", "Pod", namespace, pod, "")
}

// reply is an answer, and what the object looks like after it.
type reply struct {
	*admissionv1.AdmissionResponse
	object string
}

// send posts a request as the API server does and applies the patch that comes back.
func (w *world) send(tb testing.TB, path string, req *admissionv1.AdmissionRequest) reply {
	tb.Helper()
	body, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request:  req,
	})
	if err != nil {
		tb.Fatal(err)
	}
	answered := w.post(path, body).Body.Bytes()
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(answered, &review); err != nil {
		tb.Fatalf("answer %q: %v", answered, err)
	}
	if review.Response.UID != req.UID {
		tb.Fatalf("answer for request %q, want %q", review.Response.UID, req.UID)
	}
	got := reply{AdmissionResponse: review.Response, object: string(req.Object.Raw)}
	if len(review.Response.Patch) > 0 {
		patch, err := jsonpatch.DecodePatch(review.Response.Patch)
		if err != nil {
			tb.Fatal(err)
		}
		patched, err := patch.Apply(req.Object.Raw)
		if err != nil {
			tb.Fatalf("patch %s does not apply: %v", review.Response.Patch, err)
		}
		got.object = string(patched)
	}
	return got
}

// post sends a body and returns what comes back.
func (w *world) post(path string, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	w.mux.ServeHTTP(recorder, r)
	return recorder
}

// at walks through decoded JSON: strings are keys, numbers are indexes. Nil if there is nothing.
func at(tb testing.TB, object string, path ...any) any {
	tb.Helper()
	var value any
	if err := json.Unmarshal([]byte(object), &value); err != nil {
		tb.Fatal(err)
	}
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := value.(map[string]any)
			value = m[step]
		case int:
			l, _ := value.([]any)
			if step >= len(l) {
				return nil
			}
			value = l[step]
		}
	}
	return value
}

// sizes prints the resources of a container as "requests.cpu=… …" in a fixed order, leaving out what is not there.
func sizes(tb testing.TB, object string, container int) string {
	tb.Helper()
	out := ""
	for _, list := range []string{"requests", "limits"} {
		for _, name := range []string{"cpu", "memory", "nvidia.com/gpu"} {
			if v, ok := at(tb, object, "spec", "containers", container, "resources", list, name).(string); ok {
				out += " " + list + "." + name + "=" + v
			}
		}
	}
	return out
}

type recOption func(*v1alpha1.Recommendation)

// recommend builds the fresh Recommendation of a workload in shop with mode auto and revision "aaaaaaaa".
func recommend(kind, name string, options ...recOption) *v1alpha1.Recommendation {
	apiVersion := "apps/v1"
	if kind == "CronJob" {
		apiVersion = "batch/v1"
	}
	rec := &v1alpha1.Recommendation{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: v1alpha1.RecommendationName(kind, name)},
		Spec:       v1alpha1.RecommendationSpec{TargetRef: v1alpha1.TargetReference{APIVersion: apiVersion, Kind: kind, Name: name}},
		Status: v1alpha1.RecommendationStatus{
			Mode:         v1alpha1.ModeAuto,
			ObservedTime: new(metav1.NewTime(noon.Add(-time.Hour))),
			Applicable:   &v1alpha1.RevisionedValues{Revision: "aaaaaaaa"},
		},
	}
	for _, option := range options {
		option(rec)
	}
	return rec
}

func container(name, cpu, memory string) recOption {
	return func(rec *v1alpha1.Recommendation) {
		rec.Status.Applicable.Containers = append(rec.Status.Applicable.Containers, v1alpha1.ContainerValues{
			Name:   name,
			Target: v1alpha1.ResourceAmounts{CPU: new(resource.MustParse(cpu)), Memory: new(resource.MustParse(memory))},
		})
	}
}

// limits sets the limits of the container that was added last.
func limits(policy v1alpha1.LimitPolicy, cpu, memory string) recOption {
	return func(rec *v1alpha1.Recommendation) {
		values := rec.Status.Applicable.Containers
		l := &values[len(values)-1].Limits
		l.CPU, l.Memory = &v1alpha1.Limit{Policy: policy}, &v1alpha1.Limit{Policy: policy}
		if cpu != "" {
			l.CPU.Value = new(resource.MustParse(cpu))
		}
		if memory != "" {
			l.Memory.Value = new(resource.MustParse(memory))
		}
	}
}

func replicas(n int32) recOption {
	return func(rec *v1alpha1.Recommendation) { rec.Status.Applicable.Replicas = new(n) }
}

func observed(ago time.Duration) recOption {
	return func(rec *v1alpha1.Recommendation) {
		rec.Status.ObservedTime = new(metav1.NewTime(noon.Add(-ago)))
	}
}

func mode(m v1alpha1.Mode) recOption {
	return func(rec *v1alpha1.Recommendation) { rec.Status.Mode = m }
}
