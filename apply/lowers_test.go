package apply_test

import (
	"testing"

	"github.com/loadline-dev/loadline/apply"
)

func TestLowersTakesNoLimitForTheMost(t *testing.T) {
	size := func(cpuRequest, memoryRequest, cpuLimit, memoryLimit int64) apply.Resources {
		return apply.Resources{
			Requests: apply.Amounts{CPUMillis: cpuRequest, MemoryBytes: memoryRequest},
			Limits:   apply.Amounts{CPUMillis: cpuLimit, MemoryBytes: memoryLimit},
		}
	}
	from := size(100, 100, 0, 200)
	for name, c := range map[string]struct {
		to   apply.Resources
		want bool
	}{
		"the same":                {from, false},
		"more of everything":      {size(200, 200, 0, 300), false},
		"a CPU request":           {size(50, 200, 0, 300), true},
		"a memory request":        {size(200, 50, 0, 300), true},
		"a memory limit":          {size(200, 200, 0, 150), true},
		"a limit that goes":       {size(100, 100, 0, 0), false},
		"a limit that comes":      {size(100, 100, 5000, 200), true},
		"a limit that comes, too": {size(200, 200, 5000, 0), true},
	} {
		containers := func(r apply.Resources) map[string]apply.Resources { return map[string]apply.Resources{"app": r} }
		if got := apply.Lowers(containers(from), containers(c.to)); got != c.want {
			t.Errorf("%s: lowers = %v, want %v", name, got, c.want)
		}
	}
	if apply.Lowers(nil, map[string]apply.Resources{"new": from}) {
		t.Error("a container that was not there before cannot lose anything")
	}
}
