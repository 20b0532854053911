package install

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/config"
)

// manifests are the kustomizations that a cluster needs besides the Deployments, in order.
var manifests = []string{"crd", "rbac", "policy"}

func (in *Installation) applyManifests(ctx context.Context) error {
	for _, name := range manifests {
		cmd := exec.CommandContext(ctx, in.cluster.KubectlPath, "--kubeconfig", in.cluster.Kubeconfig,
			"apply", "--server-side", "-k", filepath.Join(root(), "config", name))
		if output, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apply config/%s: %w: %s", name, err, output)
		}
	}
	return in.established(ctx)
}

// applyChart applies what the chart makes of values, but for three: Deployments, because the parts are processes here; what
// RegisterWebhooks registers; and what belongs to cert-manager, whose kinds may come later.
func (in *Installation) applyChart(ctx context.Context, values string) error {
	namespace := config.Default().Namespace
	render := exec.CommandContext(ctx, "go", "run", "./cmd/template", filepath.Join(root(), "charts", "loadline"), namespace, values)
	render.Dir = filepath.Join(root(), "e2e")
	var problems bytes.Buffer
	render.Stderr = &problems
	output, err := render.Output()
	if err != nil {
		return fmt.Errorf("render the chart: %w: %s", err, &problems)
	}
	in.Chart = bytes.Split(bytes.TrimSpace(output), []byte("\n"))
	applied := fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q}}`+"\n", namespace)
	for _, document := range in.Chart {
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal(document, &kind); err != nil {
			return fmt.Errorf("decode the chart's manifests: %w", err)
		}
		switch kind.GroupVersionKind().Group {
		case "apps", "admissionregistration.k8s.io", "cert-manager.io":
			if kind.Kind != "ValidatingAdmissionPolicy" && kind.Kind != "ValidatingAdmissionPolicyBinding" {
				continue
			}
		}
		applied = append(append(applied, document...), '\n')
	}
	apply := exec.CommandContext(ctx, in.cluster.KubectlPath, "--kubeconfig", in.cluster.Kubeconfig, "apply", "--server-side", "--filename", "-")
	apply.Stdin = bytes.NewReader(applied)
	if output, err := apply.CombinedOutput(); err != nil {
		return fmt.Errorf("apply the chart: %w: %s", err, output)
	}
	return in.established(ctx)
}

// established waits until the API server serves Loadline's kinds.
func (in *Installation) established(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, in.cluster.KubectlPath, "--kubeconfig", in.cluster.Kubeconfig,
		"wait", "--for=condition=Established", "--timeout=30s", "crd/recommendations.loadline.dev", "crd/sizingpolicies.loadline.dev")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("wait for the kinds: %w: %s", err, output)
	}
	return nil
}

// RegisterWebhooks applies the shipped webhook configurations anew, with what belongs to them. The only difference to a real
// installation is how the API server reaches the webhook on loopback: by URL, or, where certificates are made for the Service,
// through the shipped Service as an alias of this machine.
func (in *Installation) RegisterWebhooks(ctx context.Context) error {
	for _, document := range in.Chart {
		if err := in.registerWebhook(ctx, document); err != nil {
			return fmt.Errorf("register the chart's webhooks: %w", err)
		}
	}
	if in.Chart != nil {
		return nil
	}
	files, err := filepath.Glob(filepath.Join(root(), "config", "webhook", "*.yaml"))
	if err != nil {
		return fmt.Errorf("find webhook configurations: %w", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
		for document := range bytes.SplitSeq(content, []byte("\n---\n")) {
			if err := in.registerWebhook(ctx, document); err != nil {
				return fmt.Errorf("register webhooks of %s: %w", filepath.Base(file), err)
			}
		}
	}
	return nil
}

func (in *Installation) registerWebhook(ctx context.Context, document []byte) error {
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(document, &kind); err != nil {
		return err
	}
	object, err := in.local(kind.Kind, document)
	if err != nil || object == nil {
		return err
	}
	return in.replace(ctx, object)
}

// local decodes a manifest and points it to the local process. It returns nil if nothing is to be registered.
func (in *Installation) local(kind string, document []byte) (client.Object, error) {
	mode := in.Config.Webhook.CertMode
	switch {
	case kind == "MutatingWebhookConfiguration":
		object := &admissionv1.MutatingWebhookConfiguration{}
		err := yaml.Unmarshal(document, object)
		for i := range object.Webhooks {
			in.redirect(&object.Webhooks[i].ClientConfig)
		}
		return object, err
	case kind == "ValidatingWebhookConfiguration":
		object := &admissionv1.ValidatingWebhookConfiguration{}
		err := yaml.Unmarshal(document, object)
		for i := range object.Webhooks {
			in.redirect(&object.Webhooks[i].ClientConfig)
		}
		return object, err
	case kind == "Service" && mode != config.CertFiles:
		object := &corev1.Service{}
		err := yaml.Unmarshal(document, object)
		object.Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"}
		return object, err
	case kind == "Secret" && mode == config.CertSelfSigned:
		object := &corev1.Secret{}
		return object, yaml.Unmarshal(document, object)
	default:
		return nil, nil
	}
}

// redirect makes the API server call the local process.
func (in *Installation) redirect(cc *admissionv1.WebhookClientConfig) {
	if in.Config.Webhook.CertMode != config.CertFiles {
		cc.Service.Port = new(int32(in.Config.Webhook.Port)) //nolint:gosec // a port
		return
	}
	cc.URL = new(fmt.Sprintf("https://127.0.0.1:%d%s", in.Config.Webhook.Port, *cc.Service.Path))
	cc.Service = nil
	cc.CABundle = in.serving.CAPEM
}

func (in *Installation) replace(ctx context.Context, object client.Object) error {
	if err := client.IgnoreNotFound(in.Client.Delete(ctx, object)); err != nil {
		return err
	}
	object.SetResourceVersion("")
	return in.Client.Create(ctx, object)
}

// ready asks a part's readiness endpoint.
func ready(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("readyz answers %s", response.Status)
		}
		return nil
	}
}
