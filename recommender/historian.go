package recommender

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/internal/owner"
	"github.com/loadline-dev/loadline/recommender/history"
)

// HistoryReader reads the measurements of a namespace into memory, incrementally.
type HistoryReader interface {
	// Sync reads what is new. An error leaves what was read before as it is.
	Sync(ctx context.Context, namespace string, targets []history.Target, now time.Time) error
	// Get returns what is in memory for a workload.
	Get(namespace, kind, name string) (history.Workload, bool)
	// Forget drops a workload from memory.
	Forget(namespace, kind, name string)
}

// Historian reads each namespace's history once per interval, however many of its workloads ask for it, and waits longer
// after each failure so that a Prometheus in trouble is left alone.
type Historian struct {
	Reader HistoryReader
	// Engine lists the workloads and pods that measurements belong to.
	Engine *Engine
	// Every is the interval between reads of one namespace; MaxBackoff bounds the wait after failures.
	Every, MaxBackoff time.Duration

	mu         sync.Mutex
	namespaces map[string]*namespaceState
}

// namespaceState is guarded by its own lock, so that a slow namespace holds up only itself.
type namespaceState struct {
	mu      sync.Mutex
	next    time.Time
	problem error
	backoff time.Duration
}

// Ensure reads the history of a namespace if it is due. The error tells why it is not up to date; it is the same error
// until the next attempt.
func (h *Historian) Ensure(ctx context.Context, namespace string, now time.Time) error {
	state := h.state(namespace)
	state.mu.Lock()
	defer state.mu.Unlock()
	if now.Before(state.next) {
		return state.problem
	}
	targets, err := h.targets(ctx, namespace)
	if err != nil {
		return err
	}
	err = h.Reader.Sync(ctx, namespace, targets, now)
	if ctx.Err() != nil { // the caller stopped: that says nothing about the history and is not remembered
		return fmt.Errorf("read history of %s: %w", namespace, context.Cause(ctx))
	}
	state.problem = err
	if err != nil {
		state.backoff = min(max(2*state.backoff, h.Every/8), h.MaxBackoff)
		state.next = now.Add(state.backoff)
		return err
	}
	state.backoff, state.next = 0, now.Add(h.Every)
	return nil
}

// Get returns what is known about a target.
func (h *Historian) Get(target Target) (history.Workload, bool) {
	return h.Reader.Get(target.Namespace, target.Kind, target.Name)
}

// Forget drops what is known about a target that is gone or opted out. Whatever is not forgotten is read and kept for good.
func (h *Historian) Forget(target Target) {
	h.Reader.Forget(target.Namespace, target.Kind, target.Name)
}

func (h *Historian) state(namespace string) *namespaceState {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.namespaces == nil {
		h.namespaces = map[string]*namespaceState{}
	}
	state := h.namespaces[namespace]
	if state == nil {
		state = &namespaceState{}
		h.namespaces[namespace] = state
	}
	return state
}

// targets lists the namespace's workloads with the names of their live pods. Workloads that opted out are left out.
func (h *Historian) targets(ctx context.Context, namespace string) ([]history.Target, error) {
	pods := &corev1.PodList{}
	if err := h.Engine.Client.List(ctx, pods, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list pods of %s: %w", namespace, err)
	}
	live := map[owner.Workload][]string{}
	for i := range pods.Items {
		if of, ok := h.Engine.Kinds.Of(&pods.Items[i]); ok {
			live[of] = append(live[of], pods.Items[i].Name)
		}
	}
	var targets []history.Target
	err := h.Engine.eachWorkload(ctx, namespace, func(t Target, object client.Object) {
		if settings, _ := v1alpha1.ParseAnnotations(object.GetAnnotations()); settings.Mode != v1alpha1.ModeOff {
			kind, _ := h.Engine.Kinds.Named(t.Kind)
			targets = append(targets, history.Target{Kind: t.Kind, Name: t.Name, ReplicaSets: kind.HashLabel != "", Pods: live[owner.Workload{Kind: t.Kind, Name: t.Name}]})
		}
	})
	return targets, err
}
