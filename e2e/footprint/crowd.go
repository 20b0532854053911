package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/e2e/harness"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/shop"
)

const (
	// perNamespace workloads, and perNode pods.
	perNamespace, perNode = 100, 100
	// history is a little more than what sizes are applied after. The store takes as much memory for it as for four weeks.
	history = 26 * time.Hour
	// writers create objects at the same time.
	writers = 8
)

// goLimits are what the chart's memory limits make of GOMEMLIMIT.
var goLimits = map[string]string{install.Recommender: "1536000000", install.Webhook: "256000000", install.Updater: "768000000"}

// crowd is a cluster full of workloads, with Loadline in it.
type crowd struct {
	options
	progress io.Writer
	begun    time.Time
	cluster  *harness.Cluster
	loadline *install.Installation
	// streamed says whether parts that are started from now on ask for streams instead of lists.
	streamed bool
}

func start(ctx context.Context, o options, progress io.Writer) (_ *crowd, err error) {
	c := &crowd{options: o, progress: progress, begun: time.Now().UTC(), streamed: true}
	defer func() {
		if err != nil {
			c.stop()
		}
	}()
	c.cluster, err = harness.Start(ctx, harness.Options{
		Log: progress, Nodes: o.workloads/perNode + 3, NodeCPU: "64", NodeMemory: "256Gi", ScrapeInterval: time.Minute,
		History: shop.Past(c.containersOfAll(), c.begun),
	})
	if err != nil {
		return nil, err
	}
	c.loadline, err = install.Install(ctx, install.Options{Cluster: c.cluster, Configure: asShipped, Parts: []string{}})
	if err != nil {
		return nil, err
	}
	c.loadline.Change = func(cmd *exec.Cmd) {
		cmd.Env = append(cmd.Environ(), "GOMEMLIMIT="+goLimits[cmd.Args[1]], fmt.Sprintf("KUBE_FEATURE_WatchListClient=%t", c.streamed))
	}
	if err := c.populate(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *crowd) stop() {
	if c.cluster == nil {
		return
	}
	if err := c.cluster.Stop(); err != nil {
		c.say("%v", err)
	}
}

func (c *crowd) say(format string, args ...any) {
	fmt.Fprintf(c.progress, "%6.0fs  %s\n", time.Since(c.begun).Seconds(), fmt.Sprintf(format, args...))
}

// asShipped takes back what is quicker in other scenarios.
func asShipped(cfg *config.Config) {
	shipped := config.Default()
	cfg.Recommender, cfg.Policy = shipped.Recommender, shipped.Policy
	cfg.Updater = shipped.Updater
}

func namespaceOf(workload int) string { return fmt.Sprintf("crowd-%02d", workload/perNamespace) }

// containersOf a workload, each as the shop describes a workload of its own.
func (c *crowd) containersOf(workload int) []shop.Workload {
	all := make([]shop.Workload, c.containers)
	for i := range all {
		all[i] = shop.Workload{
			Namespace: namespaceOf(workload), Name: fmt.Sprintf("w%04d", workload), Container: fmt.Sprintf("c%d", i),
			Replicas: 1, History: history, Requests: map[string]string{"cpu": "10m", "memory": "64Mi"},
			CPU: shop.Noisy(shop.Diurnal(0.01, 0.05), 0.2), Memory: shop.Flat(80 * shop.Mebibyte),
		}
	}
	return all
}

func (c *crowd) containersOfAll() []shop.Workload {
	var all []shop.Workload
	for i := range c.workloads {
		all = append(all, c.containersOf(i)...)
	}
	return all
}

// deployment of a workload with all its containers.
func (c *crowd) deployment(workload int) *appsv1.Deployment {
	parts := c.containersOf(workload)
	whole := parts[0].Object(c.begun).(*appsv1.Deployment)
	for _, part := range parts[1:] {
		more := part.Object(c.begun).(*appsv1.Deployment).Spec.Template.Spec.Containers
		whole.Spec.Template.Spec.Containers = append(whole.Spec.Template.Spec.Containers, more...)
	}
	return whole
}

// populate makes namespaces that have not opted in, with workloads whose pods run. Everything that controllers and scheduler would do for so many takes
// longer than the measurement, so what they would write is written here, and they stand still.
func (c *crowd) populate(ctx context.Context) error {
	names := []string{c.loadline.Config.Updater.ProbeNamespace}
	for i := 0; i < c.workloads; i += perNamespace {
		names = append(names, namespaceOf(i))
		if err := c.loadline.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespaceOf(i)}}); err != nil {
			return fmt.Errorf("create a namespace: %w", err)
		}
	}
	err := c.wait(ctx, len(names), "namespaces have accounts", func() (int, error) {
		var accounts corev1.ServiceAccountList
		err := c.loadline.Client.List(ctx, &accounts)
		return len(slices.DeleteFunc(accounts.Items, func(a corev1.ServiceAccount) bool { return !slices.Contains(names, a.Namespace) })), err
	})
	if err != nil {
		return err
	}
	for _, name := range []string{"kube-controller-manager", "kube-scheduler"} {
		c.cluster.Process(name).Pause()
	}
	errs := make([]error, c.workloads)
	workqueue.ParallelizeUntil(ctx, writers, c.workloads, func(i int) { errs[i] = c.create(ctx, i) })
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("create workloads: %w", err)
	}
	c.say("%d workloads are created", c.workloads)
	return c.wait(ctx, c.workloads, "pods run", func() (int, error) {
		running := 0
		err := c.each(ctx, &corev1.PodList{}, func(object runtime.Object) {
			if object.(*corev1.Pod).Status.Phase == corev1.PodRunning {
				running++
			}
		})
		return running, err
	})
}

// create creates a Deployment that is complete, and its pod.
func (c *crowd) create(ctx context.Context, workload int) error {
	deployment := c.deployment(workload)
	if err := c.loadline.Client.Create(ctx, deployment); err != nil {
		return err
	}
	deployment.Status = appsv1.DeploymentStatus{
		ObservedGeneration: deployment.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1,
		Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue, Reason: "MinimumReplicasAvailable"},
			{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable"},
		},
	}
	if err := c.loadline.Client.Status().Update(ctx, deployment); err != nil {
		return err
	}
	const hash = "6d8f9c7b5d"
	template := deployment.Spec.Template.DeepCopy()
	template.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = hash
	template.Spec.NodeName = c.cluster.NodeNames[workload%len(c.cluster.NodeNames)]
	return c.loadline.Client.Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: deployment.Namespace, Name: deployment.Name + "-" + hash + "-abcde", Labels: template.Labels, Annotations: template.Annotations,
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "ReplicaSet", Name: deployment.Name + "-" + hash, UID: deployment.UID, Controller: new(true),
			}},
		},
		Spec: template.Spec,
	})
}

// each reads the objects of all namespaces, one namespace at a time.
func (c *crowd) each(ctx context.Context, list client.ObjectList, read func(runtime.Object)) error {
	for i := 0; i < c.workloads; i += perNamespace {
		if err := c.loadline.Client.List(ctx, list, client.InNamespace(namespaceOf(i))); err != nil {
			return err
		}
		if err := meta.EachListItem(list, func(object runtime.Object) error { read(object); return nil }); err != nil {
			return err
		}
	}
	return nil
}

// optIn annotates all namespaces.
func (c *crowd) optIn(ctx context.Context) error {
	for i := 0; i < c.workloads; i += perNamespace {
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.AnnotationMode, v1alpha1.ModeAuto)
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespaceOf(i)}}
		if err := c.loadline.Client.Patch(ctx, namespace, client.RawPatch("application/merge-patch+json", patch)); err != nil {
			return fmt.Errorf("opt in: %w", err)
		}
	}
	return nil
}

// wait asks every few seconds, for at most half an hour, until there are as many as there should be.
func (c *crowd) wait(ctx context.Context, all int, what string, count func() (int, error)) error {
	const pause, patience = 5 * time.Second, 30 * time.Minute
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not within %s", patience))
	defer cancel()
	for {
		n, err := count()
		c.say("%d of %d %s", n, all, what)
		if err != nil || n >= all {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d %s: %w", n, all, what, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}
