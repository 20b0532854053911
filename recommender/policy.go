package recommender

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/recommender/guard"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

// sizingPolicy turns a policy whose defaults are filled in into plain numbers.
func sizingPolicy(in Input) sizing.Policy {
	p := in.Policy
	return sizing.Policy{
		CPU: sizing.ResourcePolicy{
			Quantile:      share(p.CPU.QuantilePercent),
			Margin:        share(p.CPU.MarginPercent),
			Min:           millis(p.CPU.Min),
			Max:           millis(p.CPU.Max),
			Limit:         string(*p.CPU.Limit),
			LimitHeadroom: share(p.CPU.LimitHeadroomPercent),
		},
		Memory: sizing.ResourcePolicy{
			Quantile:      1,
			Margin:        share(p.Memory.MarginPercent),
			PeakHours:     int(*p.Memory.PeakDays) * 24,
			Min:           bytes(p.Memory.Min),
			Max:           bytes(p.Memory.Max),
			Limit:         string(*p.Memory.Limit),
			LimitHeadroom: share(p.Memory.LimitHeadroomPercent),
		},
		Replicas:       replicaPolicy(p.Replicas, in),
		MaxGiveBack:    share(p.MaxGiveBackPercent),
		SizeBestEffort: *p.SizeBestEffort,
	}
}

func replicaPolicy(p v1alpha1.ReplicaPolicy, in Input) sizing.ReplicaPolicy {
	policy := sizing.ReplicaPolicy{
		Mode:              string(replicaMode(*p.Mode, in)),
		Min:               *p.Min,
		TargetUtilization: share(p.TargetUtilizationPercent),
		LeadTime:          p.LeadTime.Duration,
		LowerAfter:        p.LowerAfter.Duration,
		MaxStep:           share(p.MaxStepPercent),
	}
	if p.Max != nil {
		policy.Max = *p.Max
	}
	return policy
}

// replicaMode is what annotations and policy say; of a DaemonSet the nodes decide, and of a CronJob its parallelism. To set the number
// of pods of a workload that a controller keeps as it is would be undone at once, or take members from a database behind its back.
func replicaMode(policy v1alpha1.ReplicaMode, in Input) v1alpha1.ReplicaMode {
	if in.Target.Kind == kindDaemonSet || in.batch() {
		return v1alpha1.ReplicasOff
	}
	mode := in.Settings.ReplicaMode(policy)
	if in.Controller != "" && mode == v1alpha1.ReplicasAuto {
		return v1alpha1.ReplicasRecommend
	}
	return mode
}

func behavior(b v1alpha1.Behavior) guard.Behavior {
	return guard.Behavior{Up: movement(b.Up), Down: movement(b.Down)}
}

func movement(m v1alpha1.Movement) guard.Movement {
	return guard.Movement{Threshold: share(m.ThresholdPercent), MaxStep: share(m.MaxStepPercent), Cooldown: m.Cooldown.Duration}
}

func share(percent *int32) float64 { return float64(*percent) / 100 }

func millis(q *resource.Quantity) int64 {
	if q == nil {
		return 0
	}
	return q.MilliValue()
}

func bytes(q *resource.Quantity) int64 {
	if q == nil {
		return 0
	}
	return q.Value()
}

// resourcesOf returns what a pod of the template asks for: a request that is absent equals its limit.
func resourcesOf(container corev1.Container) sizing.Resources {
	r := apply.ResourcesOf(container.Resources).Defaulted()
	return sizing.Resources{Requests: sizing.Amounts(r.Requests), Limits: sizing.Amounts(r.Limits)}
}

// jvmWords are words in image names that mean a Java virtual machine, which sizes its heap from its memory limit at start.
var jvmWords = map[string]bool{
	"openjdk": true, "temurin": true, "corretto": true, "java": true, "jre": true, "jdk": true, "spring": true, "tomcat": true,
	"jetty": true, "wildfly": true, "quarkus": true, "keycloak": true, "kafka": true, "elasticsearch": true, "cassandra": true,
}

// jvmVariables are environment variables that only a Java virtual machine reads.
var jvmVariables = map[string]bool{
	"JAVA_OPTS": true, "JAVA_TOOL_OPTIONS": true, "JDK_JAVA_OPTIONS": true, "JAVA_HOME": true, "JVM_OPTS": true,
}

func looksLikeJVM(container corev1.Container) bool {
	for _, env := range container.Env {
		if jvmVariables[env.Name] {
			return true
		}
	}
	words := strings.FieldsFunc(strings.ToLower(container.Image), func(r rune) bool { return r < 'a' || r > 'z' })
	return slices.ContainsFunc(words, func(word string) bool { return jvmWords[word] })
}
