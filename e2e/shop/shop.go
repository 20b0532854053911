package shop

import "time"

// Namespace of the shop.
const Namespace = "shop"

// Workloads returns the shop as it is at the given time: seven workloads, each sized by guess, each wrong in its own way.
func Workloads(now time.Time) []Workload {
	start := now.Add(-14 * 24 * time.Hour)
	return []Workload{
		{ // Follows the day, and reserves five times its peak.
			Name: "checkout", Replicas: 4,
			Requests: map[string]string{"cpu": "2", "memory": "2Gi"}, Limits: map[string]string{"memory": "2Gi"},
			CPU: Noisy(Diurnal(0.05, 0.40), 0.1), Memory: Noisy(Flat(420*Mebibyte), 0.05),
		},
		{ // Sleeps all week, works on Sunday night.
			Name: "weekly-report", Replicas: 1,
			Requests: map[string]string{"cpu": "3", "memory": "1Gi"},
			CPU:      Noisy(Weekly(0.01, 1.6, 4), 0.1), Memory: Noisy(Weekly(90*Mebibyte, 700*Mebibyte, 4), 0.05),
		},
		{ // Flat, with four times the memory it ever used.
			Name: "cache", Kind: "StatefulSet", Replicas: 2, Image: "registry.example/redis:7",
			Requests: map[string]string{"cpu": "1", "memory": "4Gi"}, Limits: map[string]string{"cpu": "1", "memory": "4Gi"},
			CPU: Noisy(Flat(0.06), 0.1), Memory: Noisy(Flat(900*Mebibyte), 0.02),
		},
		{ // Leaks 60 MiB a day and is never restarted.
			Name: "worker", Replicas: 2,
			Requests: map[string]string{"cpu": "500m", "memory": "1536Mi"}, Limits: map[string]string{"memory": "2Gi"},
			CPU: Noisy(Flat(0.20), 0.2), Memory: Noisy(Leak(start, 300*Mebibyte, 60*Mebibyte), 0.01),
		},
		{ // Its limit is under what it needs at times: the demo has one of its pods killed.
			Name: "payments", Replicas: 3,
			Requests: map[string]string{"cpu": "200m", "memory": "256Mi"}, Limits: map[string]string{"memory": "256Mi"},
			CPU: Noisy(Diurnal(0.04, 0.12), 0.1), Memory: Noisy(Flat(230*Mebibyte), 0.03),
		},
		{ // A Java service: a large heap, mostly idle processors.
			Name: "inventory", Replicas: 2, Image: "registry.example/openjdk-inventory:21",
			Requests: map[string]string{"cpu": "4", "memory": "6Gi"}, Limits: map[string]string{"memory": "6Gi"},
			CPU: Noisy(Diurnal(0.10, 0.30), 0.1), Memory: Noisy(Flat(3400*Mebibyte), 0.01),
		},
		{ // Mostly quiet, with bursts of ten minutes about every hour, for which it has to be sized.
			Name: "api", Replicas: 3,
			Requests: map[string]string{"cpu": "1500m", "memory": "512Mi"}, Limits: map[string]string{"memory": "1Gi"},
			CPU: Noisy(Bursty(0.08, 0.60, 1), 0.1), Memory: Noisy(Flat(260*Mebibyte), 0.04),
		},
	}
}

// InNamespace returns the workloads with their namespace set.
func InNamespace(namespace string, workloads []Workload) []Workload {
	for i := range workloads {
		workloads[i].Namespace = namespace
	}
	return workloads
}
