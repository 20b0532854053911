package llm_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/loadline-dev/loadline/recommender/advice"
	"github.com/loadline-dev/loadline/recommender/llm"
)

var monday = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// evidence is a week with a sale in it.
func evidence() advice.Evidence {
	e := advice.Evidence{
		Now: monday, Horizon: 7 * 24 * time.Hour, Workload: "Deployment shop/checkout", MaxDemandPercent: 400,
		Annotations: []advice.Annotation{{ID: "A1", Key: "namespace loadline.dev/context", Text: "Sale from 27 November 2026 to 29 November 2026, we expect 300% of the traffic"}},
	}
	for day := range 7 {
		start := monday.Add(time.Duration(day) * 24 * time.Hour)
		e.Windows = append(e.Windows, advice.ForecastWindow{
			ID: fmt.Sprintf("W%d", day+1), Start: start, End: start.Add(24 * time.Hour), Container: "app",
			PeakCores: 2, PeakAt: start.Add(8 * time.Hour), MeanCores: 1, UpperPeak95: 3,
		})
	}
	return e
}

// answerWith is an answer with one adjustment for the sale.
func answerWith(id string, percent int) string {
	return fmt.Sprintf(`{"adjustments": [{"evidence": [%q], "reason": "the sale", "kind": "demand", "from_day": "2026-11-27", "from_hour": 0,
		"until_day": "2026-11-29", "until_hour": 24, "percent": %d, "resources": ["cpu"], "confidence": 80}],
		"findings": [], "summary": "a sale"}`, id, percent)
}

const nothing = `{"adjustments": [], "findings": [], "summary": "nothing"}`

// quick is a clock that stands still. What is waited for between two tries is noted and over at once; a deadline passes when
// the clock is moved.
type quick struct {
	*clocktesting.FakeClock
	mu     sync.Mutex
	pauses []time.Duration
}

func (c *quick) NewTimer(d time.Duration) clock.Timer {
	timer := c.FakeClock.NewTimer(d)
	if d >= 5*time.Second {
		return timer
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pauses = append(c.pauses, d)
	over := make(chan time.Time, 1)
	over <- c.Now()
	return overTimer{timer, over}
}

type overTimer struct {
	clock.Timer
	over chan time.Time
}

func (t overTimer) C() <-chan time.Time { return t.over }

// bench is an advisor with what it stands on.
type bench struct {
	*llm.Advisor
	clock    *quick
	server   *server
	registry *prometheus.Registry
}

func advisor(t *testing.T, o llm.Options, answers ...http.HandlerFunc) bench {
	t.Helper()
	b := bench{clock: &quick{FakeClock: clocktesting.NewFakeClock(monday)}, server: serve(t, llm.Ollama, answers...), registry: prometheus.NewRegistry()}
	var err error
	if o.Metrics, err = llm.NewMetrics(b.registry); err != nil {
		t.Fatal(err)
	}
	o.Clock = b.clock
	if b.Advisor, err = llm.NewAdvisor(b.server.client(t), o); err != nil {
		t.Fatal(err)
	}
	return b
}

// fails asserts that there is no advice, for this reason, after so many questions in all. It returns what the error says.
func (b bench) fails(t *testing.T, want llm.Outcome, questions int) string {
	t.Helper()
	got, err := b.Advise(t.Context(), evidence())
	if llm.OutcomeOf(err) != want {
		t.Errorf("got %q, want %q: %v", llm.OutcomeOf(err), want, err)
	}
	if diff := cmp.Diff(advice.Advice{}, got); diff != "" {
		t.Errorf("an error and advice:\n%s", diff)
	}
	if n := len(b.server.asked()); n != questions {
		t.Errorf("%d questions, want %d", n, questions)
	}
	return fmt.Sprint(err)
}

func TestAdviceIsCheckedAndSaysWhoGaveItOnWhat(t *testing.T) {
	b := advisor(t, llm.Options{}, says(llm.Ollama, answerWith("A1", 300)))

	got, err := b.Advise(t.Context(), evidence())
	if err != nil {
		t.Fatal(err)
	}

	if got.Source != advice.SourceModel || got.Model != model || got.Digest != digest || got.InputHash != advice.Hash(evidence()) {
		t.Errorf("from %q, model %q, digest %q, input %q", got.Source, got.Model, got.Digest, got.InputHash)
	}
	if len(got.Accepted) != 1 || got.Accepted[0].Kind != advice.Demand || got.Accepted[0].Percent != 300 {
		t.Errorf("accepted %+v, rejected %+v", got.Accepted, got.Rejected)
	}
	if got.Summary != "a sale" {
		t.Errorf("the summary is %q", got.Summary)
	}
}

func TestAnAnswerThatDoesNotHoldIsRejectedWithItsReason(t *testing.T) {
	e := evidence()
	e.Annotations[0].Text = "we expect a lot of visitors"
	b := advisor(t, llm.Options{}, says(llm.Ollama, answerWith("A1", 300)))

	got, err := b.Advise(t.Context(), e)

	if err != nil || len(got.Accepted) != 0 || len(got.Rejected) != 1 || got.Rejected[0].Why == "" {
		t.Errorf("demand from a text without date and number: %+v, %v", got, err)
	}
}

func TestAnotherTryIsAnotherQuestion(t *testing.T) {
	b := advisor(t, llm.Options{Seed: 5}, says(llm.Ollama, "Sure!"), half(cut), says(llm.Ollama, answerWith("A1", 300)))

	if _, err := b.Advise(t.Context(), evidence()); err != nil {
		t.Fatal(err)
	}

	var got [][2]float64
	for _, q := range b.server.asked() {
		var o struct{ Seed, Temperature float64 }
		if err := json.Unmarshal(q.body["options"], &o); err != nil {
			t.Fatal(err)
		}
		got = append(got, [2]float64{o.Seed, o.Temperature})
	}
	if diff := cmp.Diff([][2]float64{{5, 0}, {6, 0.2}, {7, 0.4}}, got); diff != "" {
		t.Errorf("seeds and temperatures (-want +got):\n%s", diff)
	}
	for i, least := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond} {
		if p := b.clock.pauses[i]; p < least || p > 3*least {
			t.Errorf("the pause after try %d is %s, want %s to %s", i+1, p, least, 3*least)
		}
	}
}

func TestAnswersOutOfBoundsCountForNothing(t *testing.T) {
	for name, test := range map[string]struct{ answer, says string }{
		"a percent beyond the schema":  {answerWith("A1", 100_000), "percent"},
		"a percent beyond an integer":  {strings.ReplaceAll(answerWith("A1", 300), "300", "3e99"), "percent"},
		"evidence that was not given":  {answerWith("A7", 300), "A7"},
		"a field that was not asked":   {strings.Replace(nothing, "{", `{"cpu": "1000 cores", `, 1), "cpu"},
		"a document after the answer":  {nothing + nothing, "not JSON"},
		"a day outside of the horizon": {strings.ReplaceAll(answerWith("A1", 300), "2026-11-27", "4562-11-27"), "from_day"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := advisor(t, llm.Options{}, says(llm.Ollama, test.answer)).fails(t, llm.BadAnswer, 3); !strings.Contains(got, test.says) {
				t.Errorf("it does not say %q: %s", test.says, got)
			}
		})
	}
}

func TestWhatAnotherTryCannotChangeIsAskedOnce(t *testing.T) {
	for want, answer := range map[llm.Outcome]http.HandlerFunc{
		llm.NotFound:    raw(404, `{"error": "model 'tiny' not found"}`),
		llm.Refused:     raw(403, ""),
		llm.ServerError: raw(500, ""),
		llm.TooBig:      says(llm.Ollama, strings.Repeat(" ", 300_000)),
	} {
		advisor(t, llm.Options{}, answer).fails(t, want, 1)
	}
	for want, answer := range map[llm.Outcome]http.HandlerFunc{
		llm.Overloaded:  raw(503, `{"error": "server busy"}`),
		llm.Interrupted: half(cut),
	} {
		advisor(t, llm.Options{Tries: 2}, answer).fails(t, want, 2)
	}
}

func TestOneDeadlineHoldsForAllTries(t *testing.T) {
	var b bench
	b = advisor(t, llm.Options{Deadline: time.Minute}, says(llm.Ollama, "Sure!"), half(func(_ http.ResponseWriter, r *http.Request) {
		b.clock.Step(time.Minute)
		<-r.Context().Done()
	}))
	b.fails(t, llm.Deadline, 2)
}

func TestTheCallerMayGoAway(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b := advisor(t, llm.Options{RestAfter: 1}, half(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}), says(llm.Ollama, nothing))
	if _, err := b.Advise(ctx, evidence()); llm.OutcomeOf(err) != llm.Canceled {
		t.Errorf("got %v", err)
	}
	if _, err := b.Advise(t.Context(), evidence()); err != nil {
		t.Errorf("the next one pays for it: %v", err)
	}
}

func TestTheModelRestsAfterFailuresInARow(t *testing.T) {
	bad, good := raw(500, ""), says(llm.Ollama, nothing)
	b := advisor(t, llm.Options{RestAfter: 3, Rest: 5 * time.Minute}, []http.HandlerFunc{bad, bad, good, bad, bad, bad, bad, good, bad}...)
	ask := func(want llm.Outcome, questions int) {
		t.Helper()
		_, err := b.Advise(t.Context(), evidence())
		if got := llm.OutcomeOf(err); got != want || len(b.server.asked()) != questions {
			t.Fatalf("%q after %d questions, want %q after %d: %v", got, len(b.server.asked()), want, questions, err)
		}
	}
	ask(llm.ServerError, 1)
	ask(llm.ServerError, 2)
	ask(llm.OK, 3) // The row is broken.
	ask(llm.ServerError, 4)
	ask(llm.ServerError, 5)
	ask(llm.ServerError, 6)
	ask(llm.Resting, 6)
	b.clock.Step(5*time.Minute - time.Second)
	ask(llm.Resting, 6)
	b.clock.Step(time.Second)
	ask(llm.ServerError, 7) // One is enough now.
	ask(llm.Resting, 7)
	b.clock.Step(5 * time.Minute)
	ask(llm.OK, 8)
	ask(llm.ServerError, 9)
	ask(llm.ServerError, 10) // And again three in a row.
	ask(llm.ServerError, 11)
	ask(llm.Resting, 11)
}

func TestTheHoursBudgetCountsEveryTry(t *testing.T) {
	b := advisor(t, llm.Options{QuestionsPerHour: 3}, says(llm.Ollama, "Sure!"), says(llm.Ollama, nothing))
	advise := func(want llm.Outcome) {
		t.Helper()
		if _, err := b.Advise(t.Context(), evidence()); llm.OutcomeOf(err) != want {
			t.Fatalf("got %v, want %q", err, want)
		}
	}
	advise(llm.OK) // In two tries.
	b.clock.Step(30 * time.Minute)
	advise(llm.OK)
	advise(llm.BudgetSpent)
	b.clock.Step(30 * time.Minute)
	advise(llm.OK)
	advise(llm.OK)
	advise(llm.BudgetSpent)
	if n := len(b.server.asked()); n != 5 {
		t.Errorf("%d questions, want 5", n)
	}
}

func TestWhatDoesNotFitIsAskedInParts(t *testing.T) {
	tooLong := raw(400, `{"error": "the input length exceeds the context length"}`)
	b := advisor(t, llm.Options{AnswerTokens: 910}, tooLong, says(llm.Ollama, answerWith("A1", 300)))

	got, err := b.Advise(t.Context(), long())
	if err != nil {
		t.Fatal(err)
	}

	asked := b.server.asked()
	if len(asked) < 3 {
		t.Fatalf("%d questions, want one that is too long and several smaller ones", len(asked))
	}
	for i, q := range asked[1:] {
		if len(q.String()) >= len(asked[0].String()) {
			t.Errorf("question %d is not smaller: %d bytes against %d", i+1, len(q.String()), len(asked[0].String()))
		}
	}
	if len(got.Accepted) != 1 {
		t.Errorf("the answers are not merged: %+v", got.Accepted)
	}
}

// long is evidence with many events, which takes several questions where the context is small.
func long() advice.Evidence {
	e := evidence()
	for i := range 20 {
		e.Events = append(e.Events, advice.KubernetesEvent{
			ID: fmt.Sprintf("E%d", i+1), Type: "Warning", Reason: "Unhealthy", Count: 3, Last: monday.Add(time.Duration(-i) * time.Hour),
			Message: fmt.Sprintf("Readiness probe failed: HTTP probe failed with statuscode %d while the pod was warming up its caches", 500+i),
		})
	}
	return e
}

func TestAPartWithoutAnAnswerLeavesNoAdvice(t *testing.T) {
	tooLong := raw(400, `{"error": "the input length exceeds the context length"}`)
	b := advisor(t, llm.Options{AnswerTokens: 910}, tooLong, says(llm.Ollama, answerWith("A1", 300)), raw(500, ""))
	got, err := b.Advise(t.Context(), long())
	if llm.OutcomeOf(err) != llm.ServerError || len(got.Accepted) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestTheSameIsNotAskedAgainBecauseItsAnswerIsTooLong(t *testing.T) {
	for want, answer := range map[llm.Outcome]http.HandlerFunc{
		llm.TooLong:   raw(400, `{"error": "the input length exceeds the context length"}`),
		llm.Truncated: ends(llm.Ollama, `{"adjust`, "length"),
	} {
		b := advisor(t, llm.Options{}, answer)
		_, err := b.Advise(t.Context(), evidence())
		if llm.OutcomeOf(err) != want {
			t.Errorf("got %v, want %q", err, want)
		}
		seen := map[string]bool{}
		for _, q := range b.server.asked() {
			if seen[q.String()] {
				t.Errorf("%s: asked twice: %s", want, q)
			}
			seen[q.String()] = true
		}
	}
}

func TestQuestionsGetSmallerWhereTheServerCountsMoreTokens(t *testing.T) {
	dense := raw(200, fmt.Sprintf(`{"message": {"content": %q}, "done": true, "done_reason": "stop", "prompt_eval_count": 3900}`, nothing))
	b := advisor(t, llm.Options{AnswerTokens: 910}, dense)
	if _, err := b.Advise(t.Context(), long()); err != nil {
		t.Fatal(err)
	}
	first := len(b.server.asked())
	_, err := b.Advise(t.Context(), long())
	if second := len(b.server.asked()) - first; second <= first {
		t.Errorf("%d questions at first, %d after the server counted: %v", first, second, err)
	}
}

func TestOneDenseTextDoesNotMakeTheQuestionsOfOthersSmallForGood(t *testing.T) {
	dense := raw(200, fmt.Sprintf(`{"message": {"content": %q}, "done": true, "done_reason": "stop", "prompt_eval_count": 3900}`, nothing))
	b := advisor(t, llm.Options{AnswerTokens: 910, QuestionsPerHour: 1000}, dense, says(llm.Ollama, nothing))
	questions := func() int {
		t.Helper()
		before := len(b.server.asked())
		if _, err := b.Advise(t.Context(), long()); err != nil {
			t.Fatal(err)
		}
		return len(b.server.asked()) - before
	}
	first, second := questions(), questions()
	for range 10 {
		questions()
	}
	if last := questions(); second <= first || last != first {
		t.Errorf("%d questions at first, %d after a dense text, %d ten answers later; want as many as at first", first, second, last)
	}
}

func TestNothingIsAskedAboutWhatRulesCanRead(t *testing.T) {
	e := evidence()
	e.Annotations = []advice.Annotation{{ID: "A1", Key: "namespace loadline.dev/event.sale", Text: "…", Event: &advice.TypedEvent{
		Name: "sale", Start: monday.Add(time.Hour), End: monday.Add(2 * time.Hour), DemandPercent: 300,
	}}}
	b := advisor(t, llm.Options{}, says(llm.Ollama, nothing))
	if _, err := b.Advise(t.Context(), e); llm.OutcomeOf(err) != llm.NothingToAsk || len(b.server.asked()) != 0 {
		t.Errorf("%d questions: %v", len(b.server.asked()), err)
	}
}

func TestOneWorkloadTakesABoundedNumberOfQuestions(t *testing.T) {
	tooLong := raw(400, `{"error": "the input length exceeds the context length"}`)
	b := advisor(t, llm.Options{AnswerTokens: 910, MaxQuestions: 1}, tooLong)
	if _, err := b.Advise(t.Context(), long()); llm.OutcomeOf(err) != llm.TooLong || len(b.server.asked()) != 1 {
		t.Errorf("%d questions: %v", len(b.server.asked()), err)
	}
}

func TestWhatIsAskedIsMeasured(t *testing.T) {
	b := advisor(t, llm.Options{RestAfter: 1}, says(llm.Ollama, "Sure!"), says(llm.Ollama, nothing), raw(500, ""))
	for range 3 {
		_, _ = b.Advise(t.Context(), evidence())
	}
	want := `
# HELP loadline_llm_advice_total Pieces of advice that were asked for, by outcome; one takes one or more questions.
# TYPE loadline_llm_advice_total counter
loadline_llm_advice_total{outcome="ok"} 1
loadline_llm_advice_total{outcome="resting"} 1
loadline_llm_advice_total{outcome="server_error"} 1
# HELP loadline_llm_questions_total Questions to the model, each try counted, by outcome.
# TYPE loadline_llm_questions_total counter
loadline_llm_questions_total{outcome="bad_answer"} 1
loadline_llm_questions_total{outcome="ok"} 1
loadline_llm_questions_total{outcome="server_error"} 1
# HELP loadline_llm_resting 1 while the model is not asked because too many questions failed.
# TYPE loadline_llm_resting gauge
loadline_llm_resting 1
# HELP loadline_llm_tokens_total Tokens of prompts and of whole answers, as the server counts them.
# TYPE loadline_llm_tokens_total counter
loadline_llm_tokens_total{direction="answer"} 7
loadline_llm_tokens_total{direction="prompt"} 40
`
	if err := testutil.GatherAndCompare(b.registry, strings.NewReader(want), "loadline_llm_advice_total", "loadline_llm_questions_total",
		"loadline_llm_resting", "loadline_llm_tokens_total"); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(b.registry, "loadline_llm_question_seconds"); err != nil || n != 3 {
		t.Errorf("%d outcomes have a latency, want 3: %v", n, err)
	}
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	client := serve(t, llm.Ollama, says(llm.Ollama, nothing)).client(t)
	for want, o := range map[string]llm.Options{
		"tries is -1":          {Tries: -1},
		"seed is -2":           {Seed: -2},
		"deadline of -1s":      {Deadline: -time.Second},
		"no room for a prompt": {AnswerTokens: 4096},
	} {
		if _, err := llm.NewAdvisor(client, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	_, err := llm.NewAdvisor(client, llm.Options{Tries: -1, Deadline: -1})
	if lines := slices.Collect(strings.Lines(fmt.Sprint(err))); len(lines) != 2 {
		t.Errorf("not everything at once: %v", err)
	}
}
