package webhook

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

// apiServer answers lists with fixed objects, keeps watches open and silent, and counts requests.
type apiServer struct {
	lists    map[string]any // by path
	requests atomic.Int64
	largest  atomic.Int64 // number of Recommendations in one answer
}

func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.requests.Add(1)
	list, known := a.lists[r.URL.Path]
	if !known {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Query().Get("watch") != "" {
		if r.URL.Query().Get("sendInitialEvents") == "true" {
			// Old servers do not stream lists; the informer then lists instead.
			w.WriteHeader(http.StatusUnprocessableEntity)
			_ = json.NewEncoder(w).Encode(metav1.Status{
				TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Reason: metav1.StatusReasonInvalid, Code: http.StatusUnprocessableEntity,
			})
			return
		}
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return
	}
	if recs, ok := list.(*v1alpha1.RecommendationList); ok {
		part := page(recs, r.URL.Query())
		a.largest.Store(max(a.largest.Load(), int64(len(part.Items))))
		list = part
	}
	_ = json.NewEncoder(w).Encode(list)
}

// page is the part of a list that a query asks for.
func page(list *v1alpha1.RecommendationList, query url.Values) *v1alpha1.RecommendationList {
	from, _ := strconv.Atoi(query.Get("continue"))
	limit, _ := strconv.Atoi(query.Get("limit"))
	part := *list
	if part.Items = list.Items[from:]; limit > 0 && limit < len(part.Items) && query.Get("resourceVersion") == "" {
		part.Items, part.Continue = part.Items[:limit], strconv.Itoa(from+limit)
	}
	return &part
}

// startCache fills a real cache, built with CacheOptions, from an API server with n workloads that have long stories. It does not answer
// on the paths that are named.
func startCache(tb testing.TB, n int, without ...string) (cache.Cache, *apiServer) {
	tb.Helper()
	recs := v1alpha1.RecommendationList{TypeMeta: metav1.TypeMeta{APIVersion: "loadline.dev/v1alpha1", Kind: "RecommendationList"}}
	for i := range n {
		rec := recommend("Deployment", fmt.Sprintf("workload-%d", i), container("app", "250m", "512Mi"), container("proxy", "50m", "64Mi"), replicas(5))
		for range 64 {
			rec.Status.Trail = append(rec.Status.Trail, strings.Repeat("because ", 20))
		}
		for i := range rec.Status.Applicable.Containers {
			c := &rec.Status.Applicable.Containers[i]
			c.InPlace, c.Band.CPU = c.Target, &v1alpha1.Interval{Min: *c.Target.CPU, Max: *c.Target.CPU}
		}
		rec.Status.Trying, rec.Status.ExcludeContainers = "aaaaaaaa", []string{"vault"}
		rec.Status.Memory = &v1alpha1.DecisionMemory{LastGood: rec.Status.Applicable, Template: &v1alpha1.TemplateMemory{ID: "x"}}
		rec.Status.Advice = &v1alpha1.AdviceStatus{Source: "rules"}
		rec.Status.Forecast = []v1alpha1.ForecastStatus{{Container: "app"}}
		rec.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "loadline-recommender"}}
		recs.Items = append(recs.Items, *rec)
	}
	server := &apiServer{lists: map[string]any{
		"/apis/loadline.dev/v1alpha1/recommendations": &recs,
		"/api/v1/namespaces": &metav1.PartialObjectMetadataList{
			TypeMeta: metav1.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "PartialObjectMetadataList"},
			Items: []metav1.PartialObjectMetadata{{ObjectMeta: metav1.ObjectMeta{Name: "shop", Annotations: map[string]string{
				v1alpha1.AnnotationMode: "auto", v1alpha1.AnnotationReplicas: "auto", "other": "thing",
			}}}},
		},
		"/api/v1/limitranges": &corev1.LimitRangeList{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "LimitRangeList"},
			Items: []corev1.LimitRange{{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "small"}, Spec: corev1.LimitRangeSpec{
				Limits: []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer, Min: corev1.ResourceList{"cpu": resource.MustParse("20m")}}},
			}}},
		},
		"/api/v1/nodes": &corev1.NodeList{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "NodeList"},
			Items: []corev1.Node{
				{ObjectMeta: metav1.ObjectMeta{Name: "small"}, Status: nodeOf("4", "64Gi")},
				{ObjectMeta: metav1.ObjectMeta{Name: "large"}, Status: nodeOf("16", "32Gi")},
				{ObjectMeta: metav1.ObjectMeta{Name: "cordoned"}, Spec: corev1.NodeSpec{Unschedulable: true}, Status: nodeOf("64", "1Ti")},
			},
		},
		"/apis/policy/v1/poddisruptionbudgets": &policyv1.PodDisruptionBudgetList{
			TypeMeta: metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudgetList"},
			Items:    []policyv1.PodDisruptionBudget{{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "budget"}}},
		},
		"/apis/autoscaling/v2/horizontalpodautoscalers": &autoscalingv2.HorizontalPodAutoscalerList{
			TypeMeta: metav1.TypeMeta{APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscalerList"},
			Items: []autoscalingv2.HorizontalPodAutoscaler{{
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "scaler"},
				Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
					ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "workload-1"},
					MaxReplicas:    9,
				},
			}},
		},
	}}
	for _, path := range without {
		delete(server.lists, path)
	}
	listener := httptest.NewServer(server)

	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			tb.Fatal(err)
		}
	}
	options := CacheOptions()
	options.Scheme = scheme
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Namespace"), meta.RESTScopeRoot)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("LimitRange"), meta.RESTScopeNamespace)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Node"), meta.RESTScopeRoot)
	mapper.Add(policyv1.SchemeGroupVersion.WithKind("PodDisruptionBudget"), meta.RESTScopeNamespace)
	mapper.Add(v1alpha1.SchemeGroupVersion.WithKind("Recommendation"), meta.RESTScopeNamespace)
	mapper.Add(autoscalingv2.SchemeGroupVersion.WithKind("HorizontalPodAutoscaler"), meta.RESTScopeNamespace)
	options.Mapper = mapper

	c, err := cache.New(&rest.Config{Host: listener.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}, options)
	if err != nil {
		tb.Fatal(err)
	}
	if err := prepareCache(tb.Context(), c); err != nil {
		tb.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Start(tb.Context()) }()
	tb.Cleanup(func() { // The context of the test ends before this.
		if err := <-done; err != nil {
			tb.Error(err)
		}
		listener.Close()
	})
	if !c.WaitForCacheSync(tb.Context()) {
		tb.Fatal("the cache does not fill")
	}
	if err := (lateFacts{cache: c}).Start(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	for _, object := range []client.Object{&corev1.Node{}, &policyv1.PodDisruptionBudget{}} {
		if len(without) > 0 {
			break // They would never come.
		}
		if _, err := c.GetInformer(tb.Context(), object); err != nil {
			tb.Fatal(err)
		}
	}
	return c, server
}

func TestAdmissionNeverCallsTheAPIServer(t *testing.T) {
	c, server := startCache(t, 3)
	w := &world{registry: prometheus.NewPedanticRegistry()}
	w.mux, _ = serve(t, cached{c}, w.recorder, w.registry)
	before := server.requests.Load()

	pod := w.send(t, PathMutatePods, createPod("shop", podOf("workload-0")))
	if got, want := sizes(t, pod.object, 0), " requests.cpu=250m requests.memory=512Mi"; got != want {
		t.Errorf("sizes%s, want%s", got, want)
	}
	w.send(t, PathMutatePods, createPod("shop", podOf("unknown")))
	w.send(t, PathMutatePods, createPod("elsewhere", podOf("workload-0")))
	free := w.send(t, PathMutateWorkloads, create(strings.Replace(deployment(2), "checkout", "workload-0", 1)))
	if n := at(t, free.object, "spec", "replicas"); n != 5.0 {
		t.Errorf("replicas %v, want 5", n)
	}
	scaled := w.send(t, PathMutateWorkloads, create(strings.Replace(deployment(2), "checkout", "workload-1", 1)))
	if n := at(t, scaled.object, "spec", "replicas"); n != 2.0 {
		t.Errorf("replicas of an autoscaled workload %v, want 2", n)
	}
	if more := server.requests.Load() - before; more != 0 {
		t.Errorf("%d requests to the API server while admitting", more)
	}
}

func TestTheCacheIsFilledInPages(t *testing.T) {
	const workloads = 2*pageSize + 1
	c, server := startCache(t, workloads)
	var all v1alpha1.RecommendationList
	if err := c.List(t.Context(), &all); err != nil || len(all.Items) != workloads {
		t.Errorf("%d of %d Recommendations, %v", len(all.Items), workloads, err)
	}
	if server.largest.Load() > pageSize {
		t.Errorf("%d Recommendations in one answer", server.largest.Load())
	}
}

func TestTheCacheKeepsOnlyWhatAdmissionNeeds(t *testing.T) {
	c, _ := startCache(t, 1)
	rec := &v1alpha1.Recommendation{}
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "deployment-workload-0"}, rec); err != nil {
		t.Fatal(err)
	}
	want := recommend("Deployment", "workload-0", container("app", "250m", "512Mi"), container("proxy", "50m", "64Mi"), replicas(5))
	want.Status.Trying, want.Status.ExcludeContainers = "aaaaaaaa", []string{"vault"}
	want.Status.Memory = &v1alpha1.DecisionMemory{LastGood: want.Status.Applicable}
	if diff := cmp.Diff(want, rec); diff != "" {
		t.Errorf("the cache holds too much or too little:\n%s", diff)
	}
	if ranges, err := (cached{c}).LimitRanges(t.Context(), "shop"); err != nil || len(ranges) != 1 {
		t.Errorf("limit ranges %v, %v", ranges, err)
	}
	if budgets, err := (cached{c}).DisruptionBudgets(t.Context(), "shop"); err != nil || len(budgets) != 1 {
		t.Errorf("disruption budgets %v, %v", budgets, err)
	}
	if largest, err := (cached{c}).LargestNode(t.Context()); err != nil || largest != (apply.Amounts{CPUMillis: 16000, MemoryBytes: 64 << 30}) {
		t.Errorf("largest node %+v, %v", largest, err)
	}
	annotations, known, err := cached{c}.Annotations(t.Context(), "shop")
	if err != nil || !known || annotations["other"] != "" || annotations[v1alpha1.AnnotationMode] != "auto" {
		t.Errorf("annotations %v, %v, %v", annotations, known, err)
	}
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "x"}, &corev1.Pod{}); err == nil {
		t.Error("reading pods starts an informer for all of them")
	}
}

func TestAdmissionWaitsForNothingThatOnlyWarningsNeed(t *testing.T) {
	c, _ := startCache(t, 1, "/api/v1/nodes", "/apis/policy/v1/poddisruptionbudgets")
	w := &world{registry: prometheus.NewPedanticRegistry()}
	w.mux, _ = serve(t, cached{c}, w.recorder, w.registry)
	pod := w.send(t, PathMutatePods, createPod("shop", podOf("workload-0")))
	if got, want := sizes(t, pod.object, 0), " requests.cpu=250m requests.memory=512Mi"; got != want {
		t.Errorf("sizes%s, want%s", got, want)
	}
	_, noNodes := cached{c}.LargestNode(t.Context())
	if _, noBudgets := (cached{c}).DisruptionBudgets(t.Context(), "shop"); noNodes == nil || noBudgets == nil {
		t.Errorf("nodes: %v, disruption budgets: %v; want neither to be taken for none", noNodes, noBudgets)
	}
}

func nodeOf(cpu, memory string) corev1.NodeStatus {
	return corev1.NodeStatus{Allocatable: corev1.ResourceList{"cpu": resource.MustParse(cpu), "memory": resource.MustParse(memory)}}
}

// podOf is a pod of a Deployment of about the size that real pods have.
func podOf(deployment string) string {
	env := make([]string, 60)
	for i := range env {
		env[i] = fmt.Sprintf(`{"name":"SETTING_%d","value":%q}`, i, strings.Repeat("v", 40))
	}
	common := `"image":"shop/app:1","env":[` + strings.Join(env, ",") + `],"resources":{"requests":{"cpu":"1","memory":"1Gi"}}}`
	pod := podWith("", `{"name":"app",`+common+`,{"name":"proxy",`+common)
	return strings.ReplaceAll(pod, "checkout-", deployment+"-")
}

// BenchmarkAdmission measures the handler with its decoding, as the HTTP server calls it, over a cache of 500 workloads.
func BenchmarkAdmission(b *testing.B) {
	c, _ := startCache(b, 500)
	mux, _ := serve(b, cached{c}, events.NewFakeRecorder(0), prometheus.NewRegistry())
	w := &world{mux: mux}
	cases := map[string]string{"injected": podOf("workload-499"), "no-recommendation": podOf("unknown")}
	for name, pod := range cases {
		body, err := json.Marshal(map[string]any{
			"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": createPod("shop", pod),
		})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(http.MethodPost, PathMutatePods, strings.NewReader(string(body)))
				r.Header.Set("Content-Type", "application/json")
				recorder := httptest.NewRecorder()
				w.mux.ServeHTTP(recorder, r)
				if injected := strings.Contains(recorder.Body.String(), `"patch"`); injected != (name == "injected") {
					b.Fatalf("answer %s", recorder.Body)
				}
			}
		})
	}
}
