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
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
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
	cmd := exec.CommandContext(ctx, in.cluster.KubectlPath, "--kubeconfig", in.cluster.Kubeconfig,
		"wait", "--for=condition=Established", "--timeout=30s", "crd/recommendations.loadline.dev", "crd/sizingpolicies.loadline.dev")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("wait for the kinds: %w: %s", err, output)
	}
	return nil
}

// registerWebhooks applies the shipped webhook configurations. The only difference to a real installation: the API server
// reaches the webhook by URL on loopback instead of through a Service.
func (in *Installation) registerWebhooks(ctx context.Context) error {
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
	mutating := &admissionv1.MutatingWebhookConfiguration{}
	if err := yaml.Unmarshal(document, mutating); err != nil {
		return err
	}
	switch mutating.Kind {
	case "MutatingWebhookConfiguration":
		for i := range mutating.Webhooks {
			in.local(&mutating.Webhooks[i].ClientConfig)
		}
		return in.replace(ctx, mutating)
	case "ValidatingWebhookConfiguration":
		validating := &admissionv1.ValidatingWebhookConfiguration{}
		if err := yaml.Unmarshal(document, validating); err != nil {
			return err
		}
		for i := range validating.Webhooks {
			in.local(&validating.Webhooks[i].ClientConfig)
		}
		return in.replace(ctx, validating)
	default:
		return nil // a Service or a kustomization: nothing to register
	}
}

// local points a webhook to the local process.
func (in *Installation) local(cc *admissionv1.WebhookClientConfig) {
	path := ""
	if cc.Service != nil && cc.Service.Path != nil {
		path = *cc.Service.Path
	}
	cc.Service = nil
	cc.URL = new(fmt.Sprintf("https://127.0.0.1:%d%s", in.Config.Webhook.Port, path))
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
