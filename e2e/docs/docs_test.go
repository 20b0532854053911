//go:build full

package docs_test

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/e2e/binaries"
	"github.com/loadline-dev/loadline/e2e/harness"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/metricsapi"
	"github.com/loadline-dev/loadline/e2e/shop"
)

const (
	// root is the project's folder.
	root = "../.."
	// patience bounds every wait and every block of commands.
	patience = 3 * time.Minute
)

// reader has what a person has who follows the documentation: a cluster with a shop and Loadline, and a folder with the
// project and some recorded usage.
type reader struct {
	cluster  *harness.Cluster
	loadline *install.Installation
	folder   string
	// helm is the program.
	helm string
	// golang is the environment of this process, with the folders of the go command.
	golang []string
}

func TestEveryCommandInTheDocumentationRuns(t *testing.T) {
	ctrl.SetLogger(logr.Discard())
	found := pages(t)
	r := newReader(t)
	t.Run("examples", r.shows)
	for _, page := range order(found) {
		t.Run(page, func(t *testing.T) {
			r.reset(t, page != readme)
			if strings.HasSuffix(page, "uninstall.md") {
				r.stop(t)
				r.release(t)
			}
			set := ""
			for _, b := range found[page] {
				if strings.Contains(b.commands, "delete --ignore-not-found -k config") {
					r.deploy(t) // Whoever has no Helm has not uninstalled anything before.
				}
				r.run(t, b, set)
				set += strings.Join(variable.FindAllString(b.commands, -1), "")
			}
		})
	}
}

func newReader(t *testing.T) *reader {
	t.Helper()
	g, now := NewWithT(t), time.Now().UTC()
	workloads := shop.InNamespace(shop.Namespace, shop.Workloads(now))
	cluster, err := harness.Start(t.Context(), harness.Options{Log: t.Output(), ScrapeInterval: 5 * time.Second, History: shop.Past(workloads, now)})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = cluster.Stop() })
	installed, err := install.Install(t.Context(), install.Options{Cluster: cluster, Configure: func(cfg *config.Config) {
		cfg.Recommender.SyncInterval.Duration = 3 * time.Second
		cfg.Updater.ProbeMaxLatency.Duration = 5 * time.Second // A busy machine is no failure of a page.
	}})
	g.Expect(err).NotTo(HaveOccurred())
	metrics, err := metricsapi.Start(t.Context(), cluster)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = metrics.Stop() })
	r := &reader{cluster: cluster, loadline: installed, folder: t.TempDir()}
	r.prepareFolder(t)
	r.deploy(t)
	r.autoscale(t)
	g.Expect(installed.Client.Patch(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: shop.Namespace}},
		client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"`+v1alpha1.AnnotationMode+`":"dry-run"}}}`)))).To(Succeed())
	for _, w := range workloads {
		g.Expect(installed.Client.Create(t.Context(), w.Object(now))).To(Succeed())
	}
	r.sized(t)
	return r
}

// prepareFolder makes the working directory: the project's files, recorded usage, and the programs.
func (r *reader) prepareFolder(t *testing.T) {
	t.Helper()
	g := NewWithT(t)
	project, err := filepath.Abs(root)
	g.Expect(err).NotTo(HaveOccurred())
	for _, name := range []string{"config", "charts", "docs", "README.md"} {
		if _, err := os.Stat(filepath.Join(project, name)); err == nil {
			g.Expect(os.Symlink(filepath.Join(project, name), filepath.Join(r.folder, name))).To(Succeed())
		}
	}
	for name, unit := range map[string]float64{"cpu.csv": 1, "memory.csv": 1 << 30, "usage.csv": 1} {
		g.Expect(os.WriteFile(filepath.Join(r.folder, name), recorded(t, unit), 0o600)).To(Succeed())
	}
	folders, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE", "GOMODCACHE").Output()
	g.Expect(err).NotTo(HaveOccurred())
	cache, modules, _ := strings.Cut(strings.TrimSpace(string(folders)), "\n")
	r.golang = append(os.Environ(), "GOCACHE="+cache, "GOMODCACHE="+modules)
	helm, err := binaries.Helm(t.Context(), binaries.Options{Progress: t.Output()})
	g.Expect(err).NotTo(HaveOccurred())
	r.helm = helm
	bin := filepath.Join(r.folder, "bin")
	g.Expect(os.Mkdir(bin, 0o700)).To(Succeed())
	for name, script := range map[string]string{
		"loadline":         "exec " + r.loadline.Binary + ` "$@"`,
		"kubectl-loadline": "exec -a kubectl-loadline " + r.loadline.Binary + ` "$@"`,
		"make":             makes(project),
		"kubectl":          kubectl(r.cluster.KubectlPath),
		"helm":             tries(helm),
	} {
		g.Expect(os.WriteFile(filepath.Join(bin, name), []byte("#!/usr/bin/env bash\n"+script+"\n"), 0o700)).To(Succeed()) //nolint:gosec // programs
	}
}

// makes runs what is cheap. Of the other targets it looks whether they exist: each has its own run in continuous integration.
func makes(project string) string {
	return `trial=--dry-run
case $1 in help | build | install | image-tar) trial= ;; esac
exec /usr/bin/make --no-print-directory $trial --directory ` + project + ` "$@" >/dev/null`
}

// tries runs helm, but installs only for trial.
func tries(helm string) string {
	return `[[ $1 == install ]] && set -- "$@" --dry-run=server --take-ownership
exec ` + helm + ` "$@"`
}

// kubectl is the real one. Who asks for logs is content with how a simulated node refuses: that the pod exists is shown.
func kubectl(program string) string {
	return `out=$(` + program + ` "$@" 2>&1) && status=0 || status=$?
printf '%s\n' "$out"
if [[ " $* " == *" logs "* && $out == *"Error from server"*containerLogs* ]]; then exit 0; fi
exit "$status"`
}

// recorded is three weeks of usage of two workloads, in a unit of so many cores or bytes.
func recorded(t *testing.T, unit float64) []byte {
	t.Helper()
	var text strings.Builder
	w := csv.NewWriter(&text)
	rows := [][]string{{"web", "batch"}}
	begin := time.Date(2026, 10, 5, 0, 0, 0, 0, time.UTC)
	day, flat := shop.Noisy(shop.Diurnal(0.1, 0.8), 0.1), shop.Noisy(shop.Flat(0.5), 0.05)
	for at := range 21 * 288 {
		now := begin.Add(time.Duration(at) * 5 * time.Minute)
		rows = append(rows, []string{strconv.FormatFloat(unit*day(now), 'f', 4, 64), strconv.FormatFloat(unit*flat(now), 'f', 4, 64)})
	}
	if err := w.WriteAll(rows); err != nil {
		t.Fatal(fmt.Errorf("write a recording: %w", err))
	}
	return []byte(text.String())
}

// deploy applies what an installation has besides what runs here as processes: its Deployments, whose pods are simulated.
func (r *reader) deploy(t *testing.T) {
	t.Helper()
	g := NewWithT(t)
	all, err := exec.CommandContext(t.Context(), r.cluster.KubectlPath, "kustomize", filepath.Join(root, "config")).Output()
	g.Expect(err).NotTo(HaveOccurred())
	objects := slices.DeleteFunc(strings.Split(string(all), "\n---\n"), func(object string) bool {
		return strings.Contains(object, "WebhookConfiguration\n") // The processes are registered already.
	})
	apply := exec.CommandContext(t.Context(), r.cluster.KubectlPath, "--kubeconfig", r.cluster.Kubeconfig, "apply", "--server-side", "--force-conflicts", "-f", "-")
	apply.Stdin = strings.NewReader(strings.Join(objects, "\n---\n"))
	output, err := apply.CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(output))
	r.configure(t)
}

// configure puts what the processes run with into the ConfigMaps of the Deployments, which is where `loadline doctor` looks.
func (r *reader) configure(t *testing.T) {
	t.Helper()
	g := NewWithT(t)
	text, err := yaml.Marshal(r.loadline.Config)
	g.Expect(err).NotTo(HaveOccurred())
	var maps corev1.ConfigMapList
	g.Expect(r.loadline.Client.List(t.Context(), &maps, client.InNamespace(r.loadline.Config.Namespace))).To(Succeed())
	for _, m := range maps.Items {
		if _, there := m.Data["config.yaml"]; there {
			m.Data["config.yaml"] = string(text)
			g.Expect(r.loadline.Client.Update(t.Context(), &m)).To(Succeed())
		}
	}
}

// autoscale lets the Vertical Pod Autoscaler have been there before, and sizes be lowered in one step, as the demo does.
func (r *reader) autoscale(t *testing.T) {
	t.Helper()
	g := NewWithT(t)
	folder, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/autoscaler/vertical-pod-autoscaler").Output()
	g.Expect(err).NotTo(HaveOccurred())
	const autoscaler = `{apiVersion: autoscaling.k8s.io/v1, kind: VerticalPodAutoscaler, metadata: {name: checkout, namespace: ` + shop.Namespace + `},
spec: {targetRef: {apiVersion: apps/v1, kind: Deployment, name: checkout}, updatePolicy: {updateMode: "Off"}}}`
	const policy = `{apiVersion: ` + v1alpha1.Group + `/v1alpha1, kind: SizingPolicy, metadata: {name: default, namespace: ` + shop.Namespace + `},
spec: {behavior: {down: {maxStepPercent: 100}}}}`
	for _, step := range []struct{ args, stdin string }{
		{"apply --server-side -f " + filepath.Join(strings.TrimSpace(string(folder)), "deploy", "vpa-v1-crd-gen.yaml"), ""},
		{"wait --for=condition=Established --timeout=60s crd/verticalpodautoscalers.autoscaling.k8s.io", ""},
		{"create namespace " + shop.Namespace, ""},
		{"apply --server-side -f -", autoscaler},
		{"apply -f -", policy},
	} {
		cmd := exec.CommandContext(t.Context(), r.cluster.KubectlPath, append([]string{"--kubeconfig", r.cluster.Kubeconfig}, strings.Fields(step.args)...)...)
		cmd.Stdin = strings.NewReader(step.stdin)
		output, err := cmd.CombinedOutput()
		g.Expect(err).NotTo(HaveOccurred(), string(output))
	}
}

// reset takes back what the page before has changed: the shop is as it was opened, or has opted in to a dry run.
func (r *reader) reset(t *testing.T, optedIn bool) {
	t.Helper()
	g := NewWithT(t)
	namespace := &corev1.Namespace{}
	g.Expect(r.loadline.Client.Get(t.Context(), types.NamespacedName{Name: shop.Namespace}, namespace)).To(Succeed())
	before := namespace.DeepCopy()
	for key := range namespace.Annotations {
		if strings.HasPrefix(key, v1alpha1.Group+"/") {
			delete(namespace.Annotations, key)
		}
	}
	if optedIn {
		metav1.SetMetaDataAnnotation(&namespace.ObjectMeta, v1alpha1.AnnotationMode, string(v1alpha1.ModeDryRun))
	}
	g.Expect(r.loadline.Client.Patch(t.Context(), namespace, client.MergeFrom(before))).To(Succeed())
	if optedIn {
		r.sized(t)
	}
}

// sized waits until checkout has sizes in a dry run.
func (r *reader) sized(t *testing.T) {
	t.Helper()
	NewWithT(t).Eventually(func() error {
		rec, err := r.loadline.Recommendation(t.Context(), shop.Namespace, "Deployment", "checkout")
		if err == nil && (rec.Status.Applicable == nil || rec.Status.Mode != v1alpha1.ModeDryRun) {
			err = errors.New("checkout has no sizes in a dry run yet")
		}
		return err
	}).WithTimeout(patience).WithPolling(200 * time.Millisecond).Should(Succeed())
}

// stop ends the processes that stand in for the Deployments, which the page is about to scale to nothing.
func (r *reader) stop(t *testing.T) {
	t.Helper()
	for _, part := range []string{install.Updater, install.Recommender, install.Webhook} {
		if err := r.loadline.Stop(part); err != nil {
			t.Fatal(err)
		}
	}
}

// release makes what there is a release of Helm's, but for the webhooks that the processes had.
func (r *reader) release(t *testing.T) {
	t.Helper()
	remove := exec.CommandContext(t.Context(), r.cluster.KubectlPath, "--kubeconfig", r.cluster.Kubeconfig,
		"delete", "mutatingwebhookconfigurations,validatingwebhookconfigurations", "loadline-mutating", "loadline-validating", "--ignore-not-found")
	if output, err := remove.CombinedOutput(); err != nil {
		t.Fatalf("remove the webhooks: %v\n%s", err, output)
	}
	install := exec.CommandContext(t.Context(), r.helm, "install", "loadline", "charts/loadline", "--namespace", r.loadline.Config.Namespace, "--take-ownership", "--force-conflicts", "--kubeconfig", r.cluster.Kubeconfig)
	install.Dir, install.Env = r.folder, append(os.Environ(), "HOME="+r.folder)
	if output, err := install.CombinedOutput(); err != nil {
		t.Fatalf("install the chart: %v\n%s", err, output)
	}
}

// environment is that of the shell of such a person. What Go has compiled stays where it is.
func (r *reader) environment() []string {
	return append(slices.Clone(r.golang), "KUBECONFIG="+r.cluster.Kubeconfig, "HOME="+r.folder,
		"PATH="+filepath.Join(r.folder, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// variable is set by a command of a page, for the blocks after it.
var variable = regexp.MustCompile(`(?m)^[A-Z]+=\S+\n`)

// run runs a block as one script, in which every command has to succeed. Variables were set before on the page.
func (r *reader) run(t *testing.T, b block, set string) {
	t.Helper()
	if b.notRun != "" {
		t.Logf("%s:%d is not run: %s", b.page, b.line, b.notRun)
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	commands := strings.NewReplacer("http://localhost:9090", r.cluster.PrometheusURL, "http://127.0.0.1:9090", r.cluster.PrometheusURL).Replace(b.commands)
	shell := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", set+commands)
	shell.Dir, shell.WaitDelay = r.folder, time.Second
	shell.Env = r.environment()
	var stdout, stderr strings.Builder
	shell.Stdout, shell.Stderr = &stdout, &stderr
	switch err := shell.Run(); {
	case err != nil:
		t.Errorf("%s:%d: %v\n%s\n%s", b.page, b.line, err, b.commands, stdout.String()+stderr.String())
	case b.language == languageConsole && stdout.String() != b.prints:
		t.Errorf("%s:%d: the page says that this prints\n%s\nand it prints\n%s", b.page, b.line, b.prints, stdout.String())
	}
}
