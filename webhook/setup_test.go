package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/webhook"
)

// TestARealAPIServerIsAnswered runs the whole server behind a real API server, with the webhook configurations and the RBAC
// that are shipped.
func TestARealAPIServerIsAnswered(t *testing.T) {
	needControlPlane(t)
	g := NewWithT(t)
	env, admin := startAPIServer(t)
	stop := startWebhook(t, env)

	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Annotations: map[string]string{
		v1alpha1.AnnotationMode: "initial", v1alpha1.AnnotationReplicas: "auto",
	}}}
	g.Expect(admin.Create(t.Context(), ns)).To(Succeed())
	g.Expect(ns.Labels).To(HaveKeyWithValue(v1alpha1.LabelAdmission, "enabled"))
	recommendation(t, admin)

	// The cache follows the API server within moments.
	g.Eventually(func() (string, error) { return createPod(t.Context(), admin) }).WithTimeout(20 * time.Second).Should(Equal("250m 512Mi"))

	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout"}}
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "checkout"}}
	d.Spec.Template.Labels = d.Spec.Selector.MatchLabels
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "app", Image: "shop/checkout:1"}}
	g.Expect(admin.Create(t.Context(), d)).To(Succeed())
	g.Expect(*d.Spec.Replicas).To(BeEquivalentTo(5))

	bad := ns.DeepCopy()
	bad.Annotations[v1alpha1.AnnotationMode] = "full"
	g.Expect(admin.Update(t.Context(), bad)).To(MatchError(And(ContainSubstring("loadline.dev/mode"), ContainSubstring(`"full"`), ContainSubstring("dry-run"))))

	approve := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"approvedRevision":"00000000"}}`))
	rec := &v1alpha1.Recommendation{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deployment-checkout"}}
	g.Expect(admin.Patch(t.Context(), rec, approve)).To(MatchError(ContainSubstring("there is no such revision; legal: aaaaaaaa")))

	out := ns.DeepCopy()
	delete(out.Annotations, v1alpha1.AnnotationMode)
	g.Expect(admin.Update(t.Context(), out)).To(Succeed())
	g.Expect(out.Labels).NotTo(HaveKey(v1alpha1.LabelAdmission))
	g.Eventually(func() (string, error) { return createPod(t.Context(), admin) }).WithTimeout(20*time.Second).
		Should(Equal("1 1Gi"), "a pod of a namespace that opted out")

	out.Annotations[v1alpha1.AnnotationMode] = "initial"
	g.Expect(admin.Update(t.Context(), out)).To(Succeed())
	g.Eventually(func() (string, error) { return createPod(t.Context(), admin) }).WithTimeout(20 * time.Second).Should(Equal("250m 512Mi"))
	atLeast := &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "at-least"}}
	atLeast.Spec.Limits = []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer, Min: corev1.ResourceList{"cpu": resource.MustParse("600m")}}}
	g.Expect(admin.Create(t.Context(), atLeast)).To(Succeed())
	// Pods are refused until both API server and webhook know the LimitRange, and created as they are written then.
	g.Eventually(func() (string, error) { return createPod(t.Context(), admin) }).WithTimeout(20 * time.Second).Should(Equal("1 1Gi"))
	stop()
	g.Expect(createPod(t.Context(), admin)).To(Equal("1 1Gi"), "a pod that is created while the webhook is away")
}

// createPod creates a pod of Deployment checkout as its ReplicaSet does, and returns the requests it was stored with.
func createPod(ctx context.Context, admin client.Client) (string, error) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", GenerateName: "checkout-6d8f9c7b5d-", Labels: map[string]string{"pod-template-hash": "6d8f9c7b5d"},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "checkout-6d8f9c7b5d", UID: "1", Controller: new(true)}},
	}}
	requests := corev1.ResourceList{"cpu": resource.MustParse("1"), "memory": resource.MustParse("1Gi")}
	pod.Spec.Containers = []corev1.Container{{Name: "app", Image: "shop/checkout:1", Resources: corev1.ResourceRequirements{Requests: requests}}}
	if err := admin.Create(ctx, pod); err != nil {
		return "", err
	}
	stored := pod.Spec.Containers[0].Resources.Requests
	return stored.Cpu().String() + " " + stored.Memory().String(), nil
}

// recommendation stores what the recommender would have written about Deployment checkout.
func recommendation(t *testing.T, admin client.Client) {
	t.Helper()
	rec := &v1alpha1.Recommendation{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deployment-checkout"},
		Spec:       v1alpha1.RecommendationSpec{TargetRef: v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "checkout"}},
	}
	if err := admin.Create(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	rec.Status.Mode = v1alpha1.ModeInitial
	rec.Status.ObservedTime = new(metav1.Now())
	rec.Status.Applicable = &v1alpha1.RevisionedValues{
		Revision: "aaaaaaaa", ComputedTime: metav1.Now(), Replicas: new(int32(5)),
		Containers: []v1alpha1.ContainerValues{{Name: "app", Target: v1alpha1.ResourceAmounts{
			CPU: new(resource.MustParse("250m")), Memory: new(resource.MustParse("512Mi")),
		}}},
	}
	if err := admin.Status().Update(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
}

// startWebhook runs the server with the account that is shipped for it, and waits until it is ready.
func startWebhook(t *testing.T, env *envtest.Environment) (stop func()) {
	t.Helper()
	g := NewWithT(t)
	user, err := env.AddUser(envtest.User{Name: "system:serviceaccount:loadline-system:loadline-webhook"}, nil)
	g.Expect(err).NotTo(HaveOccurred())
	health := freeAddress(t)
	mgr, err := manager.New(user.Config(), manager.Options{
		Scheme: scheme(t), Cache: webhook.CacheOptions(),
		Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: health,
	})
	g.Expect(err).NotTo(HaveOccurred())
	local := env.WebhookInstallOptions
	err = webhook.Setup(mgr, webhook.Options{
		Excluded: func(namespace string) bool { return namespace == "kube-system" || namespace == "loadline-system" },
		Host:     local.LocalServingHost, Port: local.LocalServingPort, CertDir: local.LocalServingCertDir,
		Registerer: prometheus.NewRegistry(),
	})
	g.Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	g.Eventually(func() error { return ready(t.Context(), health) }).WithTimeout(20 * time.Second).Should(Succeed())
	return stop
}

func ready(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz?verbose", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "webhook ok") {
		return fmt.Errorf("not ready: %s", body)
	}
	return nil
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func scheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(s), v1alpha1.AddToScheme(s)); err != nil {
		t.Fatal(err)
	}
	return s
}

// needControlPlane skips a test without etcd and kube-apiserver, except where tests must not be skipped.
func needControlPlane(t *testing.T) {
	t.Helper()
	const missing = "KUBEBUILDER_ASSETS names no directory with etcd and kube-apiserver; make unit sets it"
	switch {
	case os.Getenv("KUBEBUILDER_ASSETS") != "":
	case os.Getenv("CI") != "":
		t.Fatal(missing)
	default:
		t.Skip(missing)
	}
}

// startAPIServer installs the definitions, the RBAC and the webhook configurations that are shipped.
func startAPIServer(t *testing.T) (*envtest.Environment, client.Client) {
	t.Helper()
	env := &envtest.Environment{
		CRDDirectoryPaths:     []string{"../config/crd/bases"},
		ErrorIfCRDPathMissing: true,
		WebhookInstallOptions: envtest.WebhookInstallOptions{Paths: []string{"../config/webhook/mutating.yaml", "../config/webhook/validating.yaml"}},
	}
	cfg, err := env.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	return env, installRBAC(t, cfg)
}

func installRBAC(t *testing.T, cfg *rest.Config) client.Client {
	t.Helper()
	admin, err := client.New(cfg, client.Options{Scheme: scheme(t)})
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open("../config/rbac/webhook.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	objects := []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "loadline-system"}}}
	for decoder := yaml.NewYAMLOrJSONDecoder(file, 4096); ; {
		obj := &unstructured.Unstructured{}
		if err := decoder.Decode(obj); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, obj)
	}
	for _, obj := range objects {
		if err := admin.Create(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
	}
	return admin
}
