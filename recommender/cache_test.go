package recommender

import (
	"testing"

	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/internal/testkit"
)

func TestTheCacheKeepsWhoScaledAWorkloadOfAKindThatTheOperatorConfigures(t *testing.T) {
	rollout := testkit.ScaledRollout()
	if _, err := CacheOptions(true).DefaultTransform(rollout); err != nil {
		t.Fatal(err)
	}
	if by, ok := apply.ScaledBy(rollout); !ok || by != "kubectl" {
		t.Errorf("scaled by %q (%v), want kubectl", by, ok)
	}
}
