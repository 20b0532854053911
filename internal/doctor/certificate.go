package doctor

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/config"
)

// injectAnnotation names the Certificate whose CA cert-manager writes into a webhook configuration.
const injectAnnotation = "cert-manager.io/inject-ca-from"

// expiring is how long a certificate should last at least. Whoever renews it does so earlier.
const expiring = 7 * 24 * time.Hour

// certificate looks at the webhook's certificate in its Secret, and whether the API server trusts it.
func (e examiner) certificate(ctx context.Context) []Finding {
	const check = "certificate"
	if !e.runs("webhook") {
		return nil // Nobody serves one.
	}
	w := e.Config.Webhook
	where := "secret/" + w.CertSecret
	secret := &corev1.Secret{}
	err := e.client.Get(ctx, client.ObjectKey{Namespace: e.Config.Namespace, Name: w.CertSecret}, secret)
	switch {
	case w.CertMode == config.CertFiles && (apierrors.IsNotFound(err) || len(secret.Data[corev1.TLSCertKey]) == 0):
		return []Finding{{Check: check, Severity: Unseen, What: "it lies in a folder of the webhook; whether it works is told by admission", Where: w.CertDir, Fix: e.served()}}
	case apierrors.IsNotFound(err):
		return []Finding{{Check: check, Severity: Error, What: "the Secret with the certificate is missing", Where: where, Fix: e.provide(e.install("webhook"))}}
	case err != nil:
		return []Finding{unseen(check, where, err)}
	}
	leaf, chain, err := parseChain(secret.Data[corev1.TLSCertKey])
	if err != nil {
		return []Finding{{Check: check, Severity: Error, What: "the Secret holds no certificate: " + err.Error(), Where: where, Fix: e.provide(e.restart("webhook"))}}
	}
	left := leaf.NotAfter.Sub(e.Clock.Now()).Round(time.Minute)
	f := Finding{Check: check, Severity: OK, Where: where, What: fmt.Sprintf("it is valid until %s", leaf.NotAfter.UTC().Format(time.RFC3339))}
	switch {
	case left <= 0:
		f.Severity, f.What, f.Fix = Error, fmt.Sprintf("it has expired %s ago", -left), e.renew(true)
	case left < expiring:
		f.Severity, f.What, f.Fix = Warning, fmt.Sprintf("it expires in %s, and was not renewed", left), e.renew(false)
	}
	return append([]Finding{f}, e.trust(ctx, leaf, chain)...)
}

// provide is the command that brings a certificate into a Secret without one: what puts it right where the webhook makes its own, or
// what asks whoever else does.
func (e examiner) provide(selfSigned string) string {
	w := e.Config.Webhook
	switch {
	case w.CertMode == config.CertSelfSigned:
		return selfSigned
	case e.unknownIssuer():
		return CanI(e.unseenCertificates)
	case e.issued() != "":
		return fmt.Sprintf("kubectl --namespace %s describe certificate %s", e.Config.Namespace, e.issued())
	default:
		return fmt.Sprintf("kubectl --namespace %s delete secret %[2]s --ignore-not-found && kubectl --namespace %[1]s create secret tls %[2]s --cert=tls.crt --key=tls.key",
			e.Config.Namespace, w.CertSecret)
	}
}

// renew is the command after which there is a new certificate. cert-manager makes one when its Secret is gone, which is asked of
// it only when nothing can be lost by that; where nobody is known who makes one, it is read from files.
func (e examiner) renew(expired bool) string {
	namespace, w := e.Config.Namespace, e.Config.Webhook
	switch {
	case w.CertMode == config.CertSelfSigned:
		return fmt.Sprintf(`kubectl --namespace %s patch secret %s --type=json --patch '[{"op":"add","path":"/data","value":{}}]' && %s`,
			namespace, w.CertSecret, e.restart("webhook"))
	case e.unknownIssuer():
		return e.provide("")
	case e.issued() != "" && expired:
		return fmt.Sprintf("kubectl --namespace %s delete secret %s", namespace, w.CertSecret)
	case e.issued() != "":
		return e.provide("")
	default:
		return fmt.Sprintf(`kubectl --namespace %s patch secret %s --type=merge --patch '{"data":{"tls.crt":"'$(base64 <tls.crt | tr -d '\n')'","tls.key":"'$(base64 <tls.key | tr -d '\n')'"}}'`,
			namespace, w.CertSecret)
	}
}

// served is the command that shows the certificate which the webhook serves.
func (e examiner) served() string {
	return fmt.Sprintf("kubectl --namespace %s port-forward deployment/%s 9443:%d >/dev/null & sleep 3; openssl s_client -connect localhost:9443 </dev/null | openssl x509 -noout -dates; kill $!",
		e.Config.Namespace, cmp.Or(e.deployments["webhook"], "loadline-webhook"), e.Config.Webhook.Port)
}

// trust looks whether the CA in every entry of the webhook configurations vouches for the certificate.
func (e examiner) trust(ctx context.Context, leaf *x509.Certificate, chain *x509.CertPool) []Finding {
	const check = "certificate authority"
	var found []Finding
	for _, live := range e.liveHooks(ctx) {
		if live.err != nil {
			continue // told by the check of the configurations
		}
		f := Finding{Check: check, Severity: OK, Where: live.String(), What: "the API server trusts the certificate"}
		for _, h := range live.entries {
			if err := verify(leaf, chain, h); err != nil {
				f.Severity, f.What, f.Fix = Error, fmt.Sprintf("the API server does not trust the certificate, for entry %s: %v", h.name, err), e.vouch(live.hooks)
				break
			}
		}
		found = append(found, f)
	}
	return found
}

func verify(leaf *x509.Certificate, chain *x509.CertPool, h hook) error {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(h.config.CABundle) {
		return errors.New("its caBundle holds no certificate")
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: chain, DNSName: h.host(),
		CurrentTime: leaf.NotAfter.Add(-time.Second), // Its age is told by another finding.
	})
	return err
}

// vouch is the command that has cert-manager write its CA into every entry, or that writes the one of the Secret.
func (e examiner) vouch(h hooks) string {
	if from := e.Config.Namespace + "/" + e.issued(); e.issued() != "" && h.annotations[injectAnnotation] != from {
		return fmt.Sprintf("kubectl annotate %s %s %s=%s --overwrite", h.resource, h.name, injectAnnotation, from)
	}
	patches := make([]string, len(h.entries))
	for i := range h.entries {
		patches[i] = fmt.Sprintf(`{"op":"add","path":"/webhooks/%d/clientConfig/caBundle","value":"'$CA'"}`, i)
	}
	return fmt.Sprintf(`CA=$(kubectl --namespace %s get secret %s -o jsonpath='{.data.ca\.crt}') && kubectl patch %s %s --type=json --patch '[%s]'`,
		e.Config.Namespace, e.Config.Webhook.CertSecret, h.resource, h.name, strings.Join(patches, ","))
}

// parseChain reads a certificate and what it rests on.
func parseChain(text []byte) (leaf *x509.Certificate, chain *x509.CertPool, err error) {
	chain = x509.NewCertPool()
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, nil, fmt.Errorf("read a certificate: %w", err)
		}
		if leaf == nil {
			leaf = c
		}
		chain.AddCert(c)
	}
	if leaf == nil {
		return nil, nil, fmt.Errorf("key %s has no certificate in it", corev1.TLSCertKey)
	}
	return leaf, chain, nil
}

// certManager tells what cert-manager says about its Certificates in Loadline's namespace. Without cert-manager there is nothing
// to tell.
func (e examiner) certManager(context.Context) []Finding {
	const check = "cert-manager"
	if e.unseenCertificates != nil {
		return []Finding{unseen(check, "cert-manager's Certificates", e.unseenCertificates)}
	}
	var found []Finding
	for i := range e.certificates {
		found = append(found, judgeCertificate(check, &e.certificates[i]))
	}
	return found
}

func judgeCertificate(check string, c *unstructured.Unstructured) Finding {
	f := Finding{
		Check: check, Severity: Error, Where: "certificate/" + c.GetName(), What: "cert-manager has not looked at it yet",
		Fix: fmt.Sprintf("kubectl --namespace %s describe certificate %s", c.GetNamespace(), c.GetName()),
	}
	conditions, _, err := unstructured.NestedSlice(c.Object, "status", "conditions")
	if err != nil {
		return f
	}
	for _, condition := range conditions {
		fields, ok := condition.(map[string]any)
		if !ok || fields["type"] != "Ready" {
			continue
		}
		if fields["status"] == "True" {
			return Finding{Check: f.Check, Severity: OK, Where: f.Where, What: "cert-manager says that it is ready"}
		}
		f.What = fmt.Sprintf("cert-manager says that it is not ready: %v", fields["message"])
	}
	return f
}
