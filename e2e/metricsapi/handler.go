package metricsapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// window is the time that a usage stands for. It is short because an autoscaler
// ignores a pod until one window has passed since it became Ready.
const window = 5 * time.Second

// The annotations of a simulated pod that say what each of its containers uses,
// and what kwok assumes without them.
const (
	cpuAnnotation    = "kwok.x-k8s.io/usage-cpu"
	memoryAnnotation = "kwok.x-k8s.io/usage-memory"
	defaultCPU       = "1m"
	defaultMemory    = "1Mi"
)

var gv = metricsv1beta1.SchemeGroupVersion

// handler answers with what the API server's cache knows of pods and nodes.
type handler struct {
	clients kubernetes.Interface
}

func newHandler(clients kubernetes.Interface) http.Handler {
	h := handler{clients: clients}
	mux := http.NewServeMux()
	prefix := "GET /apis/" + gv.String()
	mux.HandleFunc(prefix, serve(h.discover))
	mux.HandleFunc(prefix+"/pods", serve(h.pods))
	mux.HandleFunc(prefix+"/namespaces/{namespace}/pods", serve(h.pods))
	mux.HandleFunc(prefix+"/namespaces/{namespace}/pods/{name}", serve(h.pod))
	mux.HandleFunc(prefix+"/nodes", serve(h.nodes))
	mux.HandleFunc(prefix+"/nodes/{name}", serve(h.node))
	return mux
}

// serve writes what answer returns, or its error as the API server would.
func serve(answer func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := answer(r)
		if err != nil {
			status, ok := errors.AsType[*apierrors.StatusError](err)
			if !ok {
				status = apierrors.NewInternalError(err)
			}
			writeStatus(w, status.ErrStatus)
			return
		}
		writeJSON(w, http.StatusOK, body)
	}
}

func writeStatus(w http.ResponseWriter, status metav1.Status) {
	status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	writeJSON(w, int(status.Code), status)
}

func writeJSON(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the client is gone if this fails
}

func (h handler) discover(*http.Request) (any, error) {
	verbs := metav1.Verbs{"get", "list"}
	return &metav1.APIResourceList{
		TypeMeta:     metav1.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"},
		GroupVersion: gv.String(),
		APIResources: []metav1.APIResource{
			{Name: "nodes", SingularName: "node", Kind: "NodeMetrics", Verbs: verbs},
			{Name: "pods", SingularName: "pod", Kind: "PodMetrics", Namespaced: true, Verbs: verbs},
		},
	}, nil
}

func (h handler) pods(r *http.Request) (any, error) {
	pods, err := h.running(r.Context(), r.PathValue("namespace"), metav1.ListOptions{
		LabelSelector: r.URL.Query().Get("labelSelector"),
		FieldSelector: r.URL.Query().Get("fieldSelector"),
	})
	if err != nil {
		return nil, err
	}
	list := &metricsv1beta1.PodMetricsList{TypeMeta: typeMeta("PodMetricsList")}
	for _, pod := range pods {
		m, err := podMetrics(&pod)
		if err != nil {
			return nil, err
		}
		list.Items = append(list.Items, m)
	}
	return list, nil
}

func (h handler) pod(r *http.Request) (any, error) {
	pod, err := h.clients.CoreV1().Pods(r.PathValue("namespace")).Get(r.Context(), r.PathValue("name"), metav1.GetOptions{ResourceVersion: "0"})
	if err != nil {
		return nil, err
	}
	if pod.Status.Phase != corev1.PodRunning {
		return nil, apierrors.NewNotFound(schema.GroupResource{Group: gv.Group, Resource: "pods"}, pod.Name)
	}
	m, err := podMetrics(pod)
	return &m, err
}

func (h handler) nodes(r *http.Request) (any, error) {
	nodes, err := h.clients.CoreV1().Nodes().List(r.Context(), metav1.ListOptions{
		LabelSelector: r.URL.Query().Get("labelSelector"), ResourceVersion: "0",
	})
	if err != nil {
		return nil, err
	}
	pods, err := h.running(r.Context(), metav1.NamespaceAll, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	list := &metricsv1beta1.NodeMetricsList{TypeMeta: typeMeta("NodeMetricsList")}
	for _, node := range nodes.Items {
		m, err := nodeMetrics(&node, pods)
		if err != nil {
			return nil, err
		}
		list.Items = append(list.Items, m)
	}
	return list, nil
}

func (h handler) node(r *http.Request) (any, error) {
	node, err := h.clients.CoreV1().Nodes().Get(r.Context(), r.PathValue("name"), metav1.GetOptions{ResourceVersion: "0"})
	if err != nil {
		return nil, err
	}
	pods, err := h.running(r.Context(), metav1.NamespaceAll, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	m, err := nodeMetrics(node, pods)
	return &m, err
}

// running lists the pods that use something.
func (h handler) running(ctx context.Context, namespace string, opts metav1.ListOptions) ([]corev1.Pod, error) {
	opts.ResourceVersion = "0" // the API server's cache is recent enough
	list, err := h.clients.CoreV1().Pods(namespace).List(ctx, opts)
	if err != nil {
		return nil, err
	}
	var running []corev1.Pod
	for _, pod := range list.Items {
		if pod.Status.Phase == corev1.PodRunning {
			running = append(running, pod)
		}
	}
	return running, nil
}

func podMetrics(pod *corev1.Pod) (metricsv1beta1.PodMetrics, error) {
	usage, err := containerUsage(pod)
	if err != nil {
		return metricsv1beta1.PodMetrics{}, err
	}
	m := metricsv1beta1.PodMetrics{
		TypeMeta:   typeMeta("PodMetrics"),
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, Labels: pod.Labels},
		Timestamp:  metav1.Now(),
		Window:     metav1.Duration{Duration: window},
	}
	for _, c := range pod.Spec.Containers {
		m.Containers = append(m.Containers, metricsv1beta1.ContainerMetrics{Name: c.Name, Usage: usage})
	}
	return m, nil
}

func nodeMetrics(node *corev1.Node, pods []corev1.Pod) (metricsv1beta1.NodeMetrics, error) {
	m := metricsv1beta1.NodeMetrics{
		TypeMeta:   typeMeta("NodeMetrics"),
		ObjectMeta: metav1.ObjectMeta{Name: node.Name, Labels: node.Labels},
		Timestamp:  metav1.Now(),
		Window:     metav1.Duration{Duration: window},
	}
	var cpu, memory resource.Quantity
	for _, pod := range pods {
		if pod.Spec.NodeName != node.Name {
			continue
		}
		usage, err := containerUsage(&pod)
		if err != nil {
			return metricsv1beta1.NodeMetrics{}, err
		}
		for range pod.Spec.Containers {
			cpu.Add(usage[corev1.ResourceCPU])
			memory.Add(usage[corev1.ResourceMemory])
		}
	}
	m.Usage = corev1.ResourceList{corev1.ResourceCPU: cpu, corev1.ResourceMemory: memory}
	return m, nil
}

// containerUsage is what every container of the pod uses.
func containerUsage(pod *corev1.Pod) (corev1.ResourceList, error) {
	usage := corev1.ResourceList{}
	for _, u := range []struct {
		resource             corev1.ResourceName
		annotation, fallback string
	}{
		{corev1.ResourceCPU, cpuAnnotation, defaultCPU},
		{corev1.ResourceMemory, memoryAnnotation, defaultMemory},
	} {
		value, ok := pod.Annotations[u.annotation]
		if !ok {
			value = u.fallback
		}
		q, err := resource.ParseQuantity(value)
		if err != nil {
			return nil, fmt.Errorf("pod %s/%s, annotation %s=%q: %w", pod.Namespace, pod.Name, u.annotation, value, err)
		}
		usage[u.resource] = q
	}
	return usage, nil
}

func typeMeta(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: gv.String(), Kind: kind}
}
