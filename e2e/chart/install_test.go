//go:build full

package chart

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/loader"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/kube"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/e2e/harness"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/modules"
)

const (
	release = "loadline"
	// patience is how long Helm waits for simulated pods, on a busy machine.
	patience = 2 * time.Minute
)

// What the steps of the story share.
var (
	cluster *harness.Cluster
	admin   client.Client
)

// start starts the cluster, which ends with the test.
func start(t *testing.T) {
	t.Helper()
	log.SetLogger(logr.Discard())
	var err error
	if cluster, err = harness.Start(context.Background(), harness.Options{Log: os.Stderr, Nodes: 3, WithoutPrometheus: true}); err != nil {
		t.Fatalf("start the cluster: %v", err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	scheme, err := install.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	if err := apiextensionsv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	if admin, err = client.New(cluster.AdminConfig, client.Options{Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
}

// helm is what the helm command has when it starts.
func helm(t *testing.T) *action.Configuration {
	t.Helper()
	flags := genericclioptions.NewConfigFlags(true)
	flags.KubeConfig, flags.Namespace = &cluster.Kubeconfig, new(namespace)
	kube.ManagedFieldsManager = "helm" // and not the test, whose name Loadline's writes would have
	cfg := action.NewConfiguration()
	if err := cfg.Init(flags, namespace, "secret"); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// charted is the chart, changed as an older or newer version of it might be.
func charted(t *testing.T, change ...string) *chartv2.Chart {
	t.Helper()
	loaded, err := loader.LoadDir(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	replacer := strings.NewReplacer(change...)
	for _, file := range loaded.(*chartv2.Chart).Templates {
		file.Data = []byte(replacer.Replace(string(file.Data)))
	}
	return loaded.(*chartv2.Chart)
}

func installed(t *testing.T, chart *chartv2.Chart, text string) {
	t.Helper()
	install := action.NewInstall(helm(t))
	install.ReleaseName, install.Namespace, install.CreateNamespace = release, namespace, true
	install.WaitStrategy, install.Timeout = kube.StatusWatcherStrategy, patience
	if _, err := install.RunWithContext(t.Context(), chart, values(t, text)); err != nil {
		t.Fatalf("helm install: %v", err)
	}
}

func upgraded(t *testing.T, chart *chartv2.Chart, text string) {
	t.Helper()
	upgrade := action.NewUpgrade(helm(t))
	upgrade.Namespace, upgrade.WaitStrategy, upgrade.Timeout = namespace, kube.StatusWatcherStrategy, patience
	if _, err := upgrade.RunWithContext(t.Context(), release, chart, values(t, text)); err != nil {
		t.Fatalf("helm upgrade: %v", err)
	}
}

func uninstalled(t *testing.T) {
	t.Helper()
	uninstall := action.NewUninstall(helm(t))
	uninstall.WaitStrategy, uninstall.Timeout = kube.StatusWatcherStrategy, patience
	if _, err := uninstall.Run(release); err != nil {
		t.Fatalf("helm uninstall: %v", err)
	}
}

func get[T client.Object](t *testing.T, object T, namespace, name string) T {
	t.Helper()
	if err := admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, object); err != nil {
		t.Fatal(err)
	}
	return object
}

// written is what Loadline writes into objects that the chart ships.
type written struct {
	Certificate, Record string
	CA                  []string
	Leader              string
}

// write does to the cluster what the parts do while they run.
func write(t *testing.T) {
	t.Helper()
	secret := get(t, &corev1.Secret{}, namespace, "loadline-webhook-cert")
	secret.Data = map[string][]byte{"tls.crt": []byte("certificate")}
	record := get(t, &corev1.ConfigMap{}, namespace, "loadline-updater-record")
	record.Data = map[string]string{"record": "two evictions"}
	lease := get(t, &coordinationv1.Lease{}, namespace, "loadline-updater")
	lease.Spec.HolderIdentity = new("loadline-updater-0")
	mutating := get(t, &admissionv1.MutatingWebhookConfiguration{}, "", "loadline-mutating")
	for i := range mutating.Webhooks {
		mutating.Webhooks[i].ClientConfig.CABundle = cluster.CACertPEM
	}
	for _, object := range []client.Object{secret, record, lease, mutating} {
		if err := admin.Update(t.Context(), object, client.FieldOwner("loadline")); err != nil {
			t.Fatal(err)
		}
	}
}

func readBack(t *testing.T) written {
	t.Helper()
	found := written{
		Certificate: string(get(t, &corev1.Secret{}, namespace, "loadline-webhook-cert").Data["tls.crt"]),
		Record:      get(t, &corev1.ConfigMap{}, namespace, "loadline-updater-record").Data["record"],
	}
	if holder := get(t, &coordinationv1.Lease{}, namespace, "loadline-updater").Spec.HolderIdentity; holder != nil {
		found.Leader = *holder
	}
	for _, webhook := range get(t, &admissionv1.MutatingWebhookConfiguration{}, "", "loadline-mutating").Webhooks {
		found.CA = append(found.CA, string(webhook.ClientConfig.CABundle))
	}
	return found
}

// workload runs in a namespace that has opted in, with a Recommendation, and returns the identities of its pods.
func workload(t *testing.T) func() []string {
	t.Helper()
	labels := map[string]string{"app": "checkout"}
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: "shop", Annotations: map[string]string{v1alpha1.AnnotationMode: "auto"}, Labels: map[string]string{v1alpha1.LabelAdmission: v1alpha1.LabelAdmissionEnabled},
		}},
		&appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout"},
			Spec: appsv1.DeploymentSpec{
				Replicas: new(int32(3)), Selector: &metav1.LabelSelector{MatchLabels: labels},
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: labels},
					Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "checkout"}}},
				},
			},
		},
		&v1alpha1.Recommendation{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deployment-checkout"},
			Spec:       v1alpha1.RecommendationSpec{TargetRef: v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "checkout"}},
		},
	}
	for _, object := range objects {
		if err := admin.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	running := func() []string {
		pods := &corev1.PodList{}
		if err := admin.List(t.Context(), pods, client.InNamespace("shop")); err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, pod := range pods.Items {
			if pod.Status.Phase == corev1.PodRunning {
				found = append(found, string(pod.UID))
			}
		}
		slices.Sort(found)
		return found
	}
	NewWithT(t).Eventually(running, patience).Should(HaveLen(3))
	return running
}

// leftOvers lists every object of every kind in the cluster that is named or labelled after Loadline.
func leftOvers(t *testing.T) []string {
	t.Helper()
	quiet := rest.CopyConfig(cluster.AdminConfig)
	quiet.WarningHandler = rest.NoWarnings{} // about old kinds of Kubernetes itself
	lists, err := discovery.NewDiscoveryClientForConfigOrDie(quiet).ServerPreferredResources()
	if err != nil {
		t.Fatal(err)
	}
	clients := dynamic.NewForConfigOrDie(quiet)
	var found []string
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			t.Fatal(err)
		}
		for _, resource := range list.APIResources {
			if !slices.Contains(resource.Verbs, "list") || resource.Name == "events" {
				continue
			}
			objects, err := clients.Resource(gv.WithResource(resource.Name)).List(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, object := range objects.Items {
				ours := strings.Contains(object.GetName(), "loadline") || object.GetLabels()["app.kubernetes.io/part-of"] == "loadline" || gv.Group == v1alpha1.SchemeGroupVersion.Group
				// The namespace is made by --create-namespace, and Helm leaves it to whoever did.
				if ours && object.GetName() != namespace {
					found = append(found, resource.Name+" "+object.GetName())
				}
			}
		}
	}
	slices.Sort(found)
	return found
}

// built is the loadline command.
func built(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "loadline")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/loadline-dev/loadline/cmd/loadline")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build loadline: %v: %s", err, output)
	}
	return binary
}

// run runs a part that the simulated pods only pretend to run, with the account and the configuration that are installed, and
// returns what ends it. The webhook listens on the port.
func run(t *testing.T, binary, part string, port int) (stop func()) {
	t.Helper()
	mounted := get(t, &appsv1.Deployment{}, namespace, account(part)).Spec.Template.Spec.Volumes[0].ConfigMap.Name
	cfg, err := config.Load(strings.NewReader(get(t, &corev1.ConfigMap{}, namespace, mounted).Data["config.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	cfg.HealthAddress, cfg.MetricsAddress = loopback(t), loopback(t)
	cfg.Webhook.Host, cfg.Webhook.Port, cfg.Webhook.CertDir = "127.0.0.1", port, t.TempDir()
	written, err := yaml.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, written, 0o600); err != nil {
		t.Fatal(err)
	}
	kubeconfig, _, err := cluster.ServiceAccountKubeconfig(t.Context(), namespace, account(part))
	if err != nil {
		t.Fatal(err)
	}
	process, err := cluster.Run(t.Context(), part, exec.Command(binary, part, "--config", file, "--kubeconfig", kubeconfig))
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := process.Stop(); err != nil {
			t.Error(err)
		}
		log, err := os.ReadFile(process.LogFile())
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(log)) {
			if strings.Contains(line, "forbidden") {
				t.Errorf("a right is missing: %s", line)
			}
		}
	}
}

// account is that of a part.
func account(part string) string {
	if part == "all" {
		return "loadline"
	}
	return "loadline-" + part
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := harness.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func loopback(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", freePort(t))
}

// ready lists what a running Loadline has yet to do with what the chart shipped: lead, and make a certificate.
func ready(t *testing.T) []string {
	t.Helper()
	var missing []string
	for _, name := range []string{"loadline-recommender", "loadline-updater"} {
		if holder := get(t, &coordinationv1.Lease{}, namespace, name).Spec.HolderIdentity; holder == nil || *holder == "" {
			missing = append(missing, "nobody holds the lease "+name)
		}
	}
	if len(get(t, &corev1.Secret{}, namespace, "loadline-webhook-cert").Data["tls.crt"]) == 0 {
		missing = append(missing, "there is no certificate")
	}
	for _, webhook := range get(t, &admissionv1.ValidatingWebhookConfiguration{}, "", "loadline-validating").Webhooks {
		if len(webhook.ClientConfig.CABundle) == 0 {
			missing = append(missing, webhook.Name+" has no CA")
		}
	}
	return missing
}

// toCertManagerAndBack leaves the certificate to cert-manager, takes it back, rolls back to cert-manager, and takes it back again. The
// kinds are cert-manager's own; its Secret is made here, and stays, as cert-manager leaves it.
func toCertManagerAndBack(t *testing.T) {
	t.Helper()
	crds := filepath.Join(moduleDir(t, modules.CertManager), "deploy", "crds")
	for _, args := range [][]string{{"apply", "--server-side"}, {"wait", "--for=condition=Established"}} {
		kubectl := exec.CommandContext(t.Context(), cluster.KubectlPath, append(args, "--kubeconfig", cluster.Kubeconfig, "--filename", crds)...)
		if output, err := kubectl.CombinedOutput(); err != nil {
			t.Fatalf("cert-manager's kinds: %v: %s", err, output)
		}
	}
	own := client.ObjectKey{Namespace: namespace, Name: "loadline-webhook-cert"}
	kept := func() bool { return admin.Get(t.Context(), own, &corev1.Secret{}) == nil }

	upgraded(t, charted(t), "{certManager: {enabled: true}}")
	if err := admin.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "loadline-webhook-tls"}, Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{"tls.crt": {}, "tls.key": {}, "ca.crt": {}},
	}); err != nil {
		t.Fatal(err)
	}
	if kept() {
		t.Error("the Secret for a certificate of Loadline's own is still there")
	}
	upgraded(t, charted(t), "{certManager: {enabled: false}}")
	if !kept() {
		t.Error("the Secret for a certificate of Loadline's own did not come back")
	}
	for range 2 { // To cert-manager, and back once more.
		rollback := action.NewRollback(helm(t))
		rollback.WaitStrategy, rollback.Timeout = kube.StatusWatcherStrategy, patience
		if err := rollback.Run(release); err != nil {
			t.Fatalf("helm rollback: %v", err)
		}
	}
}

// One story, because each step is about what the one before it left.
func TestInstallUpgradeRollBackUninstall(t *testing.T) {
	start(t)
	g := NewWithT(t)
	kinds := []string{"apiservices v1alpha1.loadline.dev", "customresourcedefinitions recommendations.loadline.dev", "customresourcedefinitions sizingpolicies.loadline.dev"}
	shortNames := func() []string {
		return get(t, &apiextensionsv1.CustomResourceDefinition{}, "", "recommendations.loadline.dev").Spec.Names.ShortNames
	}
	replicas := func() int32 { return get(t, &appsv1.Deployment{}, namespace, "loadline-webhook").Status.ReadyReplicas }

	installed(t, charted(t, "- llrec\n", "- llold\n"), "")
	if got := replicas(); got != 2 {
		t.Errorf("after the installation %d webhooks are ready, want 2", got)
	}
	mutating, validating := &admissionv1.MutatingWebhookConfiguration{}, &admissionv1.ValidatingWebhookConfiguration{}
	if got := len(get(t, mutating, "", "loadline-mutating").Webhooks) + len(get(t, validating, "", "loadline-validating").Webhooks); got < 8 {
		t.Errorf("%d webhooks are registered", got)
	}
	write(t)
	before, running := readBack(t), workload(t)
	pods := running()

	upgraded(t, charted(t), "{webhook: {replicas: 3}, config: {recommender: {syncInterval: 1m}}}")
	if got := replicas(); got != 3 {
		t.Errorf("after the upgrade %d webhooks are ready, want 3", got)
	}
	if got := shortNames(); !slices.Equal(got, []string{"llrec"}) {
		t.Errorf("the upgrade left the kind as it was: %v", got)
	}
	if diff := cmp.Diff(before, readBack(t)); diff != "" {
		t.Errorf("the upgrade changed what Loadline wrote (-before +after):\n%s", diff)
	}

	rollback := action.NewRollback(helm(t))
	rollback.Version, rollback.WaitStrategy, rollback.Timeout = 1, kube.StatusWatcherStrategy, patience
	if err := rollback.Run(release); err != nil {
		t.Fatalf("helm rollback: %v", err)
	}
	if diff := cmp.Diff(before, readBack(t)); diff != "" {
		t.Errorf("the rollback changed what Loadline wrote (-before +after):\n%s", diff)
	}
	g.Eventually(replicas, patience).Should(Equal(int32(2)))
	toCertManagerAndBack(t)

	uninstalled(t)
	left := append(slices.Clone(kinds), "recommendations deployment-checkout", "secrets loadline-webhook-tls")
	g.Eventually(func() []string { return leftOvers(t) }, patience).Should(Equal(left), "the kinds are kept, and what they hold, and what cert-manager made")
	if got := running(); !slices.Equal(got, pods) {
		t.Errorf("the pods of others changed: %v, before %v", got, pods)
	}
	cleansUp(t)

	installed(t, charted(t), "{allInOne: true, crds: {keep: false}}")
	stop := run(t, built(t), "all", freePort(t))
	g.Eventually(func() []string { return ready(t) }, patience).Should(BeEmpty())
	stop()
	uninstalled(t)
	g.Eventually(func() []string { return leftOvers(t) }, patience).Should(Equal([]string{"secrets loadline-webhook-tls"}))
	if got := running(); !slices.Equal(got, pods) {
		t.Errorf("the pods of others changed: %v, before %v", got, pods)
	}

	kustomizes(t)
}
