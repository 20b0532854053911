package manager_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
)

// root is the folder of all manifests.
const root = ".."

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// decode reads the only document of a file, and refuses fields that nobody knows.
func decode[T any](t *testing.T, path string) T {
	t.Helper()
	var object T
	document, _, _ := bytes.Cut(read(t, path), []byte("\n---\n"))
	if err := yaml.UnmarshalStrict(document, &object); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return object
}

// A manifest that no kustomization lists is never installed, and nobody notices.
func TestEveryManifestIsListedInItsKustomization(t *testing.T) {
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" || entry.Name() == "kustomization.yaml" || entry.Name() == "default.yaml" || entry.Name() == "config.yaml" {
			return err
		}
		folder := filepath.Dir(path)
		if filepath.Base(folder) == "prometheus" {
			return nil // rule files of Prometheus, which are no manifests
		}
		if filepath.Base(folder) == "bases" {
			folder = filepath.Dir(folder)
		}
		var listed struct {
			Resources []string `json:"resources"`
		}
		if err := yaml.Unmarshal(read(t, filepath.Join(folder, "kustomization.yaml")), &listed); err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		if !slices.Contains(listed.Resources, name) {
			t.Errorf("%s is not listed in its kustomization", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The parts of one webhook that promise safety, for both kinds of configuration.
type hook struct {
	name, path, label string
	// annotated: only objects that have an annotation of Loadline.
	annotated bool
	policy    admissionv1.FailurePolicyType
	seconds   int32
	effects   admissionv1.SideEffectClass
	excluded  []string
	service   admissionv1.ServiceReference
}

func hooks(t *testing.T) []hook {
	t.Helper()
	var all []hook
	for _, w := range decode[admissionv1.MutatingWebhookConfiguration](t, "../webhook/mutating.yaml").Webhooks {
		all = append(all, hookOf(w))
		if *w.ReinvocationPolicy != admissionv1.IfNeededReinvocationPolicy {
			t.Errorf("%s is not called again when another webhook changes the object", w.Name)
		}
	}
	for _, w := range decode[admissionv1.ValidatingWebhookConfiguration](t, "../webhook/validating.yaml").Webhooks {
		all = append(all, hookOf(admissionv1.MutatingWebhook{
			Name: w.Name, ClientConfig: w.ClientConfig, FailurePolicy: w.FailurePolicy, TimeoutSeconds: w.TimeoutSeconds,
			SideEffects: w.SideEffects, NamespaceSelector: w.NamespaceSelector, MatchConditions: w.MatchConditions,
		}))
	}
	return all
}

func hookOf(w admissionv1.MutatingWebhook) hook {
	h := hook{
		name: w.Name, path: *w.ClientConfig.Service.Path, service: *w.ClientConfig.Service,
		policy: *w.FailurePolicy, seconds: *w.TimeoutSeconds, effects: *w.SideEffects,
		annotated: slices.ContainsFunc(w.MatchConditions, func(c admissionv1.MatchCondition) bool {
			return c.Name == "has-an-annotation-of-loadline"
		}),
	}
	if w.NamespaceSelector != nil {
		h.label = w.NamespaceSelector.MatchLabels[v1alpha1.LabelAdmission]
		for _, e := range w.NamespaceSelector.MatchExpressions {
			h.excluded = append(h.excluded, e.Values...)
		}
	}
	return h
}

func TestEveryWebhookFailsOpenAndSoon(t *testing.T) {
	for _, h := range hooks(t) {
		if h.policy != admissionv1.Ignore || h.seconds > 2 || h.effects != admissionv1.SideEffectClassNoneOnDryRun {
			t.Errorf("%s %s: failurePolicy %s, %d s, sideEffects %s", h.name, h.path, h.policy, h.seconds, h.effects)
		}
	}
}

func TestPodsAndWorkloadsOfOthersNeverReachLoadline(t *testing.T) {
	cfg := config.Default()
	for _, h := range hooks(t) {
		if !strings.HasPrefix(h.name, "pods.") && !strings.HasPrefix(h.name, "workloads.") {
			continue
		}
		// What people wrote for Loadline is checked wherever they wrote it, and nothing else is.
		if h.label != v1alpha1.LabelAdmissionEnabled && (strings.HasPrefix(h.path, "/mutate") || !h.annotated) {
			t.Errorf("%s %s asks neither for the label %s nor for an annotation", h.name, h.path, v1alpha1.LabelAdmission)
		}
		for _, namespace := range []string{"kube-system", cfg.Namespace} {
			if !slices.Contains(h.excluded, namespace) {
				t.Errorf("%s %s reaches into %s", h.name, h.path, namespace)
			}
		}
	}
}

func TestTheWebhookIsCalledWhereItListens(t *testing.T) {
	cfg := config.Default()
	var paths []string
	for _, h := range hooks(t) {
		paths = append(paths, h.path)
		if h.service.Name != cfg.Webhook.ServiceName || h.service.Namespace != cfg.Namespace {
			t.Errorf("%s calls %s/%s, the certificate is for %s/%s", h.name, h.service.Namespace, h.service.Name, cfg.Namespace, cfg.Webhook.ServiceName)
		}
	}
	slices.Sort(paths)
	want := []string{
		"/advise-autoscalers", "/advise-workloads", "/mutate-namespaces", "/mutate-pods", "/mutate-workloads",
		"/validate-loadline", "/validate-namespaces", "/validate-workloads",
	}
	if !slices.Equal(paths, want) {
		t.Errorf("got %q, want %q", paths, want)
	}
	if name := decode[admissionv1.MutatingWebhookConfiguration](t, "../webhook/mutating.yaml").Name; name != cfg.Webhook.MutatingName {
		t.Errorf("the certificate authority is written into %s, not %s", cfg.Webhook.MutatingName, name)
	}
	if name := decode[admissionv1.ValidatingWebhookConfiguration](t, "../webhook/validating.yaml").Name; name != cfg.Webhook.ValidatingName {
		t.Errorf("the certificate authority is written into %s, not %s", cfg.Webhook.ValidatingName, name)
	}
}

func TestEveryPartRunsRestrictedUnderItsOwnAccount(t *testing.T) {
	for _, part := range []string{"recommender", "webhook", "updater"} {
		deployment := decode[appsv1.Deployment](t, part+".yaml")
		pod := deployment.Spec.Template.Spec
		if pod.ServiceAccountName != "loadline-"+part {
			t.Errorf("the %s runs as %s", part, pod.ServiceAccountName)
		}
		if !*pod.SecurityContext.RunAsNonRoot || pod.SecurityContext.SeccompProfile.Type != "RuntimeDefault" {
			t.Errorf("the pod of the %s is not restricted: %+v", part, pod.SecurityContext)
		}
		for _, container := range pod.Containers {
			s := container.SecurityContext
			if *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || !slices.Contains(s.Capabilities.Drop, "ALL") {
				t.Errorf("container %s is not restricted: %+v", container.Name, s)
			}
			if container.LivenessProbe == nil || container.ReadinessProbe == nil {
				t.Errorf("container %s has no probes", container.Name)
			}
			if limit, bytes := container.Resources.Limits.Memory().Value(), goMemoryLimit(t, container); bytes >= limit || bytes < limit*9/10 {
				t.Errorf("the runtime of container %s minds %d bytes of %d", container.Name, bytes, limit)
			}
			if container.Args[0] != part {
				t.Errorf("container %s runs %q", container.Name, container.Args)
			}
		}
	}
}

// goMemoryLimit is what a kubelet makes of the variable GOMEMLIMIT, in bytes: it refers to another one, which is the limit in the unit
// of its divisor.
func goMemoryLimit(t *testing.T, container corev1.Container) int64 {
	t.Helper()
	limit, runtime := container.Env[0], container.Env[1]
	unit := limit.ValueFrom.ResourceFieldRef.Divisor.Value()
	value := strconv.FormatInt((container.Resources.Limits.Memory().Value()+unit-1)/unit, 10)
	bytes, err := strconv.ParseInt(strings.ReplaceAll(runtime.Value, "$("+limit.Name+")", value), 10, 64)
	if runtime.Name != "GOMEMLIMIT" || limit.ValueFrom.ResourceFieldRef.Resource != "limits.memory" || err != nil {
		t.Fatalf("variables %+v: %v", container.Env, err)
	}
	return bytes
}

// Every sample is accepted, and an annotation that is commented on is one that exists.
func TestTheSamplesAreRight(t *testing.T) {
	var namespace struct {
		Metadata struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
	}
	if err := yaml.Unmarshal(read(t, "../samples/namespace.yaml"), &namespace); err != nil {
		t.Fatal(err)
	}
	settings, refused := v1alpha1.ParseAnnotations(namespace.Metadata.Annotations)
	if len(refused) > 0 || settings.Mode != v1alpha1.ModeDryRun || len(settings.Events) != 1 {
		t.Errorf("samples/namespace.yaml: %+v, refused %v", settings, refused)
	}
	for _, path := range []string{"../samples/sizingpolicy-default.yaml", "../samples/sizingpolicy-careful.yaml"} {
		policy := decode[v1alpha1.SizingPolicy](t, path)
		if written, err := json.Marshal(policy.Spec); err != nil || len(written) < 50 {
			t.Errorf("%s says nothing: %s %v", path, written, err)
		}
	}
}
