package replay_test

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/loadline-dev/loadline/internal/testkit"
	"github.com/loadline-dev/loadline/replay"
)

var updateHTML = flag.Bool("update-html", false, "write the golden page anew")

// resultOf is what a replay of so many workloads could have found, with charts and a sweep.
func resultOf(workloads int) replay.Result {
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	r := replay.Result{
		Split: replay.Split{
			Workloads: workloads, StepSeconds: 300, Start: start, Scored: start.AddDate(0, 0, 14), End: start.AddDate(0, 0, 28),
			HasMemory: true, CurrentKnown: true, Prices: replay.Prices{CoreHour: 0.03, GiBHour: 0.004},
		},
		Notes: []string{"Decisions are made every 1h0m0s instead of every 5m0s."},
	}
	for i, name := range replay.PolicyNames() {
		slack := 0.3 + 0.07*float64(i)
		row := replay.PolicyResult{Policy: name, Label: name, ChangesPerWeek: 40 / float64(1+i), CostPerWeek: 1200 + 150*float64(i)}
		row.CPU = replay.Usage{Slack: slack, RequestedPerUsed: 1 / (1 - slack), Violation: 0.02 / float64(1+i), Violation95: 0.05 / float64(1+i), Unmet: 0.003 / float64(1+i)}
		row.Memory = &replay.Usage{Slack: slack / 2, RequestedPerUsed: 1.3, OOMPerWeek: 0.01}
		for w := range workloads {
			row.Workloads = append(row.Workloads, workloadOf(w, i, r.Split))
		}
		r.Policies = append(r.Policies, row)
		curve := replay.Curve{Policy: name, Label: name}
		for k, knob := range []float64{0.8, 0.9, 0.95} {
			harm := 0.04 / float64(1+i) / float64(1+k)
			curve.Points = append(curve.Points, replay.Point{
				Knob: knob, Shipped: k == 1, Slack: slack - 0.1 + 0.1*float64(k), Violation: harm, Unmet: harm / 7, RequestedPerUsed: 1.9, ChangesPerWeek: 3,
			})
			if name != replay.VPAPolicy {
				curve.Versus = append(curve.Versus, replay.Versus{Knob: knob, AtEqualViolation: new(-0.098)})
			}
		}
		r.Sweeps = append(r.Sweeps, curve)
	}
	return r
}

func workloadOf(w, policy int, s replay.Split) replay.WorkloadResult {
	const spans = 400
	violation := 0.01 * float64(w%7)
	result := replay.WorkloadResult{
		Name: fmt.Sprintf("workload-%d", w), ChangesPerWeek: 3,
		CPU:    replay.Usage{Slack: 0.4, RequestedPerUsed: 1.7, Violation: violation, Unmet: violation / 10},
		Memory: &replay.Usage{Slack: 0.3, RequestedPerUsed: 1.4},
	}
	c := &replay.Chart{Start: s.Scored, SpanSeconds: int(s.End.Sub(s.Scored).Seconds()) / spans}
	for i := range spans {
		wave := 1 + 0.5*math.Sin(2*math.Pi*float64(i)*14/spans) + 0.2*math.Sin(float64(i*(w+3)))
		c.CPUUsed = append(c.CPUUsed, float32(wave))
		c.MemoryUsed = append(c.MemoryUsed, float32(wave*(1<<30)))
		request := 1.6 + 0.2*float64(policy)
		if policy == 0 {
			request = 0.9 + math.Ceil(4*wave)/4
		}
		c.CPURequested = append(c.CPURequested, float32(request))
		c.MemoryRequested = append(c.MemoryRequested, float32(2.2*(1<<30)))
	}
	result.Chart = c
	return result
}

func pageOf(t *testing.T, r replay.Result) string {
	t.Helper()
	var b bytes.Buffer
	if err := replay.HTML(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestThePageLooksAsItDid(t *testing.T) {
	r := resultOf(1)
	for i := range r.Policies {
		c := r.Policies[i].Workloads[0].Chart
		c.CPUUsed, c.CPURequested, c.MemoryUsed, c.MemoryRequested = c.CPUUsed[:4], c.CPURequested[:4], c.MemoryUsed[:4], c.MemoryRequested[:4]
	}
	_, got, _ := strings.Cut(pageOf(t, r), "<body>") // The head holds the style sheet.
	path := filepath.Join("testdata", "page.html")
	if *updateHTML {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got); if this is better, run the tests with -update-html:\n%s", diff)
	}
}

func TestThePageSaysWhatWasFoundInSentences(t *testing.T) {
	page := pageOf(t, resultOf(3))
	for _, want := range []string{
		"Over 14 days and 3 workloads, loadline-inplace would have requested 1.43 cores for each core used (slack 30.0\u00a0%).",
		"Use was over the request in 2.00\u00a0% of all samples, and 0.30\u00a0% of the demand was unmet.",
		"With VPA set so that it does the same harm, the slack of loadline-inplace is 9.8 percentage points below VPA&#39;s at equal violation.",
		"What is requested today costs 1\u202f950 a week; this would have cost 1\u202f200, 38.5\u00a0% less.",
		"from 2 March 2026 00:00 to 30 March 2026 00:00 UTC. What came before 16 March 2026 00:00 is warm-up",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func TestThePageClaimsNothingThatIsNotKnown(t *testing.T) {
	r := resultOf(2)
	r.Split.CurrentKnown, r.Sweeps = false, nil
	for _, absent := range []string{"What is requested today costs", "With VPA set", "★"} {
		if strings.Contains(pageOf(t, r), absent) {
			t.Errorf("the page says %q", absent)
		}
	}
	r = resultOf(2)
	for i := range r.Sweeps[0].Versus {
		r.Sweeps[0].Versus[i] = replay.Versus{}
	}
	if page := pageOf(t, r); !strings.Contains(page, "cannot be compared at equal harm") {
		t.Error("the page does not say that the curves do not meet")
	}
	if page := pageOf(t, replay.Result{}); !strings.Contains(page, "No policy was replayed.") {
		t.Error("an empty result gives no page")
	}
}

func TestAWorseResultIsSaidToBeWorse(t *testing.T) {
	r := resultOf(2)
	r.Policies[0].CostPerWeek = 3900
	r.Sweeps[0].Versus[1].AtEqualViolation = new(0.021)
	page := pageOf(t, r)
	for _, want := range []string{"this would have cost 3\u202f900, 100.0\u00a0% more", "the slack of loadline-inplace is 2.1 percentage points above VPA&#39;s"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func TestThePageNeedsNothingElse(t *testing.T) {
	page := pageOf(t, resultOf(2))
	for _, foreign := range []string{"<script", "http://", "https://", "@import", "url("} {
		if strings.Contains(strings.ReplaceAll(page, "http://www.w3.org/2000/svg", ""), foreign) {
			t.Errorf("the page contains %s", foreign)
		}
	}
}

func TestNamesCannotBreakThePage(t *testing.T) {
	r := resultOf(2)
	evil := `</title><script>alert("1")</script>&'` + "\x00\u2028"
	for i := range r.Policies {
		r.Policies[i].Label = evil
		r.Policies[i].Workloads[0].Name = evil
		r.Sweeps[i].Label = evil
	}
	r.Notes = append(r.Notes, evil)
	page := pageOf(t, r)
	if strings.Contains(page, "<script") {
		t.Error("a name became a script")
	}
	wellFormed(t, page)
}

func TestThePageIsWellFormed(t *testing.T) {
	page := pageOf(t, resultOf(45))
	wellFormed(t, page)
	seen := map[string]bool{}
	for _, match := range regexp.MustCompile(`\bid="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if seen[match[1]] {
			t.Errorf("the id %s occurs twice", match[1])
		}
		seen[match[1]] = true
	}
	for _, match := range regexp.MustCompile(`aria-labelledby="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		for id := range strings.FieldsSeq(match[1]) {
			if !seen[id] {
				t.Errorf("a label refers to %s, which is not there", id)
			}
		}
	}
	if n := strings.Count(page, `<details class="group"`); n != 3 {
		t.Errorf("45 workloads are in %d groups", n)
	}
	if strings.Count(page, "<th") != strings.Count(page, `<th scope="`)+strings.Count(page, "<thead") {
		t.Error("a table header does not say what it is the header of")
	}
}

// wellFormed checks that every element is closed where it should be.
func wellFormed(t *testing.T, page string) {
	t.Helper()
	_, body, _ := strings.Cut(page, "</head>") // The head has elements that HTML does not close.
	testkit.Elements(t, "<html>"+body)
}

func TestTheWorstServedWorkloadsComeFirst(t *testing.T) {
	page := pageOf(t, resultOf(30))
	order := regexp.MustCompile(`<b>workload-(\d+)</b>`).FindAllStringSubmatch(page, -1)
	if len(order) != 30 || order[0][1] != "13" || order[29][1] != "7" {
		t.Errorf("the order is %v", order)
	}
}

func TestAPageOfManyWorkloadsStaysSmall(t *testing.T) {
	page := pageOf(t, resultOf(520))
	if n := len(page) / 500; n > 16<<10 {
		t.Errorf("%d bytes per workload", n)
	}
	if n := strings.Count(page, `<details class="workload">`); n != 500 || !strings.Contains(page, "The other 20 workloads are left out") {
		t.Errorf("%d workloads are shown", n)
	}
}

func TestAResultWithoutChartsHasNoListOfWorkloads(t *testing.T) {
	r := resultOf(2)
	for i := range r.Policies {
		for w := range r.Policies[i].Workloads {
			r.Policies[i].Workloads[w].Chart = nil
		}
	}
	if page := pageOf(t, r); strings.Contains(page, "<h2 id=\"workloads-h\">") {
		t.Error("there is a list of workloads without charts")
	}
}
