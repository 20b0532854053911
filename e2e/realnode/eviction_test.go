//go:build full && linux

package realnode_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/realnode"
	"github.com/loadline-dev/loadline/e2e/shop"
	"github.com/loadline-dev/loadline/internal/eviction"
)

// What squeezed uses after its release, of the 600 MiB that it asks for and the 300 MiB that Loadline leaves it, and what the neighbour that
// comes to the node uses and asks for, in MiB. By what they ask for both find room on the node, and with what they use they do not. Once
// Loadline knows better, only one of them does.
const squeezedUses, neighbourUses, neighbourAsks = 800, 840, 850

// neighbour is the name of all that belongs to it.
const neighbour = "neighbour"

// squeezed used little memory until now.
func squeezed() shop.Workload {
	return shop.Workload{
		Namespace: "squeezed", Name: "squeezed", Replicas: 1, Image: realnode.Image,
		Requests: map[string]string{"cpu": "20m", "memory": "600Mi"}, CPU: shop.Flat(0.02), Memory: shop.Flat(40 * shop.Mebibyte),
	}
}

// squeezedSurvives is what requests that are too small do to a node: more is packed onto it than it has memory for, and its kubelet evicts who
// uses more than it asks for.
func (f fixture) squeezedSurvives(t *testing.T) {
	g, w := f.scene(t), squeezed()
	g.Expect(f.loadline.Client.Create(t.Context(), &v1alpha1.SizingPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: v1alpha1.DefaultPolicyName},
		Spec: v1alpha1.SizingPolicySpec{Disruption: v1alpha1.DisruptionPolicy{Canary: v1alpha1.CanaryPolicy{
			Observe: config.Default().Policy.Disruption.Canary.Observe, // as it ships
		}}},
	})).To(Succeed())
	f.optIn(t, w.Namespace, map[string]string{v1alpha1.AnnotationMode: "initial"})
	g.Eventually(func() (int64, error) { return f.target(t, w) }).Should(BeNumerically("<", 400<<20), "less than it asks for")
	g.Eventually(f.killed).WithArguments(t).Should(BeZero(), "nobody of late, for the circuit breaker")
	others := f.others(t, w)

	f.release(t, w, fmt.Sprintf("-memory=%d", squeezedUses))
	g.Eventually(func() []corev1.Pod { return f.pods(t, w.Namespace) }).Should(
		ConsistOf(WithTransform(requestedMemory, BeNumerically("<", 400<<20))), "the new pod got less, and nothing is short yet")
	f.neighbourComes(t)

	evicted := f.evicted(t, w.Namespace)
	lack, _ := eviction.ForMemory(&evicted)
	t.Logf("%s: used %+v: %+v", evicted.Status.Phase, lack.Used, evicted.Status.Conditions[0])
	g.Expect(lack.Used).To(ConsistOf(And(HaveField("Container", "app"), HaveField("Bytes", BeNumerically(">=", squeezedUses<<20)))))

	const floor = squeezedUses << 20 / 5 * 6 // a fifth more than it used
	var counted float64
	g.Eventually(func(g Gomega) {
		killed, err := f.killed(t)
		g.Expect(err).NotTo(HaveOccurred())
		counted = max(counted, killed)
		g.Expect(counted).To(BeEquivalentTo(1), "the circuit breaker counts it, for a while")
		rec, err := f.loadline.Recommendation(t.Context(), w.Namespace, "Deployment", w.Name)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(rec.Status.OOMFloor).To(ConsistOf(HaveField("Floor.Value()", BeNumerically(">=", floor))))
		g.Expect(rec.Status.Trail).To(ContainElement(ContainSubstring("after an out-of-memory kill")))
		g.Expect(rec.Status.Rollback).NotTo(BeNil())
		g.Expect(rec.Status.Rollback.Evidence).To(And(ContainSubstring("container app of pod "+evicted.Name), ContainSubstring("EvictedForMemory")))
		g.Expect(meta.FindStatusCondition(rec.Status.Conditions, v1alpha1.ConditionHealthy)).To(HaveField("Reason", v1alpha1.ReasonRolledBack))
	}).Should(Succeed())

	g.Eventually(func(g Gomega) {
		alive := f.living(t, w.Namespace)
		g.Expect(ready(alive)).To(Equal(1))
		g.Expect(requestedMemory(alive[0])).To(BeNumerically(">=", floor))
		applied, err := f.node.Applied(&alive[0])
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(applied.MemoryUsageBytes).To(BeNumerically(">=", squeezedUses<<20))
		g.Expect(alive[0].Status.ContainerStatuses[0].RestartCount).To(BeZero())
		g.Expect(f.living(t, neighbour)).To(ConsistOf(HaveField("Status.Conditions", ContainElement(And(
			HaveField("Type", corev1.PodScheduled), HaveField("Reason", corev1.PodReasonUnschedulable),
		)))), "the scheduler knows now that there is no room for both")
	}).Should(Succeed())
	g.Expect(f.others(t, w)).To(Equal(others), "nobody else was evicted or restarted")
	f.makeRoom(t, w.Namespace, neighbour)
}

// evicted waits until the node has evicted a pod of a namespace, by what Loadline understands of its status, and returns the first one.
func (f fixture) evicted(t *testing.T, namespace string) (first corev1.Pod) {
	t.Helper()
	f.scene(t).Eventually(func() bool {
		all := slices.DeleteFunc(f.pods(t, namespace), func(p corev1.Pod) bool {
			_, evicted := eviction.ForMemory(&p)
			return !evicted
		})
		if len(all) == 0 {
			return false
		}
		first = slices.MinFunc(all, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
		return true
	}).Should(BeTrue(), "a pod is evicted")
	return first
}

// living are the pods of a namespace that have not ended.
func (f fixture) living(t *testing.T, namespace string) []corev1.Pod {
	t.Helper()
	return slices.DeleteFunc(f.pods(t, namespace), func(p corev1.Pod) bool {
		return p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded
	})
}

// release makes the pods of a workload run with other arguments.
func (f fixture) release(t *testing.T, w shop.Workload, args ...string) {
	t.Helper()
	patch, err := json.Marshal([]map[string]any{{"op": "add", "path": "/spec/template/spec/containers/0/args", "value": args}})
	if err != nil {
		t.Fatal(err)
	}
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: w.Name}}
	if err := f.loadline.Client.Patch(t.Context(), deployment, client.RawPatch(types.JSONPatchType, patch)); err != nil {
		t.Fatal(err)
	}
}

// neighbourComes to the node with a lower priority than all others.
func (f fixture) neighbourComes(t *testing.T) {
	t.Helper()
	g := f.scene(t)
	deployment := f.deployment(shop.Workload{
		Namespace: neighbour, Name: neighbour, Image: realnode.Image, Requests: map[string]string{"cpu": "20m", "memory": fmt.Sprintf("%dMi", neighbourAsks)},
	}, fmt.Sprintf("-memory=%d", neighbourUses))
	deployment.Spec.Template.Spec.PriorityClassName = neighbour
	for _, o := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: neighbour}},
		&schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: neighbour}, Value: -10},
		deployment,
	} {
		g.Expect(f.loadline.Client.Create(t.Context(), o)).To(Succeed())
	}
}

// makeRoom deletes the workloads of namespaces, and returns when their pods are gone.
func (f fixture) makeRoom(t *testing.T, namespaces ...string) {
	t.Helper()
	g := f.scene(t)
	for _, namespace := range namespaces {
		g.Expect(f.loadline.Client.DeleteAllOf(t.Context(), &appsv1.Deployment{}, client.InNamespace(namespace),
			client.PropagationPolicy(metav1.DeletePropagationBackground))).To(Succeed())
		g.Eventually(func() ([]corev1.Pod, error) {
			var left corev1.PodList
			err := f.loadline.Client.List(t.Context(), &left, client.InNamespace(namespace))
			return left.Items, err
		}).Should(BeEmpty())
	}
}

// others are the pods of the node, without those of a workload and its neighbour, by how often their container was restarted.
func (f fixture) others(t *testing.T, w shop.Workload) map[string]int32 {
	t.Helper()
	var all corev1.PodList
	if err := f.loadline.Client.List(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	restarts := map[string]int32{}
	for _, p := range all.Items {
		if p.Spec.NodeName == realnode.Name && p.Namespace != w.Namespace && p.Namespace != neighbour && len(p.Status.ContainerStatuses) > 0 {
			restarts[fmt.Sprintf("%s/%s %s", p.Namespace, p.Name, p.Status.Phase)] = p.Status.ContainerStatuses[0].RestartCount
		}
	}
	return restarts
}

// target is what new pods of a workload get of memory, in bytes.
func (f fixture) target(t *testing.T, w shop.Workload) (int64, error) {
	t.Helper()
	rec, err := f.loadline.Recommendation(t.Context(), w.Namespace, "Deployment", w.Name)
	if err != nil || rec.Status.Applicable == nil {
		return math.MaxInt64, err
	}
	return apply.FromAPI(rec.Status.Applicable).Containers[0].Target.MemoryBytes, nil
}

func requestedMemory(pod corev1.Pod) int64 {
	return pod.Spec.Containers[0].Resources.Requests.Memory().Value()
}

// killed is how many workloads lost containers or pods for lack of memory of late, as the circuit breaker counts them.
func (f fixture) killed(t *testing.T) (float64, error) {
	t.Helper()
	const signals = "loadline_updater_breaker_signal"
	metrics, err := f.loadline.Metrics(t.Context(), install.Updater)
	return metrics.Sum(signals) - metrics.SumExcept(signals, "signal", "oom-kills"), err
}
