package llm

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"k8s.io/utils/clock"
)

// API is the protocol that a server speaks.
type API string

// APIs that can be spoken.
const (
	// Ollama is Ollama's own. It is the better choice where there is one: see the package's comment.
	Ollama API = "ollama"
	// OpenAI is what vLLM, llama.cpp's server and others offer under /v1.
	OpenAI API = "openai"
)

// Defaults of Config.
const (
	DefaultModel          = "llama3.1:8b"
	defaultContextTokens  = 8192
	defaultMaxAnswerBytes = 256 << 10
	defaultKeepAlive      = 10 * time.Minute
)

// Config says how a server is reached and which of its models is asked.
type Config struct {
	// URL of the server: http or https, a host, and the path prefix that it needs. For OpenAI it usually ends in /v1.
	URL string
	// API that the server speaks. Empty means Ollama.
	API API
	// Model by the server's name for it. Empty means llama3.1:8b.
	Model string
	// ContextTokens of the model, prompt and answer together. Zero means 8192. Ollama is told; another server is started
	// with as many. Ollama loads the model anew when it changes, so all who ask one model should say the same.
	ContextTokens int
	// Threads of the server per question; zero leaves it to the server. Ollama only.
	Threads int
	// KeepAlive is how long the model stays loaded after a question. Zero means 10 minutes. Ollama only.
	KeepAlive time.Duration
	// MaxAnswerBytes of one response, uncompressed. Zero means 256 KiB.
	MaxAnswerBytes int64

	// BearerTokenFile is sent as the Authorization header. It is read again at every request, so that it can be rotated.
	BearerTokenFile string
	// Headers are added to every request.
	Headers map[string]string
	// CAFile verifies the server; empty means the system's authorities.
	CAFile string
	// ServerName expected in the server's certificate; empty means the host of URL.
	ServerName         string
	InsecureSkipVerify bool

	// Clock measures how long answers take. Nil means the system's.
	Clock clock.PassiveClock
}

func (c Config) withDefaults() Config {
	if c.API == "" {
		c.API = Ollama
	}
	if c.Model == "" {
		c.Model = DefaultModel
	}
	if c.ContextTokens == 0 {
		c.ContextTokens = defaultContextTokens
	}
	if c.KeepAlive == 0 {
		c.KeepAlive = defaultKeepAlive
	}
	if c.MaxAnswerBytes == 0 {
		c.MaxAnswerBytes = defaultMaxAnswerBytes
	}
	if c.Clock == nil {
		c.Clock = clock.RealClock{}
	}
	return c
}

// validate returns everything that is wrong at once.
func (c Config) validate() error {
	var wrong []error
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		wrong = append(wrong, fmt.Errorf("the URL of the model's server is %q, must be like http://host:11434", c.URL))
	}
	if c.API != Ollama && c.API != OpenAI {
		wrong = append(wrong, fmt.Errorf("the API is %q, must be %s or %s", c.API, Ollama, OpenAI))
	}
	if c.ContextTokens < 512 {
		wrong = append(wrong, fmt.Errorf("a context of %d tokens holds no question, must be 512 or more", c.ContextTokens))
	}
	if c.Threads < 0 {
		wrong = append(wrong, fmt.Errorf("the number of threads is %d, must not be negative", c.Threads))
	}
	if c.KeepAlive < time.Second {
		wrong = append(wrong, fmt.Errorf("the model stays loaded for %s, must be a second or more", c.KeepAlive))
	}
	if c.MaxAnswerBytes < 1<<10 || c.MaxAnswerBytes > maxAnswerBytes {
		wrong = append(wrong, fmt.Errorf("the limit of an answer is %d bytes, must be from 1024 to %d", c.MaxAnswerBytes, maxAnswerBytes))
	}
	return errors.Join(wrong...)
}

// maxAnswerBytes is below the longest line that langchaingo reads, 512,000 bytes; what is longer it drops without an error.
const maxAnswerBytes = 500_000

// httpClient speaks to the configured host only: to its transport a redirect is a refusal.
func (c Config) httpClient(d dialect) (*http.Client, error) {
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.TLSClientConfig = &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         c.ServerName,
		InsecureSkipVerify: c.InsecureSkipVerify, //nolint:gosec // People ask for it by name, for trials.
	}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the authorities that verify the model's server: %w", err)
		}
		base.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !base.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no PEM certificate to verify the model's server with", c.CAFile)
		}
	}
	return &http.Client{Transport: &transport{next: base, config: c, dialect: d}}, nil
}
