// Package traffic creates pods as ReplicaSets do, while something happens to the webhook, and counts what became of them.
package traffic

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// What is recommended, and what the pods ask for themselves.
const (
	revision         = "aaaaaaaa"
	recommendedCPU   = "250m"
	recommendedBytes = "512Mi"
	writtenCPU       = "2"
	writtenBytes     = "2Gi"
)

// Recommend stores what the recommender would have written about a Deployment.
func Recommend(ctx context.Context, c client.Client, namespace, deployment string) error {
	return Store(ctx, c, Recommendation(namespace, deployment))
}

// Recommendation is what the recommender would have written about a Deployment.
func Recommendation(namespace, deployment string) *v1alpha1.Recommendation {
	return &v1alpha1.Recommendation{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: v1alpha1.RecommendationName("Deployment", deployment)},
		Spec:       v1alpha1.RecommendationSpec{TargetRef: v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: deployment}},
		Status: v1alpha1.RecommendationStatus{
			Mode: v1alpha1.ModeInitial, ObservedTime: new(metav1.Now()),
			Applicable: &v1alpha1.RevisionedValues{Revision: revision, ComputedTime: metav1.Now(), Containers: []v1alpha1.ContainerValues{{
				Name: "app", Target: v1alpha1.ResourceAmounts{CPU: new(resource.MustParse(recommendedCPU)), Memory: new(resource.MustParse(recommendedBytes))},
			}}},
		},
	}
}

// Store creates a Recommendation with its status.
func Store(ctx context.Context, c client.Client, rec *v1alpha1.Recommendation) error {
	status := rec.Status
	if err := c.Create(ctx, rec); err != nil {
		return err
	}
	rec.Status = status
	return c.Status().Update(ctx, rec)
}

// Wave is pods to create.
type Wave struct {
	Namespace, Deployment string
	Pods                  int
	// AtOnce is how many are created at the same time.
	AtOnce int
	// Kibibytes is the size of an annotation on each pod.
	Kibibytes int
}

// Tally is what became of pods.
type Tally struct {
	Injected, AsWritten int
	// Refused holds an error for each pod that was not created, or is neither as recommended nor as written.
	Refused []error
	Slowest time.Duration
}

// String counts.
func (t *Tally) String() string {
	return fmt.Sprintf("%d injected, %d as written, %d refused, the slowest in %s", t.Injected, t.AsWritten, len(t.Refused), t.Slowest.Round(time.Millisecond))
}

// Create makes all pods and waits for the last one.
func (w Wave) Create(ctx context.Context, c client.Client) Tally {
	var all Tally
	var mu sync.Mutex
	var creators sync.WaitGroup
	todo := make(chan *corev1.Pod)
	for range w.AtOnce {
		creators.Go(func() {
			for pod := range todo {
				begin := time.Now()
				err := c.Create(ctx, pod)
				took := time.Since(begin)
				mu.Lock()
				all.add(pod, err, took)
				mu.Unlock()
			}
		})
	}
	for range w.Pods {
		todo <- w.pod()
	}
	close(todo)
	creators.Wait()
	return all
}

func (t *Tally) add(pod *corev1.Pod, err error, took time.Duration) {
	t.Slowest = max(t.Slowest, took)
	became, cpu := pod.Annotations[v1alpha1.AnnotationRevision], pod.Spec.Containers[0].Resources.Requests.Cpu()
	switch {
	case err != nil:
		t.Refused = append(t.Refused, err)
	case became == revision && cpu.Equal(resource.MustParse(recommendedCPU)):
		t.Injected++
	case became == "" && cpu.Equal(resource.MustParse(writtenCPU)):
		t.AsWritten++
	default:
		t.Refused = append(t.Refused, fmt.Errorf("neither: %v %v", became, pod.Spec.Containers[0].Resources))
	}
}

// pod of a Deployment, as its ReplicaSet makes it. There is no such ReplicaSet, so the pod is collected soon.
func (w Wave) pod() *corev1.Pod {
	const hash = "6d8f9c7b5d"
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.Namespace, GenerateName: w.Deployment + "-" + hash + "-",
			Labels:      map[string]string{"app": w.Deployment, "pod-template-hash": hash},
			Annotations: map[string]string{"example.com/ballast": strings.Repeat("x", w.Kibibytes<<10)},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "ReplicaSet", Name: w.Deployment + "-" + hash, UID: uuid.NewUUID(), Controller: new(true),
			}},
		},
		Spec: corev1.PodSpec{
			SchedulerName: "none",
			Containers: []corev1.Container{{Name: "app", Image: "registry.example/app:1", Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(writtenCPU), corev1.ResourceMemory: resource.MustParse(writtenBytes)},
			}}},
		},
	}
}
