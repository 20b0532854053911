package apitest

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"testing"

	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// evictions are what both kinds of policies are asked about.
func evictions() admissionregistrationv1.RuleWithOperations {
	return admissionregistrationv1.RuleWithOperations{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods/eviction"}},
	}
}

func inNamespace(name string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: name}}
}

// deniedByWebhook registers a webhook that denies every eviction in a namespace, as most do it: without a code.
func deniedByWebhook(t *testing.T, namespace string) {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Result: &metav1.Status{Message: "not during the sale"}}
		_ = json.NewEncoder(w).Encode(review)
	}))
	t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	create(t, &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "evictions.example.com", ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: new(server.URL), CABundle: ca},
			Rules: []admissionregistrationv1.RuleWithOperations{evictions()}, NamespaceSelector: inNamespace(namespace),
			SideEffects: new(admissionregistrationv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"},
		}},
	})
}

// deniedByPolicy is the same with a policy of the API server.
func deniedByPolicy(t *testing.T, namespace string) {
	t.Helper()
	create(t, &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{
				NamespaceSelector: inNamespace(namespace), ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: evictions()}},
			},
			Validations: []admissionregistrationv1.Validation{{Expression: "false", Message: "not during the sale"}},
		},
	})
	create(t, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: namespace, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	})
}

// As with resizes: the updater tells these answers apart by their codes and texts.
func TestWhatTheAPIServerSaysToAnEvictionThatIsDenied(t *testing.T) {
	for name, c := range map[string]struct {
		deny func(*testing.T, string)
		code func(error) bool
		says string
	}{
		"by-a-webhook": {deniedByWebhook, apierrors.IsBadRequest, "denied the request"},
		"by-a-policy":  {deniedByPolicy, apierrors.IsInvalid, "denied request"},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := "evictions-" + name
			create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
			p := running(t, namespace, resources("1", "64Mi", "", ""))
			c.deny(t, namespace)
			NewWithT(t).Eventually(func() error {
				return as(t, "updater").SubResource("eviction").Create(t.Context(), p, &policyv1.Eviction{
					ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name}, DeleteOptions: &metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}},
				})
			}, "30s").Should(And(Satisfy(c.code), MatchError(And(ContainSubstring(c.says), ContainSubstring("not during the sale")))), "once the API server knows of it")
		})
	}
}
