package plan_test

import (
	"testing"
	"time"

	"github.com/loadline-dev/loadline/updater/plan"
)

func TestTroubleCountsAsHarmOnlyWhileAChangeIsWatched(t *testing.T) {
	cases := map[string]struct {
		change, trouble time.Time
		want            bool
	}{
		"after the change":              {now, now.Add(time.Minute), true},
		"at the end of the watch":       {now, now.Add(10 * time.Minute), true},
		"after the watch":               {now, now.Add(11 * time.Minute), false},
		"before the change":             {now, now.Add(-time.Minute), false},
		"on a pod that was not changed": {time.Time{}, now, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := pod("a", fits)
			p.Change, p.Troubles = c.change, []plan.Trouble{{Container: "app", What: "OOMKilled", At: c.trouble}}
			_, evidence, found := plan.Harm(checkout(pod("b", fits), p), 10*time.Minute)
			if found != c.want {
				t.Errorf("harm = %v (%s), want %v", found, evidence, c.want)
			}
			if want := "container app of pod a: OOMKilled 1m0s after the change"; name == "after the change" && evidence != want {
				t.Errorf("evidence = %q, want %q", evidence, want)
			}
		})
	}
}
