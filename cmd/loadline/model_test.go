package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
)

// serveModel plays an Ollama whose model tiny answers with the texts in turn, and with the last one from then on. It returns
// the flags that name it.
func serveModel(t *testing.T, answers ...string) []string {
	t.Helper()
	next := make(chan string, len(answers))
	for _, a := range answers {
		next <- a
	}
	last := answers[len(answers)-1]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/tags":
			fmt.Fprint(w, `{"models": [{"name": "tiny:latest", "digest": "5f1d"}]}`)
		case "/api/chat":
			text := last
			select {
			case text = <-next:
			default:
			}
			quoted, _ := json.Marshal(text) // a text always encodes
			fmt.Fprintf(w, `{"model": "tiny", "message": {"role": "assistant", "content": %s}, "done": true, "done_reason": "stop"}`, quoted)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return []string{"--url", server.URL, "--model", "tiny"}
}

func TestTheRulesAreScoredOnTheWholeSet(t *testing.T) {
	out, errors, code := call(t, "advise", "eval", "--rules")
	for _, want := range []string{"CLASS", "typed", "injection", "the rules did", "only that the plumbing works"} {
		if code != exitOK || !strings.Contains(out, want) {
			t.Errorf("exit code %d, %q, no word of %q in\n%s", code, errors, want, out)
		}
	}
}

func TestAModelIsScoredOnCasesOfOnesOwn(t *testing.T) {
	dir := t.TempDir()
	text := `{class: quiet, language: en, about: nothing to do, now: 2026-11-25T12:00:00Z, texts: ["We are a friendly team."]}`
	if err := os.WriteFile(filepath.Join(dir, "quiet.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := serveModel(t, `{"adjustments": [], "findings": [], "summary": "nothing"}`)
	out, errors, code := call(t, append([]string{"advise", "eval", "--cases", dir}, flags...)...)
	if code != exitOK || !strings.Contains(out, "100 %") || !strings.Contains(out, "tiny at http") || !strings.Contains(errors, "1 of 1: quiet") {
		t.Errorf("exit code %d, %q:\n%s", code, errors, out)
	}
	flags = serveModel(t, `{"nonsense": true}`)
	out, _, code = call(t, append([]string{"advise", "eval", "--verbose", "--cases", dir}, flags...)...)
	if code != exitOK || !strings.Contains(out, "0 %") || !strings.Contains(out, "quiet: model: bad_answer") {
		t.Errorf("nonsense: exit code %d:\n%s", code, out)
	}
	if _, errors, code := call(t, "advise", "eval", "--rules", "--cases", t.TempDir()); code != exitNotFound {
		t.Errorf("an empty folder: exit code %d, %q", code, errors)
	}
}

func TestACommandThatNeedsAModelSaysWhatIsMissing(t *testing.T) {
	nowhere := []string{"--kubeconfig", filepath.Join(t.TempDir(), "none")}
	for line, want := range map[string]struct {
		code    int
		message string
	}{
		"advise eval":                                        {exitUsage, "no model is named: give --url"},
		"advise eval --rules --url http://x":                 {exitUsage, "exclude each other"},
		"advise eval --url ftp://x":                          {exitUsage, "advisor.url"},
		"advise eval --url http://127.0.0.1:1":               {exitError, "unreachable"},
		"policy compile":                                     {exitUsage, "give the wish as one argument"},
		"policy compile wish --url http://127.0.0.1:1":       {exitError, "ask llama3.1:8b at http://127.0.0.1:1"},
		"policy compile wish --url http://x --api carrier":   {exitUsage, "advisor.api"},
		"policy compile --from-file /does/not/exist --url x": {exitError, "open the wish"},
	} {
		out, errors, code := call(t, append(strings.Fields(line), nowhere...)...)
		if code != want.code || !strings.Contains(errors, want.message) || out != "" {
			t.Errorf("loadline %s: exit code %d, output %q, error %q; want %d and %q", line, code, out, errors, want.code, want.message)
		}
	}
}

func TestAWishBecomesADraftWithAWordOnEachBound(t *testing.T) {
	flags := serveModel(t, `not even JSON`, `{"numbers": [{"setting": "replicas_max", "value": 20}, {"setting": "cpu_max_millicores", "value": 3000}],
		"choices": [], "eviction_windows": [], "unexpressed": ["be nice"]}`)
	args := append([]string{"policy", "compile", "never more than 20 pods, and be nice", "--kubeconfig", filepath.Join(t.TempDir(), "none"), "--name", "shop"}, flags...)
	out, errors, code := call(t, args...)
	for _, want := range []string{
		"# Not checked by a cluster: ", "# - at most 20 pods\n", "# - a CPU request is at most 3000m (the wish does not say so in numbers: look twice)\n",
		"# ! A policy cannot say: be nice\n", "kind: SizingPolicy\n", "  name: shop\n", "spec:\n  cpu:\n    max: \"3\"\n  replicas:\n    max: 20\n",
	} {
		if code != exitOK || !strings.Contains(out, want) {
			t.Errorf("exit code %d, %q, no %q in\n%s", code, errors, want, out)
		}
	}
}

func TestAQuestionIsAnsweredFromTheTrailOrNotAtAll(t *testing.T) {
	rec := &v1alpha1.Recommendation{}
	rec.Status.Trail = []string{"Mode auto: because.", "app: CPU: p95 is 0.599 cores per pod."}
	ask := func(text string) (string, string, int) {
		var out, errors strings.Builder
		flags := &modelFlags{}
		given := serveModel(t, text)
		flags.url, flags.model = given[1], given[3]
		err := answer(t.Context(), flags, "why 1 core?", rec, streams{out: &out, err: &errors})
		if err != nil {
			return out.String(), err.Error(), 1
		}
		return out.String(), "", 0
	}
	out, errors, _ := ask(`{"cites": ["L2"], "answerable": true, "answer": "Because p95 is 0.599 cores."}`)
	if want := "Because p95 is 0.599 cores.\n\nA language model says so because of\n   2. app: CPU: p95 is 0.599 cores per pod.\n"; out != want {
		t.Errorf("got %q, %s; want %q", out, errors, want)
	}
	for name, text := range map[string]string{
		"an invented number": `{"cites": ["L2"], "answerable": true, "answer": "Because of 4711 users."}`,
		"no source":          `{"cites": [], "answerable": true, "answer": "Because."}`,
		"no answer":          `{"cites": [], "answerable": false, "answer": ""}`,
	} {
		if out, errors, _ := ask(text); out != "" || !strings.Contains(errors, "no answer: ") {
			t.Errorf("%s: %q, %q", name, out, errors)
		}
	}
}

func TestTheDefaultConfigurationAsksNoModel(t *testing.T) {
	desk, err := newDesk(config.Default().Advisor, nil)
	if desk != nil || err != nil {
		t.Errorf("a desk, error %v", err)
	}
}
