package llm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"unicode"
)

// exchange is one question's trip through the HTTP client. It travels in the request's context, because that is the only
// thing of ours that langchaingo carries from the call to the transport: the schema goes in, the failure comes out.
type exchange struct {
	schema json.RawMessage // Nil for a request that is no question.
	failed *Error
}

type exchangeKey struct{}

func (x *exchange) asks() bool { return x != nil && x.schema != nil }

// fail notes the failure for whoever asked. What langchaingo makes of the returned error does not matter then.
func (x *exchange) fail(err *Error) error {
	if x != nil {
		x.failed = err
	}
	return err
}

// transport stands between langchaingo and the server. It adds to a question what langchaingo cannot say, and lets through
// only answers that are whole:
//
//	langchaingo ──question──▶ + schema, no stream, no silent cuts, credentials ──▶ server
//	langchaingo ◀──answer──── read to the end? status? finished? one line ◀─────── server
//
// Without it a deadline in mid-answer, a cut connection, an empty HTTP 500, an overlong line and an answer cut at its limit
// of tokens would all look like an answer.
type transport struct {
	next    http.RoundTripper
	config  Config
	dialect dialect
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx := request.Context()
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	outgoing, bad := t.outgoing(request, x)
	if request.Body != nil {
		_ = request.Body.Close() // It is in memory.
	}
	if bad != nil {
		return nil, x.fail(bad)
	}
	response, err := t.next.RoundTrip(outgoing)
	if err != nil {
		return nil, x.fail(fromConnection(ctx, err))
	}
	body, bad := t.read(ctx, response)
	if bad == nil && x.asks() {
		bad = t.dialect.finished(body)
	}
	if bad != nil {
		return nil, x.fail(bad)
	}
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return response, nil
}

// outgoing is the request as it is sent; the original stays as it is.
func (t *transport) outgoing(request *http.Request, x *exchange) (*http.Request, *Error) {
	out := request.Clone(request.Context())
	out.Header.Del("Authorization") // langchaingo's OpenAI client makes one up.
	for name, value := range t.config.Headers {
		out.Header.Set(name, value)
	}
	if t.config.BearerTokenFile != "" {
		token, err := readToken(t.config.BearerTokenFile)
		if err != nil { // Like a server's refusal, and no fault of the question: the file may be there a moment later.
			return nil, &Error{Outcome: Refused, Err: err}
		}
		out.Header.Set("Authorization", "Bearer "+token)
	}
	if !x.asks() {
		return out, nil
	}
	var question map[string]json.RawMessage
	if err := json.NewDecoder(request.Body).Decode(&question); err != nil {
		return nil, failed(BadQuestion, "read the question that is about to be sent: %w", err)
	}
	t.dialect.prepare(question, x.schema)
	body, err := json.Marshal(question)
	if err != nil {
		return nil, failed(BadQuestion, "write the question with its schema: %w", err)
	}
	out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	out.Body, _ = out.GetBody()
	out.ContentLength = int64(len(body))
	return out, nil
}

func readToken(file string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the token for the model's server: %w", err)
	}
	token := strings.TrimSpace(string(content))
	if token == "" || strings.ContainsAny(token, "\r\n") {
		return "", fmt.Errorf("the token for the model's server in %s is not one line", file)
	}
	return token, nil
}

// read reads the response to its end, within bounds, and returns its JSON on one line.
func (t *transport) read(ctx context.Context, response *http.Response) ([]byte, *Error) {
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(response.Body, t.config.MaxAnswerBytes+1))
	status := response.StatusCode
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, fromContext(ctx)
	case err != nil:
		return nil, &Error{Outcome: Interrupted, Status: status, Err: err}
	case int64(len(raw)) > t.config.MaxAnswerBytes:
		return nil, failed(TooBig, "more than %d bytes", t.config.MaxAnswerBytes)
	case status >= http.StatusMultipleChoices:
		return nil, &Error{Outcome: fromStatus(status, raw), Status: status, Err: fmt.Errorf("%s", said(raw, status))}
	}
	line := &bytes.Buffer{}
	if err := json.Compact(line, raw); err != nil {
		return nil, &Error{Outcome: BadAnswer, Status: status, Err: fmt.Errorf("the response is not one JSON document: %w", err)}
	}
	if text := errorText(raw); text != "" {
		return nil, &Error{Outcome: ServerError, Status: status, Err: fmt.Errorf("%s", text)}
	}
	return line.Bytes(), nil
}

// fromStatus is the outcome of an HTTP status of 300 or more.
func fromStatus(status int, body []byte) Outcome {
	switch status {
	case http.StatusBadRequest:
		// Ollama, vLLM and llama.cpp say it in different words, and each with one of these.
		text := strings.ToLower(string(body))
		for _, sign := range []string{"context length", "context size", "context_length"} {
			if strings.Contains(text, sign) {
				return TooLong
			}
		}
		return Refused
	case http.StatusNotFound:
		return NotFound
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return Overloaded
	default:
		if status >= http.StatusInternalServerError {
			return ServerError
		}
		return Refused
	}
}

// said is what the server says about its refusal, or what the status means.
func said(body []byte, status int) string {
	if text := errorText(body); text != "" {
		return text
	}
	if text := http.StatusText(status); text != "" {
		return strings.ToLower(text)
	}
	return "no reason given"
}

// errorText returns the error in a JSON body, one short line of it: Ollama's {"error": "…"}, OpenAI's {"error":
// {"message": "…"}}. A foreign server wrote it.
func errorText(body []byte) string {
	var answer struct{ Error json.RawMessage }
	if json.Unmarshal(body, &answer) != nil || len(answer.Error) == 0 {
		return ""
	}
	var text string
	if json.Unmarshal(answer.Error, &text) == nil {
		return oneLine(text)
	}
	var object struct{ Message string }
	if json.Unmarshal(answer.Error, &object) == nil && object.Message != "" {
		return oneLine(object.Message)
	}
	return ""
}

// maxMessageRunes bounds what is repeated of a foreign server's words.
const maxMessageRunes = 200

func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if runes := []rune(text); len(runes) > maxMessageRunes {
		text = string(runes[:maxMessageRunes]) + "…"
	}
	return strings.TrimSpace(text)
}
