package harness_test

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"math"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/client-go/kubernetes"

	"github.com/loadline-dev/loadline/e2e/harness"
	"github.com/loadline-dev/loadline/e2e/history"
)

// soon is how long a test waits for something that takes a second or two on an
// idle machine.
const soon = time.Minute

// gone is a pod of the past, known to Prometheus alone.
var gone = history.Container{Namespace: "shop", Pod: "gone-0", PodUID: "u-1", Container: "app", Image: "shop/app:1", Node: "node-0"}

// fixture is the one cluster that all subtests share. Each has its namespace.
type fixture struct {
	*harness.Cluster
	clients   *kubernetes.Clientset
	interrupt context.CancelFunc // as Ctrl-C would
}

func TestTheClusterBehavesLikeARealOne(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, err := harness.Start(ctx, harness.Options{Log: t.Output(), ScrapeInterval: time.Second, History: twoDays(time.Now())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() })
	clients, err := kubernetes.NewForConfig(c.AdminConfig)
	if err != nil {
		t.Fatal(err)
	}
	f := fixture{Cluster: c, clients: clients, interrupt: cancel}

	t.Run("a Deployment becomes Ready and its pods carry the status of running ones", f.deploymentBecomesReady)
	t.Run("an in-place resize is followed by the pod's status without a restart", f.resizeIsCarriedOut)
	t.Run("a deferred resize shows the condition until it is released", f.resizeIsDeferred)
	t.Run("an eviction removes a pod and a budget refuses it with 429", f.evictionHonoursBudget)
	t.Run("an OOM kill shows in the container's last state", f.oomKillShows)
	t.Run("Prometheus knows the written history, the present, and both after a restart", f.prometheusKnowsPastAndPresent)
	t.Run("an autoscaler scales by the usage of simulated pods", f.autoscalerScales)
	t.Run("a service account has its own rights alone", f.serviceAccountIsUnprivileged)
	t.Run("a webhook behind a Service reaches a process on this machine", f.webhookServiceLeadsHere)
	t.Run("nodes can be added", f.nodesCanBeAdded)
	t.Run("an interrupt stops everything and leaves no process and no directory", f.nothingIsLeft)
}

func TestABadNodeSizeIsRefusedWithTheValue(t *testing.T) {
	_, err := harness.Start(t.Context(), harness.Options{NodeCPU: "many", WithoutPrometheus: true})

	NewWithT(t).Expect(err).To(MatchError(ContainSubstring(`cpu "many"`)))
}

// twoDays is half a core and a gigabyte, one sample a minute, with an hour
// missing after the first day.
func twoDays(now time.Time) iter.Seq[history.Series] {
	cores := slices.Repeat([]float64{0.5}, 2*24*60)
	for i := 24 * 60; i < 25*60; i++ {
		cores[i] = math.NaN()
	}
	start := now.Add(-48 * time.Hour).Truncate(time.Minute)
	return slices.Values([]history.Series{
		{Labels: gone.Labels(history.CPUUsage), Kind: history.Counter, Start: start, Step: time.Minute, Values: cores},
		{Labels: gone.Labels(history.WorkingSet), Kind: history.Gauge, Start: start, Step: time.Minute, Values: slices.Repeat([]float64{1 << 30}, 2*24*60)},
	})
}

func (f fixture) nodesCanBeAdded(t *testing.T) {
	g := NewWithT(t)

	added, err := f.AddNodes(t.Context(), 2)

	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(added).To(Equal([]string{"node-3", "node-4"}))
	node := get(t, f.clients.CoreV1().Nodes(), added[0])
	g.Expect(node.Status.Allocatable.Cpu().Equal(resource.MustParse("32"))).To(BeTrue())
	g.Expect(node.Status.Allocatable.Memory().Equal(resource.MustParse("128Gi"))).To(BeTrue())
	g.Expect(node.Status.Conditions).To(ContainElement(And(
		HaveField("Type", corev1.NodeReady), HaveField("Status", corev1.ConditionTrue))))
}

func (f fixture) nothingIsLeft(t *testing.T) {
	g := NewWithT(t)
	extra, err := f.Run(t.Context(), "extra", exec.Command("sleep", "600"))
	g.Expect(err).NotTo(HaveOccurred())
	pids := f.PIDs()
	g.Expect(pids).To(HaveLen(7), "etcd, API server, controller manager, scheduler, kwok, Prometheus and the extra one")
	g.Expect(pids).To(ContainElement(extra.PID()))

	f.interrupt()
	g.Eventually(f.PIDs, soon).Should(BeEmpty())
	g.Expect(f.Stop()).To(Succeed(), "a second stop waits for the first and agrees")

	for _, pid := range pids {
		g.Expect(syscall.Kill(pid, 0)).To(MatchError(syscall.ESRCH))
	}
	if os.Getenv(harness.KeepEnv) == "" {
		_, err = os.Stat(f.Dir)
		g.Expect(errors.Is(err, fs.ErrNotExist)).To(BeTrue(), "the run directory is still there")
	}
	_, err = f.Run(t.Context(), "late", exec.Command("sleep", "600"))
	g.Expect(err).To(MatchError(ContainSubstring("stopping")))
}
