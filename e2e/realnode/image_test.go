//go:build full && linux

package realnode_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/e2e/harness"
	"github.com/loadline-dev/loadline/e2e/image"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/traffic"
)

// ourImage builds what the pod of the webhook runs.
func (f fixture) ourImage(t *testing.T) image.Image {
	t.Helper()
	built, err := image.Loadline(t.Context(), image.Options{
		Root: filepath.Join("..", ".."), Name: "localhost/loadline/loadline:test", Architecture: runtime.GOARCH, Version: "test", Created: f.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return built
}

// imageServes has our own image answer the API server as a pod, with the shipped Deployment and a certificate of its own,
// in the place of the process that did so until now.
func (f fixture) imageServes(t *testing.T) {
	g := f.scene(t)
	g.Expect(f.node.Import(t.Context(), f.ours)).To(Succeed())
	for _, part := range []string{install.Updater, install.Recommender, install.Webhook} { // from here on only the pod acts
		g.Expect(f.loadline.Stop(part)).To(Succeed())
	}
	f.loadline.Config.Webhook.CertMode, f.loadline.Config.Webhook.CertDir = config.CertSelfSigned, config.Default().Webhook.CertDir
	g.Expect(f.loadline.RegisterWebhooks(t.Context())).To(Succeed())
	deployment := f.webhookDeployment(t)
	g.Expect(f.loadline.Client.Create(t.Context(), deployment)).To(Succeed())
	system := f.loadline.Config.Namespace
	defer f.explain(t, system)
	g.Eventually(func() int { return ready(f.pods(t, system)) }).Should(Equal(1))

	g.Expect(f.loadline.Client.Create(t.Context(), &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: "served", Annotations: map[string]string{v1alpha1.AnnotationMode: "initial"}},
	})).To(Succeed())
	g.Expect(traffic.Recommend(t.Context(), f.loadline.Client, "served", "web")).To(Succeed())
	g.Eventually(func() int {
		return traffic.Wave{Namespace: "served", Deployment: "web", Pods: 5, AtOnce: 1}.Create(t.Context(), f.loadline.Client).Injected
	}).Should(Equal(5))
	pod := f.pods(t, system)[0]
	f.isConfined(t, pod)
	g.Expect(pod.Status.ContainerStatuses[0].RestartCount).To(BeZero())
}

// webhookDeployment is the shipped one, for a node without a pod network: the pod listens on the machine's loopback, and finds
// the API server there. Its security context is as it is shipped.
func (f fixture) webhookDeployment(t *testing.T) *appsv1.Deployment {
	t.Helper()
	g := f.scene(t)
	cfg := f.loadline.Config
	cfg.MetricsAddress, cfg.HealthAddress = loopback(t), loopback(t)
	content, err := yaml.Marshal(cfg)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(f.loadline.Client.Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: cfg.Namespace, Name: "loadline-config"}, Data: map[string]string{"config.yaml": string(content)},
	})).To(Succeed())
	manifest, err := os.ReadFile(filepath.Join("..", "..", "config", "manager", "webhook.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	document, _, _ := bytes.Cut(manifest, []byte("\n---\n"))
	deployment := &appsv1.Deployment{}
	g.Expect(yaml.UnmarshalStrict(document, deployment)).To(Succeed())
	f.isRestricted(t, deployment.Spec.Template.Spec)

	host, port, err := net.SplitHostPort(strings.TrimPrefix(f.cluster.AdminConfig.Host, "https://"))
	g.Expect(err).NotTo(HaveOccurred())
	deployment.Spec.Replicas = new(int32(1))
	pod := &deployment.Spec.Template.Spec
	pod.HostNetwork, pod.NodeSelector = true, map[string]string{"type": "real"}
	container := &pod.Containers[0]
	container.Image, container.Ports = f.ours.Name, nil
	container.Env = append(container.Env, corev1.EnvVar{Name: "KUBERNETES_SERVICE_HOST", Value: host}, corev1.EnvVar{Name: "KUBERNETES_SERVICE_PORT", Value: port})
	_, health, err := net.SplitHostPort(cfg.HealthAddress)
	g.Expect(err).NotTo(HaveOccurred())
	for _, probe := range []*corev1.Probe{container.LivenessProbe, container.ReadinessProbe} {
		probe.HTTPGet.Host, probe.HTTPGet.Port = "127.0.0.1", intstr.Parse(health)
	}
	return deployment
}

// isRestricted has the API server say that a pod as it is shipped fits the restricted profile, which its namespace enforces.
// Then it allows the namespace what only this node needs: the machine's network.
func (f fixture) isRestricted(t *testing.T, shipped corev1.PodSpec) {
	t.Helper()
	g, namespace := f.scene(t), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: f.loadline.Config.Namespace}}
	const enforce = "pod-security.kubernetes.io/enforce"
	g.Expect(f.loadline.Client.Get(t.Context(), client.ObjectKeyFromObject(namespace), namespace)).To(Succeed())
	g.Expect(namespace.Labels).To(HaveKeyWithValue(enforce, "restricted"))
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "as-shipped"}, Spec: shipped}
	g.Expect(f.loadline.Client.Create(t.Context(), pod, client.DryRunAll)).To(Succeed())

	before := namespace.DeepCopy()
	delete(namespace.Labels, enforce)
	g.Expect(f.loadline.Client.Patch(t.Context(), namespace, client.MergeFrom(before))).To(Succeed())
}

// explain shows, after a failure, what became of the pods of a namespace.
func (f fixture) explain(t *testing.T, namespace string) {
	t.Helper()
	if !t.Failed() {
		return
	}
	for _, pod := range f.pods(t, namespace) {
		logs, err := f.node.Logs(&pod)
		t.Logf("%s: %+v\n%v\n%s", pod.Name, pod.Status, err, logs)
	}
}

// isConfined looks at the process of the webhook's pod as the kernel sees it.
func (f fixture) isConfined(t *testing.T, pod corev1.Pod) {
	t.Helper()
	g := f.scene(t)
	for _, proc := range glob(t, "/proc/[0-9]*") {
		if !strings.Contains(read(proc+"/cgroup"), string(pod.UID)) || !strings.HasPrefix(read(proc+"/cmdline"), "/loadline\x00webhook\x00") {
			continue
		}
		status := read(proc + "/status")
		for field, want := range map[string]string{"Uid": "65532", "Gid": "65532", "CapEff": "0000000000000000", "CapBnd": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2"} {
			g.Expect(status).To(MatchRegexp(`(?m)^%s:\s+%s\b`, field, want))
		}
		g.Expect(read(proc+"/mountinfo")).To(MatchRegexp(`(?m)^\d+ \d+ \S+ / / ro,`), "its root cannot be written")
		rss := regexp.MustCompile(`VmRSS:\s+(\d+ kB)`).FindStringSubmatch(status)
		t.Logf("/loadline webhook as a pod: %s, %v resident", proc, rss[1:])
		return
	}
	t.Error("no process /loadline webhook on the node")
}

func loopback(t *testing.T) string {
	t.Helper()
	port, err := harness.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}
