package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/e2e/harness"
)

// constantName is the first argument that makes this program the constant webhook, and the name of that webhook.
const constantName = "constant"

// constantPatch gives the sizes that both systems recommend: what a webhook costs that knows the answer before it is asked. No
// webhook can add less.
var constantPatch = fmt.Sprintf(`[{"op":"add","path":"/spec/containers/0/resources","value":{"requests":{"cpu":%q,"memory":%q}}}]`,
	recommendedCPU, recommendedMemory)

// serveConstant gives every request the same answer until the context ends. Of a request it looks at the uid alone, which the
// API server puts first.
func serveConstant(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet(constantName, flag.ContinueOnError)
	address := flags.String("address", "", "to listen on")
	cert, key := flags.String("cert", "", "certificate file"), flags.String("key", "", "key file")
	if err := flags.Parse(args); err != nil {
		return err
	}
	server := &http.Server{Addr: *address, Handler: http.HandlerFunc(answerConstant), ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.ListenAndServeTLS(*cert, *key); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func answerConstant(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	_, rest, found := bytes.Cut(body, []byte(`"uid":"`))
	uid, _, closed := bytes.Cut(rest, []byte(`"`))
	if err != nil || !found || !closed {
		http.Error(w, "no uid", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":%q,"allowed":true,"patchType":"JSONPatch","patch":%q}}`,
		uid, base64.StdEncoding.EncodeToString([]byte(constantPatch)))
}

// startConstant starts that webhook as a process of its own, and has the API server ask it for the pods of one namespace.
func (b *bed) startConstant(ctx context.Context) (*system, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cert, err := b.cluster.ServingCert()
	if err != nil {
		return nil, err
	}
	port, err := harness.FreePort()
	if err != nil {
		return nil, err
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	p, err := b.cluster.Run(ctx, constantName, exec.Command(program, constantName, "--address="+address, "--cert="+cert.CertFile, "--key="+cert.KeyFile))
	if err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := p.WaitReady(waiting, func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	}); err != nil {
		return nil, err
	}
	s := &system{
		name: constantName, namespace: "bench-constant", pid: p.PID(), ca: b.cluster.CACertPEM,
		url: "https://" + address + "/", webhook: "constant.example.com",
	}
	if err := b.admin.Create(ctx, constantConfiguration(s)); err != nil {
		return nil, err
	}
	return s, b.createNamespace(ctx, s.namespace, nil)
}

func constantConfiguration(s *system) *admissionregistrationv1.MutatingWebhookConfiguration {
	return &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: s.name},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: s.webhook, ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &s.url, CABundle: s.ca},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": s.namespace}},
			SideEffects:       new(admissionregistrationv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"},
			TimeoutSeconds: new(int32(5)), FailurePolicy: new(admissionregistrationv1.Ignore),
		}},
	}
}
