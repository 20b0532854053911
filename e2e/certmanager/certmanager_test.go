//go:build full

package certmanager_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	apiutil "github.com/cert-manager/cert-manager/pkg/api/util"
	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"github.com/cert-manager/cert-manager/pkg/client/clientset/versioned"
	certmanagerclient "github.com/cert-manager/cert-manager/pkg/client/clientset/versioned/typed/certmanager/v1"
	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/e2e/harness"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/traffic"
)

const (
	// authority and leaf are the names of the Certificates; the CA's Secret and the Issuer that uses it are named like the first.
	authority = "loadline-webhook-ca"
	leaf      = "loadline-webhook"
	// shop is the namespace that opted in.
	shop = "shop"
	// patience bounds every wait.
	patience = time.Minute
)

// fixture is what all subtests share.
type fixture struct {
	cluster      *harness.Cluster
	loadline     *install.Installation
	certificates certmanagerclient.CertificateInterface
	issuers      certmanagerclient.IssuerInterface
}

func TestCertManagerKeepsTheCertificateOfTheWebhook(t *testing.T) {
	ctrl.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
	t.Chdir("..") // the control plane is built from there
	cluster, err := harness.Start(t.Context(), harness.Options{Log: t.Output(), Nodes: 1, WithoutPrometheus: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Stop() })
	startCertManager(t, cluster)
	f := fixture{cluster: cluster}
	if f.loadline, err = install.Install(t.Context(), install.Options{
		Cluster: cluster, Values: "{certManager: {enabled: true}}",
		Parts:     []string{}, // none before there is a certificate to be made
		Configure: func(c *config.Config) { c.Webhook.CertDir = t.TempDir() },
	}); err != nil {
		t.Fatal(err)
	}
	clients, err := versioned.NewForConfig(cluster.AdminConfig)
	if err != nil {
		t.Fatal(err)
	}
	namespace := f.loadline.Config.Namespace
	f.certificates, f.issuers = clients.CertmanagerV1().Certificates(namespace), clients.CertmanagerV1().Issuers(namespace)

	// Each goes on where the one before ended.
	_ = t.Run("a webhook that started before its certificate serves once there is one", f.certificateIsMade) &&
		t.Run("renewing the certificate is noticed by nobody", f.leafIsRenewed) &&
		t.Run("a Secret that was deleted comes back, and is noticed by nobody", f.secretIsDeleted) &&
		t.Run("renewing the CA, and then the certificate, is noticed by nobody", f.authorityIsRenewed) &&
		t.Run("a CA with another key is followed, and is noticed by nobody", f.authorityIsReplaced) &&
		t.Run("the doctor's commands leave the certificate to cert-manager", f.doctorMends) &&
		t.Run("the doctor says what cert-manager says", f.doctorRepeats)
}

func (f fixture) certificateIsMade(t *testing.T) {
	g := scene(t)
	started := make(chan error, 1)
	go func() { started <- f.loadline.Start(t.Context(), install.Webhook) }()
	f.apply(t)
	for _, name := range []string{authority, leaf} {
		g.Eventually(func(g Gomega) {
			g.Expect(apiutil.CertificateHasCondition(f.certificate(t, name), certmanagerv1.CertificateCondition{
				Type: certmanagerv1.CertificateConditionReady, Status: cmmeta.ConditionTrue,
			})).To(BeTrue())
		}).Should(Succeed())
	}
	g.Eventually(started).Should(Receive(BeNil()))
	f.trusted(t)

	g.Expect(f.loadline.Client.Create(t.Context(), &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: shop, Annotations: map[string]string{v1alpha1.AnnotationMode: "initial"}},
	})).To(Succeed())
	g.Expect(traffic.Recommend(t.Context(), f.loadline.Client, shop, "web")).To(Succeed())
	g.Eventually(func() int {
		got := traffic.Wave{Namespace: shop, Deployment: "web", Pods: 1, AtOnce: 1}.Create(t.Context(), f.loadline.Client)
		return got.Injected
	}).Should(Equal(1))
	metrics, err := f.loadline.Metrics(t.Context(), install.Webhook)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(metrics.Sum("loadline_webhook_certificate_expiration_timestamp_seconds")).
		To(BeEquivalentTo(f.certificate(t, leaf).Status.NotAfter.Unix()), "what cert-manager says in the status")
}

// apply creates the Issuers and Certificates of the chart. What cert-manager's types do not know in them is refused.
func (f fixture) apply(t *testing.T) {
	t.Helper()
	g := scene(t)
	for _, document := range f.loadline.Chart {
		var kind metav1.TypeMeta
		g.Expect(yaml.Unmarshal(document, &kind)).To(Succeed())
		switch kind.Kind {
		case certmanagerv1.IssuerKind:
			issuer := &certmanagerv1.Issuer{}
			g.Expect(yaml.UnmarshalStrict(document, issuer)).To(Succeed())
			_, err := f.issuers.Create(t.Context(), issuer, metav1.CreateOptions{})
			g.Expect(err).NotTo(HaveOccurred())
		case certmanagerv1.CertificateKind:
			certificate := &certmanagerv1.Certificate{}
			g.Expect(yaml.UnmarshalStrict(document, certificate)).To(Succeed())
			_, err := f.certificates.Create(t.Context(), certificate, metav1.CreateOptions{})
			g.Expect(err).NotTo(HaveOccurred())
		}
	}
}

func (f fixture) leafIsRenewed(t *testing.T) {
	g, stream := scene(t), f.stream(t)
	const times = 3
	for range times {
		f.renew(t, leaf)
		f.flows(t, stream)
	}
	all, _ := stream.Stop()
	t.Logf("renewed %d times: %s", times, &all)
	g.Expect(all.Refused).To(BeEmpty())
	g.Expect(all.AsWritten).To(BeZero())
}

func (f fixture) secretIsDeleted(t *testing.T) {
	g, stream, before := scene(t), f.stream(t), f.secret(t)
	g.Expect(f.loadline.Client.Delete(t.Context(), before)).To(Succeed())
	g.Eventually(func(g Gomega) {
		secret := &corev1.Secret{}
		g.Expect(f.loadline.Client.Get(t.Context(), client.ObjectKeyFromObject(before), secret)).To(Succeed())
		g.Expect(secret.Data[corev1.TLSCertKey]).NotTo(Or(BeEmpty(), Equal(before.Data[corev1.TLSCertKey])))
	}).Should(Succeed())
	f.flows(t, stream)
	all, _ := stream.Stop()
	t.Logf("deleted: %s", &all)
	g.Expect(all.Refused).To(BeEmpty())
	g.Expect(all.AsWritten).To(BeZero())
}

// authorityIsRenewed has the CA made anew, with the key that it has: a new root, which the chart lets happen every few years.
func (f fixture) authorityIsRenewed(t *testing.T) {
	g, stream, before := scene(t), f.stream(t), f.secret(t).Data[cmmeta.TLSCAKey]
	f.renew(t, authority)
	f.flows(t, stream) // the certificate is still that of the old root
	f.trusted(t)
	f.renew(t, leaf)
	f.trusted(t)
	f.flows(t, stream)
	all, gap := stream.Stop()
	t.Logf("the CA renewed: %s, within %s", &all, gap)
	g.Expect(f.secret(t).Data[cmmeta.TLSCAKey]).NotTo(Equal(before), "the CA stayed")
	g.Expect(all.Refused).To(BeEmpty())
	g.Expect(all.AsWritten).To(BeZero())
}

// authorityIsReplaced deletes the CA's Secret, as one does when its key is no longer secret: the next CA has another key.
func (f fixture) authorityIsReplaced(t *testing.T) {
	g, stream, before := scene(t), f.stream(t), f.certificate(t, authority)
	key := client.ObjectKey{Namespace: f.loadline.Config.Namespace, Name: authority}
	old := &corev1.Secret{}
	g.Expect(f.loadline.Client.Get(t.Context(), key, old)).To(Succeed())
	g.Expect(f.loadline.Client.Delete(t.Context(), old)).To(Succeed())
	g.Eventually(func() int { return *f.certificate(t, authority).Status.Revision }).Should(BeNumerically(">", *before.Status.Revision))
	f.flows(t, stream)
	f.renew(t, leaf)
	f.trusted(t)
	f.flows(t, stream)
	all, gap := stream.Stop()
	t.Logf("the CA replaced: %s, within %s", &all, gap)
	replaced := &corev1.Secret{}
	g.Expect(f.loadline.Client.Get(t.Context(), key, replaced)).To(Succeed())
	g.Expect(replaced.Data[corev1.TLSPrivateKeyKey]).NotTo(Equal(old.Data[corev1.TLSPrivateKeyKey]), "the key stayed")
	g.Expect(f.secret(t).Data[cmmeta.TLSCAKey]).To(Equal(replaced.Data[corev1.TLSCertKey]), "the certificate is of the CA before")
	g.Expect(all.Refused).To(BeEmpty())
	g.Expect(all.AsWritten).To(BeZero())
}

// stream begins to create pods and returns once they are injected.
func (f fixture) stream(t *testing.T) *traffic.Stream {
	t.Helper()
	stream := traffic.Wave{Namespace: shop, Deployment: "web", AtOnce: 5}.Start(t.Context(), f.loadline.Client)
	f.flows(t, stream)
	return stream
}

// flows waits until a hundred pods more are created, and the last hundred are injected.
func (f fixture) flows(t *testing.T, stream *traffic.Stream) {
	t.Helper()
	done := stream.Pods()
	scene(t).Eventually(func() bool { return stream.Pods() >= done+100 && stream.Recent() >= 100 }).Should(BeTrue())
}

// renew has a Certificate made anew, as `cmctl renew` does, and waits until it is.
func (f fixture) renew(t *testing.T, name string) {
	t.Helper()
	g, before := scene(t), f.certificate(t, name)
	g.Eventually(func() error {
		certificate := f.certificate(t, name)
		apiutil.SetCertificateCondition(certificate, certificate.Generation, certmanagerv1.CertificateConditionIssuing, cmmeta.ConditionTrue,
			"ManuallyTriggered", "Certificate re-issuance manually triggered")
		_, err := f.certificates.UpdateStatus(t.Context(), certificate, metav1.UpdateOptions{})
		if apierrors.IsConflict(err) {
			return err
		}
		g.Expect(err).NotTo(HaveOccurred())
		return nil
	}).Should(Succeed())
	g.Eventually(func() int { return *f.certificate(t, name).Status.Revision }).Should(BeNumerically(">", *before.Status.Revision))
}

// trusted waits until all entries of both webhook configurations trust the certificate in the Secret. What they trusted before stays
// among what they trust: cert-manager adds a CA, and takes out none that has not expired.
func (f fixture) trusted(t *testing.T) {
	t.Helper()
	scene(t).Eventually(func(g Gomega) {
		block, _ := pem.Decode(f.secret(t).Data[corev1.TLSCertKey])
		g.Expect(block).NotTo(BeNil())
		certificate, err := x509.ParseCertificate(block.Bytes)
		g.Expect(err).NotTo(HaveOccurred())
		mutating, validating := f.configurations(t)
		var bundles [][]byte
		for _, w := range mutating.Webhooks {
			bundles = append(bundles, w.ClientConfig.CABundle)
		}
		for _, w := range validating.Webhooks {
			bundles = append(bundles, w.ClientConfig.CABundle)
		}
		for _, bundle := range bundles {
			roots := x509.NewCertPool()
			g.Expect(roots.AppendCertsFromPEM(bundle)).To(BeTrue())
			g.Expect(bytes.Contains(bundle, f.secret(t).Data[cmmeta.TLSCAKey])).To(BeTrue(), "%d bytes of CAs", len(bundle))
			_, err := certificate.Verify(x509.VerifyOptions{Roots: roots, DNSName: certificate.DNSNames[0]})
			g.Expect(err).NotTo(HaveOccurred())
		}
	}).Should(Succeed())
}

func (f fixture) configurations(t *testing.T) (*admissionv1.MutatingWebhookConfiguration, *admissionv1.ValidatingWebhookConfiguration) {
	t.Helper()
	g, w := scene(t), f.loadline.Config.Webhook
	mutating, validating := &admissionv1.MutatingWebhookConfiguration{}, &admissionv1.ValidatingWebhookConfiguration{}
	g.Expect(f.loadline.Client.Get(t.Context(), types.NamespacedName{Name: w.MutatingName}, mutating)).To(Succeed())
	g.Expect(f.loadline.Client.Get(t.Context(), types.NamespacedName{Name: w.ValidatingName}, validating)).To(Succeed())
	return mutating, validating
}

func (f fixture) certificate(t *testing.T, name string) *certmanagerv1.Certificate {
	t.Helper()
	certificate, err := f.certificates.Get(t.Context(), name, metav1.GetOptions{})
	scene(t).Expect(err).NotTo(HaveOccurred())
	return certificate
}

// secret returns the Secret of the webhook's certificate.
func (f fixture) secret(t *testing.T) *corev1.Secret {
	t.Helper()
	secret := &corev1.Secret{}
	key := types.NamespacedName{Namespace: f.loadline.Config.Namespace, Name: f.loadline.Config.Webhook.CertSecret}
	scene(t).Expect(f.loadline.Client.Get(t.Context(), key, secret)).To(Succeed())
	return secret
}

func scene(t *testing.T) *WithT {
	t.Helper()
	g := NewWithT(t)
	g.SetDefaultEventuallyTimeout(patience)
	g.SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	return g
}
