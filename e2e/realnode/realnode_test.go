//go:build full && linux

// The tests run Loadline with its shipped roles against a cluster in which one node is real: what it decides is carried out
// by a real kubelet on real containers, whose cgroup files are read back.
package realnode_test

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/e2e/harness"
	"github.com/loadline-dev/loadline/e2e/image"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/realnode"
	"github.com/loadline-dev/loadline/e2e/shop"
)

// patience bounds every wait. What is waited for usually takes seconds.
const patience = 90 * time.Second

// span is what one value of the history stands for. The recommender reads a span when it is complete.
const span = 5 * time.Minute

// fixture is the cluster that all subtests share. Each has a namespace of its own.
type fixture struct {
	cluster  *harness.Cluster
	node     *realnode.Node
	loadline *install.Installation
	ours     image.Image
	now      time.Time
}

// What the workloads have, and what their history says.
func burner() shop.Workload {
	return shop.Workload{
		Namespace: "burner", Name: "burner", Replicas: 1, Image: realnode.Image,
		Requests: map[string]string{"cpu": "20m", "memory": "40Mi"}, Limits: map[string]string{"cpu": "600m", "memory": "120Mi"},
		CPU: shop.Flat(0.02), Memory: shop.Flat(20 * shop.Mebibyte),
	}
}

func hog() shop.Workload {
	return shop.Workload{
		Namespace: "hog", Name: "hog", Replicas: 1, Image: realnode.Image, History: -1,
		Requests: map[string]string{"cpu": "20m", "memory": "64Mi"}, Limits: map[string]string{"memory": "64Mi"},
	}
}

func guarded() shop.Workload {
	return shop.Workload{
		Namespace: "guarded", Name: "guarded", Replicas: 3, Image: realnode.Image,
		Requests: map[string]string{"cpu": "20m", "memory": "20Mi"}, CPU: shop.Flat(0.1), Memory: shop.Flat(10 * shop.Mebibyte),
	}
}

func TestLoadlineOnARealNode(t *testing.T) {
	if err := realnode.Missing(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	ctrl.SetLogger(logr.Discard()) // the parts of Loadline log to files of their own
	f := fixture{now: time.Now().UTC()}
	var err error
	f.cluster, err = harness.Start(t.Context(), harness.Options{
		Log: t.Output(), Nodes: 1, ScrapeInterval: time.Second, History: shop.Past([]shop.Workload{burner(), guarded(), squeezed()}, f.now),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.cluster.Stop() })
	before := look(t, f.cluster.Dir)
	if f.node, err = realnode.Start(t.Context(), f.cluster); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.node.Stop() })
	f.start(t)
	f.loadline, err = install.Install(t.Context(), install.Options{Cluster: f.cluster, Configure: quick})
	if err != nil {
		t.Fatal(err)
	}

	t.Run("every query that ships finds what a kubelet measures", f.queriesFindContainers)
	t.Run("a container that was killed for lack of memory survives as the next pod", f.hogSurvives)
	t.Run("a pod that its node evicted for lack of memory survives as the next one", f.squeezedSurvives)
	t.Run("pods that may only be replaced are evicted within their disruption budget", f.guardedAreEvicted)
	f.ours = f.ourImage(t)
	// Late, because until then most of a span has passed.
	t.Run("a container is resized in place to what its kubelet measured, and does not restart", f.burnerIsResized)
	t.Run("our own image answers the API server as a pod that may do nothing else", f.imageServes)
	t.Run("nothing is left of the node", func(t *testing.T) {
		g := NewWithT(t)
		pids, err := f.node.PIDs()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(len(pids)).To(BeNumerically(">=", 8), "box, containerd, kubelet and the shims of five pods")
		g.Expect(look(t, f.cluster.Dir).Cgroups).NotTo(BeEmpty(), "whose processes are in these")

		g.Expect(f.node.Stop()).To(Succeed())

		for _, pid := range pids {
			g.Expect(syscall.Kill(pid, 0)).To(MatchError(syscall.ESRCH))
		}
		g.Expect(cmp.Diff(before, look(t, f.cluster.Dir))).To(BeEmpty())
	})
}

// quick shortens every wait.
func quick(c *config.Config) {
	c.Recommender.SyncInterval.Duration = 3 * time.Second
	c.Updater.Interval.Duration = time.Second
	c.Updater.WarmUp.Duration = time.Second
	c.Updater.EvictionsPerMinute = 60
	c.Updater.Breaker.Window.Duration = 40 * time.Second // A kubelet may tell seconds later that it evicted a pod.
}

func (f fixture) queriesFindContainers(t *testing.T) {
	g, w := f.scene(t), burner()
	g.Expect(f.loadline.Config.Prometheus.Queries).To(Equal(config.Default().Prometheus.Queries), "what the recommender asks")
	g.Eventually(func() []corev1.Pod { return f.pods(t, w.Namespace) }).Should(ConsistOf(HaveField("Status.Phase", corev1.PodRunning)))
	labels := model.Metric{"namespace": "burner", "pod": model.LabelValue(f.pods(t, w.Namespace)[0].Name), "container": "app"}
	shipped := f.shipped(t, w.Namespace)
	g.Expect(shipped).To(HaveLen(5))
	for name, query := range shipped {
		g.Eventually(func() (model.Vector, error) { return f.ask(t, query, time.Now()) }).
			Should(ContainElement(HaveField("Metric", Equal(labels))), "query %s: %s", name, query)
	}
}

func (f fixture) burnerIsResized(t *testing.T) {
	g, w := f.scene(t), burner()
	var pod corev1.Pod
	g.Eventually(func() []corev1.Pod { return f.pods(t, w.Namespace) }).Should(ConsistOf(HaveField("Status.Phase", corev1.PodRunning)))
	pod = f.pods(t, w.Namespace)[0]
	before, err := f.node.Applied(&pod)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(before.CPULimitMillis).To(BeEquivalentTo(600))
	g.Expect(before.MemoryLimitBytes).To(BeEquivalentTo(120 << 20))
	const enough = 30 * shop.Mebibyte
	shipped, begun := f.shipped(t, w.Namespace), time.Now()
	// Of the span in which the container began, the rate is too low; it may take the next one.
	g.Eventually(f.measured).WithTimeout(span+2*patience).WithPolling(time.Second).WithArguments(t, shipped["cpu"]).
		Should(BeNumerically(">", 0.05), "the last complete span, as the kubelet's cAdvisor told it")
	g.Eventually(f.measured).WithArguments(t, shipped["workingSet"]).Should(BeNumerically(">", enough))
	t.Logf("waited %s for the span to end", time.Since(begun).Round(time.Second))

	g.Expect(f.loadline.Client.Create(t.Context(), &v1alpha1.SizingPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: v1alpha1.DefaultPolicyName},
		Spec:       v1alpha1.SizingPolicySpec{Memory: v1alpha1.MemoryPolicy{Limit: new(v1alpha1.LimitRatio)}},
	})).To(Succeed())
	f.optIn(t, w.Namespace, nil)

	var want apply.Container
	g.Eventually(func(g Gomega) {
		rec, err := f.loadline.Recommendation(t.Context(), w.Namespace, "Deployment", w.Name)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(rec.Status.Applicable).NotTo(BeNil())
		want = apply.FromAPI(rec.Status.Applicable).Containers[0]
		pod = f.pods(t, w.Namespace)[0]
		g.Expect(apply.ResourcesOf(*pod.Status.ContainerStatuses[0].Resources).Requests).To(Equal(want.InPlace), "what the kubelet says it did")
	}).Should(Succeed())
	g.Expect(want.InPlace.CPUMillis).To(BeNumerically(">", 40), "the history alone asks for 21m")
	g.Expect(want.InPlace.MemoryBytes).To(BeNumerically(">", enough), "the history alone asks for 23 MiB")
	after, err := f.node.Applied(&pod)
	g.Expect(err).NotTo(HaveOccurred())
	limits := pod.Spec.Containers[0].Resources.Limits
	g.Expect(after.CPUWeight).To(BeNumerically(">", before.CPUWeight))
	g.Expect(after.CPULimitMillis).To(Equal(limits.Cpu().MilliValue()))
	g.Expect(after.MemoryLimitBytes).To(And(Equal(limits.Memory().Value()), BeNumerically(">", before.MemoryLimitBytes)))
	g.Expect(pod.Status.ContainerStatuses[0].RestartCount).To(BeZero())
	t.Logf("in place: %+v became %+v", before, after)
}

func (f fixture) hogSurvives(t *testing.T) {
	g, w := f.scene(t), hog()
	f.deploy(t, w, "-memory=100")
	f.optIn(t, w.Namespace, map[string]string{v1alpha1.AnnotationMode: "initial"})
	g.Eventually(func(g Gomega) {
		pods := f.pods(t, w.Namespace)
		g.Expect(pods).To(HaveLen(1))
		g.Expect(pods[0].Status.ContainerStatuses).To(ConsistOf(HaveField("LastTerminationState.Terminated", HaveField("Reason", "OOMKilled"))))
	}).Should(Succeed())
	const floor = 164 << 20 // 64 MiB + 100 MiB
	g.Eventually(func(g Gomega) {
		rec, err := f.loadline.Recommendation(t.Context(), w.Namespace, "Deployment", w.Name)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(rec.Status.OOMFloor).To(HaveLen(1))
		g.Expect(apply.FromAPI(rec.Status.Applicable).Containers[0].Target.MemoryBytes).To(BeNumerically(">=", floor))
	}).Should(Succeed())
	killed := f.pods(t, w.Namespace)[0]
	g.Expect(f.loadline.Client.Delete(t.Context(), &killed)).To(Succeed())

	g.Eventually(func(g Gomega) {
		pods := f.pods(t, w.Namespace)
		g.Expect(pods).To(HaveLen(1))
		g.Expect(pods[0].UID).NotTo(Equal(killed.UID))
		applied, err := f.node.Applied(&pods[0])
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(applied.MemoryLimitBytes).To(BeNumerically(">=", floor))
		g.Expect(applied.MemoryUsageBytes).To(BeNumerically(">=", 100<<20), "it holds more than killed the one before")
		g.Expect(pods[0].Status.ContainerStatuses[0].RestartCount).To(BeZero())
	}).Should(Succeed())
	t.Logf("killed %d times at 64 MiB, alive with a limit of at least %d MiB", killed.Status.ContainerStatuses[0].RestartCount, floor>>20)
}

func (f fixture) guardedAreEvicted(t *testing.T) {
	g, w := f.scene(t), guarded()
	g.Expect(f.loadline.Client.Create(t.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: w.Name},
		Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable: new(intstr.FromInt32(2)), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": w.Name}},
		},
	})).To(Succeed())
	// So wide that the disruption budget is what binds.
	g.Expect(f.loadline.Client.Create(t.Context(), &v1alpha1.SizingPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: v1alpha1.DefaultPolicyName},
		Spec:       v1alpha1.SizingPolicySpec{Disruption: v1alpha1.DisruptionPolicy{MaxUnavailable: new(intstr.FromString("100%"))}},
	})).To(Succeed())
	g.Eventually(func() int { return ready(f.pods(t, w.Namespace)) }).Should(Equal(3))
	before := map[types.UID]bool{}
	for _, pod := range f.pods(t, w.Namespace) {
		before[pod.UID] = true
	}
	f.optIn(t, w.Namespace, map[string]string{v1alpha1.AnnotationUpdater: "evict"})

	least := 3
	g.Eventually(func(g Gomega) {
		pods := f.pods(t, w.Namespace)
		least = min(least, ready(pods))
		rec, err := f.loadline.Recommendation(t.Context(), w.Namespace, "Deployment", w.Name)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(ready(pods)).To(Equal(3))
		for _, pod := range pods {
			g.Expect(before).NotTo(HaveKey(pod.UID))
			g.Expect(apply.ResourcesOf(*pod.Status.ContainerStatuses[0].Resources).Requests).To(Equal(apply.FromAPI(rec.Status.Applicable).Containers[0].Target))
		}
	}).WithPolling(50 * time.Millisecond).Should(Succeed())
	g.Expect(least).To(BeNumerically(">=", 2), "never below the disruption budget")
	t.Logf("3 pods evicted, never fewer than %d ready", least)
}
