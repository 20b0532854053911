package history

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// ClientOptions say how a Prometheus server is reached.
type ClientOptions struct {
	// URL of the server, with the path prefix that it needs.
	URL string
	// BearerTokenFile, or User and PasswordFile. The files are read again at every request, so that they can be rotated.
	BearerTokenFile    string
	User, PasswordFile string
	// CAFile verifies the server; empty means the system's authorities.
	CAFile string
	// CertFile and KeyFile identify the client. They are read again at every connection.
	CertFile, KeyFile string
	// ServerName expected in the server's certificate; empty means the host of URL.
	ServerName         string
	InsecureSkipVerify bool
	// Headers are added to every request.
	Headers map[string]string
	// MaxResponseBytes of one answer, uncompressed. Zero means 32 MiB.
	MaxResponseBytes int64
	// Registerer takes the metrics of the client. Nil means none.
	Registerer prometheus.Registerer
}

// NewClient returns a client of the Prometheus HTTP API. It sends credentials to the configured host only, and follows no
// redirect.
func NewClient(o ClientOptions) (Querier, error) {
	base, err := url.Parse(o.URL)
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("the URL of Prometheus is %q, must be like http://host:9090", o.URL)
	}
	tlsConfig, err := o.tlsConfig()
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = tlsConfig
	bytes, seconds := clientMetrics()
	if err := register(o.Registerer, bytes, seconds); err != nil {
		return nil, fmt.Errorf("register the metrics of the Prometheus client: %w", err)
	}
	bounded := &boundedTransport{next: transport, limit: o.MaxResponseBytes, bytes: bytes}
	if bounded.limit <= 0 {
		bounded.limit = 32 << 20
	}
	client, err := api.NewClient(api.Config{Address: o.URL, Client: &http.Client{
		Transport:     promhttp.InstrumentRoundTripperDuration(seconds, &authTransport{next: bounded, options: o}),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}})
	if err != nil {
		return nil, fmt.Errorf("make the Prometheus client: %w", err)
	}
	return promv1.NewAPI(client), nil
}

func clientMetrics() (bytes prometheus.Counter, seconds *prometheus.HistogramVec) {
	return prometheus.NewCounter(prometheus.CounterOpts{
			Name: "loadline_history_response_bytes_total",
			Help: "Uncompressed bytes that Prometheus answered.",
		}), prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "loadline_history_request_seconds",
			Help:    "Time until Prometheus began to answer.",
			Buckets: prometheus.ExponentialBuckets(0.01, 4, 7), // 10 ms to 41 s.
		}, []string{"code"})
}

func (o ClientOptions) tlsConfig() (*tls.Config, error) {
	c := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         o.ServerName,
		InsecureSkipVerify: o.InsecureSkipVerify, //nolint:gosec // People ask for it by name, for trials.
	}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the authorities that verify Prometheus: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no PEM certificate to verify Prometheus with", o.CAFile)
		}
	}
	if o.CertFile != "" {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
			return &pair, err
		}
	}
	return c, nil
}

// authTransport adds credentials and headers.
type authTransport struct {
	next    http.RoundTripper
	options ClientOptions
}

func (t *authTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	for name, value := range t.options.Headers {
		request.Header.Set(name, value)
	}
	switch {
	case t.options.BearerTokenFile != "":
		token, err := readSecret(t.options.BearerTokenFile)
		if err != nil {
			return nil, err
		}
		request.Header.Set("Authorization", "Bearer "+token)
	case t.options.User != "":
		password, err := readSecret(t.options.PasswordFile)
		if err != nil {
			return nil, err
		}
		request.SetBasicAuth(t.options.User, password)
	}
	return t.next.RoundTrip(request)
}

func readSecret(file string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the credentials for Prometheus: %w", err)
	}
	secret := strings.TrimSpace(string(content))
	if secret == "" || strings.ContainsAny(secret, "\r\n") {
		return "", fmt.Errorf("the credentials for Prometheus in %s are not one line", file)
	}
	return secret, nil
}

// boundedTransport counts the bytes of answers and ends those that are too long with errResponseTooBig.
type boundedTransport struct {
	next  http.RoundTripper
	limit int64
	bytes prometheus.Counter
}

func (t *boundedTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	response.Body = &boundedBody{ReadCloser: response.Body, left: t.limit, bytes: t.bytes}
	return response, nil
}

// boundedBody is a body that may be at most as long as what is left.
type boundedBody struct {
	io.ReadCloser
	left  int64
	bytes prometheus.Counter
}

func (b *boundedBody) Read(p []byte) (int, error) {
	// One byte more than is left tells a body that is too long from one that just fits.
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	b.bytes.Add(float64(n))
	if b.left -= int64(n); b.left < 0 {
		return n, errResponseTooBig
	}
	return n, err
}
