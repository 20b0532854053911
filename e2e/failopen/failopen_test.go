//go:build full && linux

package failopen_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/e2e/harness"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/traffic"
	"github.com/loadline-dev/loadline/webhook"
)

// fixture is what all subtests share: a cluster on which only the webhook of Loadline runs.
type fixture struct {
	cluster  *harness.Cluster
	loadline *install.Installation
}

func TestPodsAreCreatedHoweverTheWebhookBreaks(t *testing.T) {
	ctrl.SetLogger(logr.Discard())
	cluster, err := harness.Start(t.Context(), harness.Options{Log: t.Output(), Nodes: 1, WithoutPrometheus: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Stop() })
	installed, err := install.Install(t.Context(), install.Options{Cluster: cluster, Parts: []string{install.Webhook}})
	if err != nil {
		t.Fatal(err)
	}
	f := fixture{cluster, installed}
	if err := installed.Client.Create(t.Context(), &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: shop, Annotations: map[string]string{v1alpha1.AnnotationMode: "initial"}},
	}); err != nil {
		t.Fatal(err)
	}
	f.recommend(t, "web")
	f.healthy(t)

	t.Run("a handler that panics", f.panics)
	t.Run("a process that is frozen", f.isFrozen)
	t.Run("a cache that hears nothing", f.cacheIsLate)
	t.Run("a start that is not ready", f.startIsCold)
	t.Run("an expired certificate", f.certificateExpired)
	t.Run("an authority that signed another certificate", f.authorityIsWrong)
	t.Run("a certificate and an authority that the webhook replaces by itself", f.authorityIsSwapped)
	t.Run("a lack of memory", f.memoryIsShort)
	t.Run("a hundred requests at a time on one core", f.coreIsBusy)
	t.Run("a cluster with 5,000 large Recommendations", f.largeCluster)
	t.Run("no pod ever waited longer than the webhook's timeout", f.noneWaitedLonger)
}

// healthy waits until new pods are injected.
func (f fixture) healthy(t *testing.T) {
	t.Helper()
	NewWithT(t).Eventually(func() int { return f.create(t, traffic.Wave{Deployment: "web", Pods: 1, AtOnce: 1}).Injected }).
		WithTimeout(2*time.Minute).WithPolling(100*time.Millisecond).Should(Equal(1), "new pods are injected")
}

// broken waits until new pods are not injected.
func (f fixture) broken(t *testing.T) {
	t.Helper()
	NewWithT(t).Eventually(func() int { return f.create(t, traffic.Wave{Deployment: "web", Pods: 1, AtOnce: 1}).AsWritten }).
		WithTimeout(2*time.Minute).WithPolling(100*time.Millisecond).Should(Equal(1), "new pods are as they were written")
}

// allAsWritten creates pods and expects that none was changed or refused.
func (f fixture) allAsWritten(t *testing.T, w traffic.Wave) {
	t.Helper()
	g, got := NewWithT(t), f.create(t, w)
	g.Expect(got.Refused).To(BeEmpty())
	g.Expect(got.AsWritten).To(Equal(w.Pods))
}

// panics runs the webhook in this process, because the shipped one cannot be made to panic. What it asks of its
// configuration does.
func (f fixture) panics(t *testing.T) {
	g := NewWithT(t)
	f.stop(t)
	defer f.start(t, nil)
	_, access, err := f.cluster.ServiceAccountKubeconfig(t.Context(), f.loadline.Config.Namespace, "loadline-webhook")
	g.Expect(err).NotTo(HaveOccurred())
	mgr, err := manager.New(access, manager.Options{
		Scheme: f.loadline.Client.Scheme(), Cache: webhook.CacheOptions(), Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
	})
	g.Expect(err).NotTo(HaveOccurred())
	registry := prometheus.NewRegistry()
	g.Expect(webhook.Setup(mgr, webhook.Options{
		Excluded: func(string) bool { panic("provoked") },
		Host:     "127.0.0.1", Port: f.loadline.Config.Webhook.Port, CertDir: f.loadline.Config.Webhook.CertDir, Registerer: registry,
	})).To(Succeed())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	g.Eventually(f.listens).WithTimeout(2 * time.Minute).Should(BeTrue())

	const pods = 100
	f.allAsWritten(t, traffic.Wave{Deployment: "web", Pods: pods, AtOnce: atOnce})

	cancel()
	g.Expect(<-done).NotTo(HaveOccurred(), "the process survived all of them")
	g.Expect(counted(t, registry, "loadline_webhook_requests_total", "panic")).To(BeEquivalentTo(pods))
}

func (f fixture) isFrozen(t *testing.T) {
	g := NewWithT(t)
	pid := f.loadline.Process(install.Webhook).PID()
	g.Expect(syscall.Kill(-pid, syscall.SIGSTOP)).To(Succeed())
	defer func() { _ = syscall.Kill(-pid, syscall.SIGCONT) }()

	f.allAsWritten(t, traffic.Wave{Deployment: "web", Pods: 20, AtOnce: atOnce})

	g.Expect(syscall.Kill(-pid, syscall.SIGCONT)).To(Succeed())
	f.healthy(t)
}

func (f fixture) cacheIsLate(t *testing.T) {
	g, between := NewWithT(t), startProxy(t, f.cluster)
	f.restart(t, between.through(t))
	f.healthy(t)
	between.freeze()
	f.recommend(t, "newcomer")

	f.allAsWritten(t, traffic.Wave{Deployment: "newcomer", Pods: 100, AtOnce: atOnce})
	known := f.create(t, traffic.Wave{Deployment: "web", Pods: 100, AtOnce: atOnce})
	g.Expect(known.Injected).To(Equal(100), "what was known before is still known")

	between.thaw()
	g.Eventually(func() int { return f.create(t, traffic.Wave{Deployment: "newcomer", Pods: 1, AtOnce: 1}).Injected }).WithTimeout(2 * time.Minute).Should(Equal(1))
	f.restart(t, nil)
}

func (f fixture) startIsCold(t *testing.T) {
	g, between := NewWithT(t), startProxy(t, f.cluster)
	f.stop(t)
	between.freeze()
	f.loadline.Change = between.through(t)
	ready := make(chan error, 1)
	go func() { ready <- f.loadline.Start(t.Context(), install.Webhook) }()

	f.allAsWritten(t, traffic.Wave{Deployment: "web", Pods: 200, AtOnce: atOnce})
	g.Consistently(ready).WithTimeout(3*time.Second).ShouldNot(Receive(), "not ready before its caches are filled")
	g.Expect(f.listens()).To(BeFalse())

	between.thaw()
	g.Eventually(ready).WithTimeout(time.Minute).Should(Receive(BeNil()))
	got := f.create(t, traffic.Wave{Deployment: "web", Pods: 100, AtOnce: atOnce})
	g.Expect(got.Injected).To(Equal(100), "from the first moment that it is ready")
	f.restart(t, nil)
}

// memoryIsShort lets the webhook have hardly more memory than it has, and sends it large pods.
func (f fixture) memoryIsShort(t *testing.T) {
	g, process := NewWithT(t), f.loadline.Process(install.Webhook)
	status := content(t, fmt.Sprintf("/proc/%d", process.PID()), "status")
	kib := regexp.MustCompile(`VmData:\s+(\d+) kB`).FindSubmatch(status)
	g.Expect(kib).To(HaveLen(2))
	output, err := exec.CommandContext(t.Context(), "prlimit", "--pid", fmt.Sprint(process.PID()), fmt.Sprintf("--data=%s000", kib[1])).CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(output))

	const pods = 100
	got := f.create(t, traffic.Wave{Deployment: "web", Pods: pods, AtOnce: 50, Kibibytes: 100})
	g.Expect(got.Refused).To(BeEmpty())
	g.Expect(got.Injected + got.AsWritten).To(Equal(pods))
	g.Expect(got.AsWritten).To(BeNumerically(">", 0))
	g.Eventually(process.Done()).WithTimeout(time.Minute).Should(BeClosed(), "it ran out of memory")
	last := regexp.MustCompile(`.*(out of memory|cannot allocate memory|pthread_create failed).*`).Find(content(t, filepath.Dir(process.LogFile()), filepath.Base(process.LogFile())))
	g.Expect(last).NotTo(BeEmpty(), "the reason that the Go runtime gives, see %s", process.LogFile())
	t.Logf("the webhook died: %s", last)
	f.stop(t)
	f.start(t, nil)
}

func (f fixture) coreIsBusy(t *testing.T) {
	g := NewWithT(t)
	allowed := regexp.MustCompile(`Cpus_allowed_list:\s+(\d+)`).FindSubmatch(content(t, "/proc/self", "status"))
	g.Expect(allowed).To(HaveLen(2))
	taskset, err := exec.LookPath("taskset")
	g.Expect(err).NotTo(HaveOccurred())
	f.restart(t, func(cmd *exec.Cmd) {
		cmd.Args = append([]string{"taskset", "--cpu-list", string(allowed[1])}, cmd.Args...)
		cmd.Path = taskset
	})

	const pods = 1000
	got := f.create(t, traffic.Wave{Deployment: "web", Pods: pods, AtOnce: 100})
	g.Expect(got.Refused).To(BeEmpty())
	g.Expect(got.Injected + got.AsWritten).To(Equal(pods))
	g.Expect(got.Injected).To(BeNumerically(">=", pods*9/10), "one core is enough for nearly all of them")
	f.restart(t, nil)
}

func (f fixture) stop(t *testing.T) {
	t.Helper()
	NewWithT(t).Expect(f.loadline.Stop(install.Webhook)).To(Succeed())
}

// start starts the webhook, with a changed command unless change is nil, and waits until it says that it is ready.
func (f fixture) start(t *testing.T, change func(*exec.Cmd)) {
	t.Helper()
	f.loadline.Change = change
	t.Cleanup(func() {
		if p := f.loadline.Process(install.Webhook); t.Failed() && p != nil {
			t.Logf("the end of %s:\n%s", p.LogFile(), p.LogTail(30))
		}
	})
	NewWithT(t).Expect(f.loadline.Start(t.Context(), install.Webhook)).To(Succeed())
}

func (f fixture) restart(t *testing.T, change func(*exec.Cmd)) {
	t.Helper()
	f.stop(t)
	f.start(t, change)
}

// listens reports whether somebody accepts connections at the webhook's port.
func (f fixture) listens() bool {
	connection, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", f.loadline.Config.Webhook.Port))
	if err != nil {
		return false
	}
	return connection.Close() == nil
}

func content(t *testing.T, dir, name string) []byte {
	t.Helper()
	all, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// counted adds up a counter over the series with a label of the given value.
func counted(t *testing.T, registry *prometheus.Registry, name, value string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			if strings.Contains(metric.String(), `"`+value+`"`) {
				sum += metric.GetCounter().GetValue()
			}
		}
	}
	return sum
}
