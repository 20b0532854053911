//go:build full

package storm_test

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// watched is what a watch of all pods saw: which were there, and how many of each workload were ready at the worst moment.
type watched struct {
	mu sync.Mutex
	// pods that are there and ready, by workload.
	ready map[string]map[types.UID]bool
	least map[string]int // by namespace
	gone  int
}

// watch begins to watch. It sees all pods once it returns.
func (s *tempest) watch() *watched {
	s.t.Helper()
	clients, err := kubernetes.NewForConfig(s.cluster.AdminConfig)
	s.must(err)
	w := &watched{ready: map[string]map[types.UID]bool{}, least: map[string]int{}}
	for _, k := range kinds() {
		w.least[k.namespace] = replicas
	}
	factory := informers.NewSharedInformerFactory(clients, 0)
	registration, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: w.see, UpdateFunc: func(_, now any) { w.see(now) }, DeleteFunc: w.lose,
	})
	s.must(err)
	factory.StartWithContext(s.t.Context())
	s.waitFor("a watch of all pods has begun", time.Minute, registration.HasSynced)
	return w
}

func (w *watched) see(object any) {
	pod, ok := object.(*corev1.Pod)
	if !ok || pod.Labels["app"] == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	workload := pod.Namespace + "/" + pod.Labels["app"]
	pods := w.ready[workload]
	if pods == nil {
		pods = map[types.UID]bool{}
		w.ready[workload] = pods
	}
	was := len(pods)
	if ready(pod) {
		pods[pod.UID] = true
	} else {
		delete(pods, pod.UID)
	}
	if len(pods) < was {
		w.least[pod.Namespace] = min(w.least[pod.Namespace], len(pods))
	}
}

func (w *watched) lose(object any) {
	if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = tombstone.Obj
	}
	pod, ok := object.(*corev1.Pod)
	if !ok || pod.Labels["app"] == "" {
		return
	}
	gone := pod.DeepCopy()
	gone.Status.Conditions = nil // It is not ready any more, whatever it was when it was last seen.
	w.see(gone)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone++
}

// result is how many pods are gone, and how many of a workload were ready at the worst moment, by namespace.
func (w *watched) result() (gone int, least map[string]int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gone, w.least
}
