package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	vpav1 "k8s.io/autoscaler/vertical-pod-autoscaler/pkg/apis/autoscaling.k8s.io/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/e2e/harness"
	"github.com/loadline-dev/loadline/e2e/install"
)

// What every container asks for itself, and what both systems recommend instead.
const (
	writtenCPU, writtenMemory         = "500m", "512Mi"
	recommendedCPU, recommendedMemory = "137m", "201Mi"
)

// bed is a cluster with the webhooks and a namespace of workloads for each.
type bed struct {
	options
	progress io.Writer
	cluster  *harness.Cluster
	admin    client.Client
	pods     kubernetes.Interface
	systems  []*system
}

// system is one of those that are compared.
type system struct {
	name string
	// namespace whose pods only this system's webhook sees.
	namespace string
	// pid of the webhook and url at which it can be asked without the API server; 0 and "" for none.
	pid int
	url string
	ca  []byte
	// webhook is its name in the API server's metrics.
	webhook string
	// replicaSets own the pods, one for each workload.
	replicaSets []appsv1.ReplicaSet
}

func newBed(ctx context.Context, o options, progress io.Writer) (_ *bed, err error) {
	b := &bed{options: o, progress: progress}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	b.cluster, err = harness.Start(ctx, harness.Options{Log: progress, Nodes: 1, WithoutPrometheus: true})
	if err != nil {
		return nil, err
	}
	scheme, err := install.Scheme()
	if err != nil {
		return nil, err
	}
	if err := vpav1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("add the autoscaler's kinds: %w", err)
	}
	config := *b.cluster.AdminConfig
	config.QPS = -1 // The API server is to be the limit, not its client.
	if b.admin, err = client.New(&config, client.Options{Scheme: scheme}); err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	if b.pods, err = kubernetes.NewForConfig(&config); err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	b.systems = []*system{{name: "none", namespace: "bench-none"}}
	for _, start := range []func(context.Context) (*system, error){b.startLoadline, b.startVPA, b.startConstant} {
		s, err := start(ctx)
		if err != nil {
			return nil, err
		}
		b.systems = append(b.systems, s)
	}
	for _, s := range b.systems {
		if err := b.createWorkloads(ctx, s); err != nil {
			return nil, fmt.Errorf("prepare %s: %w", s.name, err)
		}
	}
	if err := b.recommend(ctx); err != nil {
		return nil, err
	}
	return b, nil
}

func (b *bed) close() {
	if b.cluster != nil {
		if err := b.cluster.Stop(); err != nil {
			fmt.Fprintln(b.progress, err)
		}
	}
}

func (b *bed) say(format string, args ...any) { fmt.Fprintf(b.progress, format+"\n", args...) }

// createWorkloads creates Deployments without pods, and waits for their ReplicaSets.
func (b *bed) createWorkloads(ctx context.Context, s *system) error {
	b.say("%s: creating %d workloads", s.name, b.workloads)
	for i := range b.workloads {
		if err := b.admin.Create(ctx, deployment(s.namespace, workloadName(i))); err != nil {
			return err
		}
	}
	return poll(ctx, 2*time.Minute, func() error {
		var list appsv1.ReplicaSetList
		if err := b.admin.List(ctx, &list, client.InNamespace(s.namespace)); err != nil {
			return err
		}
		if len(list.Items) < b.workloads {
			return fmt.Errorf("%d of %d ReplicaSets exist", len(list.Items), b.workloads)
		}
		s.replicaSets = list.Items
		return nil
	})
}

func workloadName(i int) string { return fmt.Sprintf("w%04d", i) }

func deployment(namespace, name string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(0)), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: podSpec()},
		},
	}
}

func podSpec() corev1.PodSpec {
	return corev1.PodSpec{
		SchedulerName: "nobody",
		Containers: []corev1.Container{{
			Name: "app", Image: "registry.example/app:1",
			Resources: corev1.ResourceRequirements{Requests: amounts(writtenCPU, writtenMemory)},
		}},
	}
}

func amounts(cpu, memory string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)}
}

// pod is the i-th pod, as the ReplicaSet controller would create it.
func (s *system) pod(i int) *corev1.Pod {
	owner := &s.replicaSets[i%len(s.replicaSets)]
	return &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.namespace, GenerateName: owner.Name + "-", Labels: owner.Spec.Template.Labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(owner, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))},
		},
		Spec: podSpec(),
	}
}

// poll calls check until it succeeds, at most for so long.
func poll(ctx context.Context, patience time.Duration, check func() error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not within %s", patience))
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-ticker.C:
		}
	}
}
