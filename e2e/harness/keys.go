package harness

import (
	"crypto/x509/pkix"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/loadline-dev/loadline/e2e/pki"
)

// keys are the authorities that still sign after the start.
type keys struct {
	ca, frontProxyCA *pki.CA
}

// apiServerHosts are the names under which clients and pods know the API server;
// 10.96.0.1 is the first address of the service range.
var apiServerHosts = []string{
	"127.0.0.1", "localhost", "10.96.0.1", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
	"kubernetes.default.svc.cluster.local",
}

func (c *Cluster) pkiFile(name string) string { return filepath.Join(c.Dir, "pki", name) }

// writeKeys makes all certificates and kubeconfigs of the control plane.
func (c *Cluster) writeKeys() error {
	ca, err := pki.NewCA("loadline-e2e-ca")
	if err != nil {
		return err
	}
	frontProxyCA, err := pki.NewCA("loadline-e2e-front-proxy-ca")
	if err != nil {
		return err
	}
	c.keys = &keys{ca: ca, frontProxyCA: frontProxyCA}
	c.CACertPEM, c.FrontProxyCAPEM = ca.Cert, frontProxyCA.Cert
	signing, err := pki.NewSigningKey()
	if err != nil {
		return err
	}
	for name, pair := range map[string]pki.Pair{"ca": ca.Pair, "front-proxy-ca": frontProxyCA.Pair, "sa": signing} {
		if err := c.writePair(name, pair); err != nil {
			return err
		}
	}
	for _, leaf := range []struct {
		file    string
		ca      *pki.CA
		subject pkix.Name
		hosts   []string
	}{
		{"apiserver", ca, pkix.Name{CommonName: "kube-apiserver"}, apiServerHosts},
		{"apiserver-kubelet-client", ca, pkix.Name{CommonName: "apiserver-kubelet-client", Organization: []string{"system:masters"}}, nil},
		{"front-proxy-client", frontProxyCA, pkix.Name{CommonName: frontProxyClient}, nil},
	} {
		pair, err := leaf.ca.Issue(leaf.subject, leaf.hosts...)
		if err != nil {
			return err
		}
		if err := c.writePair(leaf.file, pair); err != nil {
			return err
		}
	}
	return c.writeKubeconfigs()
}

func (c *Cluster) writePair(name string, pair pki.Pair) error {
	return pair.WriteFiles(c.pkiFile(name+".crt"), c.pkiFile(name+".key"))
}

// writeKubeconfigs writes one kubeconfig per component that authenticates with a
// client certificate.
func (c *Cluster) writeKubeconfigs() error {
	for name, subject := range map[string]pkix.Name{
		"admin":              {CommonName: "admin", Organization: []string{"system:masters"}},
		"kwok":               {CommonName: "kwok-admin", Organization: []string{"system:masters"}},
		"controller-manager": {CommonName: "system:kube-controller-manager"},
		"scheduler":          {CommonName: "system:kube-scheduler"},
	} {
		pair, err := c.keys.ca.Issue(subject)
		if err != nil {
			return err
		}
		user := &clientcmdapi.AuthInfo{ClientCertificateData: pair.Cert, ClientKeyData: pair.Key}
		if err := c.writeKubeconfig(c.kubeconfigFile(name), name, user); err != nil {
			return err
		}
	}
	c.Kubeconfig = c.kubeconfigFile("admin")
	cfg, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return fmt.Errorf("read the admin's kubeconfig: %w", err)
	}
	cfg.QPS, cfg.Burst = 500, 1000 // tests make thousands of objects
	c.AdminConfig = cfg
	return nil
}

// UserKubeconfig returns, as a kubeconfig file, access with a client certificate as the given user in the given groups.
func (c *Cluster) UserKubeconfig(user string, groups ...string) (string, error) {
	pair, err := c.keys.ca.Issue(pkix.Name{CommonName: user, Organization: groups})
	if err != nil {
		return "", err
	}
	path := filepath.Join(c.Dir, "accounts", user+".kubeconfig")
	auth := &clientcmdapi.AuthInfo{ClientCertificateData: pair.Cert, ClientKeyData: pair.Key}
	return path, c.writeKubeconfig(path, user, auth)
}

func (c *Cluster) kubeconfigFile(name string) string {
	return filepath.Join(c.Dir, name+".kubeconfig")
}

// writeKubeconfig writes a kubeconfig with all data inline.
func (c *Cluster) writeKubeconfig(path, user string, auth *clientcmdapi.AuthInfo) error {
	cfg := clientcmdapi.NewConfig()
	cfg.Clusters["e2e"] = &clientcmdapi.Cluster{
		Server:                   fmt.Sprintf("https://127.0.0.1:%d", c.ports.api),
		CertificateAuthorityData: c.CACertPEM,
	}
	cfg.AuthInfos[user] = auth
	cfg.Contexts["e2e"] = &clientcmdapi.Context{Cluster: "e2e", AuthInfo: user}
	cfg.CurrentContext = "e2e"
	data, err := clientcmd.Write(*cfg)
	if err != nil {
		return fmt.Errorf("encode the kubeconfig of %s: %w", user, err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return fmt.Errorf("write the kubeconfig of %s: %w", user, err)
	}
	return nil
}

// ServingCert is a certificate for a server on this machine. Both files are
// alone in their folder and named tls.crt and tls.key, as webhook servers want
// them.
type ServingCert struct {
	CertFile, KeyFile string
	// CAPEM is the caBundle of the configuration that names the server.
	CAPEM []byte
}

// ServingCert makes a certificate for the given DNS names and addresses and for
// 127.0.0.1 and localhost.
func (c *Cluster) ServingCert(hosts ...string) (ServingCert, error) {
	pair, err := c.keys.ca.Issue(pkix.Name{CommonName: "serving"}, append([]string{"127.0.0.1", "localhost"}, hosts...)...)
	if err != nil {
		return ServingCert{}, err
	}
	c.mu.Lock()
	c.certs++
	dir := c.pkiFile(fmt.Sprintf("serving-%d", c.certs))
	c.mu.Unlock()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return ServingCert{}, fmt.Errorf("make a folder for a certificate: %w", err)
	}
	cert := ServingCert{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key"), CAPEM: c.CACertPEM}
	return cert, pair.WriteFiles(cert.CertFile, cert.KeyFile)
}
