package llm_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/loadline-dev/loadline/recommender/advice"
	"github.com/loadline-dev/loadline/recommender/llm"
)

// server plays a server of one API. It answers each question with the next of its answers, and the last one from then on.
type server struct {
	*httptest.Server
	api llm.API

	mu        sync.Mutex
	answers   []http.HandlerFunc
	questions []question
	inFlight  int
	most      int // questions at the same time
}

// question is what the server received.
type question struct {
	header http.Header
	body   map[string]json.RawMessage
}

func serve(t *testing.T, api llm.API, answers ...http.HandlerFunc) *server {
	t.Helper()
	s := &server{api: api, answers: answers}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

const (
	model  = "tiny"
	digest = "5f1d3a0c"
)

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/api/tags":
		fmt.Fprintf(w, `{"models": [{"name": "other:8b", "digest": "00"}, {"name": "%s:latest", "digest": %q}]}`, model, digest)
	case "/models":
		fmt.Fprintf(w, `{"object": "list", "data": [{"id": "other"}, {"id": %q}]}`, model)
	case "/api/chat", "/chat/completions":
		s.note(r)(w, r)
		s.mu.Lock()
		s.inFlight--
		s.mu.Unlock()
	default:
		http.NotFound(w, r)
	}
}

// note keeps the question and returns its answer.
func (s *server) note(r *http.Request) http.HandlerFunc {
	q := question{header: r.Header.Clone()}
	text, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(text, &q.body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight++
	s.most = max(s.most, s.inFlight)
	s.questions = append(s.questions, q)
	return s.answers[min(len(s.questions), len(s.answers))-1]
}

// asked returns the questions so far.
func (s *server) asked() []question {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]question(nil), s.questions...)
}

func (q question) String() string {
	text, _ := json.Marshal(q.body)
	return string(text)
}

// client returns a client of the server.
func (s *server) client(t *testing.T) *llm.Client {
	t.Helper()
	return client(t, llm.Config{URL: s.URL, API: s.api, Model: model, ContextTokens: 4096})
}

func client(t *testing.T, c llm.Config) *llm.Client {
	t.Helper()
	client, err := llm.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// says is a whole answer with this text, in the words of the API.
func says(api llm.API, text string) http.HandlerFunc { return ends(api, text, "stop") }

// ends is an answer that ended for the given reason.
func ends(api llm.API, text, reason string) http.HandlerFunc {
	quoted, _ := json.Marshal(text)
	if api == llm.OpenAI {
		return raw(http.StatusOK, fmt.Sprintf(`{"model": "tiny", "choices": [{"index": 0, "message": {"role": "assistant", "content": %s},
			"finish_reason": %q}], "usage": {"prompt_tokens": 40, "completion_tokens": 7}}`, quoted, reason))
	}
	return raw(http.StatusOK, fmt.Sprintf(`{"model": "tiny", "message": {"role": "assistant", "content": %s},
		"done": true, "done_reason": %q, "prompt_eval_count": 40, "eval_count": 7}`, quoted, reason))
}

func raw(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// half sends the beginning of an answer, then does the rest, and returns without its end.
func half(rest func(w http.ResponseWriter, r *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"model": "tiny", "message": {"role": "assi`)
		_ = http.NewResponseController(w).Flush()
		rest(w, r)
	}
}

// cut ends the connection without the end of the response.
func cut(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

const schema = `{"type": "object", "properties": {"percent": {"type": "integer", "minimum": 50, "maximum": 300}}, "required": ["percent"]}`

// sale is a question.
func sale() advice.Question {
	return advice.Question{
		System: "Answer with JSON.", User: []byte(`{"context": "sale on Friday"}`),
		Schema: json.RawMessage(schema), MaxAnswerTokens: 64,
	}
}
