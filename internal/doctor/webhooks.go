package doctor

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
)

// hook is an entry of a webhook configuration of either kind.
type hook struct {
	name       string
	policy     *admissionv1.FailurePolicyType
	config     admissionv1.WebhookClientConfig
	rules      []admissionv1.RuleWithOperations
	namespaces *metav1.LabelSelector
	conditions []admissionv1.MatchCondition
}

// hooks are a webhook configuration of either kind.
type hooks struct {
	resource, name string
	annotations    map[string]string
	entries        []hook
}

func (h hooks) String() string { return h.resource + "/" + h.name }

func mutating(c *admissionv1.MutatingWebhookConfiguration) hooks {
	h := hooks{resource: "mutatingwebhookconfiguration", name: c.Name, annotations: c.Annotations}
	for _, w := range c.Webhooks {
		h.entries = append(h.entries, hook{w.Name, w.FailurePolicy, w.ClientConfig, w.Rules, w.NamespaceSelector, w.MatchConditions})
	}
	return h
}

func validating(c *admissionv1.ValidatingWebhookConfiguration) hooks {
	h := hooks{resource: "validatingwebhookconfiguration", name: c.Name, annotations: c.Annotations}
	for _, w := range c.Webhooks {
		h.entries = append(h.entries, hook{w.Name, w.FailurePolicy, w.ClientConfig, w.Rules, w.NamespaceSelector, w.MatchConditions})
	}
	return h
}

// webhooks looks whether the API server asks Loadline about everything that it should, and whether it goes on without an answer.
func (e examiner) webhooks(ctx context.Context) []Finding {
	const check = "webhooks"
	if !e.runs("webhook") {
		return e.unanswered(ctx)
	}
	shipped, err := shippedHooks(e.layout())
	if err != nil {
		return []Finding{unseen(check, "the webhook configurations in this program", err)}
	}
	var found []Finding
	for _, live := range e.liveHooks(ctx) {
		f := Finding{Check: check, Severity: OK, Where: live.String(), What: fmt.Sprintf("all %d entries are there, and fail open", len(live.entries))}
		switch {
		case apierrors.IsNotFound(live.err):
			f.Severity, f.What, f.Fix = Error, "there is none: the API server does not ask Loadline", e.install("webhook")
		case live.err != nil:
			f = unseen(check, live.String(), live.err)
		default:
			if wrong := compareHooks(shipped[live.resource], live.hooks); len(wrong) > 0 {
				f.Severity, f.What, f.Fix = Error, strings.Join(wrong, "; "), e.install("webhook")
			}
		}
		found = append(found, f)
	}
	return found
}

// unanswered looks whether anything needs a webhook where none is deployed, as the chart's webhook.enabled=false leaves it.
func (e examiner) unanswered(ctx context.Context) []Finding {
	const check = "webhooks"
	admitting, err := e.admitting(ctx)
	var found []Finding
	missed := false
	for _, live := range e.liveHooks(ctx) {
		f := Finding{Check: check, Severity: Error, Where: live.String(), What: "it has the API server ask a webhook, and none is deployed"}
		switch {
		case apierrors.IsNotFound(live.err):
			continue
		case live.err != nil:
			f = unseen(check, live.String(), live.err)
		case e.release != "":
			f.Fix = e.install("webhook")
		case err != nil || len(admitting) > 0: // Its Deployment is gone; what asks for it is as it should be.
			f.What += "; its Deployment was deleted, or is elsewhere: apply it again, as you did at first"
			f.Fix = "kubectl diff --server-side -k config"
			missed = true
		default:
			f.Fix = fmt.Sprintf("kubectl delete %s %s", live.resource, live.name)
		}
		found = append(found, f)
	}
	if len(admitting) > 0 && !missed {
		found = append(found, Finding{
			Check: check, Severity: Warning, Where: "namespace/" + few(admitting), What: "no webhook is deployed: the modes initial and auto do no more than dry-run",
			Fix: fmt.Sprintf("kubectl annotate namespace %s %s=%s --overwrite", strings.Join(admitting, " "), v1alpha1.AnnotationMode, v1alpha1.ModeDryRun),
		})
	}
	if len(found) == 0 {
		found = append(found, Finding{Check: check, Severity: OK, What: "none is deployed, and nobody asks for one: sizes are reported, and none is injected"})
	}
	return found
}

// admitting are the namespaces whose mode asks for a webhook. Why they cannot be listed is told by the check of the namespaces.
func (e examiner) admitting(ctx context.Context) ([]string, error) {
	namespaces, err := e.namespaces(ctx)
	var names []string
	for _, n := range namespaces {
		if n.mode.Admits() && !e.Config.Excluded(n.name) && n.name != e.Config.Updater.ProbeNamespace {
			names = append(names, n.name)
		}
	}
	return names, err
}

// live is what the cluster has of a configuration, or why that cannot be told.
type live struct {
	hooks
	err error
}

func (e examiner) liveHooks(ctx context.Context) []live {
	m, v := &admissionv1.MutatingWebhookConfiguration{}, &admissionv1.ValidatingWebhookConfiguration{}
	errM := e.client.Get(ctx, client.ObjectKey{Name: e.Config.Webhook.MutatingName}, m)
	errV := e.client.Get(ctx, client.ObjectKey{Name: e.Config.Webhook.ValidatingName}, v)
	m.Name, v.Name = e.Config.Webhook.MutatingName, e.Config.Webhook.ValidatingName
	return []live{{mutating(m), errM}, {validating(v), errV}}
}

// service looks whether the Service that the API server calls leads to the webhook's pods.
func (e examiner) service(ctx context.Context) []Finding {
	const check = "webhooks"
	name := e.Config.Webhook.ServiceName
	if name == "" || e.webhookLabels == nil || !e.runs("webhook") {
		return nil // It is reached otherwise, or nobody runs here whom it could lead to.
	}
	f := Finding{Check: check, Severity: OK, Where: "service/" + name, What: "it leads to the pods of the webhook"}
	service := &corev1.Service{}
	switch err := e.client.Get(ctx, client.ObjectKey{Namespace: e.Config.Namespace, Name: name}, service); {
	case apierrors.IsNotFound(err) && e.Config.Webhook.CertMode == config.CertFiles:
		return nil // The API server calls a URL.
	case apierrors.IsNotFound(err):
		f.Severity, f.What, f.Fix = Error, "there is none: the API server does not reach the webhook", e.install("webhook")
	case err != nil:
		return []Finding{unseen(check, f.Where, err)}
	case len(service.Spec.Selector) == 0:
		f.What = "it has no selector: whoever made it says where it leads"
	case !labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(e.webhookLabels)):
		f.Severity, f.What, f.Fix = Error, fmt.Sprintf("it leads to pods with %s, and the webhook's have others", labels.Set(service.Spec.Selector)), e.install("webhook")
	}
	return []Finding{f}
}

// shippedHooks returns the configurations that ship, by resource.
func shippedHooks(layout config.Layout) (map[string]hooks, error) {
	documents, err := config.Manifests("webhook", layout)
	if err != nil {
		return nil, err
	}
	shipped := map[string]hooks{}
	for _, document := range documents {
		var meta metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(document), &meta); err != nil {
			return nil, fmt.Errorf("decode a shipped webhook configuration: %w", err)
		}
		var h hooks
		switch meta.Kind {
		case "MutatingWebhookConfiguration":
			var c admissionv1.MutatingWebhookConfiguration
			err = yaml.Unmarshal([]byte(document), &c)
			h = mutating(&c)
		case "ValidatingWebhookConfiguration":
			var c admissionv1.ValidatingWebhookConfiguration
			err = yaml.Unmarshal([]byte(document), &c)
			h = validating(&c)
		}
		if err != nil {
			return nil, fmt.Errorf("decode a shipped webhook configuration: %w", err)
		}
		shipped[h.resource] = h
	}
	return shipped, nil
}

// host is the name that the API server expects in the certificate of an entry.
func (h hook) host() string {
	if s := h.config.Service; s != nil {
		return s.Name + "." + s.Namespace + ".svc"
	}
	if h.config.URL == nil {
		return ""
	}
	u, err := url.Parse(*h.config.URL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
