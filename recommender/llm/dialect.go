package llm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/ollama"
	"github.com/tmc/langchaingo/llms/openai"
)

// dialect is what differs between the APIs.
type dialect struct {
	// newModel makes langchaingo's client.
	newModel func(Config, *http.Client) (llms.Model, error)
	// prepare adds to a question what langchaingo's client cannot say.
	prepare func(question map[string]json.RawMessage, schema json.RawMessage)
	// finished returns nil for an answer that the model ended by itself.
	finished func(answer []byte) *Error
	// listPath is where the server lists its models, relative to the URL, and digests whether it tells them there.
	listPath string
	digests  bool
}

func dialectOf(api API) dialect {
	if api == OpenAI {
		return dialect{newModel: newOpenAI, prepare: prepareOpenAI, finished: finishedOpenAI, listPath: "models"}
	}
	return dialect{newModel: newOllama, prepare: prepareOllama, finished: finishedOllama, listPath: "api/tags", digests: true}
}

func newOllama(c Config, client *http.Client) (llms.Model, error) {
	options := []ollama.Option{
		ollama.WithServerURL(c.URL), // It ends the process if the URL cannot be parsed, which New has made sure of.
		ollama.WithModel(c.Model),
		ollama.WithHTTPClient(client),
		ollama.WithKeepAlive(c.KeepAlive.String()),
		ollama.WithRunnerNumCtx(c.ContextTokens),
	}
	if c.Threads > 0 {
		options = append(options, ollama.WithRunnerNumThread(c.Threads))
	}
	return ollama.New(options...)
}

// prepareOllama asks for an answer in one piece under the schema, and for an error where Ollama would otherwise cut the
// front of the prompt, or of the answer, without a word.
func prepareOllama(question map[string]json.RawMessage, schema json.RawMessage) {
	question["format"] = schema
	for _, name := range []string{"stream", "truncate", "shift"} {
		question[name] = json.RawMessage("false")
	}
}

func finishedOllama(body []byte) *Error {
	var answer struct {
		Done       bool
		DoneReason string `json:"done_reason"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return &Error{Outcome: BadAnswer, Err: err}
	}
	switch {
	case !answer.Done:
		return failed(Interrupted, "the server ended before the model did")
	case answer.DoneReason == "length":
		return failed(Truncated, "the answer reached its limit of tokens")
	}
	return nil
}

func newOpenAI(c Config, client *http.Client) (llms.Model, error) {
	// All four are set even where they are empty: the client would look for them in the environment.
	return openai.New(
		openai.WithBaseURL(c.URL),
		openai.WithModel(c.Model),
		openai.WithOrganization(""),
		openai.WithToken("none"), // It must have one; the transport sends the real one.
		openai.WithHTTPClient(client),
	)
}

// prepareOpenAI passes the schema as it is. The client's own type for it has no bounds of numbers, strings and lists.
func prepareOpenAI(question map[string]json.RawMessage, schema json.RawMessage) {
	question["response_format"] = fmt.Appendf(nil,
		`{"type": "json_schema", "json_schema": {"name": "answer", "strict": true, "schema": %s}}`, schema)
	question["stream"] = json.RawMessage("false")
}

func finishedOpenAI(body []byte) *Error {
	var answer struct {
		Choices []struct {
			FinishReason *string `json:"finish_reason"`
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return &Error{Outcome: BadAnswer, Err: err}
	}
	if len(answer.Choices) != 1 || answer.Choices[0].FinishReason == nil {
		return failed(Interrupted, "the server ended before the model did")
	}
	switch reason := *answer.Choices[0].FinishReason; reason {
	case "stop":
		return nil
	case "length":
		return failed(Truncated, "the answer reached its limit of tokens")
	default:
		return failed(BadAnswer, "the answer ended for the reason %q", oneLine(reason))
	}
}

// digestIn finds the model in a server's list, and its digest if it is told there. A name without a tag means Ollama's latest.
func digestIn(list []byte, model string) (string, *Error) {
	var answer struct {
		Models []struct{ Name, Digest string } // Ollama's
		Data   []struct{ ID string }           // OpenAI's
	}
	if err := json.Unmarshal(list, &answer); err != nil {
		return "", &Error{Outcome: BadAnswer, Err: fmt.Errorf("read the server's list of models: %w", err)}
	}
	names := make([]string, 0, len(answer.Models)+len(answer.Data))
	for _, m := range answer.Data {
		if m.ID == model {
			return "", nil
		}
		names = append(names, m.ID)
	}
	for _, m := range answer.Models {
		if m.Name == model || m.Name == model+":latest" {
			return m.Digest, nil
		}
		names = append(names, m.Name)
	}
	has := oneLine(strings.Join(names, ", "))
	if has == "" {
		has = "none"
	}
	return "", failed(NotFound, "the server has no model %q; it has: %s", model, has)
}

// listURL is where the models are listed.
func (d dialect) listURL(base string) (string, error) { return url.JoinPath(base, d.listPath) }
