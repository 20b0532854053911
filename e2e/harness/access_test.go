package harness_test

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

func (f fixture) serviceAccountIsUnprivileged(t *testing.T) {
	g := NewWithT(t)
	_, _, err := f.ServiceAccountKubeconfig(t.Context(), "default", "nobody")
	g.Expect(err).To(MatchError(ContainSubstring("default/nobody")), "an account that does not exist")

	path, cfg, err := f.ServiceAccountKubeconfig(t.Context(), "default", "default")

	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(path).To(BeARegularFile())
	own, err := kubernetes.NewForConfig(cfg)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = own.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{})
	g.Expect(err).To(MatchError(apierrors.IsForbidden, "forbidden"))
	g.Expect(err).To(MatchError(ContainSubstring("system:serviceaccount:default:default")))
}

// webhookServiceLeadsHere proves that a webhook configuration can stay as it is
// shipped, with a Service: one of type ExternalName leads to this process.
func (f fixture) webhookServiceLeadsHere(t *testing.T) {
	g := NewWithT(t)
	cert, err := f.ServingCert("guard.default.svc")
	g.Expect(err).NotTo(HaveOccurred())
	port := serveDenials(t, cert.CertFile, cert.KeyFile)
	_, err = f.clients.CoreV1().Services("default").Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "guard"},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"},
	}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	configurations := f.clients.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	_, err = configurations.Create(t.Context(), &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "guard"},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "guard.e2e.loadline.dev",
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				Service:  &admissionregistrationv1.ServiceReference{Namespace: "default", Name: "guard", Port: new(int32(port))},
				CABundle: cert.CAPEM,
			},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"secrets"}},
			}},
			SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
			FailurePolicy:           new(admissionregistrationv1.Ignore),
			AdmissionReviewVersions: []string{"v1"},
		}},
	}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() {
		_ = f.clients.CoreV1().Services("default").Delete(t.Context(), "guard", metav1.DeleteOptions{})
	})

	g.Eventually(func() error {
		_, err := f.clients.CoreV1().Secrets("default").Create(t.Context(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "probe-"},
		}, metav1.CreateOptions{})
		return err
	}, soon, 200*time.Millisecond).Should(MatchError(ContainSubstring("refused on this machine")))
	g.Expect(configurations.Delete(t.Context(), "guard", metav1.DeleteOptions{})).To(Succeed())
}

// serveDenials serves an admission webhook that refuses everything, and returns
// its port.
func serveDenials(t *testing.T, certFile, keyFile string) int {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Result: &metav1.Status{Message: "refused on this machine"}}
		_ = json.NewEncoder(w).Encode(review)
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return listener.Addr().(*net.TCPAddr).Port
}
