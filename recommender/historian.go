package recommender

import (
	"cmp"
	"context"
	"errors"
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
//
// A read may take long, and whoever waits for it waits with kills and with what people ask for. So only the first read of a namespace
// is waited for by all; later, one reads and the others decide on what is in memory.
type Historian struct {
	Reader HistoryReader
	// Engine lists the workloads and pods that measurements belong to.
	Engine *Engine
	// Every is the interval between reads of one namespace; MaxBackoff bounds the wait after failures.
	Every, MaxBackoff time.Duration

	mu         sync.Mutex // guards what follows, and is never held during a read
	namespaces map[string]*namespaceState
	outage     outage
}

// namespaceState is what is known of the reads of one namespace.
type namespaceState struct {
	// turn is held during a read.
	turn chan struct{}
	// tried is true once a read has ended, with or without a problem.
	tried   bool
	next    time.Time
	problem error
	backoff time.Duration
}

// outage is a Prometheus that takes questions and does not answer them in time. It is one for all namespaces: each of their reads would
// hold up a worker until its timeout. One namespace alone may just be too large, so it takes two, and no answer between them.
type outage struct {
	// silent are the namespaces that got no answer since the last that any got.
	silent map[string]bool
	// While it lasts, nothing is read before next, and then by one at a time: the namespace that tries.
	next    time.Time
	backoff time.Duration
	tries   *namespaceState
}

// errUnanswered is the problem of namespaces that were not asked about because others got no answer.
var errUnanswered = errors.New("what was asked last, about other namespaces, Prometheus did not answer in time; it is asked again later")

// lasts reports whether nothing but a try may be asked.
func (o *outage) lasts() bool { return len(o.silent) > 1 }

// Ensure reads the history of a namespace if it is due. The error tells why it is not up to date; it is the same error
// until the next attempt.
func (h *Historian) Ensure(ctx context.Context, namespace string, now time.Time) error {
	state := h.state(namespace)
	select {
	case state.turn <- struct{}{}:
	default:
		if tried, problem := h.last(state); tried {
			return problem
		}
		select {
		case state.turn <- struct{}{}:
		case <-ctx.Done():
			return stopped(ctx, namespace)
		}
	}
	defer h.leave(state)
	if ask, problem := h.mayAsk(state, now); !ask {
		return problem
	}
	targets, err := h.targets(ctx, namespace)
	if err != nil {
		return err
	}
	err = h.Reader.Sync(ctx, namespace, targets, now)
	if ctx.Err() != nil { // the caller stopped: that says nothing about the history and is not remembered
		return stopped(ctx, namespace)
	}
	h.remember(namespace, state, now, err)
	return err
}

func stopped(ctx context.Context, namespace string) error {
	return fmt.Errorf("read history of %s: %w", namespace, context.Cause(ctx))
}

// last is what the last read of a namespace ended with, and false if there was none.
func (h *Historian) last(state *namespaceState) (tried bool, problem error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return state.tried, state.problem
}

// mayAsk reports whether a namespace is to be read now, and if not, what is wrong with its history.
func (h *Historian) mayAsk(state *namespaceState, now time.Time) (ask bool, problem error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case now.Before(state.next):
		return false, state.problem
	case !h.outage.lasts():
		return true, nil
	case now.Before(h.outage.next) || h.outage.tries != nil:
		return false, cmp.Or(state.problem, errUnanswered)
	default:
		h.outage.tries = state
		return true, nil
	}
}

// remember keeps what a read ended with.
func (h *Historian) remember(namespace string, state *namespaceState, now time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	state.tried, state.problem = true, err
	if err != nil {
		state.backoff = min(max(2*state.backoff, h.Every/8), h.MaxBackoff)
		state.next = now.Add(state.backoff)
	} else {
		state.backoff, state.next = 0, now.Add(h.Every)
	}
	if failure, ok := errors.AsType[*history.Error](err); !ok || !failure.TimedOut {
		h.outage = outage{tries: h.outage.tries} // an answer came, or a refusal, which holds up nobody
		return
	}
	if h.outage.silent == nil {
		h.outage.silent = map[string]bool{}
	}
	h.outage.silent[namespace] = true
	if h.outage.lasts() {
		h.outage.backoff = min(max(2*h.outage.backoff, h.Every/2), h.MaxBackoff)
		h.outage.next = now.Add(h.outage.backoff)
	}
}

// leave lets the next one read.
func (h *Historian) leave(state *namespaceState) {
	h.mu.Lock()
	if h.outage.tries == state {
		h.outage.tries = nil
	}
	h.mu.Unlock()
	<-state.turn
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
		state = &namespaceState{turn: make(chan struct{}, 1)}
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
