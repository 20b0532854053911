package v1alpha1_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/teambition/rrule-go"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

const sale = "2026-11-27T00:00:00Z/2026-11-30T00:00:00Z demand=300%"

func day(d int) time.Time { return time.Date(2026, 11, d, 0, 0, 0, 0, time.UTC) }

func TestEveryAnnotationIsRead(t *testing.T) {
	settings, refused := v1alpha1.ParseAnnotations(map[string]string{
		"loadline.dev/mode":               "auto",
		"loadline.dev/policy":             "night-shift.v2",
		"loadline.dev/context":            "黑色星期五: three times the traffic",
		"loadline.dev/priority":           "high",
		"loadline.dev/approval":           "manual",
		"loadline.dev/replicas":           "auto",
		"loadline.dev/updater":            "in-place",
		"loadline.dev/exclude-containers": "istio-proxy, vault-agent,istio-proxy",
		"loadline.dev/event.sale":         sale + " recurrence=FREQ=YEARLY",
		"loadline.dev/event.lull":         "2026-11-28T01:00:00+01:00/2026-11-29T00:00:00Z demand=20%",
		"loadline.dev/original":           `{"written":"by Loadline"}`,
		"loadline.dev/revision":           "0123abcd",
		"team":                            "checkout",
		"other.loadline.dev/mode":         "nonsense",
	})
	if len(refused) > 0 {
		t.Fatalf("refused: %v", refused)
	}
	want := v1alpha1.Settings{
		Mode: v1alpha1.ModeAuto, Policy: "night-shift.v2", Context: "黑色星期五: three times the traffic",
		Priority: v1alpha1.PriorityHigh, Approval: v1alpha1.ApprovalManual, Replicas: v1alpha1.ReplicasAuto,
		Updater: v1alpha1.UpdaterInPlace, ExcludeContainers: []string{"istio-proxy", "vault-agent"},
		Events: []v1alpha1.Event{
			{Name: "lull", Start: day(28), End: day(29), DemandPercent: 20},
			{Name: "sale", Start: day(27), End: day(30), DemandPercent: 300, Recurrence: "FREQ=YEARLY"},
		},
	}
	if diff := cmp.Diff(want, settings); diff != "" {
		t.Error(diff)
	}
}

func TestWhiteSpaceAroundAValueIsIgnored(t *testing.T) {
	settings, refused := v1alpha1.ParseAnnotations(map[string]string{"loadline.dev/mode": " auto\n", "loadline.dev/context": "Black Friday\n"})
	if len(refused) > 0 || settings.Mode != v1alpha1.ModeAuto || settings.Context != "Black Friday" {
		t.Errorf("got %+v, refused %v", settings, refused)
	}
}

func TestABadAnnotationIsRefusedWithWhatIsLegal(t *testing.T) {
	for name, c := range map[string]struct{ key, value, legal string }{
		"a mode that does not exist":         {"mode", "automatic", "one of off, dry-run, initial, auto"},
		"capital letters":                    {"mode", "Auto", "one of off, dry-run, initial, auto"},
		"an empty value":                     {"mode", "", "remove the annotation"},
		"white space only":                   {"context", " \n", "remove the annotation"},
		"a priority that does not exist":     {"priority", "urgent", "one of low, standard, high, critical"},
		"an approval that does not exist":    {"approval", "yes", "one of manual, automatic"},
		"replicas as a number":               {"replicas", "3", "one of off, recommend, auto"},
		"an updater that does not exist":     {"updater", "restart", "one of in-place, in-place-or-evict, evict"},
		"a policy that cannot be a name":     {"policy", "Night Shift", "the name of a SizingPolicy"},
		"a context that is too long":         {"context", strings.Repeat("é", 2001), "at most 2000 characters; this one has 2001"},
		"a container that cannot be a name":  {"exclude-containers", "app,Side Car", "separated by commas"},
		"a comma at the end":                 {"exclude-containers", "app,", "separated by commas"},
		"a letter that is missing":           {"mod", "auto", "loadline.dev/mode (did you mean that?)"},
		"letters in the wrong order":         {"updtaer", "evict", "loadline.dev/updater (did you mean that?)"},
		"an event without a name":            {"event", sale, "loadline.dev/event.<name> (did you mean that?)"},
		"an event with a hyphen for the dot": {"event-sale", sale, "loadline.dev/event.<name> (did you mean that?)"},
		"a key that resembles none":          {"frobnicate", "yes", "the keys are loadline.dev/approval, loadline.dev/context"},
		"the label as an annotation":         {"admission", "enabled", "write loadline.dev/mode"},

		"an event's empty name":            {"event.", sale, "1 to 40 lower case letters"},
		"an event's name in capitals":      {"event.Sale", sale, "1 to 40 lower case letters"},
		"an event's name that is too long": {"event." + strings.Repeat("a", 41), sale, "1 to 40 lower case letters"},
		"an event without a value":         {"event.sale", "", "<start>/<end> demand=<n>%"},
		"an event without demand":          {"event.sale", "2026-11-27T00:00:00Z/2026-11-30T00:00:00Z", "<start>/<end> demand=<n>%"},
		"an event that is a text":          {"event.sale", "we expect more traffic", "<start>/<end> demand=<n>%"},
		"an unknown part":                  {"event.sale", sale + " factor=3", "<start>/<end> demand=<n>%"},
		"demand twice":                     {"event.sale", sale + " demand=200%", "<start>/<end> demand=<n>%"},
		"recurrence without demand":        {"event.sale", "2026-11-27T00:00:00Z/2026-11-30T00:00:00Z recurrence=FREQ=YEARLY", "demand=<n>%"},
		"demand without the percent sign":  {"event.sale", "2026-11-27T00:00:00Z/2026-11-30T00:00:00Z demand=300", "demand=<n>%"},
		"demand of nothing":                {"event.sale", "2026-11-27T00:00:00Z/2026-11-30T00:00:00Z demand=0%", "from 1 to 2000"},
		"demand beyond reason":             {"event.sale", "2026-11-27T00:00:00Z/2026-11-30T00:00:00Z demand=2001%", "from 1 to 2000"},
		"negative demand":                  {"event.sale", "2026-11-27T00:00:00Z/2026-11-30T00:00:00Z demand=-50%", "from 1 to 2000"},
		"a date without a time":            {"event.sale", "2026-11-27/2026-11-30 demand=300%", "two times as in 2026-11-27T00:00:00Z"},
		"a time without a zone":            {"event.sale", "2026-11-27T00:00:00/2026-11-30T00:00:00 demand=300%", "two times as in 2026-11-27T00:00:00Z"},
		"fractions of a second":            {"event.sale", "2026-11-27T00:00:00.5Z/2026-11-30T00:00:00Z demand=300%", "whole seconds"},
		"a year of long ago":               {"event.sale", "1926-11-27T00:00:00Z/1926-11-30T00:00:00Z demand=300%", "between the years 2000 and 2100"},
		"an end before the start":          {"event.sale", "2026-11-30T00:00:00Z/2026-11-27T00:00:00Z demand=300%", "the end after the start"},
		"an end at the start":              {"event.sale", "2026-11-27T00:00:00Z/2026-11-27T00:00:00Z demand=300%", "the end after the start"},
		"more than 31 days":                {"event.sale", "2026-11-01T00:00:00Z/2026-12-02T00:00:01Z demand=300%", "at most 31 days"},

		"a recurrence that is a word":      {"event.sale", sale + " recurrence=yearly", "recurrence=<rule>"},
		"an empty recurrence":              {"event.sale", sale + " recurrence=", "recurrence=<rule>"},
		"a recurrence without a frequency": {"event.sale", sale + " recurrence=BYMONTH=11", "recurrence=<rule>"},
		"a recurrence of every hour":       {"event.sale", sale + " recurrence=FREQ=HOURLY", "FREQ=DAILY, WEEKLY, MONTHLY"},
		"a recurrence with hours":          {"event.sale", sale + " recurrence=FREQ=DAILY;BYHOUR=3", "recurrence=<rule>"},
		"a recurrence with its own start":  {"event.sale", sale + " recurrence=FREQ=DAILY;DTSTART=20200101T000000Z", "recurrence=<rule>"},
		"one part of a recurrence twice":   {"event.sale", sale + " recurrence=FREQ=DAILY;FREQ=YEARLY", "recurrence=<rule>"},
		"an interval of nothing":           {"event.sale", sale + " recurrence=FREQ=DAILY;INTERVAL=0", "INTERVAL (1 to 366)"},
		"an interval beyond reason":        {"event.sale", sale + " recurrence=FREQ=WEEKLY;INTERVAL=1000000000", "INTERVAL (1 to 366)"},
		"a count of nothing":               {"event.sale", sale + " recurrence=FREQ=DAILY;COUNT=0", "COUNT (at least 1)"},
		"a week that no month has":         {"event.sale", sale + " recurrence=FREQ=MONTHLY;BYDAY=8MO", "BYDAY (weeks -5 to 5)"},
		"a month that does not exist":      {"event.sale", sale + " recurrence=FREQ=YEARLY;BYMONTH=13", "bymonth must be between 1 and 12"},
		"a window that is not in its rule": {"event.sale", sale + " recurrence=FREQ=YEARLY;BYMONTH=11;BYDAY=3FR", "whose first occurrence is the window itself"},
		"a day that never comes":           {"event.sale", sale + " recurrence=FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "at least one more occurrence"},
		"a recurrence that is over":        {"event.sale", sale + " recurrence=FREQ=YEARLY;UNTIL=20270101T000000Z", "at least one more occurrence"},
		"a recurrence that is too long":    {"event.sale", sale + " recurrence=FREQ=DAILY;BYDAY=" + strings.Repeat("MO,", 70) + "MO", "at most 200 characters"},
	} {
		t.Run(name, func(t *testing.T) {
			key := "loadline.dev/" + c.key
			settings, refused := v1alpha1.ParseAnnotations(map[string]string{key: c.value})
			if diff := cmp.Diff(v1alpha1.Settings{}, settings); diff != "" {
				t.Errorf("something was set all the same: %s", diff)
			}
			if len(refused) != 1 {
				t.Fatalf("want one refusal, got %v", refused)
			}
			if refused[0].Key != key || refused[0].Value != c.value || !strings.Contains(refused[0].Legal, c.legal) {
				t.Errorf("want a refusal of %s that tells %q, got: %v", key, c.legal, refused[0])
			}
		})
	}
}

func TestARefusalReadsWell(t *testing.T) {
	_, refused := v1alpha1.ParseAnnotations(map[string]string{"loadline.dev/mode": "automatic"})
	const want = `annotation loadline.dev/mode="automatic" is refused; legal: one of off, dry-run, initial, auto`
	if got := refused[0].Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestALongValueIsShortenedInTheMessage(t *testing.T) {
	_, refused := v1alpha1.ParseAnnotations(map[string]string{"loadline.dev/context": strings.Repeat("é", 5000)})
	message := refused[0].Error()
	if !strings.Contains(message, strings.Repeat("é", 60)+"…") || strings.Contains(message, strings.Repeat("é", 61)) {
		t.Errorf("message: %s", message)
	}
}

func TestOneBadAnnotationDoesNotAffectTheOthers(t *testing.T) {
	settings, refused := v1alpha1.ParseAnnotations(map[string]string{"loadline.dev/mode": "auto", "loadline.dev/priority": "urgent"})
	if len(refused) != 1 || settings.Mode != v1alpha1.ModeAuto {
		t.Errorf("got %+v, refused %v", settings, refused)
	}
}

func events(n int) map[string]string {
	annotations := map[string]string{}
	for i := range n {
		annotations[fmt.Sprintf("loadline.dev/event.e%02d", i)] = sale
	}
	return annotations
}

func TestTwentyEventsAreAcceptedAndOneMoreIsRefused(t *testing.T) {
	if settings, refused := v1alpha1.ParseAnnotations(events(20)); len(refused) > 0 || len(settings.Events) != 20 {
		t.Errorf("20 events: got %d, refused %v", len(settings.Events), refused)
	}
	settings, refused := v1alpha1.ParseAnnotations(events(21))
	if len(refused) != 1 || !strings.Contains(refused[0].Error(), "at most 20 events") || len(settings.Events) != 20 {
		t.Errorf("21 events: got %d, refused %v", len(settings.Events), refused)
	}
}

func TestOnlyWhatAWriteAddsOrChangesIsRefused(t *testing.T) {
	bad := map[string]string{"loadline.dev/mode": "wrong"}
	type answer struct{ refused, standing int }
	for name, c := range map[string]struct {
		before, after map[string]string
		want          answer
	}{
		"creating with a bad value":        {nil, bad, answer{1, 0}},
		"adding a bad value":               {map[string]string{}, bad, answer{1, 0}},
		"changing to a bad value":          {map[string]string{"loadline.dev/mode": "auto"}, bad, answer{1, 0}},
		"changing one bad value to a next": {map[string]string{"loadline.dev/mode": "worse"}, bad, answer{1, 0}},
		"leaving a bad value":              {bad, bad, answer{0, 1}},
		"leaving a bad value beside a new good one": {
			bad, map[string]string{"loadline.dev/mode": "wrong", "loadline.dev/priority": "low"}, answer{0, 1},
		},
		"leaving a bad value beside a new bad one": {
			bad, map[string]string{"loadline.dev/mode": "wrong", "loadline.dev/priority": "urgent"}, answer{1, 1},
		},
		"removing a bad value":                            {bad, nil, answer{0, 0}},
		"adding the 21st event, though its name is first": {renamed(events(20)), events(21), answer{1, 0}},
		"leaving 21 events":                               {events(21), events(21), answer{0, 1}},
		"removing one of 22 events":                       {events(22), events(21), answer{0, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			refused, standing := v1alpha1.Changed(c.before, c.after)
			if got := (answer{len(refused), len(standing)}); got != c.want {
				t.Errorf("got %+v, want %+v: %v %v", got, c.want, refused, standing)
			}
		})
	}
}

// renamed drops the first event, so that adding it back adds the first by name.
func renamed(annotations map[string]string) map[string]string {
	delete(annotations, "loadline.dev/event.e00")
	annotations["loadline.dev/event.e20"] = sale
	return annotations
}

func TestOnlyInitialAndAutoWantTheAdmissionLabel(t *testing.T) {
	for mode, want := range map[string]bool{"": false, "off": false, "dry-run": false, "initial": true, "auto": true, " auto\n": true, "AUTO": false} {
		if got := v1alpha1.WantsAdmissionLabel(map[string]string{"loadline.dev/mode": mode}); got != want {
			t.Errorf("mode %q: got %v", mode, got)
		}
	}
	if v1alpha1.WantsAdmissionLabel(nil) {
		t.Error("a namespace without annotations wants the label")
	}
}

// expand gives the occurrences of ten years, as whoever applies the event does.
func expand(t *testing.T, e v1alpha1.Event) {
	t.Helper()
	if e.Recurrence == "" {
		return
	}
	option, err := rrule.StrToROption(e.Recurrence)
	if err != nil {
		t.Fatal(err)
	}
	option.Dtstart = e.Start
	rule, err := rrule.NewRRule(*option)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(rule.Between(e.Start, e.Start.AddDate(10, 0, 0), true)); n > 3654 {
		t.Fatalf("%s happens %d times in ten years", e, n)
	}
}

// FuzzParseAnnotations holds that parsing never panics, that every refusal names the key, the value and what is legal, and
// that whatever is accepted can be expanded, and is read back the same after it was written.
func FuzzParseAnnotations(f *testing.F) {
	for _, key := range []string{"mode", "policy", "context", "priority", "exclude-containers", "event.sale", "mod", "event", "original", "event.*", ""} {
		for _, value := range []string{"", "auto", "a,b", sale, sale + " recurrence=FREQ=YEARLY;BYMONTH=11;BYDAY=4FR;COUNT=3", "\xff\x00"} {
			f.Add(key, value)
		}
	}
	f.Add("event.sale", sale+" recurrence=FREQ=MONTHLY;BYDAY=+4FR,-1FR;WKST=SU;UNTIL=20300101;INTERVAL=2;BYSETPOS=-1")
	f.Fuzz(func(t *testing.T, name, value string) {
		key := "loadline.dev/" + name
		settings, refused := v1alpha1.ParseAnnotations(map[string]string{key: value})
		for _, e := range refused {
			message := e.Error()
			if e.Key != key || e.Value != value || e.Legal == "" || !strings.Contains(message, e.Key) || !strings.Contains(message, e.Legal) {
				t.Fatalf("%q=%q is refused without saying so: %s", key, value, message)
			}
			if utf8.RuneCountInString(message)-utf8.RuneCountInString(key) > 2000 {
				t.Fatalf("the message is too long for a condition: %s", message)
			}
		}
		for _, e := range settings.Events {
			expand(t, e)
		}
		again, refused := v1alpha1.ParseAnnotations(settings.Annotations())
		if len(refused) > 0 {
			t.Fatalf("%q=%q was accepted, but not what it was written as: %v", key, value, refused)
		}
		if diff := cmp.Diff(settings, again); diff != "" {
			t.Fatalf("%q=%q is read differently the second time: %s", key, value, diff)
		}
	})
}

func TestSettingsSurviveBeingWrittenAndRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawSettings(t)
		got, refused := v1alpha1.ParseAnnotations(want.Annotations())
		if len(refused) > 0 {
			t.Fatalf("refused: %v", refused)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func drawSettings(t *rapid.T) v1alpha1.Settings {
	s := v1alpha1.Settings{
		Mode:     rapid.SampledFrom([]v1alpha1.Mode{"", "off", "dry-run", "initial", "auto"}).Draw(t, "mode"),
		Policy:   rapid.StringMatching(`([a-z0-9]{1,9}([-.][a-z0-9]{1,9}){0,3})?`).Draw(t, "policy"),
		Context:  strings.TrimSpace(rapid.StringN(0, 2000, -1).Draw(t, "context")),
		Priority: rapid.SampledFrom([]v1alpha1.Priority{"", "critical", "high", "standard", "low"}).Draw(t, "priority"),
		Approval: rapid.SampledFrom([]v1alpha1.Approval{"", "manual", "automatic"}).Draw(t, "approval"),
		Replicas: rapid.SampledFrom([]v1alpha1.ReplicaMode{"", "off", "recommend", "auto"}).Draw(t, "replicas"),
		Updater:  rapid.SampledFrom([]v1alpha1.UpdaterMode{"", "in-place", "in-place-or-evict", "evict"}).Draw(t, "updater"),
	}
	if names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z][a-z0-9]{0,20}`), 0, 5, rapid.ID).Draw(t, "excluded"); len(names) > 0 {
		s.ExcludeContainers = names
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "events") {
		start := day(1).Add(time.Duration(rapid.Int64Range(0, 1e8).Draw(t, "start")) * time.Second)
		s.Events = append(s.Events, v1alpha1.Event{
			Name:          fmt.Sprintf("event-%d", i),
			Start:         start,
			End:           start.Add(time.Duration(rapid.Int64Range(1, 31*24*3600).Draw(t, "length")) * time.Second),
			DemandPercent: rapid.Int32Range(1, 2000).Draw(t, "demand"),
			Recurrence:    rapid.SampledFrom([]string{"", "FREQ=YEARLY", "FREQ=WEEKLY;WKST=SU", "FREQ=DAILY;INTERVAL=2;COUNT=9"}).Draw(t, "recurrence"),
		})
	}
	return s
}
