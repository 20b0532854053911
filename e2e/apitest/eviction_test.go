package apitest

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
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
	"k8s.io/apimachinery/pkg/util/intstr"
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

// refusedByBudgets creates so many PodDisruptionBudgets, each of which wants the one pod of a namespace.
func refusedByBudgets(number int) func(*testing.T, string) {
	return func(t *testing.T, namespace string) {
		t.Helper()
		for i := range number {
			create(t, &policyv1.PodDisruptionBudget{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("all-%d", i)},
				Spec:       policyv1.PodDisruptionBudgetSpec{MinAvailable: new(intstr.FromInt32(1)), Selector: &metav1.LabelSelector{}},
			})
		}
	}
}

func isForDisruptionBudget(err error) bool {
	return apierrors.IsTooManyRequests(err) && apierrors.HasStatusCause(err, policyv1.DisruptionBudgetCause)
}

// isUnclassified reports whether the error has code 500 and no reason.
func isUnclassified(err error) bool {
	answer, ok := errors.AsType[*apierrors.StatusError](err)
	return ok && answer.ErrStatus.Code == http.StatusInternalServerError && answer.ErrStatus.Reason == metav1.StatusReasonUnknown
}

// As with resizes: the updater tells these answers apart by their codes, causes and texts.
func TestWhatTheAPIServerSaysToAnEvictionThatIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		refuse func(*testing.T, string)
		code   func(error) bool
		says   string
	}{
		"by-a-webhook":   {deniedByWebhook, apierrors.IsBadRequest, "denied the request: not during the sale"},
		"by-a-policy":    {deniedByPolicy, apierrors.IsInvalid, "denied request: not during the sale"},
		"by-a-budget":    {refusedByBudgets(1), isForDisruptionBudget, "it would violate the pod's disruption budget"},
		"by-two-budgets": {refusedByBudgets(2), isUnclassified, "more than one PodDisruptionBudget"},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := "evictions-" + name
			create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
			p := running(t, namespace, resources("1", "64Mi", "", ""))
			c.refuse(t, namespace)
			NewWithT(t).Eventually(func() error {
				return as(t, "updater").SubResource("eviction").Create(t.Context(), p, &policyv1.Eviction{
					ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name}, DeleteOptions: &metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}},
				})
			}, "30s").Should(And(Satisfy(c.code), MatchError(ContainSubstring(c.says))), "once the API server knows of it")
		})
	}
}
