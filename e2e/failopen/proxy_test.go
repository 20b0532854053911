//go:build full && linux

package failopen_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/loadline-dev/loadline/e2e/harness"
)

// proxy stands between the webhook and the API server. While it is frozen nothing more comes out of a list or a watch.
type proxy struct {
	url    string
	mu     sync.Mutex
	thawed chan struct{} // closed unless frozen
}

func startProxy(t *testing.T, cluster *harness.Cluster) *proxy {
	t.Helper()
	server, err := url.Parse(cluster.AdminConfig.Host)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := cluster.ServingCert()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{url: "https://" + listener.Addr().String(), thawed: make(chan struct{})}
	close(p.thawed)
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(cluster.CACertPEM)
	reverse := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(server) },
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities}},
		FlushInterval: -1, // A watch is a stream.
		ModifyResponse: func(r *http.Response) error {
			if strings.HasPrefix(r.Request.URL.Path, "/apis/loadline.dev/") || strings.HasPrefix(r.Request.URL.Path, "/api/v1/") {
				r.Body = &frozenBody{ReadCloser: r.Body, proxy: p}
			}
			return nil
		},
	}
	front := &http.Server{Handler: reverse}
	go func() { _ = front.ServeTLS(listener, cert.CertFile, cert.KeyFile) }()
	t.Cleanup(func() { _ = front.Close() })
	return p
}

func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.thawed = make(chan struct{})
}

func (p *proxy) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.thawed)
}

// through makes a part of Loadline ask the proxy instead of the API server.
func (p *proxy) through(t *testing.T) func(*exec.Cmd) {
	t.Helper()
	return func(cmd *exec.Cmd) {
		at := slices.Index(cmd.Args, "--kubeconfig") + 1
		kubeconfig, err := clientcmd.LoadFromFile(cmd.Args[at])
		if err != nil {
			t.Fatal(err)
		}
		for _, cluster := range kubeconfig.Clusters {
			cluster.Server = p.url
		}
		cmd.Args[at] = filepath.Join(t.TempDir(), "kubeconfig")
		if err := clientcmd.WriteToFile(*kubeconfig, cmd.Args[at]); err != nil {
			t.Fatal(err)
		}
	}
}

// frozenBody is an answer that holds back what arrives while the proxy is frozen.
type frozenBody struct {
	io.ReadCloser

	proxy *proxy
}

func (b *frozenBody) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	b.proxy.mu.Lock()
	thawed := b.proxy.thawed
	b.proxy.mu.Unlock()
	<-thawed
	return n, err
}
