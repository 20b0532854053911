package advice_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/forecast"
	"github.com/loadline-dev/loadline/recommender/advice"
)

var roomy = advice.Budget{ContextTokens: 8192, AnswerTokens: 1024}

// flatForecast is one core for a number of hours.
func flatForecast(hours int) forecast.Forecast {
	f := forecast.Forecast{Start: now, Step: time.Hour}
	upper := forecast.Quantile{Level: 0.95}
	for h := range hours {
		f.Mean, upper.Values = append(f.Mean, 1+0.01*float64(h)), append(upper.Values, 1.5)
	}
	f.Quantiles = []forecast.Quantile{upper}
	return f
}

// ordinary is what is known of a workload on an ordinary busy day, the horizon two days.
func ordinary() advice.Evidence {
	e := advice.Evidence{
		Now: now, Horizon: 48 * time.Hour, MaxDemandPercent: 500, Workload: "Deployment shop/checkout", Priority: "high",
		Bounds: advice.PolicyBounds{MinReplicas: 2, MaxReplicas: 20, MaxCPUMillis: 4000, MaxMemoryBytes: 8 << 30},
		Annotations: []advice.Annotation{
			{ID: "A1", Key: "loadline.dev/context", Text: "Black Friday sale 27–30 Nov, we expect three times the traffic. Ask team payments."},
		},
		Rollouts: []advice.Rollout{{ID: "R1", Time: at(-30), Change: "container app: image shop/checkout:1.4 → shop/checkout:1.5"}},
		Scalings: []advice.Scaling{{ID: "H1", Time: at(-3), From: 4, To: 6, Reason: "cpu resource utilization above target"}},
		Signals:  []advice.Signal{{ID: "S1", Name: "requests-per-second", Latest: 1234.5678, Mean: 1100, Peak: 2200, TrendPercent: 104}},
		Windows:  advice.ForecastWindows([]string{"app", "proxy"}, []forecast.Forecast{flatForecast(48), flatForecast(48)}),
	}
	var raw []advice.RawEvent
	for i := range 4 {
		raw = append(raw, advice.RawEvent{
			Type: "Warning", Reason: "Unhealthy", Count: 3, Last: at(-i),
			Message: []string{"Readiness probe failed", "Liveness probe failed", "Back-off restarting", "Failed to pull image"}[i] + ": HTTP probe failed with statuscode 503",
		})
	}
	e.Events = advice.Events(raw, now)
	return e
}

func questions(t *testing.T, e advice.Evidence, b advice.Budget) []advice.Question {
	t.Helper()
	got, err := advice.Questions(e, b)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestThePromptOfAnOrdinaryWorkloadIsUnderTwoThousandTokens(t *testing.T) {
	got := questions(t, ordinary(), roomy)
	if len(got) != 1 {
		t.Fatalf("%d questions", len(got))
	}
	tokens := roomy.Tokens([]byte(got[0].System)) + roomy.Tokens(got[0].User)
	t.Logf("system %d and user %d tokens", roomy.Tokens([]byte(got[0].System)), roomy.Tokens(got[0].User))
	if tokens >= 2000 {
		t.Errorf("%d tokens:\n%s", tokens, got[0].User)
	}
}

func TestAQuestionHoldsAllEvidenceAsOneDocument(t *testing.T) {
	q := questions(t, ordinary(), roomy)[0]
	var document map[string]any
	if err := json.Unmarshal(q.User, &document); err != nil {
		t.Fatalf("the user message is not one JSON document: %v", err)
	}
	for _, want := range []string{
		`"id":"A1"`, `"id":"E4"`, `"id":"R1"`, `"id":"H1"`, `"id":"S1"`, `"id":"W1"`, "27–30 Nov", "2026-11-25 12:00 Wed", "2026-11-27 Fri",
		"Deployment shop/checkout", "1230", `"max_replicas":20`, `"max_memory_mib":8192`,
	} {
		if !strings.Contains(string(q.User), want) {
			t.Errorf("the document lacks %s:\n%s", want, q.User)
		}
	}
	if strings.Contains(q.System, "Black Friday") {
		t.Error("data stands among the rules")
	}
	if again := questions(t, ordinary(), roomy)[0]; !cmp.Equal(q, again) {
		t.Error("asked again, the question differs")
	}
}

func TestTheSchemaOffersWhatExistsAndBoundsTheRest(t *testing.T) {
	e := evidence(sale(24, 48, 300, ""))
	e.Annotations = append(e.Annotations, advice.Annotation{ID: "A2", Text: "a text"})
	q := questions(t, e, advice.Budget{ContextTokens: 4096, AnswerTokens: 440})[0]
	type node struct {
		Type       string
		Properties map[string]*node
		Items      *node
		Required   []string
		Enum       []string
		Minimum    *int
		Maximum    *int
		MaxItems   *int
		MaxLength  *int
		Additional *bool `json:"additionalProperties"`
	}
	var root node
	if err := json.Unmarshal(q.Schema, &root); err != nil {
		t.Fatal(err)
	}
	var walk func(path string, n *node)
	walk = func(path string, n *node) {
		switch n.Type {
		case "object":
			if n.Additional == nil || *n.Additional || len(n.Required) != len(n.Properties) {
				t.Errorf("%s is open, or has optional fields", path)
			}
			for name, p := range n.Properties {
				walk(path+"."+name, p)
			}
		case "array":
			if n.MaxItems == nil {
				t.Errorf("%s has no maxItems", path)
			}
			walk(path+"[]", n.Items)
		case "string":
			if n.MaxLength == nil && len(n.Enum) == 0 {
				t.Errorf("%s has neither maxLength nor enum", path)
			}
		case "integer":
			if n.Minimum == nil || n.Maximum == nil {
				t.Errorf("%s is not bounded", path)
			}
		default:
			t.Errorf("%s is a %q", path, n.Type)
		}
	}
	walk("answer", &root)
	adjustment := root.Properties["adjustments"].Items.Properties
	if diff := cmp.Diff([]string{"A1", "A2"}, adjustment["evidence"].Items.Enum); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
	if days := adjustment["from_day"].Enum; len(days) != 8 || days[0] != "2026-11-25" || days[7] != "2026-12-02" {
		t.Errorf("days %v", days)
	}
	if diff := cmp.Diff([]string{"demand", "hold", "never-shrink"}, adjustment["kind"].Enum); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
	if got := *adjustment["percent"].Maximum; got != 500 {
		t.Errorf("percent up to %d", got)
	}
	if got := *root.Properties["adjustments"].MaxItems; got != 1 {
		t.Errorf("%d adjustments in an answer that has room for one", got)
	}
}

func TestTheRoomForTheAnswerDecidesHowMuchMayBeSaid(t *testing.T) {
	for _, test := range []struct {
		tokens int
		want   string
	}{
		{advice.LeastAnswerTokens, `"minItems":0,"maxItems":1}`},
		{advice.MostAnswerTokens - 1, `"minItems":0,"maxItems":5}`},
		{advice.MostAnswerTokens, `"minItems":0,"maxItems":6}`},
		{5000, `"minItems":0,"maxItems":6}`},
	} {
		q := questions(t, ordinary(), advice.Budget{ContextTokens: 8192, AnswerTokens: test.tokens})[0]
		if !strings.Contains(string(q.Schema), test.want) || q.MaxAnswerTokens > min(test.tokens, advice.MostAnswerTokens) {
			t.Errorf("%d tokens: an answer of %d, schema %s, want %s", test.tokens, q.MaxAnswerTokens, q.Schema, test.want)
		}
	}
	if _, err := advice.Questions(ordinary(), advice.Budget{ContextTokens: 8192, AnswerTokens: advice.LeastAnswerTokens - 1}); err == nil {
		t.Error("no room for any adjustment was enough")
	}
}

func TestNothingIsAskedWhereAModelHasNothingToAdd(t *testing.T) {
	e := evidence(sale(24, 48, 300, ""))
	e.Windows = advice.ForecastWindows([]string{"app"}, []forecast.Forecast{flatForecast(48)})
	if got := questions(t, e, roomy); len(got) > 0 {
		t.Errorf("asked about a typed event and a forecast: %s", got[0].User)
	}
}

func TestWhatDoesNotFitIsAskedInParts(t *testing.T) {
	e := ordinary()
	e.Horizon = 7 * 24 * time.Hour
	e.Windows = advice.ForecastWindows([]string{"app"}, []forecast.Forecast{flatForecast(7 * 24)})
	small := advice.Budget{ContextTokens: 1850, AnswerTokens: 440}
	got := questions(t, e, small)
	if len(got) < 2 {
		t.Fatalf("%d questions", len(got))
	}
	seen, days := map[string]int{}, map[string]int{}
	for _, q := range got {
		if tokens := small.Tokens([]byte(q.System)) + small.Tokens(q.User) + q.MaxAnswerTokens; tokens > small.ContextTokens {
			t.Errorf("a question takes %d of %d tokens", tokens, small.ContextTokens)
		}
		var document struct {
			Days     []string
			Events   []struct{ ID string } `json:"kubernetes_events"`
			Rollouts []struct{ ID string }
			Forecast []struct{ ID string }
			Texts    []struct{ ID string } `json:"annotations"`
		}
		if err := json.Unmarshal(q.User, &document); err != nil {
			t.Fatal(err)
		}
		if len(document.Texts) != 1 {
			t.Errorf("a question does not show the announcement: %s", q.User)
		}
		for _, item := range append(append(document.Events, document.Rollouts...), document.Forecast...) {
			seen[item.ID]++
		}
		if len(document.Forecast) > 0 {
			for _, day := range document.Days {
				days[day]++
			}
		}
	}
	for _, id := range []string{"E1", "E2", "E3", "E4", "R1", "W1", "W7", "W14"} {
		if seen[id] != 1 {
			t.Errorf("%s was shown %d times", id, seen[id])
		}
	}
	if len(days) != 8 {
		t.Errorf("the questions together may speak of %v", days)
	}
}

func TestATextThatIsTooLongIsCutAndABudgetThatIsTooSmallSaysSo(t *testing.T) {
	e := evidence()
	e.Annotations = []advice.Annotation{{ID: "A1", Text: strings.Repeat("流量预计五倍。", 280)}}
	tight := advice.Budget{ContextTokens: 2048, AnswerTokens: 440}
	got := questions(t, e, tight)
	if len(got) != 1 || !strings.Contains(string(got[0].User), "流量预计五倍") {
		t.Errorf("%d questions", len(got))
	}
	for _, b := range []advice.Budget{{}, {ContextTokens: 400, AnswerTokens: 440}, {ContextTokens: 900, AnswerTokens: 440}, {ContextTokens: 8192, AnswerTokens: 100}} {
		if got, err := advice.Questions(e, b); err == nil {
			t.Errorf("budget %+v gave %d questions", b, len(got))
		}
	}
}

func TestEveryQuestionFitsItsBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := advice.Evidence{Now: now, Horizon: time.Duration(rapid.IntRange(1, 200).Draw(t, "hours")) * time.Hour, MaxDemandPercent: 500}
		for i := range rapid.IntRange(0, 6).Draw(t, "annotations") {
			e.Annotations = append(e.Annotations, advice.Annotation{ID: fmt.Sprintf("A%d", i+1), Text: rapid.StringN(0, 2000, 6000).Draw(t, "text")})
		}
		for i := range rapid.IntRange(0, 12).Draw(t, "events") {
			e.Events = append(e.Events, advice.KubernetesEvent{
				ID: fmt.Sprintf("E%d", i+1), Message: rapid.StringN(0, 200, 800).Draw(t, "message"), Last: at(-i),
			})
		}
		e.Windows = advice.ForecastWindows([]string{"app"}, []forecast.Forecast{flatForecast(rapid.IntRange(0, 200).Draw(t, "forecast"))})
		b := advice.Budget{ContextTokens: rapid.IntRange(0, 9000).Draw(t, "context"), AnswerTokens: rapid.IntRange(0, 2000).Draw(t, "answer")}
		got, err := advice.Questions(e, b)
		if err != nil {
			return
		}
		for _, q := range got {
			if tokens := b.Tokens([]byte(q.System)) + b.Tokens(q.User) + q.MaxAnswerTokens; tokens > b.ContextTokens || !json.Valid(q.User) || !json.Valid(q.Schema) {
				t.Fatalf("%d tokens of %d: %s %s", tokens, b.ContextTokens, q.User, q.Schema)
			}
			if strings.Contains(string(q.User), "<|") {
				t.Fatalf("a special token survives: %s", q.User)
			}
		}
	})
}
