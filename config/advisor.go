package config

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AdvisorAPI is the protocol that a model's server speaks.
type AdvisorAPI string

// APIs that can be spoken.
const (
	// AdvisorOllama is Ollama's own.
	AdvisorOllama AdvisorAPI = "ollama"
	// AdvisorOpenAI is what vLLM, llama.cpp's server and others offer under /v1.
	AdvisorOpenAI AdvisorAPI = "openai"
)

// Advisor says which language model reads business context and events. Without a URL none is asked, and rules alone decide
// what an announcement means. Nothing ever waits for the model.
type Advisor struct {
	// URL of the server, with the path prefix that it needs; empty means that no model is asked.
	URL string `json:"url"`
	// API that the server speaks.
	API AdvisorAPI `json:"api"`
	// Model by the server's name for it.
	Model string `json:"model"`

	// BearerTokenFile is read again at every request; empty means no credentials.
	BearerTokenFile string     `json:"bearerTokenFile"`
	TLS             AdvisorTLS `json:"tls"`
	// Headers are added to every request.
	Headers map[string]string `json:"headers"`

	// ContextTokens of the model, prompt and answer together.
	ContextTokens int `json:"contextTokens"`
	// AnswerTokens of ContextTokens are kept for the answer.
	AnswerTokens int `json:"answerTokens"`
	// MaxResponseBytes of one answer.
	MaxResponseBytes int64 `json:"maxResponseBytes"`
	// Threads of the server per question; 0 leaves it to the server. Only with Ollama.
	Threads int `json:"threads"`
	// KeepAlive is how long the model stays loaded after a question. Only with Ollama.
	KeepAlive metav1.Duration `json:"keepAlive"`

	// Deadline of the advice on one workload, with all tries.
	Deadline metav1.Duration `json:"deadline"`
	// Tries of one question, the first included.
	Tries int `json:"tries"`
	// QuestionsPerHour in the whole cluster, each try counted.
	QuestionsPerHour int `json:"questionsPerHour"`
}

// AdvisorTLS is for an https URL. Files are PEM.
type AdvisorTLS struct {
	// CAFile verifies the server; empty means the system's authorities.
	CAFile string `json:"caFile"`
	// ServerName expected in the certificate; empty means the host of the URL.
	ServerName string `json:"serverName"`
	// InsecureSkipVerify trusts any server. For trials only.
	InsecureSkipVerify bool `json:"insecureSkipVerify"`
}
