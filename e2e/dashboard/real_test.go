//go:build full

package dashboard

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/dashboard"
	"github.com/loadline-dev/loadline/e2e/harness"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/shop"
	"github.com/loadline-dev/loadline/internal/testkit"
)

// waits bounds what takes a few seconds on a quiet machine.
const waits = 3 * time.Minute

// The parts of Loadline log to files of their own; this process has nothing to log.
func init() { ctrl.SetLogger(logr.Discard()) }

// town is a cluster with the demo's shop, and Loadline in it.
type town struct {
	*WithT
	t        *testing.T
	cluster  *harness.Cluster
	loadline *install.Installation
	address  string
}

// newTown opens the shop: everything in auto, a sale is announced, a text is hostile, and one workload waits for a person.
func newTown(t *testing.T) town {
	t.Helper()
	g := NewWithT(t)
	g.SetDefaultEventuallyTimeout(waits)
	g.SetDefaultEventuallyPollingInterval(200 * time.Millisecond)
	began := time.Now().UTC()
	workloads := shop.InNamespace(shop.Namespace, shop.Workloads(began))
	cluster, err := harness.Start(t.Context(), harness.Options{Log: t.Output(), History: shop.Past(workloads, began)})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(cluster.Stop()).To(Succeed()) })
	port, err := harness.FreePort()
	g.Expect(err).NotTo(HaveOccurred())
	address := fmt.Sprintf("127.0.0.1:%d", port)
	prices := filepath.Join(t.TempDir(), "prices.yaml")
	g.Expect(os.WriteFile(prices, []byte("{currency: EUR, source: our contract, coreHour: 0.02, gibHour: 0.003}"), 0o600)).To(Succeed())
	loadline, err := install.Install(t.Context(), install.Options{Cluster: cluster, Configure: func(cfg *config.Config) {
		cfg.Recommender.SyncInterval.Duration = 3 * time.Second
		cfg.Dashboard.Address, cfg.Dashboard.PricesFile = address, prices
	}})
	g.Expect(err).NotTo(HaveOccurred())
	w := town{g, t, cluster, loadline, address}

	sale := began.Add(20 * time.Hour).Truncate(time.Hour)
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: shop.Namespace, Annotations: map[string]string{
		v1alpha1.AnnotationMode:                 "auto",
		v1alpha1.AnnotationContext:              testkit.Hostile,
		v1alpha1.AnnotationEventPrefix + "sale": fmt.Sprintf("%s/%s demand=200%%", sale.Format(time.RFC3339), sale.Add(8*time.Hour).Format(time.RFC3339)),
	}}})
	for _, one := range workloads {
		object := one.Object(began)
		if one.Name == "inventory" {
			object.SetAnnotations(map[string]string{v1alpha1.AnnotationApproval: "manual"})
		}
		w.create(object)
	}
	w.Eventually(func() (missing []string) {
		for _, one := range workloads {
			rec, err := loadline.Recommendation(t.Context(), shop.Namespace, cmp.Or(one.Kind, "Deployment"), one.Name)
			if err != nil || rec.Status.Candidate == nil {
				missing = append(missing, one.Name)
			}
		}
		return missing
	}).Should(BeEmpty(), "workloads without sizes")
	return w
}

// in is the town in a part of the test.
func (w town) in(t *testing.T) town {
	t.Helper()
	g := NewWithT(t)
	g.SetDefaultEventuallyTimeout(waits)
	g.SetDefaultEventuallyPollingInterval(500 * time.Millisecond)
	return town{g, t, w.cluster, w.loadline, w.address}
}

func (w town) create(objects ...client.Object) {
	w.t.Helper()
	for _, object := range objects {
		w.Expect(w.loadline.Client.Create(w.t.Context(), object)).To(Succeed(), object.GetName())
	}
}

// person makes a service account, and returns the kubeconfig and the token of it.
func (w town) person(name string) (kubeconfig, token string) {
	w.t.Helper()
	w.create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: name}})
	kubeconfig, access, err := w.cluster.ServiceAccountKubeconfig(w.t.Context(), shop.Namespace, name)
	w.Expect(err).NotTo(HaveOccurred())
	return kubeconfig, access.BearerToken
}

// inCluster asks the recommender for a page with a token.
func (w town) inCluster(token, path string) (status int, body string) {
	w.t.Helper()
	stranger := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true, // Its certificate signs itself.
	}}
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, "https://"+w.address+dashboard.Path+path, nil)
	w.Expect(err).NotTo(HaveOccurred())
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := stranger.Do(r)
	w.Expect(err).NotTo(HaveOccurred())
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	w.Expect(err).NotTo(HaveOccurred())
	return answer.StatusCode, string(content)
}

// command starts loadline dashboard and returns the address that it prints. It ends with the test.
func (w town) command(kubeconfig string, args ...string) string {
	w.t.Helper()
	ctx, stop := context.WithCancel(w.t.Context())
	cmd := exec.CommandContext(ctx, w.loadline.Binary, append([]string{"dashboard", "--listen", "127.0.0.1:0", "--kubeconfig", kubeconfig}, args...)...)
	cmd.Stderr = w.t.Output()
	out, err := cmd.StdoutPipe()
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(cmd.Start()).To(Succeed())
	w.t.Cleanup(func() { stop(); _ = cmd.Wait() }) // It was told to stop.
	line, err := bufio.NewReader(out).ReadString('\n')
	w.Expect(err).NotTo(HaveOccurred())
	fields := strings.Fields(line)
	w.Expect(len(fields)).To(BeNumerically(">", 1), line)
	return fields[1]
}

func TestTheDashboardOfARealCluster(t *testing.T) {
	w := newTown(t)
	t.Run("in the cluster it asks the API server who may look", func(t *testing.T) { w.in(t).asksWhoMayLook() })
	address := w.command(w.cluster.Kubeconfig, "--prometheus", w.cluster.PrometheusURL)
	t.Run("pages are fine", func(t *testing.T) { w.in(t).pagesAreFine(address) })
	t.Run("the printed command approves", func(t *testing.T) { w.in(t).approves(address) })
	t.Run("who sees one namespace sees its dashboard", func(t *testing.T) { w.in(t).oneNamespace() })
}

func (w town) asksWhoMayLook() {
	_, token := w.person("jane")
	status, _ := w.inCluster("", "")
	w.Expect(status).To(Equal(http.StatusUnauthorized))
	status, _ = w.inCluster(token, "")
	w.Expect(status).To(Equal(http.StatusServiceUnavailable), "the recommender has no right to ask")

	apply := exec.CommandContext(w.t.Context(), w.cluster.KubectlPath, "--kubeconfig", w.cluster.Kubeconfig, "apply", "--server-side", "-k", "../../config/dashboard")
	output, err := apply.CombinedOutput()
	w.Expect(err).NotTo(HaveOccurred(), string(output))
	w.Eventually(func() int { status, _ := w.inCluster(token, ""); return status }).Should(Equal(http.StatusForbidden))
	status, _ = w.inCluster("no token of anybody", "")
	w.Expect(status).To(Equal(http.StatusUnauthorized))

	w.create(&rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "jane-looks"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "loadline-dashboard-viewer"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: shop.Namespace, Name: "jane"}},
	})
	w.Eventually(func() int { status, _ := w.inCluster(token, ""); return status }).Should(Equal(http.StatusOK))
	_, page := w.inCluster(token, "")
	w.Expect(page).To(And(ContainSubstring("Cluster summary"), ContainSubstring("checkout"), ContainSubstring("EUR"), Not(ContainSubstring("cannot be told"))))
	w.Eventually(func() string { _, page := w.inCluster(token, "workloads/shop/deployment-checkout"); return page }).Should(ContainSubstring("CPU of all pods together"))
}

func (w town) pagesAreFine(address string) {
	t, open := w.t, browser(w.t)
	for name, path := range map[string]string{
		"summary": "", "list": "workloads", "approvals": "approvals", "workload": "workloads/shop/deployment-checkout", "stateful": "workloads/shop/statefulset-cache",
	} {
		for _, width := range []int64{1280, 360} {
			for _, theme := range []string{"light", "dark"} {
				b := open(t, width, theme)
				b.run(chromedp.Navigate(address + path))
				if strings.HasPrefix(path, "workloads/") { // until Prometheus is read
					w.Eventually(func() bool {
						b.run(chromedp.Reload())
						return ask(b, chromedp.Evaluate[bool](`document.querySelectorAll('figure svg').length >= 3`))
					}).Should(BeTrue(), "charts")
				}
				for _, problem := range ask(b, chromedp.Evaluate[[]string](check)) {
					t.Errorf("%s at %d, %s: %s", name, width, theme, problem)
				}
				b.shoot(fmt.Sprintf("real-%s-%d-%s", name, width, theme))
				b.mu.Lock()
				for _, complaint := range b.complaints {
					t.Errorf("%s at %d, %s: %s", name, width, theme, complaint)
				}
				b.mu.Unlock()
			}
		}
	}
}

// approves runs the command that stands on the page, as a person would.
func (w town) approves(address string) {
	t := w.t
	b := browser(t)(t, 1280, "light")
	b.run(chromedp.Navigate(address + "approvals"))
	line := ask(b, chromedp.Text(chromedp.CSS(".approvals code")))
	args, ours := strings.CutPrefix(line, "loadline ")
	if !ours || !strings.Contains(line, "approve deployment/inventory --namespace shop --revision ") {
		t.Fatalf("the page says: %s", line)
	}
	output, err := w.loadline.CLI(t.Context(), strings.Fields(args)...)
	if err != nil || !strings.HasPrefix(output, "Approved revision") {
		t.Fatalf("%s: %v: %s", line, err, output)
	}
	w.Eventually(func() string {
		b.run(chromedp.Reload())
		return ask(b, chromedp.Text(chromedp.CSS("main")))
	}).Should(ContainSubstring("Nothing waits for a person"))
}

// oneNamespace is what somebody sees who may only view the shop.
func (w town) oneNamespace() {
	kubeconfig, _ := w.person("joe")
	w.create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "joe-views"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: shop.Namespace, Name: "joe"}},
	})
	everything := exec.CommandContext(w.t.Context(), w.loadline.Binary, "dashboard", "--listen", "127.0.0.1:0", "--kubeconfig", kubeconfig)
	output, err := everything.CombinedOutput()
	w.Expect(err).To(HaveOccurred())
	w.Expect(string(output)).To(ContainSubstring("forbidden"))

	read := func(path string) string {
		r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, path, nil)
		w.Expect(err).NotTo(HaveOccurred())
		answer, err := http.DefaultClient.Do(r)
		w.Expect(err).NotTo(HaveOccurred())
		defer answer.Body.Close()
		content, err := io.ReadAll(answer.Body)
		w.Expect(err).NotTo(HaveOccurred())
		return string(content)
	}
	address := w.command(kubeconfig, "--namespace", shop.Namespace)
	w.Expect(read(address)).To(And(ContainSubstring("Summary of namespace shop"), ContainSubstring("cannot be told"), ContainSubstring("checkout")))
	w.Expect(read(address + "workloads/shop/deployment-checkout")).To(And(ContainSubstring("nobody said where Prometheus is"), Not(ContainSubstring("Events cannot be read"))))
}
