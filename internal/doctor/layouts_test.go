package doctor_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/internal/doctor"
)

// deployed is the Deployment of one part.
func deployed(part string) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "loadline-system", Name: "loadline-" + part, Labels: map[string]string{"app.kubernetes.io/part-of": "loadline"}},
		Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			ServiceAccountName: "loadline-" + part, Containers: []corev1.Container{{Args: []string{part}}},
		}}},
		Status: appsv1.DeploymentStatus{AvailableReplicas: 1},
	}
}

func opted(name, mode string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{"loadline.dev/mode": mode}}}
}

// Whoever switches off the webhook, and with it the updater, only wants reports.
func TestPartsThatAreSwitchedOffAreNoErrors(t *testing.T) {
	w := newWorld("v1.35.0")
	w.objects = []client.Object{deployed("recommender"), opted("shop", "dry-run")}
	for _, check := range []string{"certificate", "certificate authority", "admission"} {
		if found := w.found(t, check); len(found) > 0 {
			t.Errorf("%s: %+v, want nothing", check, found)
		}
	}
	for check, want := range map[string]string{"webhooks": "none is deployed, and nobody asks for one: sizes are reported, and none is injected", "updater": "none is deployed: running pods are never changed"} {
		if f := w.one(t, check); f.Severity != doctor.OK || f.What != want {
			t.Errorf("%+v, want %q", f, want)
		}
	}

	w.objects = append(w.objects, opted("bank", "auto"), opted("till", "initial"))
	f := w.one(t, "webhooks")
	if f.Severity != doctor.Warning || f.Where != "namespace/bank, till" || f.Fix != "kubectl annotate namespace bank till loadline.dev/mode=dry-run --overwrite" {
		t.Errorf("%+v", f)
	}
	for _, f := range w.found(t, "opt-in") {
		if f.Severity != doctor.OK {
			t.Errorf("%+v: the label is for a webhook that is not there", f)
		}
	}

	w.objects = []client.Object{deployed("recommender"), &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "loadline-mutating"}}}
	f = w.one(t, "webhooks")
	if f.Severity != doctor.Error || f.Fix != "kubectl delete mutatingwebhookconfiguration loadline-mutating" {
		t.Errorf("%+v", f)
	}

	// Whose Deployment was deleted by mistake must not be told to take the rest away.
	w.objects = append(w.objects, opted("bank", "auto"))
	f = w.one(t, "webhooks")
	if f.Severity != doctor.Error || f.Fix != "kubectl diff --server-side -k config" || !strings.Contains(f.What, "apply it again") {
		t.Errorf("%+v", f)
	}
}

// shippedMutating is the configuration that ships for a layout.
func shippedMutating(t *testing.T, layout config.Layout) *admissionv1.MutatingWebhookConfiguration {
	t.Helper()
	documents, err := config.Manifests("webhook", layout)
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range documents {
		found := &admissionv1.MutatingWebhookConfiguration{}
		if err := yaml.Unmarshal([]byte(document), found); err == nil && found.Kind == "MutatingWebhookConfiguration" {
			return found
		}
	}
	t.Fatal("no such manifest ships")
	return nil
}

func TestTheKindsOfTheConfigurationBelongToWhatIsInstalled(t *testing.T) {
	kinds := []config.ScaleKind{{Group: "argoproj.io", Version: "v1alpha1", Kind: "Rollout", Resource: "rollouts"}, {Group: "example.com", Version: "v1", Kind: "Fleet", Resource: "fleets"}}
	w := newWorld("v1.35.0")
	w.options.Config.Scaling.Kinds = kinds
	w.objects = []client.Object{shippedMutating(t, config.Layout{})}
	f := w.found(t, "webhooks")[0]
	const command = "loadline manifests webhook --scale-kind argoproj.io/v1alpha1/rollouts --scale-kind example.com/v1/fleets | kubectl apply "
	if f.Severity != doctor.Error || !strings.Contains(f.What, "entry workloads.loadline.dev is not asked about all objects") || !strings.HasPrefix(f.Fix, command) {
		t.Errorf("without their rules: %+v", f)
	}
	w.objects = []client.Object{shippedMutating(t, config.Layout{ScaleKinds: kinds})}
	if f := w.found(t, "webhooks")[0]; f.Severity != doctor.OK {
		t.Errorf("with their rules: %+v", f)
	}
	own := shippedMutating(t, config.Layout{})
	for i := range own.Webhooks {
		if own.Webhooks[i].Name == "workloads.loadline.dev" {
			rule := own.Webhooks[i].Rules[0]
			rule.APIGroups, rule.APIVersions, rule.Resources = []string{"argoproj.io", "example.com"}, []string{"*"}, []string{"rollouts", "fleets"}
			own.Webhooks[i].Rules = append(own.Webhooks[i].Rules, rule)
		}
	}
	w.objects = []client.Object{own}
	if f := w.found(t, "webhooks")[0]; f.Severity != doctor.OK {
		t.Errorf("with one rule for both: %+v", f)
	}

	w.funcs.Create = func(_ context.Context, _ client.WithWatch, o client.Object, _ ...client.CreateOption) error {
		if review, ok := o.(*authorizationv1.SubjectAccessReview); ok {
			review.Status.Allowed = review.Spec.ResourceAttributes.Group != "argoproj.io"
		}
		return nil
	}
	missing := map[string]string{}
	for _, f := range w.found(t, "rights") {
		if f.Severity == doctor.Error {
			missing[f.Where] = f.What
		}
	}
	if len(missing) != 2 || missing["serviceaccount/loadline-recommender"] != "the recommender may not get rollouts, list rollouts, watch rollouts" ||
		missing["serviceaccount/loadline-updater"] != "the updater may not get rollouts, list rollouts, watch rollouts, get rollouts/scale, update rollouts/scale" {
		t.Errorf("missing rights: %v", missing)
	}
}

// A command that takes it for granted that cert-manager keeps no Secret would take the certificate away.
func TestWhereCertManagersObjectsMayNotBeReadNothingIsClaimedAboutThem(t *testing.T) {
	w := newWorld("v1.35.0")
	w.options.Config.Webhook.CertMode = config.CertFromSecret
	w.funcs.List = func(ctx context.Context, c client.WithWatch, list client.ObjectList, o ...client.ListOption) error {
		if list.GetObjectKind().GroupVersionKind().Group == "cert-manager.io" {
			return apierrors.NewForbidden(schema.GroupResource{Group: "cert-manager.io", Resource: "certificates"}, "",
				errors.New(`User "ann" cannot list resource "certificates" in API group "cert-manager.io" in the namespace "loadline-system"`))
		}
		return c.List(ctx, list, o...)
	}
	if f := w.one(t, "certificate"); f.Fix != "kubectl auth can-i list certificates.cert-manager.io --namespace loadline-system" {
		t.Errorf("%+v", f)
	}
	if f := w.one(t, "cert-manager"); f.Severity != doctor.Unseen {
		t.Errorf("%+v", f)
	}
	for _, f := range w.found(t, "webhooks") {
		if !strings.HasSuffix(f.Fix, "| kubectl diff --server-side --force-conflicts -f -") {
			t.Errorf("%+v: it would take away what cert-manager goes by", f)
		}
	}
	w.objects = []client.Object{&admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{
		Name: "loadline-mutating", Annotations: map[string]string{"cert-manager.io/inject-ca-from": "loadline-system/web"},
	}}}
	if f := w.one(t, "certificate"); f.Fix != "kubectl --namespace loadline-system describe certificate web" {
		t.Errorf("the webhook configurations name it, and yet: %+v", f)
	}
	for _, f := range w.found(t, "webhooks") {
		if !strings.Contains(f.Fix, "--cert-mode secret --inject-ca-from web | kubectl apply ") {
			t.Errorf("%+v", f)
		}
	}
}

// An upgrade whose new pods do not start leaves the old ones running, with the configuration from before.
func TestARolloutThatIsStuckIsNotWell(t *testing.T) {
	for name, c := range map[string]struct {
		status appsv1.DeploymentStatus
		want   doctor.Severity
		says   string
	}{
		"all there":      {appsv1.DeploymentStatus{AvailableReplicas: 2, UpdatedReplicas: 2}, doctor.OK, "2 of 2 replicas are available"},
		"half there":     {appsv1.DeploymentStatus{AvailableReplicas: 1, UpdatedReplicas: 2}, doctor.Warning, "1 of 2 replicas are available"},
		"the new broken": {appsv1.DeploymentStatus{AvailableReplicas: 2, UpdatedReplicas: 1}, doctor.Warning, "2 of 2 replicas are available, and 1 run what was installed last: others run what was there before"},
		"none there":     {appsv1.DeploymentStatus{UpdatedReplicas: 2}, doctor.Error, "none of its replicas is available"},
	} {
		t.Run(name, func(t *testing.T) {
			webhook := deployed("webhook")
			webhook.Spec.Replicas, webhook.Status = new(int32(2)), c.status
			w := newWorld("v1.35.0")
			w.objects = []client.Object{webhook}
			if f := w.one(t, "parts"); f.Severity != c.want || f.What != c.says {
				t.Errorf("%+v, want %s: %s", f, c.want, c.says)
			}
		})
	}
}

// Helm and kustomize fold long lines in their own ways.
func TestWhiteSpaceInAConditionIsNoDifference(t *testing.T) {
	folded := shippedMutating(t, config.Layout{})
	for i := range folded.Webhooks {
		for j, c := range folded.Webhooks[i].MatchConditions {
			folded.Webhooks[i].MatchConditions[j].Expression = strings.Join(strings.Fields(c.Expression), "\n    ")
		}
	}
	w := newWorld("v1.35.0")
	w.objects = []client.Object{folded}
	if f := w.found(t, "webhooks")[0]; f.Severity != doctor.OK {
		t.Errorf("%+v", f)
	}
}
