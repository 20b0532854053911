package history_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/loadline-dev/loadline/recommender/history"
)

func TestFailedReadsSayWhyAndLeaveTheStoreAlone(t *testing.T) {
	for name, test := range map[string]struct {
		fault  func(http.ResponseWriter, *http.Request, fakeRequest) bool
		reason history.Reason
		says   string
	}{
		"a server in trouble":              {answer(503, "<html>"+strings.Repeat("no upstream ", 1000)), history.Unavailable, "server error: 503"},
		"a server that is asked too often": {answer(429, "slow down"), history.Unavailable, "slow down"},
		"missing credentials":              {answer(401, "who are you?"), history.Refused, "client error: 401: who are you?"},
		"forbidden":                        {answer(403, "not yours"), history.Refused, "not yours"},
		"a query that does not parse": {
			answer(400, `{"status":"error","errorType":"bad_data","error":"parse error: unexpected )"}`),
			history.Refused, "parse error: unexpected )",
		},
		"a query that fails": {
			answer(422, `{"status":"error","errorType":"execution","error":"many-to-many matching not allowed"}`),
			history.Refused, "many-to-many",
		},
		"a limit of the server": {
			answer(422, `{"status":"error","errorType":"execution","error":"query processing would load too many samples into memory"}`),
			history.TooBig, "too many samples",
		},
		"a redirect to a login page": {func(w http.ResponseWriter, r *http.Request, _ fakeRequest) bool {
			http.Redirect(w, r, "/login", http.StatusFound)
			return true
		}, history.Refused, "302"},
		"a page instead of an answer": {answer(200, "<html>welcome</html>"), history.BadData, "invalid character"},
		"half an answer":              {answer(200, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{`), history.BadData, ""},
		"another type of answer": {
			answer(200, `{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}`),
			history.BadData, "instead of a matrix",
		},
		"an empty answer": {answer(200, ""), history.BadData, ""},
		"an endless answer": {func(w http.ResponseWriter, _ *http.Request, _ fakeRequest) bool {
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return true
				}
			}
		}, history.TooBig, "larger than the limit"},
		"a connection that breaks": {
			func(http.ResponseWriter, *http.Request, fakeRequest) bool { panic(http.ErrAbortHandler) },
			history.Unavailable, "EOF",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakePrometheus(t, fakeSeries{cpuMetric, pod1, "app", always(1)}, fakeSeries{memoryMetric, pod1, "app", always(1)})
			r := f.reader(t, func(_ *history.Options, c *history.ClientOptions) { c.MaxResponseBytes = 1 << 20 })
			sync1(t, r, start, api)
			before := get(t, r, api)
			// Only one of the five queries fails: nothing of the others may be stored.
			f.misbehave(func(w http.ResponseWriter, r *http.Request, ask fakeRequest) bool {
				return ask.metric == memoryMetric && test.fault(w, r, ask)
			})

			err := r.Sync(t.Context(), "shop", []history.Target{api}, start.Add(time.Hour))
			checkFailure(t, err, test.reason, test.says)
			if diff := equalHistory(before, get(t, r, api)); diff != "" {
				t.Errorf("the failed read changed the store:\n%s", diff)
			}

			f.misbehave(nil)
			sync1(t, r, start.Add(time.Hour), api)
			if got := get(t, r, api); got.Containers["app"].CPUTotal.Recent.Known() != 288 || !got.Until.Equal(start.Add(time.Hour)) {
				t.Error("the next read did not catch up")
			}
		})
	}
}

func checkFailure(t *testing.T, err error, reason history.Reason, says string) {
	t.Helper()
	failure, ok := errors.AsType[*history.Error](err)
	if !ok || failure.Reason != reason || !strings.Contains(err.Error(), says) || len(err.Error()) > 700 {
		t.Fatalf("got %v\nwant %s and %q in a few words", err, reason, says)
	}
	if failure.TimedOut {
		t.Errorf("nobody had to wait for the time of a query: %v", err)
	}
	if failure.Namespace != "shop" || failure.Query != "workingSet" || !strings.Contains(err.Error(), "from 2026-03-02T11:50:00Z until ") {
		t.Errorf("the error does not say what was read: %v", err)
	}
}

func answer(code int, body string) func(http.ResponseWriter, *http.Request, fakeRequest) bool {
	return func(w http.ResponseWriter, _ *http.Request, _ fakeRequest) bool {
		w.WriteHeader(code)
		fmt.Fprint(w, body)
		return true
	}
}

func TestAnAnswerThatIsTooBigIsAskedForInParts(t *testing.T) {
	f := newFakePrometheus(t, fakeSeries{cpuMetric, pod1, "app", always(1)})
	// A day of one series has about 7 kB here, six hours have less than 3.
	r := f.reader(t, func(_ *history.Options, c *history.ClientOptions) { c.MaxResponseBytes = 3000 })
	sync1(t, r, start, api)
	if got := get(t, r, api).Containers["app"].CPUTotal.KnownHours(); got != 72 {
		t.Errorf("%d hours known, want 72", got)
	}
}

func TestAServersOwnLimitIsAnsweredBySmallerParts(t *testing.T) {
	f := newFakePrometheus(t, fakeSeries{cpuMetric, pod1, "app", always(1)})
	tooBig := answer(422, `{"status":"error","errorType":"execution","error":"expanding series: exceeded the maximum number of samples"}`)
	f.misbehave(func(w http.ResponseWriter, r *http.Request, ask fakeRequest) bool {
		return ask.span() > 3*time.Hour && tooBig(w, r, ask)
	})
	r := f.reader(t)
	sync1(t, r, start, api)
	if got := get(t, r, api).Containers["app"].CPUTotal.KnownHours(); got != 72 {
		t.Errorf("%d hours known, want 72", got)
	}
}

func TestASlowServerIsAskedForLessNextTime(t *testing.T) {
	f := newFakePrometheus(t, fakeSeries{cpuMetric, pod1, "app", always(1)})
	slow := f.reader(t, func(o *history.Options, _ *history.ClientOptions) { o.Timeout = 50 * time.Millisecond })
	f.misbehave(func(_ http.ResponseWriter, r *http.Request, ask fakeRequest) bool {
		if ask.span() > 6*time.Hour {
			<-r.Context().Done()
			return true
		}
		return false
	})
	failed := 0
	for err := slow.Sync(t.Context(), "shop", []history.Target{api}, start); err != nil; err = slow.Sync(t.Context(), "shop", []history.Target{api}, start) {
		if failure, ok := errors.AsType[*history.Error](err); !ok || !failure.TimedOut {
			t.Fatalf("got %v, want one that timed out", err)
		}
		if failed++; failed > 5 {
			t.Fatal("it never asks for little enough")
		}
	}
	if failed == 0 {
		t.Error("the slow answers were no error")
	}
	if got := get(t, slow, api).Containers["app"].CPUTotal.KnownHours(); got != 72 {
		t.Errorf("%d hours known, want 72", got)
	}
}

func TestABackfillThatBreaksGoesOnWhereItStopped(t *testing.T) {
	f := newFakePrometheus(t, fakeSeries{cpuMetric, pod1, "app", always(1)})
	r := f.reader(t)
	lastDay := start.Add(-24 * time.Hour)
	f.misbehave(func(w http.ResponseWriter, r *http.Request, ask fakeRequest) bool {
		return ask.end.After(lastDay) && answer(503, "")(w, r, ask)
	})
	if err := r.Sync(t.Context(), "shop", []history.Target{api}, start); err == nil {
		t.Fatal("no error")
	}
	if _, ok := r.Get("shop", api.Kind, api.Name); ok {
		t.Error("a history that ends a day ago was given out as complete")
	}
	f.misbehave(nil)
	f.asked()
	sync1(t, r, start, api)
	for _, ask := range f.asked() {
		if ask.start.Before(lastDay.Add(-2 * time.Hour)) {
			t.Errorf("read again from %v, all but two hours of which was stored", ask.start)
		}
	}
	if got := get(t, r, api).Containers["app"].CPUTotal.KnownHours(); got != 72 {
		t.Errorf("%d hours known, want 72", got)
	}
}

func TestACancelledReadStopsAtOnce(t *testing.T) {
	f := newFakePrometheus(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.misbehave(func(_ http.ResponseWriter, r *http.Request, _ fakeRequest) bool {
		cancel()
		<-r.Context().Done()
		return true
	})
	r := f.reader(t)
	if err := r.Sync(ctx, "shop", []history.Target{api}, start); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the cancellation", err)
	}
	if err := r.Sync(ctx, "shop", []history.Target{api}, start); !errors.Is(err, context.Canceled) {
		t.Errorf("the second call got %v: the first still has the turn", err)
	}
}

func TestBadSamplesAreDroppedAndCounted(t *testing.T) {
	bad := `{"status":"success","warnings":["PromQL warning: a shard did not answer"],"data":{"resultType":"matrix","result":[
		{"metric":{"namespace":"shop","pod":"api-6d4cf56db6-x2k9z","container":"app"},
		 "values":[[%[1]d,"NaN"],[%[2]d,"+Inf"],[%[3]d,"-1"],[%[4]d,"1e30"],[%[5]d,"7"],[%[6]d,"7"],[%[7]d,"0.25"]]},
		{"metric":{"namespace":"bank","pod":"api-6d4cf56db6-x2k9z","container":"app"},"values":[[%[7]d,"9"]]},
		{"metric":{"namespace":"shop","container":"app"},"values":[[%[7]d,"9"]]},
		{"metric":{"namespace":"shop","pod":"api-6d4cf56db6-x2k9z","container":"POD"},"values":[[%[7]d,"9"]]}]}}`
	at := func(minutes int) int64 { return start.Add(time.Duration(minutes) * time.Minute).Unix() }
	f := newFakePrometheus(t)
	f.misbehave(func(w http.ResponseWriter, r *http.Request, ask fakeRequest) bool {
		body := fmt.Sprintf(bad, at(-25), at(-20), at(-15), at(-10), at(-6), at(60), at(-5)) // -6 is no step, 60 the future.
		return ask.metric == cpuMetric && ask.end.Equal(start) && answer(200, body)(w, r, ask)
	})
	registry := prometheus.NewPedanticRegistry()
	r := f.reader(t, func(o *history.Options, _ *history.ClientOptions) { o.Registerer = registry })
	sync1(t, r, start, api)

	w := get(t, r, api)
	cpu := w.Containers["app"].CPUTotal.Recent
	if cpu.Known() != 1 || len(w.Containers) != 1 {
		t.Errorf("%d values in %d containers were kept, want only the good one", cpu.Known(), len(w.Containers))
	}
	if v, ok := cpu.Max(); !ok || v != 0.25 {
		t.Errorf("kept %v, want 0.25", v)
	}
	want := `
# HELP loadline_history_samples_dropped_total Samples that were not used, by reason: unlabelled, outside_span, not_a_number, negative or absurd.
# TYPE loadline_history_samples_dropped_total counter
loadline_history_samples_dropped_total{reason="absurd"} 1
loadline_history_samples_dropped_total{reason="negative"} 1
loadline_history_samples_dropped_total{reason="not_a_number"} 2
loadline_history_samples_dropped_total{reason="outside_span"} 2
loadline_history_samples_dropped_total{reason="unlabelled"} 3
# HELP loadline_history_warnings_total Warnings that came with answers of Prometheus, such as those about partial answers.
# TYPE loadline_history_warnings_total counter
loadline_history_warnings_total 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want),
		"loadline_history_samples_dropped_total", "loadline_history_warnings_total"); err != nil {
		t.Error(err)
	}
}

func TestAWorkloadWithEndlessContainerNamesIsBounded(t *testing.T) {
	f := newFakePrometheus(t)
	for i := range 200 {
		f.add(fakeSeries{cpuMetric, pod1, fmt.Sprintf("c%d", i), always(1)})
	}
	r := f.reader(t)
	sync1(t, r, start, api)
	if got := len(get(t, r, api).Containers); got != 64 {
		t.Errorf("%d containers of one workload are kept, want 64", got)
	}
}

func TestParallelQueriesAreBounded(t *testing.T) {
	f := newFakePrometheus(t, fakeSeries{cpuMetric, pod1, "app", always(1)})
	running := make(chan struct{}, 2)
	f.misbehave(func(w http.ResponseWriter, r *http.Request, ask fakeRequest) bool {
		select {
		case running <- struct{}{}:
			defer func() { <-running }()
			return false
		default:
			return answer(500, "more than two queries at once")(w, r, ask)
		}
	})
	r := f.reader(t)
	failures := make(chan error)
	for i := range 8 {
		go func() {
			failures <- r.Sync(t.Context(), fmt.Sprintf("shop-%d", i), []history.Target{api}, start)
		}()
	}
	for range 8 {
		if err := <-failures; err != nil {
			t.Error(err)
		}
	}
}

func TestCredentialsAndHeadersAreSent(t *testing.T) {
	dir := t.TempDir()
	token, password := filepath.Join(dir, "token"), filepath.Join(dir, "password")
	write(t, token, "first\n")
	write(t, password, "secret")
	f := newFakePrometheus(t)

	r := f.reader(t, func(_ *history.Options, c *history.ClientOptions) {
		c.BearerTokenFile, c.Headers = token, map[string]string{"X-Scope-OrgID": "tenant-7"}
	})
	sync1(t, r, start, api)
	write(t, token, "rotated")
	sync1(t, r, start.Add(5*time.Minute), api)
	asked := f.asked()
	first, newest := asked[0].header, asked[len(asked)-1].header
	if first.Get("Authorization") != "Bearer first" || newest.Get("Authorization") != "Bearer rotated" {
		t.Errorf("got %q and after the rotation %q", first.Get("Authorization"), newest.Get("Authorization"))
	}
	if got := first.Get("X-Scope-OrgID"); got != "tenant-7" {
		t.Errorf("X-Scope-OrgID is %q", got)
	}

	r = f.reader(t, func(_ *history.Options, c *history.ClientOptions) { c.User, c.PasswordFile = "ann", password })
	sync1(t, r, start, api)
	request := http.Request{Header: f.asked()[0].header}
	if user, pass, ok := request.BasicAuth(); !ok || user != "ann" || pass != "secret" {
		t.Errorf("basic credentials are %q, %q, %v", user, pass, ok)
	}

	write(t, token, "")
	r = f.reader(t, func(_ *history.Options, c *history.ClientOptions) { c.BearerTokenFile = token })
	if err := r.Sync(t.Context(), "shop", []history.Target{api}, start); err == nil || !strings.Contains(err.Error(), "are not one line") {
		t.Errorf("an empty token file gave %v", err)
	}
	if asked := f.asked(); len(asked) != 0 {
		t.Errorf("%d requests were sent without credentials", len(asked))
	}
}

func TestTheServersCertificateIsVerified(t *testing.T) {
	f := &fakePrometheus{}
	server := httptest.NewUnstartedServer(f)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // It complains of the handshake that is meant to fail.
	server.StartTLS()
	t.Cleanup(server.Close)
	f.server = server
	ca := filepath.Join(t.TempDir(), "ca.crt")
	write(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))

	trusting := f.reader(t, func(_ *history.Options, c *history.ClientOptions) { c.CAFile = ca })
	sync1(t, trusting, start, api)
	err := f.reader(t).Sync(t.Context(), "shop", []history.Target{api}, start)
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a server of an unknown authority gave %v", err)
	}
	write(t, ca, "no certificate")
	if _, err := history.NewClient(history.ClientOptions{URL: server.URL, CAFile: ca}); err == nil || !strings.Contains(err.Error(), ca) {
		t.Errorf("a bad CA file gave %v, want its name", err)
	}
	if _, err := history.NewClient(history.ClientOptions{URL: "prometheus:9090"}); err == nil {
		t.Error("a URL without a scheme was accepted")
	}
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
