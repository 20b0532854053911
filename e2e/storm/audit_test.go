package storm_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/loadline-dev/loadline/e2e/storm"
)

var noon = time.Date(2026, 11, 18, 12, 0, 0, 0, time.UTC)

func TestAnAuditLogTellsWhatWasAskedAndAnswered(t *testing.T) {
	log := `{"auditID":"b","stage":"RequestReceived","user":{"username":"updater"},"objectRef":{"namespace":"shop","name":"y","subresource":"eviction"},"requestReceivedTimestamp":"2026-11-18T12:00:01Z"}
{"auditID":"a","stage":"RequestReceived","user":{"username":"updater"},"objectRef":{"namespace":"shop","name":"x","subresource":"eviction"},"requestReceivedTimestamp":"2026-11-18T12:00:00Z"}
{"auditID":"a","stage":"ResponseComplete","user":{"username":"updater"},"objectRef":{"namespace":"shop","name":"x","subresource":"eviction"},"responseStatus":{"code":429},"requestReceivedTimestamp":"2026-11-18T12:00:00Z"}
{"auditID":"c","stage":"Respo
{"auditID":"d"`
	got, err := storm.ReadAudit(strings.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	want := []storm.Request{
		{At: noon, User: "updater", Subresource: "eviction", Pod: "shop/x", Code: 429},
		{At: noon.Add(time.Second), User: "updater", Subresource: "eviction", Pod: "shop/y"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if got[0].Done() || !got[1].Done() {
		t.Error("what was refused is not done, and what was not answered may be")
	}
}

func TestTheMostWithinAMinuteIsThatOfAnyMinute(t *testing.T) {
	at := func(seconds ...int) []time.Time {
		var times []time.Time
		for _, s := range seconds {
			times = append(times, noon.Add(time.Duration(s)*time.Second))
		}
		return times
	}
	for name, c := range map[string]struct {
		times []time.Time
		want  int
	}{
		"none": {nil, 0}, "one": {at(0), 1}, "a minute apart": {at(0, 60), 1}, "less than a minute apart": {at(0, 59), 2},
		"over the turn of a minute": {at(0, 50, 55, 70, 109, 200), 4},
	} {
		if got := storm.MostWithin(c.times, time.Minute); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
