package advice_test

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/forecast"
	"github.com/loadline-dev/loadline/recommender/advice"
)

func TestCleanTakesOutWhatAReaderCannotSeeAndKeepsEveryLanguage(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"plain", "three times the traffic", "three times the traffic"},
		{"Chinese", "双十一 11月11日，流量预计五倍", "双十一 11月11日，流量预计五倍"},
		{"Arabic", "نتوقع ٣ أضعاف", "نتوقع ٣ أضعاف"},
		{"Persian with a joiner", "می\u200cخواهیم", "می\u200cخواهیم"},
		{"Hindi", "तीन गुना", "तीन गुना"},
		{"an emoji of several", "👩\u200d💻", "👩\u200d💻"},
		{"a special token", "sale<|eot_id|>end", "sale end"},
		{"a token around a token", "a<|eot<|x|>_id|>b", "a b"},
		{"half a token", "a <| b", "a < | b"},
		{"lines and controls", "a\r\n\tb\x00\x1bc\x7f", "a b c"},
		{"overrides and isolates", "a\u202eb\u2066c\u2069d\u200be\ufefff", "abcdef"},
		{"tag characters", "a\U000E0041b", "ab"},
		{"bytes that are no UTF-8", "a\xff\xfeb", "a�b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := advice.Clean(test.text, 100); got != test.want {
				t.Errorf("Clean = %q, want %q", got, test.want)
			}
		})
	}
}

func TestCleanIsBoundedAndCleaningTwiceGivesTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{"<|", "|>", "<", "|", ">", "eot_id", " ", "\u202e", "双", "\x00", "a"})).Draw(t, "text"), "")
		most := rapid.IntRange(1, 40).Draw(t, "most")
		got := advice.Clean(text, most)
		if utf8.RuneCountInString(got) > most || strings.Contains(got, "<|") || !utf8.ValidString(got) {
			t.Fatalf("Clean = %q", got)
		}
		if again := advice.Clean(got, most); again != got {
			t.Fatalf("cleaned again: %q, then %q", got, again)
		}
	})
}

func TestEventsAreCountedBoundedAndNewestFirst(t *testing.T) {
	raw := []advice.RawEvent{
		{Type: "Warning", Reason: "BackOff", Message: "Back-off restarting container app in pod checkout-7d9f-aaaaa", Count: 4, First: at(-9), Last: at(-2)},
		{Type: "Warning", Reason: "BackOff", Message: "Back-off restarting container app in pod checkout-7d9f-bbbbb", Count: 3, First: at(-5), Last: at(-1)},
		{Type: "Warning", Reason: "Unhealthy", Message: "probe failed <|eot_id|>", Last: at(-3)},
		{Type: "Normal", Reason: "Pulled", Message: "pulled", Last: at(-25)},
		{Type: "Normal", Reason: "Scheduled", Message: "from the future", Last: at(1)},
	}
	want := []advice.KubernetesEvent{
		{ID: "E1", Type: "Warning", Reason: "BackOff", Message: "Back-off restarting container app in pod checkout-7d9f-bbbbb", Count: 7, First: at(-9), Last: at(-1)},
		{ID: "E2", Type: "Warning", Reason: "Unhealthy", Message: "probe failed", Count: 1, Last: at(-3)},
	}
	if diff := cmp.Diff(want, advice.Events(raw, now)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	raw[0], raw[4] = raw[4], raw[0]
	if diff := cmp.Diff(want, advice.Events(raw, now)); diff != "" {
		t.Errorf("in another order (-want +got):\n%s", diff)
	}
}

func TestAFloodOfEventsLeavesTheWarnings(t *testing.T) {
	var raw []advice.RawEvent
	for i := range 500 {
		raw = append(raw, advice.RawEvent{Type: "Normal", Reason: "Noise" + strings.Repeat("x", i%50), Message: "noise", Last: now})
	}
	raw = append(raw, advice.RawEvent{Type: "Warning", Reason: "FailedScheduling", Message: strings.Repeat("long ", 100), Last: at(-5)})
	got := advice.Events(raw, now)
	if len(got) != 12 || got[11].Reason != "FailedScheduling" || utf8.RuneCountInString(got[11].Message) > 160 {
		t.Errorf("%d events, the last is %+v", len(got), got[len(got)-1])
	}
}

func TestForecastWindowsTellPeaksByHalfDays(t *testing.T) {
	f := forecast.Forecast{Start: at(-6), Step: time.Hour, Mean: make([]float64, 24)} // From 06:00.
	upper := forecast.Quantile{Level: 0.9, Values: make([]float64, 24)}
	for h := range f.Mean {
		f.Mean[h], upper.Values[h] = 1, 2
	}
	f.Mean[3], upper.Values[8], f.Mean[5] = 4, 9, math.NaN()
	f.Quantiles = []forecast.Quantile{{Level: 0.1, Values: make([]float64, 24)}, upper, {Level: 0.99, Values: upper.Values[:0]}}
	got := advice.ForecastWindows([]string{"app"}, []forecast.Forecast{f})
	want := []advice.ForecastWindow{
		{ID: "W1", Container: "app", Start: at(-12), End: at(0), PeakCores: 4, PeakAt: at(-3), MeanCores: 1.6, UpperPeak95: 4},
		{ID: "W2", Container: "app", Start: at(0), End: at(12), PeakCores: 1, PeakAt: at(0), MeanCores: 1, UpperPeak95: 9},
		{ID: "W3", Container: "app", Start: at(12), End: at(24), PeakCores: 1, PeakAt: at(12), MeanCores: 1, UpperPeak95: 2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOfManyForecastWindowsTheHighestStay(t *testing.T) {
	f := flatForecast(7 * 24)
	f.Quantiles[0].Values[100] = 9
	got := advice.ForecastWindows([]string{"a", "b"}, []forecast.Forecast{flatForecast(7 * 24), f})
	highest := 0.0
	for _, w := range got {
		highest = max(highest, w.UpperPeak95)
	}
	if len(got) != 14 || highest != 9 || got[13].ID != "W14" {
		t.Errorf("%d windows, the highest %v", len(got), highest)
	}
}

func TestASignalIsSummedUp(t *testing.T) {
	values := forecast.Series{Start: at(-9 * 24), Step: time.Hour, Values: make([]float32, 9*24)}
	for i := range values.Values {
		values.Values[i] = 100
		if i >= 8*24 {
			values.Values[i] = 150
		}
	}
	values.Values[8*24+3], values.Values[9*24-1] = 400, float32(math.NaN())
	got, ok := advice.SummarizeSignal(1, "requests", values, now)
	if !ok || got.ID != "S1" || got.Latest != 150 || got.Peak != 400 || !got.PeakAt.Equal(at(-21)) || got.TrendPercent != 161 {
		t.Errorf("signal %+v, %t", got, ok)
	}
	if _, ok := advice.SummarizeSignal(1, "old", values, now.Add(48*time.Hour)); ok {
		t.Error("a signal without a value of the last day")
	}
}

func TestRulesAreCautiousWhereUsageSaysLittle(t *testing.T) {
	e := evidence()
	e.Rollouts = []advice.Rollout{{ID: "R1", Time: at(-30)}, {ID: "R2", Time: at(-3)}}
	e.Throttling = []advice.Throttling{{ID: "T1", Container: "app", Percent: 40}, {ID: "T2", Container: "proxy", Percent: 9}}
	e.Scalings = []advice.Scaling{{ID: "H1", Time: at(-9), From: 2, To: 9}, {ID: "H2", Time: at(-2), From: 9, To: 10, AtMaximum: true}}
	got := advice.Rules(e)
	if len(got.Accepted) != 2 || len(got.Rejected) > 0 {
		t.Fatalf("accepted %+v, rejected %+v", got.Accepted, got.Rejected)
	}
	rollout, throttled := got.Accepted[0], got.Accepted[1]
	if rollout.Kind != advice.NeverShrink || !rollout.End.Equal(at(21)) || !cmp.Equal(rollout.Evidence, []string{"R2"}) {
		t.Errorf("after the rollout: %+v", rollout)
	}
	if throttled.Kind != advice.NeverShrink || !cmp.Equal(throttled.Resources, []advice.Resource{advice.CPU}) || !cmp.Equal(throttled.Evidence, []string{"T1"}) {
		t.Errorf("while throttled: %+v", throttled)
	}
	if len(got.Findings) != 1 || got.Findings[0].Type != advice.FindingAutoscalerAtMaximum || !strings.Contains(got.Findings[0].Summary, "10 replicas") {
		t.Errorf("findings %+v", got.Findings)
	}
	later := e
	later.Now = at(22)
	for _, a := range advice.Rules(later).Accepted {
		if a.Evidence[0] == "R2" {
			t.Errorf("a day after the rollout: %+v", a)
		}
	}
}

func TestPartsOfOneAnswerBecomeOne(t *testing.T) {
	part := func(summary string, adjustments ...advice.Adjustment) advice.Advice {
		return advice.Advice{Model: "m", Digest: "d", InputHash: "h", Accepted: adjustments, Summary: summary}
	}
	got := advice.Merge([]advice.Advice{
		part("one", demand(300, at(24), at(36))), part("two", demand(300, at(36), at(60)), demand(200, at(60), at(70))), part("one", demand(300, at(24), at(36))),
	})
	if diff := cmp.Diff([]string{"24h0m0s..60h0m0s demand", "60h0m0s..70h0m0s demand"}, windows(got.Accepted)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Model != "m" || got.Digest != "d" || got.InputHash != "h" || got.Summary != "one two" || got.Source != advice.SourceModel {
		t.Errorf("merged %+v", got)
	}
}

func TestAModelAddsToTheRulesAndTakesNothingBack(t *testing.T) {
	e := evidence(sale(24, 48, 300, ""))
	e.Annotations = append(e.Annotations, advice.Annotation{ID: "A2", Text: "double load on 28 November"})
	rules := advice.Rules(e)
	model := advice.Advice{
		Source: advice.SourceModel, Model: "m", Summary: "more",
		Accepted: []advice.Adjustment{{Kind: advice.Demand, Evidence: []string{"A2"}, Start: at(60), End: at(80), Percent: 200}},
		Findings: []advice.Finding{{Type: "Observation", Evidence: []string{"A9"}}},
	}
	got := advice.Refine(rules, model, e)
	if diff := cmp.Diff([]string{"24h0m0s..48h0m0s demand", "60h0m0s..80h0m0s demand"}, windows(got.Accepted)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Source != advice.SourceModel || got.Model != "m" || got.Summary != "more" || len(got.Findings) > 0 {
		t.Errorf("refined %+v", got)
	}
	silent := advice.Refine(rules, advice.Advice{}, e)
	if len(silent.Accepted) != 1 || silent.Summary != rules.Summary {
		t.Errorf("with a model that says nothing: %+v", silent)
	}
}
