package dashboard_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/dashboard"
	"github.com/loadline-dev/loadline/forecast"
	"github.com/loadline-dev/loadline/internal/testkit"
	"github.com/loadline-dev/loadline/report"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// cluster is a Source that holds what it was given.
type cluster struct {
	recommendations []v1alpha1.Recommendation
	halts           []string
	events          []dashboard.Event
	// broken is the answer to everything but, if it is only about halts and events, the list.
	broken, partly error
}

func (c *cluster) Recommendations(_ context.Context, namespace string) ([]v1alpha1.Recommendation, error) {
	var found []v1alpha1.Recommendation
	for _, r := range c.recommendations {
		if namespace == "" || r.Namespace == namespace {
			found = append(found, r)
		}
	}
	return found, c.broken
}

func (c *cluster) Halts(context.Context) ([]string, error) { return c.halts, c.partly }

func (c *cluster) Events(context.Context, *v1alpha1.Recommendation) ([]dashboard.Event, error) {
	return c.events, c.partly
}

// pages serves a cluster.
func pages(t *testing.T, c *cluster, change ...func(*dashboard.Options)) http.Handler {
	t.Helper()
	o := dashboard.Options{
		Source: c, NoHistory: "There are no charts here.", StaleAfter: 24 * time.Hour, Version: "v0", Prices: report.DefaultPrices(), Clock: clocktesting.NewFakePassiveClock(now),
	}
	for _, f := range change {
		f(&o)
	}
	handler, err := dashboard.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

// get asks for a page under the dashboard's path.
func get(t *testing.T, handler http.Handler, path string) (status int, body string) {
	t.Helper()
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, dashboard.Path+path, nil))
	return answer.Code, answer.Body.String()
}

func busy(t *testing.T, n int) http.Handler {
	t.Helper()
	return pages(t, &cluster{recommendations: testkit.Recommendations(n, now)})
}

// wants fails for each text that a page lacks.
func wants(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("no %s", text)
		}
	}
}

func TestTheSummarySaysWhatIsSavedAndWhatToLookAt(t *testing.T) {
	_, page := get(t, busy(t, 400), "")
	wants(t, page, "CPU to spare", "Memory to spare", "Rolled back", "was killed for lack of memory 3 minutes after", "Where most can be given back",
		"Where more is needed", `href="/dashboard/workloads?mode=dry-run"`, `href="/dashboard/workloads?namespace=team-02"`, "were not confirmed for more than 24 hours")
}

// The usual case: much CPU idles, and memory is a little short.
func TestWhoSavesMuchAndNeedsALittleStandsInBothLists(t *testing.T) {
	recs := testkit.Recommendations(1, now)
	recs[0].Status.Savings = &v1alpha1.Savings{CPU: resource.MustParse("50"), Memory: resource.MustParse("-5Mi")}
	_, page := get(t, pages(t, &cluster{recommendations: recs}), "")
	wants(t, page, "Where most can be given back", "Where more is needed")
}

func TestWhatStopsLoadlineStandsOnTop(t *testing.T) {
	_, page := get(t, pages(t, &cluster{halts: []string{"the circuit breaker is open since noon"}}), "")
	wants(t, page, "Running pods are left alone: the circuit breaker is open since noon.")
	_, page = get(t, pages(t, &cluster{partly: errors.New("you may not read it")}), "")
	wants(t, page, "cannot be told: you may not read it.")
}

func TestAnEmptyClusterSaysHowToBegin(t *testing.T) {
	for path, want := range map[string]string{"": "loadline.dev/mode=dry-run", "workloads": "There are no recommendations yet", "approvals": "Nothing waits for a person"} {
		if status, page := get(t, pages(t, &cluster{}), path); status != http.StatusOK || !strings.Contains(page, want) {
			t.Errorf("%s: status %d, no %q", path, status, want)
		}
	}
}

func TestTheListIsSortedFilteredAndCut(t *testing.T) {
	handler := busy(t, 400)
	for _, c := range []struct {
		query string
		wants []string
	}{
		{"", []string{"1 to 50 of 400 workloads", `aria-sort="ascending"`, `aria-label="Page 8 of 8"`, "page=2"}},
		{"?page=8", []string{"351 to 400 of 400"}},
		{"?page=99", []string{"351 to 400 of 400"}},
		{"?namespace=team-03", []string{"of 100 workloads that match, 400 in all", `<option value="team-03" selected>`}},
		{"?namespace=gone", []string{"None of 400 workloads matches", `<option value="gone" selected>`}},
		{"?mode=auto&q=CHECKOUT+team-01", []string{`value="CHECKOUT team-01"`, "that match"}},
		{"?state=approval", []string{"Waits for approval"}},
		{"?sort=cpu-saved&order=desc", []string{`aria-sort="descending"`, `name="sort" value="cpu-saved"`, `name="order" value="desc"`}},
	} {
		status, page := get(t, handler, "workloads"+c.query)
		if status != http.StatusOK {
			t.Errorf("%s: status %d", c.query, status)
		}
		for _, want := range c.wants {
			if !strings.Contains(page, want) {
				t.Errorf("%s: no %s", c.query, want)
			}
		}
	}
}

func TestWhatIsNotKnownComesLastWhicheverWayTheListIsSorted(t *testing.T) {
	all := testkit.Recommendations(18, now) // number 17 has no sizes
	for _, order := range []string{"asc", "desc"} {
		_, page := get(t, pages(t, &cluster{recommendations: all}), "workloads?sort=cpu-saved&order="+order)
		_, last, _ := strings.Cut(page, "<tbody")
		if at := strings.LastIndex(last, `<th role="rowheader"`); !strings.Contains(last[at:], "-0017") {
			t.Errorf("%s: the workload without sizes is not the last", order)
		}
	}
}

func TestAListThatIsAskedForWronglyIsRefused(t *testing.T) {
	for query, want := range map[string]string{
		"sort=name": "sort=name: legal are workload, mode", "order=up": "order=up: legal are asc and desc", "state=bad": "state=bad: legal are attention",
		"page=0": "page=0: legal are 1 and more", "page=x": "page=x: legal", "q=" + strings.Repeat("x", 201): "longer than 200 characters",
	} {
		if status, page := get(t, busy(t, 3), "workloads?"+query); status != http.StatusBadRequest || !strings.Contains(page, want) {
			t.Errorf("%s: status %d, no %q", query, status, want)
		}
	}
}

// path is the address of a workload's page.
func path(r *v1alpha1.Recommendation) string { return "workloads/" + r.Namespace + "/" + r.Name }

func TestAWorkloadsPageTellsTheWholeStory(t *testing.T) {
	_, page := get(t, busy(t, 100), path(testkit.Recommendation(2, now)))
	wants(t, page, "Sizes of one pod", "Why, step by step", "rule change", "There are no charts here.", "300\u00a0% of the forecast", "Accepted", "Refused",
		"holt-winters-24 62\u00a0%", "may be used", "Conditions")
	_, page = get(t, busy(t, 100), path(testkit.Recommendation(3, now)))
	wants(t, page, "was taken back 20 minutes ago", "killed for lack of memory", "What happened to pods")
}

func TestWhatPeopleWroteIsShownAsText(t *testing.T) {
	all := []v1alpha1.Recommendation{*testkit.Recommendation(2, now)}
	all[0].Spec.Hold = &v1alpha1.Hold{Reason: testkit.Hostile}
	all[0].Status.Findings = []v1alpha1.Finding{{Type: "Odd", Severity: v1alpha1.SeverityCritical, Message: testkit.Hostile}}
	c := &cluster{recommendations: all, halts: []string{testkit.Hostile}, events: []dashboard.Event{{Message: testkit.Hostile, Reason: testkit.Hostile}}}
	for _, at := range []string{"", "workloads", "workloads?q=" + strings.ReplaceAll(testkit.Hostile, " ", "+"), "approvals", path(&all[0]), "workloads/x/" + strings.ReplaceAll(testkit.Hostile, " ", "%20"), "workloads?sort=<script>"} {
		_, page := get(t, pages(t, c), strings.ReplaceAll(at, `"`, "%22"))
		if strings.Contains(page, "<script") || strings.Contains(page, "<img") {
			t.Errorf("%s: a text became an element", at)
		}
		if at == path(&all[0]) && strings.Count(page, "&lt;script&gt;") < 6 {
			t.Errorf("%s: the text is not shown", at)
		}
	}
}

func TestApprovalsGiveTheCommandThatApprovesWhatIsShown(t *testing.T) {
	rec := testkit.Recommendation(7, now)
	want := fmt.Sprintf("loadline approve %s/%s --namespace team-00 --revision %s", strings.ToLower(rec.Spec.TargetRef.Kind), rec.Spec.TargetRef.Name, rec.Status.Candidate.Revision)
	for _, at := range []string{"approvals", path(rec)} {
		_, page := get(t, busy(t, 100), at)
		wants(t, page, want, "\u00a0USD a month")
	}
	rec.Spec.ApprovedRevision = rec.Status.Candidate.Revision
	if _, page := get(t, pages(t, &cluster{recommendations: []v1alpha1.Recommendation{*rec}}), "approvals"); strings.Contains(page, "loadline approve") {
		t.Error("what is approved waits still")
	}
}

func TestARevisionThatIsNoneIsNotPutIntoACommand(t *testing.T) {
	rec := testkit.Recommendation(7, now)
	rec.Status.Candidate.Revision = "x; rm -rf ~"
	if _, page := get(t, pages(t, &cluster{recommendations: []v1alpha1.Recommendation{*rec}}), "approvals"); strings.Contains(page, "rm -rf") {
		t.Error("a person is asked to copy what somebody wrote there")
	}
}

func TestNothingCanBeWritten(t *testing.T) {
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		answer := httptest.NewRecorder()
		busy(t, 1).ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), method, dashboard.Path+"approvals", nil))
		if answer.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s: status %d", method, answer.Code)
		}
	}
}

func TestEveryAnswerForbidsWhatAPageDoesNotNeed(t *testing.T) {
	for _, at := range []string{"", "workloads", "nothing", "style.css", "icon.svg"} {
		answer := httptest.NewRecorder()
		busy(t, 1).ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, dashboard.Path+at, nil))
		policy := answer.Header().Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; style-src 'self'; img-src 'self'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "script-src") {
			t.Errorf("%q: %s", at, policy)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer"} {
			if got := answer.Header().Get(name); got != want {
				t.Errorf("%q: %s is %q", at, name, got)
			}
		}
	}
}

func TestPagesUseNothingThatTheirPolicyForbids(t *testing.T) {
	handler := busy(t, 100)
	for _, at := range []string{"", "workloads", "approvals", path(testkit.Recommendation(2, now)), "nothing"} {
		_, page := get(t, handler, at)
		for _, forbidden := range []string{" style=", "<style", "<script", "javascript:", " onclick", "http://", "https://"} {
			if strings.Contains(strings.ReplaceAll(page, "http://www.w3.org/2000/svg", ""), forbidden) {
				t.Errorf("%q holds %q", at, forbidden)
			}
		}
	}
}

func TestAForeignNameThatLeadsToThisMachineIsTurnedAway(t *testing.T) {
	handler := pages(t, &cluster{}, func(o *dashboard.Options) { o.LocalOnly = true })
	for host, want := range map[string]int{
		"localhost:8099": 200, "127.0.0.1:8099": 200, "[::1]:8099": 200, "127.0.0.1": 200, "[::1]": 200, "evil.example:8099": 403, "localhost.evil.example": 403, "": 403,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, dashboard.Path, nil)
		r.Host = host
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, r)
		if answer.Code != want {
			t.Errorf("host %q: status %d, want %d", host, answer.Code, want)
		}
	}
}

func TestWhatIsNotThereSaysSo(t *testing.T) {
	handler := busy(t, 1)
	for at, want := range map[string]string{"workloads/shop/deployment-x": "There is no recommendation deployment-x in namespace shop", "nothing": "there is no such page"} {
		if status, page := get(t, handler, at); status != http.StatusNotFound || !strings.Contains(page, want) {
			t.Errorf("%s: status %d, no %q", at, status, want)
		}
	}
	broken := pages(t, &cluster{broken: errors.New("connection refused")})
	for _, at := range []string{"", "workloads", "approvals", "workloads/a/b"} {
		if status, page := get(t, broken, at); status != http.StatusBadGateway || !strings.Contains(page, "connection refused") {
			t.Errorf("%s: status %d", at, status)
		}
	}
}

func TestOneNamespaceShowsNoOther(t *testing.T) {
	handler := pages(t, &cluster{recommendations: testkit.Recommendations(300, now)}, func(o *dashboard.Options) { o.Namespace = "team-01" })
	if _, page := get(t, handler, ""); !strings.Contains(page, "Summary of namespace team-01") || strings.Contains(page, "team-02") {
		t.Error("the summary is not that of the namespace")
	}
	if status, _ := get(t, handler, path(testkit.Recommendation(250, now))); status != http.StatusNotFound {
		t.Errorf("another namespace's workload has status %d", status)
	}
}

// histories is what every workload used, or why that cannot be told.
type histories struct {
	past dashboard.History
	err  error
}

func (h histories) History(ctx context.Context, _ *v1alpha1.Recommendation, _ time.Time) (dashboard.History, error) {
	if errors.Is(h.err, context.DeadlineExceeded) {
		<-ctx.Done()
		return dashboard.History{}, ctx.Err()
	}
	return h.past, h.err
}

// measured is two weeks of a daily rhythm.
func measured() dashboard.History {
	cpu := testkit.Usage(now, 14*24*time.Hour, testkit.Daily(0.4, 2.2)).HourlyMax
	return dashboard.History{Containers: map[string]dashboard.ContainerHistory{"app": {
		CPUTotal: cpu, CPUHottest: cpu, Memory: testkit.Usage(now, 14*24*time.Hour, testkit.Flat(300<<20)).HourlyMax,
		Forecast: forecast.Predict(cpu, forecast.Options{Now: now, Levels: []float64{0.05, 0.95}}),
	}}}
}

func TestChartsShowHistoryForecastRequestsAndLimits(t *testing.T) {
	c := &cluster{recommendations: testkit.Recommendations(10, now)}
	handler := pages(t, c, func(o *dashboard.Options) { o.Histories = histories{past: measured()} })
	_, page := get(t, handler, path(testkit.Recommendation(2, now)))
	wants(t, page, "CPU of all pods together", "CPU of the busiest pod", "Memory of the largest pod", ">used<", ">expected<", ">requested now<", ">recommended<", ">limit now<",
		`<path class="b s0"`, "The band holds nine of ten hours of the next 2 days")
	if strings.Contains(page, "NaN") {
		t.Error("a chart holds NaN")
	}
}

func TestWithoutHistoryThePageSaysWhatIsMissing(t *testing.T) {
	c := &cluster{recommendations: testkit.Recommendations(1, now)}
	for want, h := range map[string]histories{
		"the history cannot be read: Prometheus does not answer.":                            {err: errors.New("Prometheus does not answer")},
		"Prometheus has no measurement of this workload&#39;s containers":                    {},
		"Prometheus is still being read. Load this page again in a moment to see the charts": {err: context.DeadlineExceeded},
	} {
		synctest.Test(t, func(t *testing.T) {
			handler := pages(t, c, func(o *dashboard.Options) { o.Histories = h })
			if status, page := get(t, handler, path(testkit.Recommendation(0, now))); status != http.StatusOK || !strings.Contains(page, want) {
				t.Errorf("status %d, no %q", status, want)
			}
		})
	}
}

func TestALimitFarAboveAllElseIsSaidAndNotDrawn(t *testing.T) {
	rec := testkit.Recommendation(2, now)
	rec.Status.Current.Containers[0].Limits.Memory.Set(math.MaxInt32 * 64)
	handler := pages(t, &cluster{recommendations: []v1alpha1.Recommendation{*rec}}, func(o *dashboard.Options) { o.Histories = histories{past: measured()} })
	if _, page := get(t, handler, path(rec)); !strings.Contains(page, "The limit is far above") || strings.Contains(page, ">limit now<") {
		t.Error("the limit flattens the chart")
	}
}
