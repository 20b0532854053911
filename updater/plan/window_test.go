package plan

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

func TestAWindowIsOpenFromItsStartUntilJustBeforeItsEnd(t *testing.T) {
	window := func(start, zone string, duration time.Duration) v1alpha1.Window {
		return v1alpha1.Window{Start: start, TimeZone: zone, Duration: metav1.Duration{Duration: duration}}
	}
	night := window("0 22 * * *", "", 4*time.Hour)
	berlin := window("0 2 * * 1-5", "Europe/Berlin", time.Hour)
	half := window("30 2 * * *", "Europe/Berlin", time.Hour)
	midnight := window("0 0 * * *", "Africa/Cairo", time.Hour)
	cases := map[string]struct {
		windows []v1alpha1.Window
		now     string
		open    bool
	}{
		"none means always":                            {nil, "2026-11-18T12:00:00Z", true},
		"a second before":                              {[]v1alpha1.Window{night}, "2026-11-18T21:59:59Z", false},
		"at its start":                                 {[]v1alpha1.Window{night}, "2026-11-18T22:00:00Z", true},
		"past midnight":                                {[]v1alpha1.Window{night}, "2026-11-19T01:59:59Z", true},
		"at its end":                                   {[]v1alpha1.Window{night}, "2026-11-19T02:00:00Z", false},
		"in its own time zone, winter":                 {[]v1alpha1.Window{berlin}, "2026-11-18T01:30:00Z", true},
		"in its own time zone, summer":                 {[]v1alpha1.Window{berlin}, "2026-07-15T00:30:00Z", true},
		"a start that clocks skip: not before them":    {[]v1alpha1.Window{half}, "2026-03-29T00:59:59Z", false},
		"a start that clocks skip: as late as before":  {[]v1alpha1.Window{half}, "2026-03-29T01:30:00Z", true},
		"a start that clocks skip: for its duration":   {[]v1alpha1.Window{half}, "2026-03-29T02:30:00Z", false},
		"on the day after clocks went forward":         {[]v1alpha1.Window{half}, "2026-03-30T00:30:00Z", true},
		"later on the day clocks went forward":         {[]v1alpha1.Window{window("0 8 * * *", "Europe/Berlin", time.Hour)}, "2026-03-29T06:00:00Z", true},
		"a midnight that clocks skip":                  {[]v1alpha1.Window{midnight}, "2026-04-23T22:30:00Z", true},
		"a start shown twice: the first time":          {[]v1alpha1.Window{half}, "2026-10-25T00:30:00Z", true},
		"a start shown twice: not the second time":     {[]v1alpha1.Window{half}, "2026-10-25T01:30:00Z", false},
		"over the hour that comes twice: a stopwatch":  {[]v1alpha1.Window{window("0 1 * * *", "Europe/Berlin", 3*time.Hour)}, "2026-10-25T01:59:59Z", true},
		"over the hour that comes twice: its end":      {[]v1alpha1.Window{window("0 1 * * *", "Europe/Berlin", 3*time.Hour)}, "2026-10-25T02:00:00Z", false},
		"every minute for a week":                      {[]v1alpha1.Window{window("* * * * *", "Europe/Berlin", 168*time.Hour)}, "2026-10-25T02:00:00Z", true},
		"never on the 30th of February":                {[]v1alpha1.Window{window("0 0 30 2 *", "", time.Hour)}, "2026-03-02T00:00:00Z", false},
		"not on a weekend":                             {[]v1alpha1.Window{berlin}, "2026-11-21T01:30:00Z", false},
		"any of several":                               {[]v1alpha1.Window{berlin, night}, "2026-11-21T23:00:00Z", true},
		"unreadable: closed":                           {[]v1alpha1.Window{window("61 2 * * *", "", time.Hour)}, "2026-11-18T02:30:00Z", false},
		"unknown time zone: closed":                    {[]v1alpha1.Window{window("0 2 * * *", "Mars/Olympus", time.Hour)}, "2026-11-18T02:30:00Z", false},
		"unreadable beside a readable one: the latter": {[]v1alpha1.Window{window("x x x x x", "", time.Hour), night}, "2026-11-18T23:00:00Z", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339, c.now)
			if err != nil {
				t.Fatal(err)
			}
			open, reason := openings{}.open(at, c.windows)
			if open != c.open {
				t.Errorf("open = %v (%s), want %v", open, reason, c.open)
			}
			if !open && reason == "" {
				t.Error("closed without a reason")
			}
			if strings.HasPrefix(name, "un") && !open && !strings.Contains(reason, "cannot be read") {
				t.Errorf("reason = %q, want it to name the mistake", reason)
			}
		})
	}
}

func TestAWindowThatManyWorkloadsShareIsReadOnce(t *testing.T) {
	windows := []v1alpha1.Window{{Start: "0 2 * * *", TimeZone: "Europe/Berlin", Duration: metav1.Duration{Duration: time.Hour}}}
	now, shared := time.Date(2026, 11, 18, 1, 30, 0, 0, time.UTC), openings{}
	shared.open(now, windows)
	again := testing.AllocsPerRun(10, func() { shared.open(now, windows) })
	alone := testing.AllocsPerRun(10, func() { openings{}.open(now, windows) })
	if again > 5 || alone < 10 {
		t.Errorf("%v allocations for a window that was read before and %v for a new one", again, alone)
	}
}
