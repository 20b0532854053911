package updater

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/internal/eviction"
)

// lostFor is how long a pod is remembered that its node evicted: longer than anything looks back.
const lostFor = time.Hour

// podInformers gives the informer of pods.
type podInformers interface {
	GetInformer(ctx context.Context, obj client.Object, opts ...cache.InformerGetOption) (cache.Informer, error)
}

// lostPods remembers the pods that their nodes evicted for lack of memory. The controllers of StatefulSets and DaemonSets delete such a pod at
// once, so that a look at the cluster every half minute would not find it. The zero value is ready.
type lostPods struct {
	mu   sync.Mutex
	pods map[types.UID]*corev1.Pod
}

// follow notes what happens to pods from now on.
func (l *lostPods) follow(ctx context.Context, informers podInformers) error {
	informer, err := informers.GetInformer(ctx, &corev1.Pod{})
	if err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    l.note,
		UpdateFunc: func(_, after any) { l.note(after) },
	})
	if err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	return nil
}

// note keeps a pod if it was evicted, and forgets those that were evicted long before it.
func (l *lostPods) note(object any) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	evicted, ok := eviction.ForMemory(pod)
	if !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pods == nil {
		l.pods = map[types.UID]*corev1.Pod{}
	}
	l.forget(evicted.At)
	l.pods[pod.UID] = pod
}

// missingIn returns the remembered pods that are not among those listed.
func (l *lostPods) missingIn(now time.Time, listed []corev1.Pod) (missing []corev1.Pod) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(now)
	if len(l.pods) == 0 {
		return nil
	}
	present := map[types.UID]bool{}
	for i := range listed {
		present[listed[i].UID] = true
	}
	for uid, pod := range l.pods {
		if !present[uid] {
			missing = append(missing, *pod)
		}
	}
	return missing
}

// forget drops what is too old. It is called with the lock held.
func (l *lostPods) forget(now time.Time) {
	maps.DeleteFunc(l.pods, func(_ types.UID, pod *corev1.Pod) bool {
		evicted, _ := eviction.ForMemory(pod)
		return now.Sub(evicted.At) > lostFor
	})
}

// lostWithin are the pods that their nodes evicted for lack of memory within the last watch. They stay on view for days where nobody deletes
// them.
func lostWithin(now time.Time, watch time.Duration, all []*corev1.Pod) (lost []*corev1.Pod) {
	for _, pod := range all {
		if evicted, ok := eviction.ForMemory(pod); ok && now.Sub(evicted.At) <= watch {
			lost = append(lost, pod)
		}
	}
	return lost
}
