package webhook

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/loadline-dev/loadline/apply"
)

// facts is what warnings need to know of a cluster, from memory. The caller must not change what it gets.
type facts interface {
	// Autoscalers of a namespace.
	Autoscalers(ctx context.Context, namespace string) ([]autoscalingv2.HorizontalPodAutoscaler, error)
	// DisruptionBudgets of a namespace.
	DisruptionBudgets(ctx context.Context, namespace string) ([]policyv1.PodDisruptionBudget, error)
	// LargestNode is the largest allocatable CPU and the largest allocatable memory of schedulable nodes; zero without any.
	LargestNode(ctx context.Context) (apply.Amounts, error)
}

// lateFacts watches what only warnings need once the cache is filled with all else: who may not read that, or waits for it, is ready all
// the same.
type lateFacts struct {
	cache cache.Cache
	log   logr.Logger
}

var _ manager.LeaderElectionRunnable = lateFacts{}

// NeedLeaderElection says that every replica warns.
func (lateFacts) NeedLeaderElection() bool { return false }

// Start begins to watch, and does not wait.
func (l lateFacts) Start(ctx context.Context) error {
	for _, object := range []client.Object{&policyv1.PodDisruptionBudget{}, &corev1.Node{}} {
		if _, err := l.cache.GetInformer(ctx, object, cache.BlockUntilSynced(false)); err != nil {
			l.log.Error(err, "not watched, so no warning rests on it", "object", fmt.Sprintf("%T", object))
		}
	}
	return nil
}

// patience is how long a request waits for facts that have not been read yet. It is answered without the warning then.
const patience = 100 * time.Millisecond

// Autoscalers answers from the cache.
func (c cached) Autoscalers(ctx context.Context, namespace string) ([]autoscalingv2.HorizontalPodAutoscaler, error) {
	var found autoscalingv2.HorizontalPodAutoscalerList
	if err := c.reader.List(ctx, &found, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("look up autoscalers in the cache: %w", err)
	}
	return found.Items, nil
}

// DisruptionBudgets answers from the cache.
func (c cached) DisruptionBudgets(ctx context.Context, namespace string) ([]policyv1.PodDisruptionBudget, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var found policyv1.PodDisruptionBudgetList
	if err := c.reader.List(ctx, &found, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("look up disruption budgets in the cache: %w", err)
	}
	return found.Items, nil
}

// LargestNode answers from the cache.
func (c cached) LargestNode(ctx context.Context) (apply.Amounts, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var found corev1.NodeList
	if err := c.reader.List(ctx, &found); err != nil {
		return apply.Amounts{}, fmt.Errorf("look up nodes in the cache: %w", err)
	}
	var largest apply.Amounts
	for i := range found.Items {
		if node := &found.Items[i]; !node.Spec.Unschedulable {
			largest.CPUMillis = max(largest.CPUMillis, node.Status.Allocatable.Cpu().MilliValue())
			largest.MemoryBytes = max(largest.MemoryBytes, node.Status.Allocatable.Memory().Value())
		}
	}
	return largest, nil
}

func stripBudget(in any) (any, error) {
	budget, ok := in.(*policyv1.PodDisruptionBudget)
	if !ok {
		return in, nil
	}
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: stripMeta(budget.ObjectMeta),
		Spec:       policyv1.PodDisruptionBudgetSpec{Selector: budget.Spec.Selector},
	}, nil
}

func stripNode(in any) (any, error) {
	node, ok := in.(*corev1.Node)
	if !ok {
		return in, nil
	}
	return &corev1.Node{
		ObjectMeta: stripMeta(node.ObjectMeta),
		Spec:       corev1.NodeSpec{Unschedulable: node.Spec.Unschedulable},
		Status:     corev1.NodeStatus{Allocatable: node.Status.Allocatable},
	}, nil
}
