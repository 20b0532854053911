package config

import (
	_ "embed"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// DefaultYAML is the shipped config/default.yaml: every field with its default and what it means.
//
//go:embed default.yaml
var DefaultYAML []byte

// Default returns the configuration of someone who wrote nothing. Each call returns a new one that shares nothing.
func Default() Config {
	return Config{
		TypeMeta:           metav1.TypeMeta{APIVersion: APIVersion, Kind: Kind},
		Namespace:          "loadline-system",
		ExcludedNamespaces: []string{},
		MetricsAddress:     ":8080",
		HealthAddress:      ":8081",
		Kubernetes:         Kubernetes{QPS: 50, Burst: 100},
		Recommender:        defaultRecommender(),
		Prometheus:         defaultPrometheus(),
		Advisor:            defaultAdvisor(),
		Webhook:            defaultWebhook(),
		Updater:            defaultUpdater(),
		Scaling:            Scaling{YieldFor: duration(time.Hour), Kinds: []ScaleKind{}},
		Dashboard:          Dashboard{Address: "0"},
		Policy:             defaultPolicy(),
	}
}

func defaultRecommender() Recommender {
	return Recommender{
		SyncInterval:        duration(5 * time.Minute),
		ResyncJitterPercent: 20,
		Workers:             2,
		Horizon:             duration(48 * time.Hour),
		RetryBackoffMax:     duration(10 * time.Minute),
		RefreshInterval:     duration(6 * time.Hour),
		StaleAfter:          duration(24 * time.Hour),
		UnschedulableAfter:  duration(5 * time.Minute),
		Retention:           duration(7 * 24 * time.Hour),
		LeaderElection:      defaultLeaderElection("loadline-recommender"),
	}
}

func defaultPrometheus() Prometheus {
	return Prometheus{
		URL:              "http://prometheus-operated.monitoring.svc:9090",
		Headers:          map[string]string{},
		ParallelQueries:  2,
		Timeout:          duration(30 * time.Second),
		MaxResponseBytes: 32 << 20,
		RateWindow:       duration(5 * time.Minute),
		BackfillDays:     28,
		Chunk:            duration(24 * time.Hour),
		Overlap:          duration(10 * time.Minute),
		Labels:           PrometheusLabels{Namespace: "namespace", Pod: "pod", Container: "container"},
		Queries: PrometheusQueries{
			CPU:              `max by ($by) (rate(container_cpu_usage_seconds_total{$selector}[$rateWindow]))`,
			WorkingSet:       `max by ($by) (max_over_time(container_memory_working_set_bytes{$selector}[$step]))`,
			RSS:              `max by ($by) (max_over_time(container_memory_rss{$selector}[$step]))`,
			ThrottledPeriods: `max by ($by) (rate(container_cpu_cfs_throttled_periods_total{$selector}[$rateWindow]))`,
			Periods:          `max by ($by) (rate(container_cpu_cfs_periods_total{$selector}[$rateWindow]))`,
		},
	}
}

func defaultAdvisor() Advisor {
	return Advisor{
		API:              AdvisorOllama,
		Model:            "llama3.1:8b",
		Headers:          map[string]string{},
		ContextTokens:    8192,
		AnswerTokens:     1620,
		MaxResponseBytes: 256 << 10,
		KeepAlive:        duration(10 * time.Minute),
		Deadline:         duration(2 * time.Minute),
		Tries:            3,
		QuestionsPerHour: 240,
	}
}

func defaultWebhook() Webhook {
	return Webhook{
		Port:           9443,
		CertMode:       CertSelfSigned,
		CertDir:        "/var/run/loadline/certs",
		CertSecret:     "loadline-webhook-cert",
		ServiceName:    "loadline-webhook",
		MutatingName:   "loadline-mutating",
		ValidatingName: "loadline-validating",
	}
}

func defaultUpdater() Updater {
	return Updater{
		Interval:                  duration(30 * time.Second),
		WarmUp:                    duration(2 * time.Minute),
		ProbeNamespace:            "loadline-probe",
		ProbeMaxAge:               duration(2 * time.Minute),
		ProbeMaxLatency:           duration(time.Second),
		EvictionsPerMinute:        10,
		NamespaceEvictionsPerHour: 60,
		ResizesPerMinute:          60,
		ResizeRetryInterval:       duration(5 * time.Minute),
		KillSwitchConfigMap:       "loadline-kill-switch",
		Breaker:                   defaultBreaker(),
		RecordConfigMap:           "loadline-updater-record",
		LeaderElection:            defaultLeaderElection("loadline-updater"),
	}
}

func defaultBreaker() Breaker {
	return Breaker{
		Window:           duration(10 * time.Minute),
		Quiet:            duration(10 * time.Minute),
		OOMKills:         5,
		PendingPods:      5,
		UnsizedWorkloads: 3,
		ProbeFailures:    5,
		APITrouble:       5,
	}
}

func defaultLeaderElection(lease string) LeaderElection {
	return LeaderElection{
		Enabled:       true,
		LeaseName:     lease,
		LeaseDuration: duration(15 * time.Second),
		RenewDeadline: duration(10 * time.Second),
		RetryPeriod:   duration(2 * time.Second),
	}
}

// defaultPolicy holds the defaults that the comments of v1alpha1.SizingPolicySpec promise. cpu.max, memory.max
// and replicas.max have none.
func defaultPolicy() v1alpha1.SizingPolicySpec {
	return v1alpha1.SizingPolicySpec{
		CPU: v1alpha1.CPUPolicy{
			QuantilePercent:      new(int32(95)),
			MarginPercent:        new(int32(5)),
			Min:                  new(resource.MustParse("10m")),
			Limit:                new(v1alpha1.LimitKeep),
			LimitHeadroomPercent: new(int32(50)),
		},
		Memory: v1alpha1.MemoryPolicy{
			Metric:               new(v1alpha1.MemoryWorkingSet),
			PeakDays:             new(int32(8)),
			MarginPercent:        new(int32(15)),
			Min:                  new(resource.MustParse("32Mi")),
			Limit:                new(v1alpha1.LimitKeep),
			LimitHeadroomPercent: new(int32(20)),
		},
		Replicas: v1alpha1.ReplicaPolicy{
			Mode:                     new(v1alpha1.ReplicasRecommend),
			Min:                      new(int32(1)),
			TargetUtilizationPercent: new(int32(70)),
			LeadTime:                 new(duration(10 * time.Minute)),
			LowerAfter:               new(duration(time.Hour)),
			MaxStepPercent:           new(int32(100)),
		},
		Behavior: v1alpha1.Behavior{
			Up: v1alpha1.Movement{
				ThresholdPercent: new(int32(5)),
				MaxStepPercent:   new(int32(1000)),
				Cooldown:         new(duration(0)),
			},
			Down: v1alpha1.Movement{
				ThresholdPercent: new(int32(20)),
				MaxStepPercent:   new(int32(50)),
				Cooldown:         new(duration(3 * time.Hour)),
			},
		},
		MaxGiveBackPercent: new(int32(25)),
		MaxDemandPercent:   new(int32(500)),
		EventLeadTime:      new(duration(30 * time.Minute)),
		Disruption: v1alpha1.DisruptionPolicy{
			MaxUnavailable:   new(intstr.FromString("25%")),
			EvictionsPerHour: new(int32(6)),
			MinReplicas:      new(int32(2)),
			Canary:           v1alpha1.CanaryPolicy{Pods: new(int32(1)), Observe: new(duration(10 * time.Minute))},
			StartupGrace:     new(duration(5 * time.Minute)),
		},
		SizeBestEffort: new(false),
		AllowOverrides: new(false),
	}
}

func duration(d time.Duration) metav1.Duration { return metav1.Duration{Duration: d} }
