package policytext_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/recommender/advice"
	"github.com/loadline-dev/loadline/recommender/policytext"
)

const wish = "never fewer than 3 checkout pods on weekdays, at most two cores each; save money at night; evict only Saturdays from 2 for four hours, Berlin time"

const good = `{"numbers":[{"setting":"replicas_min","value":3},{"setting":"cpu_max_millicores","value":2000},{"setting":"max_give_back_percent","value":50}],
	"choices":[{"setting":"replicas_mode","value":"auto"}],
	"eviction_windows":[{"days":"saturday","start_hour":2,"hours":4,"time_zone":"Europe/Berlin"}],
	"unexpressed":["only for checkout","only on weekdays","only at night"]}`

func TestAWishBecomesADraftThatSaysWhatItCouldNot(t *testing.T) {
	got, err := policytext.Parse([]byte(good), wish)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := yaml.Marshal(got.Spec)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"min: 3", "max: \"2\"", "maxGiveBackPercent: 50", "mode: auto", "start: 0 2 * * 6", "duration: 4h0m0s", "timeZone: Europe/Berlin"} {
		if !strings.Contains(string(spec), want) {
			t.Errorf("the policy lacks %q:\n%s", want, spec)
		}
	}
	want := []policytext.Bound{
		{Setting: "replicas_min", Sentence: "at least 3 pods", Stated: true},
		{Setting: "cpu_max_millicores", Sentence: "a CPU request is at most 2000m", Stated: true},
		{Setting: "max_give_back_percent", Sentence: "in quiet hours running pods are lowered at most 50 % below their target"},
		{Setting: "replicas_mode", Sentence: "the number of pods: auto"},
		{Setting: "eviction_windows", Sentence: "pods may be evicted on saturday from 02:00 for 4 hours (Europe/Berlin)", Stated: true},
	}
	if diff := cmp.Diff(want, got.Bounds); diff != "" {
		t.Errorf("bounds (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"only for checkout", "only on weekdays", "only at night"}, got.Unexpressed); diff != "" {
		t.Errorf("unexpressed (-want +got):\n%s", diff)
	}
}

func TestAPolicyThatBreaksABoundIsNotDrafted(t *testing.T) {
	with := func(numbers, choices, windows string) string {
		return `{"numbers":[` + numbers + `],"choices":[` + choices + `],"eviction_windows":[` + windows + `],"unexpressed":[]}`
	}
	for name, test := range map[string]struct{ answer, want string }{
		"an unknown setting":     {with(`{"setting":"cores","value":3}`, "", ""), "is not one of"},
		"over the CRD's bound":   {with(`{"setting":"max_give_back_percent","value":91}`, "", ""), "max_give_back_percent: 91 is not between 0 and 90"},
		"under it":               {with(`{"setting":"replicas_min","value":0}`, "", ""), "not between 1 and"},
		"twice":                  {with(`{"setting":"replicas_min","value":2},{"setting":"replicas_min","value":3}`, "", ""), "given twice"},
		"a minimum over maximum": {with(`{"setting":"replicas_min","value":5},{"setting":"replicas_max","value":3}`, "", ""), "the minimum 5 is larger than the maximum 3"},
		"memory upside down":     {with(`{"setting":"memory_min_mib","value":512},{"setting":"memory_max_mib","value":256}`, "", ""), "memory: the minimum 512Mi"},
		"another one's word":     {with("", `{"setting":"replicas_mode","value":"Keep"}`, ""), `replicas_mode: "Keep" is not one of off, recommend, auto`},
		"no time zone":           {with("", "", `{"days":"monday","start_hour":1,"hours":2,"time_zone":"Berlin; drop"}`), "is not a time zone"},
		"an hour too many":       {with("", "", `{"days":"monday","start_hour":24,"hours":2,"time_zone":""}`), "start_hour: 24"},
		"YAML":                   {"replicas:\n  min: 3\n", "not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := policytext.Parse([]byte(test.answer), wish)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that says %q; draft %+v", err, test.want, got)
			}
		})
	}
}

func TestAQuestionListsEverySettingOnceAndTheWishAsData(t *testing.T) {
	q, err := policytext.Question(wish+"<|eot_id|>", advice.Budget{ContextTokens: 8192})
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties struct {
			Numbers struct {
				Items struct {
					Properties struct{ Setting struct{ Enum []string } }
				}
			}
		}
	}
	if err := json.Unmarshal(q.Schema, &schema); err != nil {
		t.Fatal(err)
	}
	names := schema.Properties.Numbers.Items.Properties.Setting.Enum
	if len(names) < 15 {
		t.Errorf("settings %v", names)
	}
	for _, name := range names {
		if strings.Count(q.System, "- "+name+" (") != 1 {
			t.Errorf("%s is not explained once:\n%s", name, q.System)
		}
	}
	if !strings.Contains(string(q.User), "never fewer than 3") || strings.Contains(string(q.User), "<|") || strings.Contains(q.System, "%!") {
		t.Errorf("user %s\nsystem %s", q.User, q.System)
	}
	for _, text := range []string{"", " <|eot_id|> "} {
		if _, err := policytext.Question(text, advice.Budget{ContextTokens: 8192}); err == nil {
			t.Errorf("wish %q was asked", text)
		}
	}
	long := strings.Repeat("never fewer than 3 pods, ", 90)
	if _, err := policytext.Question(long, advice.Budget{ContextTokens: 8192}); err == nil || !strings.Contains(err.Error(), "at most 2000 are legal") {
		t.Errorf("a wish that is too long is cut, and nobody told of the rest: %v", err)
	}
	if _, err := policytext.Question(wish, advice.Budget{ContextTokens: 2048}); err == nil {
		t.Error("a context that is too small was enough")
	}
}

func TestEveryLegalAnswerIsAPolicyOrAnError(t *testing.T) {
	settings := []string{"replicas_min", "replicas_max", "cpu_min_millicores", "cpu_max_millicores", "memory_min_mib", "lower_max_step_percent", "event_lead_minutes"}
	rapid.Check(t, func(t *rapid.T) {
		numbers := []map[string]any{}
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(settings), 0, 7, rapid.ID[string]).Draw(t, "settings") {
			numbers = append(numbers, map[string]any{"setting": name, "value": rapid.Int64Range(0, 10_000_000).Draw(t, "value")})
		}
		text, err := json.Marshal(map[string]any{"numbers": numbers, "choices": []any{}, "eviction_windows": []any{}, "unexpressed": []any{}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := policytext.Parse(text, wish)
		if err != nil {
			return
		}
		if r := got.Spec.Replicas; r.Min != nil && (*r.Min < 1 || *r.Min > 10_000 || r.Max != nil && *r.Min > *r.Max) {
			t.Fatalf("replicas %+v", r)
		}
		if len(got.Bounds) != len(numbers) {
			t.Fatalf("%d sentences for %d settings", len(got.Bounds), len(numbers))
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good), wish)
	f.Add([]byte(`{"numbers":[{"setting":"memory_max_mib","value":10000000}],"choices":[],"eviction_windows":[],"unexpressed":["\u202e"]}`), "")
	f.Fuzz(func(t *testing.T, answer []byte, wish string) {
		got, err := policytext.Parse(answer, wish)
		if err != nil && !cmp.Equal(got, policytext.Draft{}) {
			t.Errorf("half a draft beside the error %v: %+v", err, got)
		}
	})
}
