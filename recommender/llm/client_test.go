package llm_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/loadline-dev/loadline/recommender/advice"
	"github.com/loadline-dev/loadline/recommender/llm"
)

var apis = []llm.API{llm.Ollama, llm.OpenAI}

func TestAWholeAnswerComesWithItsTokensAndTheModelThatGaveIt(t *testing.T) {
	for _, api := range apis {
		t.Run(string(api), func(t *testing.T) {
			answer, err := serve(t, api, says(api, ` {"percent": 300}`+"\n")).client(t).Ask(t.Context(), sale(), 1, 0)
			if err != nil {
				t.Fatal(err)
			}
			answer.Took = 0
			want := llm.Answer{Text: []byte(`{"percent": 300}`), PromptTokens: 40, AnswerTokens: 7, Model: model, Digest: digest}
			if api == llm.OpenAI {
				want.Digest = "" // Nobody tells it there.
			}
			if diff := cmp.Diff(want, answer); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestAnythingButAWholeAnswerIsATypedError(t *testing.T) {
	tests := map[string]struct {
		answer func(llm.API) http.HandlerFunc
		want   llm.Outcome
		status int
		says   string
	}{
		"a 500 with an empty body": {of(raw(500, "")), llm.ServerError, 500, "internal server error"},
		"a 500 with a reason":      {of(raw(500, `{"error": "llama runner process has terminated"}`)), llm.ServerError, 500, "has terminated"},
		"a 503 with JSON":          {of(raw(503, `{"error": "server busy"}`)), llm.Overloaded, 503, "server busy"},
		"a 502 with HTML":          {of(raw(502, "<html><h1>Bad Gateway</h1></html>")), llm.Overloaded, 502, "bad gateway"},
		"a 429":                    {of(raw(429, `{"error": {"message": "slow down"}}`)), llm.Overloaded, 429, "slow down"},
		"a 404":                    {of(raw(404, `{"error": "model 'tiny' not found"}`)), llm.NotFound, 404, "not found"},
		"a 401":                    {of(raw(401, "")), llm.Refused, 401, "unauthorized"},
		"a 400":                    {of(raw(400, `{"error": "invalid format"}`)), llm.Refused, 400, "invalid format"},
		"Ollama's prompt too long": {of(raw(400, `{"error": "the input length exceeds the context length"}`)), llm.TooLong, 400, "context length"},
		"vLLM's prompt too long": {
			of(raw(400, `{"error": {"message": "This model's maximum context length is 4096 tokens."}}`)),
			llm.TooLong, 400, "maximum context length",
		},
		"llama.cpp's prompt too long": {
			of(raw(400, `{"error": {"message": "the request exceeds the available context size"}}`)),
			llm.TooLong, 400, "context size",
		},
		"HTML with a 200":                  {of(raw(200, "<html>Please log in</html>")), llm.BadAnswer, 200, "not one JSON document"},
		"an empty 200":                     {of(raw(200, "")), llm.BadAnswer, 200, "not one JSON document"},
		"an error with a 200":              {of(raw(200, `{"error": "out of memory"}`)), llm.ServerError, 200, "out of memory"},
		"JSON of another kind":             {of(raw(200, `[1, 2]`)), llm.BadAnswer, 0, ""},
		"a stream although none was asked": {of(raw(200, `{"done": false}`+"\n"+`{"done": true}`)), llm.BadAnswer, 200, "not one JSON document"},
		"no end":                           {of(raw(200, `{"message": {"content": "{}"}, "choices": [{"message": {"content": "{}"}}]}`)), llm.Interrupted, 0, "before the model did"},
		"a connection cut in mid-answer":   {of(half(cut)), llm.Interrupted, 200, "EOF"},
		"a connection cut before it":       {of(cut), llm.Interrupted, 0, "EOF"},
		"its limit of tokens":              {func(api llm.API) http.HandlerFunc { return ends(api, `{"perc`, "length") }, llm.Truncated, 0, "limit of tokens"},
		"600,000 bytes": {
			func(api llm.API) http.HandlerFunc { return says(api, strings.Repeat(" ", 600_000)) },
			llm.TooBig, 0, "more than 262144 bytes",
		},
		"4 MiB of zeros, zipped": {of(bomb), llm.TooBig, 0, "more than"},
		"text that is not JSON":  {func(api llm.API) http.HandlerFunc { return says(api, "Sure! Here is") }, llm.BadAnswer, 0, "not JSON"},
		"no text":                {func(api llm.API) http.HandlerFunc { return says(api, " ") }, llm.BadAnswer, 0, "empty"},
	}
	for name, test := range tests {
		for _, api := range apis {
			t.Run(name+" from "+string(api), func(t *testing.T) {
				s := serve(t, api, test.answer(api))

				answer, err := s.client(t).Ask(t.Context(), sale(), 1, 0)

				got, ok := errors.AsType[*llm.Error](err)
				if !ok {
					t.Fatalf("no typed error but %v, and the answer %q", err, answer.Text)
				}
				if got.Outcome != test.want || got.Status != test.status || !strings.Contains(got.Error(), test.says) {
					t.Errorf("got %q of status %d, saying %q; want %q of status %d, saying %q",
						got.Outcome, got.Status, got, test.want, test.status, test.says)
				}
				if len(answer.Text) != 0 {
					t.Errorf("an error and an answer: %q", answer.Text)
				}
			})
		}
	}
}

func of(h http.HandlerFunc) func(llm.API) http.HandlerFunc {
	return func(llm.API) http.HandlerFunc { return h }
}

// bomb is small on the wire only.
func bomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	zip := gzip.NewWriter(w)
	defer func() { _ = zip.Close() }()
	zeros := make([]byte, 1<<20)
	for range 4 {
		if _, err := zip.Write(zeros); err != nil {
			return
		}
	}
}

func TestTheEndOfTheCallersPatienceIsTold(t *testing.T) {
	tests := map[string]struct {
		cause error
		want  llm.Outcome
	}{
		"a deadline":   {context.DeadlineExceeded, llm.Deadline},
		"cancellation": {context.Canceled, llm.Canceled},
	}
	for name, test := range tests {
		for _, api := range apis {
			t.Run(name+" in mid-answer from "+string(api), func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				s := serve(t, api, half(func(_ http.ResponseWriter, r *http.Request) {
					cancel(test.cause)
					<-r.Context().Done()
				}))

				_, err := s.client(t).Ask(ctx, sale(), 1, 0)

				if got := llm.OutcomeOf(err); got != test.want || !errors.Is(err, test.cause) {
					t.Errorf("got %q, want %q: %v", got, test.want, err)
				}
			})
		}
	}
}

func TestAServerThatIsNotThereIsUnreachable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	for _, api := range apis {
		_, err := client(t, llm.Config{URL: "http://" + address, API: api}).Ask(t.Context(), sale(), 1, 0)
		if got := llm.OutcomeOf(err); got != llm.Unreachable {
			t.Errorf("%s: got %q, want %q: %v", api, got, llm.Unreachable, err)
		}
	}
}

func TestAMissingModelIsNamedTogetherWithThoseThatAreThere(t *testing.T) {
	s := serve(t, llm.Ollama, says(llm.Ollama, "{}"))

	_, err := client(t, llm.Config{URL: s.URL, Model: "llama3.1:70b"}).Ask(t.Context(), sale(), 1, 0)

	if llm.OutcomeOf(err) != llm.NotFound || !strings.Contains(err.Error(), `no model "llama3.1:70b"; it has: other:8b, tiny:latest`) {
		t.Errorf("got: %v", err)
	}
	if n := len(s.asked()); n != 0 {
		t.Errorf("the server got %d questions for a model that it does not have", n)
	}
}

// A gateway that answers questions need not list its models, and doctors have to notice when there is no server at all.
func TestAServerOfOpenAIsKindIsAskedForItsModelsOnlyWhereSomebodyWantsToKnow(t *testing.T) {
	s := serve(t, llm.OpenAI, says(llm.OpenAI, "{}"))
	if _, err := client(t, llm.Config{URL: s.URL, API: llm.OpenAI, Model: model}).Digest(t.Context()); err != nil {
		t.Errorf("a model that is there: %v", err)
	}
	_, err := client(t, llm.Config{URL: s.URL, API: llm.OpenAI, Model: "gone"}).Digest(t.Context())
	if llm.OutcomeOf(err) != llm.NotFound || !strings.Contains(err.Error(), `no model "gone"; it has: other, tiny`) {
		t.Errorf("a model that is not there: %v", err)
	}
	if _, err := client(t, llm.Config{URL: s.URL, API: llm.OpenAI, Model: "gone"}).Ask(t.Context(), sale(), 1, 0); err != nil {
		t.Errorf("a question was refused because of the list: %v", err)
	}
	s.Close()
	if _, err := client(t, llm.Config{URL: s.URL, API: llm.OpenAI, Model: model}).Digest(t.Context()); llm.OutcomeOf(err) != llm.Unreachable {
		t.Errorf("without a server: %v", err)
	}
}

func TestAQuestionSaysEverythingThatKeepsTheServerHonest(t *testing.T) {
	ollama := serve(t, llm.Ollama, says(llm.Ollama, "{}"))
	c := client(t, llm.Config{URL: ollama.URL, Model: model, ContextTokens: 4096, Threads: 2, KeepAlive: time.Hour})
	if _, err := c.Ask(t.Context(), sale(), 7, 0); err != nil {
		t.Fatal(err)
	}
	sameJSON(t, ollama.asked()[0], `{
		"model": "tiny",
		"messages": [{"role": "system", "content": "Answer with JSON."}, {"role": "user", "content": "{\"context\": \"sale on Friday\"}"}],
		"format": `+schema+`, "stream": false, "truncate": false, "shift": false, "keep_alive": "1h0m0s",
		"options": {"num_ctx": 4096, "num_thread": 2, "num_predict": 64, "seed": 7, "temperature": 0, "repeat_penalty": 1}
	}`)

	for _, name := range []string{"OPENAI_API_KEY", "OPENAI_MODEL", "OPENAI_BASE_URL", "OPENAI_ORGANIZATION"} {
		t.Setenv(name, "http://from-the-environment.invalid")
	}
	openai := serve(t, llm.OpenAI, says(llm.OpenAI, "{}"))
	if _, err := openai.client(t).Ask(t.Context(), sale(), 7, 0); err != nil {
		t.Fatal(err)
	}
	sameJSON(t, openai.asked()[0], `{
		"model": "tiny",
		"messages": [{"role": "system", "content": "Answer with JSON."}, {"role": "user", "content": "{\"context\": \"sale on Friday\"}"}],
		"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": true, "schema": `+schema+`}},
		"stream": false, "max_tokens": 64, "seed": 7, "temperature": 0
	}`)
	for name, values := range openai.asked()[0].header {
		if name == "Authorization" || strings.Contains(strings.Join(values, " "), "from-the-environment") {
			t.Errorf("sent from the environment or made up: %s: %s", name, values)
		}
	}
}

func sameJSON(t *testing.T, got question, want string) {
	t.Helper()
	var g, w any
	if err := errors.Join(json.Unmarshal([]byte(got.String()), &g), json.Unmarshal([]byte(want), &w)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w, g); diff != "" {
		t.Errorf("the question (-want +got):\n%s", diff)
	}
}

func TestAQuestionThatServersWouldMisunderstandIsNotSent(t *testing.T) {
	for _, api := range apis {
		s := serve(t, api, says(api, "{}"))
		for name, change := range map[string]func(*advice.Question) int{
			"no seed":              func(*advice.Question) int { return 0 },
			"an endless answer":    func(q *advice.Question) int { q.MaxAnswerTokens = 0; return 1 },
			"no schema":            func(q *advice.Question) int { q.Schema = nil; return 1 },
			"a schema as a string": func(q *advice.Question) int { q.Schema = []byte(`"{}"`); return 1 },
			"a broken schema":      func(q *advice.Question) int { q.Schema = []byte(`{"type":`); return 1 },
			"nothing":              func(q *advice.Question) int { q.User = nil; return 1 },
		} {
			q := sale()
			seed := change(&q)
			if _, err := s.client(t).Ask(t.Context(), q, seed, 0); llm.OutcomeOf(err) != llm.BadQuestion {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if n := len(s.asked()); n != 0 {
			t.Errorf("%d questions were sent", n)
		}
	}
}

func TestOneQuestionAtATime(t *testing.T) {
	s := serve(t, llm.Ollama, func(w http.ResponseWriter, r *http.Request) {
		for range 1000 { // Long enough for another question to come in beside this one.
			runtime.Gosched()
		}
		says(llm.Ollama, "{}")(w, r)
	})
	c := s.client(t)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := c.Ask(t.Context(), sale(), 1, 0); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := len(s.asked()); got != 16 || s.most != 1 {
		t.Errorf("%d questions, up to %d at the same time; want 16, one at a time", got, s.most)
	}
}

func TestWaitingForItsTurnEndsWithTheDeadline(t *testing.T) {
	begun, free := make(chan struct{}), make(chan struct{})
	s := serve(t, llm.Ollama, func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-free
		says(llm.Ollama, "{}")(w, r)
	})
	c := s.client(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := c.Ask(t.Context(), sale(), 1, 0); err != nil {
			t.Error(err)
		}
	})
	<-begun
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(context.DeadlineExceeded)

	_, err := c.Ask(ctx, sale(), 1, 0)

	if got := llm.OutcomeOf(err); got != llm.Deadline {
		t.Errorf("got %q: %v", got, err)
	}
	close(free)
	wg.Wait()
}

func TestARedirectIsRefusedAndGetsNoCredentials(t *testing.T) {
	followed := make(chan struct{}, 1)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed <- struct{}{} }))
	t.Cleanup(elsewhere.Close)
	for _, api := range apis {
		s := serve(t, api, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		})
		_, err := client(t, llm.Config{URL: s.URL, API: api, Model: model, Headers: map[string]string{"X-Key": "secret"}}).Ask(t.Context(), sale(), 1, 0)
		if got := llm.OutcomeOf(err); got != llm.Refused {
			t.Errorf("%s: got %q: %v", api, got, err)
		}
	}
	select {
	case <-followed:
		t.Error("the redirect was followed")
	default:
	}
}

func TestCredentialsGoWithEveryRequestAndCanBeRotated(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	for _, api := range apis {
		s := serve(t, api, says(api, "{}"))
		c := client(t, llm.Config{URL: s.URL, API: api, Model: model, BearerTokenFile: token, Headers: map[string]string{"X-Tenant": "shop"}})
		for i, secret := range []string{"old", "new\n"} {
			if err := os.WriteFile(token, []byte(secret), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Ask(t.Context(), sale(), 1, 0); err != nil {
				t.Fatal(err)
			}
			got := s.asked()[i].header
			if got.Get("Authorization") != "Bearer "+strings.TrimSpace(secret) || got.Get("X-Tenant") != "shop" {
				t.Errorf("%s: sent %v", api, got)
			}
		}
	}
	s := serve(t, llm.Ollama, says(llm.Ollama, "{}"))
	for name, spoil := range map[string]func() error{
		"an empty token":       func() error { return os.WriteFile(token, []byte(" \n"), 0o600) },
		"a token of two lines": func() error { return os.WriteFile(token, []byte("one\ntwo"), 0o600) },
		"a missing token":      func() error { return os.RemoveAll(token) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		_, err := client(t, llm.Config{URL: s.URL, Model: model, BearerTokenFile: token}).Ask(t.Context(), sale(), 1, 0)
		if llm.OutcomeOf(err) != llm.Refused || !strings.Contains(err.Error(), token) || len(s.asked()) > 0 {
			t.Errorf("%s: %v, after %d questions", name, err, len(s.asked()))
		}
	}
}

func TestTheServersCertificateIsVerified(t *testing.T) {
	s := &server{api: llm.Ollama, answers: []http.HandlerFunc{says(llm.Ollama, "{}")}}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // Of handshakes that are meant to fail.
	s.StartTLS()
	t.Cleanup(s.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		config llm.Config
		want   llm.Outcome
	}{
		"unknown":  {llm.Config{}, llm.Unreachable},
		"known":    {llm.Config{CAFile: ca}, llm.OK},
		"unasked":  {llm.Config{InsecureSkipVerify: true}, llm.OK},
		"of other": {llm.Config{CAFile: ca, ServerName: "llama.invalid"}, llm.Unreachable},
	} {
		test.config.URL, test.config.Model = s.URL, model
		_, err := client(t, test.config).Ask(t.Context(), sale(), 1, 0)
		if got := llm.OutcomeOf(err); got != test.want {
			t.Errorf("%s: got %q, want %q: %v", name, got, test.want, err)
		}
	}
}

func TestWhatTheServerSaysIsCutToOnePlainLine(t *testing.T) {
	s := serve(t, llm.Ollama, raw(500, `{"error": "one\ntwo\u001b[31m\u202e`+strings.Repeat("x", 5000)+`"}`))
	_, err := s.client(t).Ask(t.Context(), sale(), 1, 0)
	if err == nil || len(err.Error()) > 400 || strings.ContainsAny(err.Error(), "\n\x1b\u202e") {
		t.Errorf("got %q", err)
	}
}

func TestAConfigurationIsRefusedWithEverythingThatIsWrong(t *testing.T) {
	_, err := llm.New(llm.Config{URL: "ollama:11434", API: "grpc", ContextTokens: 100, Threads: -1, KeepAlive: time.Millisecond, MaxAnswerBytes: 1 << 30})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, says := range []string{
		`"ollama:11434", must be like http://host:11434`, `"grpc", must be ollama or openai`, "must be 512 or more",
		"must not be negative", "must be a second or more", "must be from 1024 to 500000",
	} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("it does not say %q: %v", says, err)
		}
	}
	if _, err := llm.New(llm.Config{URL: "http://ollama:11434", CAFile: filepath.Join(t.TempDir(), "none")}); err == nil {
		t.Error("accepted authorities that cannot be read")
	}
}
