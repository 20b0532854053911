package history

import (
	"strings"
	"testing"
)

func TestPodsBelongToTheirWorkloads(t *testing.T) {
	long := strings.Repeat("l", 50)   // name - hash - is longer than 58.
	longer := strings.Repeat("m", 70) // The name alone is.
	keys := []workloadKey{
		{"Deployment", "api"},
		{"Deployment", "api-gateway"},
		{"Deployment", "my.app"},
		{"Deployment", long},
		{"Deployment", longer},
		{"StatefulSet", "db"},
		{"StatefulSet", "both"},
		{"DaemonSet", "both"},
		{"DaemonSet", "agent"},
		{"DaemonSet", "api-6b7f"},
		{"CronJob", "nightly"},
	}
	own := newOwners(keys, []Target{
		{Kind: "CronJob", Name: "nightly", Pods: []string{"nightly-29000000-x2k9z"}},
		{Kind: "Deployment", Name: "api", Pods: []string{"api-gateway-6d4cf56db6-bbbbb"}},
		{Kind: "Rollout", Name: "api", ReplicaSets: true},
		{Kind: "Rollout", Name: "canary", ReplicaSets: true},
	})
	for pod, want := range map[string]workloadKey{
		"api-6d4cf56db6-x2k9z":         {"Deployment", "api"},
		"api-gateway-6d4cf56db6-x2k9z": {"Deployment", "api-gateway"},
		"api-gateway-6d4cf56db6-bbbbb": {"Deployment", "api"}, // Its owner reference says so.
		"canary-6d4cf56db6-x2k9z":      {"Rollout", "canary"},
		"my.app-5-x2k9z":               {"Deployment", "my.app"},
		"db-0":                         {"StatefulSet", "db"},
		"db-12":                        {"StatefulSet", "db"},
		"both-24567":                   {"DaemonSet", "both"},
		"both-3":                       {"StatefulSet", "both"},
		"agent-x2k9z":                  {"DaemonSet", "agent"},
		"api-6b7f-x2k9z":               {"DaemonSet", "api-6b7f"}, // Also fits Deployment api; the longer name wins.
		"nightly-29000000-x2k9z":       {"CronJob", "nightly"},
		"nightly-29000001-x2k9z":       {"CronJob", "nightly"},
		"nightly-29000001-3-x2k9z":     {"CronJob", "nightly"}, // The fourth pod of an indexed Job.
		long + "-6d4cf56x2k9z":         {"Deployment", long},
		longer[:58] + "x2k9z":          {"Deployment", longer},

		"api":                            {},
		"api-":                           {},
		"-api":                           {},
		"":                               {},
		"api-x2k9z":                      {}, // A hash is missing.
		"api-6d4cf56db6-x2k9a":           {}, // Vowels are not used.
		"api-6d4cf56db6-x2k9":            {},
		"api-6d4cf56db6bb-x2k9z":         {}, // A hash has at most ten characters.
		"apis-6d4cf56db6-x2k9z":          {},
		"api-worker-6d4cf56db6-x2k9z":    {},
		"db-01":                          {}, // Ordinals have no leading zeros.
		"db-":                            {},
		"agent-6d4cf56db6-x2k9z":         {},
		"nightly-290001-x2k9z":           {}, // Too short for the minutes since 1970.
		"nightly-20261123-x2k9z":         {}, // A date,
		"nightly-1763500000-x2k9z":       {}, // and a time in seconds: Jobs that people made.
		"nightly-29000001":               {},
		long + "-6d4cf56ax2k9z":          {},
		longer[:57] + "nx2k9z":           {},
		strings.Repeat("-", 63):          {},
		strings.Repeat("x", 5000) + "-0": {},
	} {
		if got, ok := own.of(pod); got != want || ok != (want != workloadKey{}) {
			t.Errorf("%s: got %v, %v, want %v", pod, got, ok, want)
		}
	}
}

func FuzzOwners(f *testing.F) {
	f.Add("api-6d4cf56db6-x2k9z", "api", "Deployment")
	f.Add("db-0", "db", "StatefulSet")
	f.Fuzz(func(t *testing.T, pod, name, kind string) {
		k := workloadKey{kind, name}
		got, ok := newOwners([]workloadKey{k}, nil).of(pod)
		if ok && got != k {
			t.Errorf("%q was given to %v, which is not there", pod, got)
		}
		if start := name + "-"; ok && !strings.HasPrefix(pod, start[:min(len(start), maxBaseLen)]) {
			t.Errorf("%q does not begin with %q", pod, name)
		}
	})
}
