// Package certs brings the certificate of the admission server from a Secret to the server.
//
// Without cert-manager the manifests ship that Secret empty. cert-controller fills it, renews it 90 days before it expires, and
// writes the CA into the webhook configurations. With cert-manager, it does all of that. In both cases this package copies the
// Secret into the directory that the server reads. No Secret volume is involved, so a renewed certificate is served at the next
// handshake and not when the kubelet next syncs.
package certs

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// Options of Rotate. Every field is required.
type Options struct {
	// Secret holds the CA and the certificate. It must exist, and may be empty.
	Secret types.NamespacedName
	// ServiceName is the Service in front of the server, in the namespace of the Secret.
	ServiceName string
	// MutatingName and ValidatingName are the webhook configurations that get the CA.
	MutatingName, ValidatingName string
	// Dir is where the server reads tls.crt and tls.key. It must be writable.
	Dir string
}

// Rotate adds the rotation to a manager, and returns a channel that is closed once the certificate is in Dir and the CA in
// both webhook configurations. Every replica may run it: whoever writes the Secret second is refused by the API server and
// takes what the first one wrote.
func Rotate(mgr manager.Manager, o Options) (<-chan struct{}, error) {
	m := narrow(mgr, map[string]string{
		"secrets":                         o.Secret.Name,
		"mutatingwebhookconfigurations":   o.MutatingName,
		"validatingwebhookconfigurations": o.ValidatingName,
	})
	if _, err := addFiles(m, o.Secret, o.Dir); err != nil {
		return nil, err
	}
	ready := make(chan struct{})
	err := rotator.AddRotator(m, &rotator.CertRotator{
		SecretKey:      o.Secret,
		CertDir:        o.Dir,
		CAName:         "loadline-ca",
		CAOrganization: "loadline",
		DNSName:        o.ServiceName + "." + o.Secret.Namespace + ".svc",
		FieldOwner:     "loadline-webhook",
		IsReady:        ready,
		Webhooks: []rotator.WebhookInfo{
			{Name: o.MutatingName, Type: rotator.Mutating},
			{Name: o.ValidatingName, Type: rotator.Validating},
		},
		// The CA is injected only after the files are there: until then the API server keeps trusting the old ones.
		EnableReadinessCheck: true,
	})
	if err != nil {
		return nil, fmt.Errorf("set up certificate rotation: %w", err)
	}
	return ready, nil
}

// Follow copies the certificate from a Secret that somebody else writes, such as cert-manager, into a directory. The channel
// that it returns is closed once a certificate is there. The Secret need not exist yet, and is only read.
func Follow(mgr manager.Manager, secret types.NamespacedName, dir string) (<-chan struct{}, error) {
	return addFiles(narrow(mgr, map[string]string{"secrets": secret.Name}), secret, dir)
}

// narrow returns a manager that lists and watches only the object of the given name, by resource.
func narrow(mgr manager.Manager, names map[string]string) named {
	m := named{Manager: mgr, config: rest.CopyConfig(mgr.GetConfig())}
	m.config.Wrap(func(next http.RoundTripper) http.RoundTripper { return onlyNamed{next: next, names: names} })
	return m
}

// named is a manager whose configuration lists and watches only the objects that it was given, by name. The rotator
// builds its own cache from that configuration, which would otherwise need to read every Secret of the namespace and every
// webhook configuration of the cluster.
type named struct {
	manager.Manager
	config *rest.Config
}

// GetConfig returns the narrowed configuration.
func (n named) GetConfig() *rest.Config { return n.config }

// onlyNamed adds a field selector to lists and watches, which is what makes resourceNames in a role match them.
type onlyNamed struct {
	next  http.RoundTripper
	names map[string]string // by resource
}

// RoundTrip sends a copy of the request if it has to be changed.
func (o onlyNamed) RoundTrip(req *http.Request) (*http.Response, error) {
	resource := req.URL.Path[strings.LastIndexByte(req.URL.Path, '/')+1:]
	name, known := o.names[resource]
	if !known || req.Method != http.MethodGet {
		return o.next.RoundTrip(req)
	}
	req = req.Clone(req.Context())
	query := req.URL.Query()
	query.Set("fieldSelector", "metadata.name="+name)
	req.URL.RawQuery = query.Encode()
	return o.next.RoundTrip(req)
}
