//go:build full

package dashboard

import (
	"context"
	_ "embed"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/dashboard"
	"github.com/loadline-dev/loadline/forecast"
	"github.com/loadline-dev/loadline/internal/testkit"
	"github.com/loadline-dev/loadline/report"
)

// workloads of the cluster that is shown.
const workloads = 5000

// patience bounds what a page may take on a busy machine.
const patience = time.Minute

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

//go:embed check.js
var check string

// cluster is a busy one that does not change.
type cluster struct{ all []v1alpha1.Recommendation }

func (c cluster) Recommendations(_ context.Context, namespace string) ([]v1alpha1.Recommendation, error) {
	if namespace == "" {
		return c.all, nil
	}
	return slices.DeleteFunc(slices.Clone(c.all), func(r v1alpha1.Recommendation) bool { return r.Namespace != namespace }), nil
}

func (cluster) Halts(context.Context) ([]string, error) {
	return []string{"the circuit breaker is open since 11:48 UTC: 9 containers were killed for lack of memory within 10 minutes"}, nil
}

func (cluster) Events(context.Context, *v1alpha1.Recommendation) ([]dashboard.Event, error) {
	return []dashboard.Event{
		{Time: now.Add(-12 * time.Minute), Type: "Warning", Reason: "Unhealthy", Object: "Deployment/checkout", Message: "Readiness probe failed " + testkit.Hostile, Count: 7},
		{Time: now.Add(-3 * time.Hour), Type: "Normal", Reason: "Sized", Object: "Recommendation/deployment-checkout", Message: "revision 3f1c0a9b2d4e5f60: CPU 500m → 220m"},
	}, nil
}

// History is a daily rhythm, the same for every workload.
func (cluster) History(context.Context, *v1alpha1.Recommendation, time.Time) (dashboard.History, error) {
	const past = 14 * 24 * time.Hour
	total := testkit.Usage(now, past, testkit.Daily(0.4, 2.2)).HourlyMax
	return dashboard.History{Containers: map[string]dashboard.ContainerHistory{"app": {
		CPUTotal: total, CPUHottest: testkit.Usage(now, past, testkit.Daily(0.1, 0.4)).HourlyMax, Memory: testkit.Usage(now, past, testkit.Daily(300<<20, 500<<20)).HourlyMax,
		Forecast: forecast.Predict(total, forecast.Options{Now: now, Levels: []float64{0.05, 0.95}}),
	}}}, nil
}

// serve serves the dashboard of that cluster on loopback.
func serve(t *testing.T) string {
	t.Helper()
	c := cluster{testkit.Recommendations(workloads, now)}
	handler, err := dashboard.New(dashboard.Options{
		Source: c, Histories: c, StaleAfter: 24 * time.Hour, Prices: report.DefaultPrices(), LocalOnly: true, Version: "test", Clock: clocktesting.NewFakePassiveClock(now),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// opener opens a tab of a width and theme.
type opener func(t *testing.T, width int64, theme string) *tab

// browser starts Chromium. Names other than this machine's lead nowhere.
func browser(t *testing.T) opener {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("chromium is not installed, and continuous integration must not skip this")
		}
		t.Skip("chromium is not installed; on Debian: apt-get install chromium")
	}
	flags := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")}
	for _, flag := range []string{
		"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-component-update",
		"disable-sync", "disable-dev-shm-usage", "hide-scrollbars",
	} {
		flags = append(flags, chromedp.Flag(flag, true))
	}
	allocator, stop := chromedp.NewExecAllocator(t.Context(), flags...)
	t.Cleanup(stop)
	ctx, stop := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits for the browser to end, so that its folder can be removed
		stop()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return func(t *testing.T, width int64, theme string) *tab {
		t.Helper()
		tabContext, stop := chromedp.NewContext(ctx)
		t.Cleanup(stop)
		tabContext, stop = context.WithTimeout(tabContext, patience)
		t.Cleanup(stop)
		b := &tab{t: t, ctx: tabContext}
		b.prepare(width, theme)
		return b
	}
}

// tab is one tab of the browser.
type tab struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // it is the tab

	mu sync.Mutex
	// complaints are what the browser wrote to its console, and requests that leave this machine.
	complaints []string
}

// prepare listens to what the page does, and sets its width and theme.
func (b *tab) prepare(width int64, theme string) {
	b.t.Helper()
	b.run()
	if err := chromedp.Listen(b.ctx, b.listen); err != nil {
		b.t.Fatal(err)
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, cdplog.Enable, cdp.Empty{})
	call(b, runtime.Enable, cdp.Empty{})
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 900, DeviceScaleFactor: 1})
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// call runs a command of the browser's protocol.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, command, params); err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if at, err := url.Parse(e.Request.URL); err != nil || at.Hostname() != "127.0.0.1" {
			b.complaints = append(b.complaints, "a request leaves this machine: "+e.Request.URL)
		}
	case *cdplog.EventEntryAdded:
		b.complaints = append(b.complaints, string(e.Entry.Level)+": "+e.Entry.Text)
	case *runtime.EventConsoleAPICalled:
		b.complaints = append(b.complaints, "the console was written to")
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, e.ExceptionDetails.Text)
	}
}

func (b *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// ask asks for a value.
func ask[T any](b *tab, what chromedp.Action[T]) T {
	b.t.Helper()
	result, err := chromedp.Run(b.ctx, what)
	if err != nil {
		b.t.Fatal(err)
	}
	return result
}

// shoot saves a picture of the whole page in the folder that SCREENSHOTS names, for people.
func (b *tab) shoot(name string) {
	b.t.Helper()
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		return
	}
	picture := ask(b, chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// pages of the dashboard by a short name.
func pages() map[string]string {
	of := func(i int) string {
		rec := testkit.Recommendation(i, now)
		return "workloads/" + rec.Namespace + "/" + rec.Name
	}
	return map[string]string{
		"summary": "", "list": "workloads?sort=cpu-saved&order=desc&page=3", "filtered": "workloads?state=attention&q=checkout", "none": "workloads?q=nothing+at+all",
		"workload": of(2), "taken-back": of(3), "approval": of(7), "unsized": of(17), "approvals": "approvals",
	}
}

func TestEveryPageIsFineForEverybody(t *testing.T) {
	base, open := serve(t)+dashboard.Path, browser(t)
	for name, path := range pages() {
		for _, width := range []int64{1280, 1024, 820, 390, 360} {
			for _, theme := range []string{"light", "dark"} {
				t.Run(fmt.Sprintf("%s-%d-%s", name, width, theme), func(t *testing.T) {
					b := open(t, width, theme)
					b.run(chromedp.Navigate(base + path))
					for _, problem := range ask(b, chromedp.Evaluate[[]string](check)) {
						t.Error(problem)
					}
					b.shoot(strings.TrimPrefix(t.Name(), "TestEveryPageIsFineForEverybody/"))
					b.mu.Lock()
					defer b.mu.Unlock()
					for _, complaint := range b.complaints {
						t.Error(complaint)
					}
				})
			}
		}
	}
}

func TestEverythingCanBeReachedByKeyboard(t *testing.T) {
	base, open := serve(t)+dashboard.Path, browser(t)
	for name, path := range pages() {
		t.Run(name, func(t *testing.T) {
			b := open(t, 1280, "light")
			b.run(chromedp.Navigate(base + path))
			const focusable = `[...document.querySelectorAll('a[href], button, select, input:not([type=hidden]), summary, [tabindex="0"]')].filter(e => e.checkVisibility())`
			total := ask(b, chromedp.Evaluate[int](focusable+".length"))
			for i := range min(total, 40) {
				b.run(chromedp.KeyEvent(kb.Tab))
				at := ask(b, chromedp.Evaluate[[]any](fmt.Sprintf(
					`[%s.indexOf(document.activeElement), getComputedStyle(document.activeElement).outlineStyle, document.activeElement.textContent.trim()]`, focusable)))
				if at[0] != float64(i) || at[1] != "solid" {
					t.Fatalf("after %d times Tab the focus is on number %v (%v), outline %v", i+1, at[0], at[2], at[1])
				}
				if i == 0 && at[2] != "Skip to the content" {
					t.Errorf("the first thing is %v", at[2])
				}
			}
		})
	}
}

func TestTheListIsSearchedAndSortedWithoutScripts(t *testing.T) {
	b := browser(t)(t, 1280, "light")
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.run(chromedp.Navigate(serve(t)+dashboard.Path+"workloads"),
		chromedp.SendKeys(chromedp.CSS("#q"), "ledger"+kb.Enter), chromedp.WaitVisible(chromedp.CSS(`input[value="ledger"]`)),
		chromedp.Click("//thead//a[starts-with(., 'Cores saved')]"), chromedp.WaitVisible(chromedp.CSS(`th[aria-sort="descending"]`)))
	first, address := ask(b, chromedp.Text(chromedp.CSS("tbody th a"))), ask(b, chromedp.Location())
	if !strings.HasPrefix(first, "ledger-") || !strings.Contains(address, "q=ledger") {
		t.Errorf("the first of the list is %s, at %s", first, address)
	}
	b.run(chromedp.Click(chromedp.CSS("tbody th a")), chromedp.WaitVisible(chromedp.CSS("#story")))
}

func TestFiveThousandWorkloadsAreThereWithinASecond(t *testing.T) {
	base, open := serve(t)+dashboard.Path, browser(t)
	for _, page := range []string{"summary", "list", "workload"} {
		best := patience
		for range 3 {
			b := open(t, 1280, "light")
			b.run(chromedp.Navigate(base + pages()[page]))
			paint := ask(b, chromedp.Poll[float64](`performance.getEntriesByName('first-contentful-paint')[0]?.startTime`))
			best = min(best, time.Duration(paint*float64(time.Millisecond)))
		}
		t.Logf("%s of %d workloads: first paint after %d ms, the best of three", page, workloads, best.Milliseconds())
		if best > time.Second {
			t.Errorf("the %s takes %s until something is seen", page, best)
		}
	}
}
