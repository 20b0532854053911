package apitest

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// pair is what one CEL rule accepts and what it refuses.
type pair struct {
	accepted, refused []any
}

// obj shortens the table.
type obj = map[string]any

func values(v ...any) []any { return v }

// durations is the pair of a rule about a duration: both ends of the range and a little beyond.
func durations(shortest, longest, tooLong string) pair {
	return pair{accepted: values(shortest, longest), refused: values(tooLong)}
}

// celPairs has an entry for each rule, by place and message.
var celPairs = map[string]pair{
	"Recommendation.spec.approvedRevision approvedRevision must be a revision": {
		accepted: values("", "0123abcd"), refused: values("0123ABCD", "latest", "123"),
	},
	"SizingPolicy.spec.eventLeadTime eventLeadTime must be between":                durations("0s", "24h", "24h1s"),
	"SizingPolicy.spec.replicas.leadTime leadTime must be between":                 durations("0s", "24h", "24h0.1s"),
	"SizingPolicy.spec.replicas.lowerAfter lowerAfter must be between":             durations("0s", "168h", "168h1ns"),
	"SizingPolicy.spec.behavior.up.cooldown cooldown must be between":              durations("0s", "168h", "169h"),
	"SizingPolicy.spec.behavior.down.cooldown cooldown must be between":            durations("0s", "168h", "169h"),
	"SizingPolicy.spec.disruption.windows[].duration duration must be between":     {accepted: values("1m", "168h"), refused: values("59s", "169h")},
	"SizingPolicy.spec.disruption.windows[].start start must be a cron expression": {accepted: values("0 2 * * 1-5"), refused: values("0 2 * * 1-5 *", "0 2 * * ", "every night")},
	"SizingPolicy.spec.disruption.startupGrace startupGrace must be between":       durations("0s", "24h", "24h1s"),
	"SizingPolicy.spec.disruption.canary.observe observe must be between":          durations("0s", "24h", "25h"),
	"SizingPolicy.spec.disruption.maxUnavailable maxUnavailable must be": {
		accepted: values(int64(1), int64(10000), "1%", "25%", "100%"),
		refused:  values(int64(0), int64(-1), int64(10001), "0%", "101%", "25", "half", "2.5%"),
	},
	"SizingPolicy.spec.behavior behavior.down.maxStepPercent must be at most 100": {
		accepted: values(obj{"down": obj{"maxStepPercent": int64(100)}, "up": obj{"maxStepPercent": int64(400)}}, obj{"down": obj{}}),
		refused:  values(obj{"down": obj{"maxStepPercent": int64(101)}}),
	},
	"SizingPolicy.spec.replicas replicas.min must not be larger": {
		accepted: values(obj{"min": int64(3), "max": int64(3)}, obj{"min": int64(3)}, obj{"max": int64(3)}),
		refused:  values(obj{"min": int64(4), "max": int64(3)}),
	},
	"SizingPolicy.spec.cpu cpu.min must not be larger": {
		// The same amount written in three ways.
		accepted: values(obj{"min": "1000m", "max": "1"}, obj{"min": int64(1), "max": "1"}, obj{"min": "100m", "max": "1e1"}),
		refused:  values(obj{"min": "1001m", "max": "1"}, obj{"min": int64(2), "max": "1500m"}),
	},
	"SizingPolicy.spec.cpu cpu.min must be larger than 0": {
		accepted: values(obj{"min": "1m"}), refused: values(obj{"min": "0"}, obj{"min": int64(0)}, obj{"min": "-1"}),
	},
	"SizingPolicy.spec.cpu cpu.max must be larger than 0": {
		accepted: values(obj{"max": "1m"}), refused: values(obj{"max": "0"}, obj{"max": int64(-1)}),
	},
	"SizingPolicy.spec.memory memory.min must not be larger": {
		accepted: values(obj{"min": "1Gi", "max": "1024Mi"}, obj{"min": "1G", "max": "1Gi"}, obj{"min": int64(1048576), "max": "1Mi"}),
		refused:  values(obj{"min": "1Gi", "max": "1G"}),
	},
	"SizingPolicy.spec.memory memory.min must be larger than 0": {
		accepted: values(obj{"min": "1Mi"}), refused: values(obj{"min": "0"}, obj{"min": "-32Mi"}),
	},
	"SizingPolicy.spec.memory memory.max must be larger than 0": {
		accepted: values(obj{"max": "1Mi"}), refused: values(obj{"max": "0Mi"}),
	},
}

// ownTests are rules that need more than one value at one place, and the tests that show them.
var ownTests = map[string]string{
	"Recommendation a Recommendation is named":                "TestARecommendationIsNamedAfterItsTarget",
	"Recommendation.spec.targetRef targetRef is immutable: d": "TestATargetCannotBeChanged",
}

// Nobody adds a rule without showing what it accepts and what it refuses.
func TestEveryRuleAcceptsAndRefuses(t *testing.T) {
	shown := map[string]bool{}
	for _, root := range roots(t) {
		for _, n := range root.below() {
			for _, rule := range n.schema.XValidations {
				key, p, found := lookUp(celPairs, n.String()+" "+rule.Message)
				if !found {
					if key, _, found = lookUp(ownTests, n.String()+" "+rule.Message); !found {
						t.Errorf("no case for %s %s", n, rule.Message)
					}
					shown[key] = true
					continue
				}
				shown[key] = true
				t.Run(key, func(t *testing.T) { checkRule(t, root, n, rule.Message, p) })
			}
		}
	}
	for key := range celPairs {
		if !shown[key] {
			t.Errorf("no rule is as the case %s says", key)
		}
	}
	for key := range ownTests {
		if !shown[key] {
			t.Errorf("no rule is as the case %s says", key)
		}
	}
}

// lookUp finds the entry whose key is the beginning of the whole.
func lookUp[V any](table map[string]V, whole string) (string, V, bool) {
	for key, value := range table {
		if strings.HasPrefix(whole, key) {
			return key, value, true
		}
	}
	var none V
	return "", none, false
}

func checkRule(t *testing.T, root, n node, message string, p pair) {
	t.Helper()
	for _, value := range p.accepted {
		if err := try(t, n, with(root, n.path, value)); err != nil {
			t.Errorf("%v is refused: %v", value, err)
		}
	}
	for _, value := range p.refused {
		err := try(t, n, with(root, n.path, value))
		if !apierrors.IsInvalid(err) {
			t.Errorf("%v is not refused: %v", value, err)
			continue
		}
		if !strings.Contains(err.Error(), message) {
			t.Errorf("%v is refused without the message %q: %v", value, message, err)
		}
	}
}

func TestARecommendationIsNamedAfterItsTarget(t *testing.T) {
	for _, deployment := range []string{"checkout", strings.Repeat("a", 250)} {
		if err := admin.Create(t.Context(), recommendation(t, deployment), client.DryRunAll); err != nil {
			t.Errorf("the Recommendation of %s is refused: %v", deployment, err)
		}
	}
	for _, name := range []string{"checkout", "statefulset-checkout", "deployment-checkout2"} {
		misnamed := recommendation(t, "checkout")
		misnamed.SetName(name)
		err := admin.Create(t.Context(), misnamed, client.DryRunAll)
		if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "named <kind>-<name>") {
			t.Errorf("%s is not refused by its name: %v", name, err)
		}
	}
}

func TestATargetCannotBeChanged(t *testing.T) {
	object := recommendation(t, "cart")
	create(t, object)
	held := object.DeepCopy()
	held.Object["spec"].(obj)["hold"] = obj{"reason": "migration"}
	if err := admin.Update(t.Context(), held, client.DryRunAll); err != nil {
		t.Errorf("a hold is refused: %v", err)
	}
	changed := object.DeepCopy()
	changed.Object["spec"].(obj)["targetRef"].(obj)["apiVersion"] = "apps/v2"
	err := admin.Update(t.Context(), changed, client.DryRunAll)
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "targetRef is immutable") {
		t.Errorf("a change of the target is not refused: %v", err)
	}
}
