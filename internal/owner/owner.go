// Package owner finds the workload that a pod belongs to without asking the API server.
package owner

import (
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Workload names an owner in the namespace of the pod.
type Workload struct {
	// Kind such as Deployment, and Name.
	Kind, Name string
}

// Scheduled times of runs of a CronJob, in minutes since 1970: from July 2017 to July 2055. No date such as 20261123 is among them, and
// no time in seconds, which people put at the end of the names of Jobs.
const firstRun, lastRun = 25_000_000, 45_000_000

// CutRun divides the name of a Job that a CronJob made into the CronJob's name and the scheduled time of the run, in minutes since 1970,
// which the CronJob controller appends. False where the name is none of those.
func CutRun(job string) (cronJob string, minute int64, ok bool) {
	at := strings.LastIndexByte(job, '-')
	if at <= 0 || len(job)-at-1 != len("25000000") {
		return "", 0, false
	}
	number, err := strconv.ParseUint(job[at+1:], 10, 32)
	if err != nil || number < firstRun || number > lastRun {
		return "", 0, false
	}
	return job[:at], int64(number), true
}

// Kind is a kind of workload beyond those of Kubernetes itself.
type Kind struct {
	// APIVersion such as argoproj.io/v1alpha1, and Kind such as Rollout.
	APIVersion, Kind string
	// HashLabel is the label of its pods that ends the name of their ReplicaSet, such as rollouts-pod-template-hash. Empty
	// where the kind controls its pods itself.
	HashLabel string
}

// Kinds are all of them.
type Kinds []Kind

// Named returns the kind of that name, or false.
func (k Kinds) Named(kind string) (Kind, bool) {
	for _, one := range k {
		if one.Kind == kind {
			return one, true
		}
	}
	return Kind{}, false
}

// APIVersion is that of the workload that the pod was found to belong to.
func (k Kinds) APIVersion(of Workload, pod *corev1.Pod) string {
	if kind, ok := k.Named(of.Kind); ok {
		return kind.APIVersion
	}
	return metav1.GetControllerOfNoCopy(pod).APIVersion
}

// Of is the function Of, for these kinds, too: a ReplicaSet is also that of the workload named like it without "-" and the value of
// the kind's label.
func (k Kinds) Of(pod *corev1.Pod) (Workload, bool) {
	of, ok := Of(pod)
	if !ok || of.Kind != "ReplicaSet" {
		return of, ok
	}
	for _, kind := range k {
		hash := pod.Labels[kind.HashLabel]
		if name, fits := strings.CutSuffix(of.Name, "-"+hash); fits && kind.HashLabel != "" && hash != "" && name != "" {
			return Workload{Kind: kind.Kind, Name: name}, true
		}
	}
	return of, ok
}

// Of returns the workload that the pod belongs to, or false for a bare pod.
//
//	ReplicaSet  → the Deployment named like it without "-" + pod-template-hash; without that label, the ReplicaSet itself
//	Job         → the CronJob named like it without the scheduled time, else the Job itself; a caller accepts a CronJob
//	              only where a Recommendation for it exists, because a Job may just be called like that
//	anything else → the controller itself
func Of(pod *corev1.Pod) (Workload, bool) {
	ref := metav1.GetControllerOfNoCopy(pod)
	if ref == nil {
		return Workload{}, false
	}
	switch ref.Kind {
	case "ReplicaSet":
		hash := pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
		if name, ok := strings.CutSuffix(ref.Name, "-"+hash); ok && hash != "" && name != "" {
			return Workload{Kind: "Deployment", Name: name}, true
		}
	case "Job":
		if name, _, ok := CutRun(ref.Name); ok {
			return Workload{Kind: "CronJob", Name: name}, true
		}
	}
	return Workload{Kind: ref.Kind, Name: ref.Name}, true
}

// Behind returns the workloads whose pods a controller of that kind and name creates, as far as its name tells: itself, the CronJob that
// a Job is called after, and any kind that works through ReplicaSets, whose names end with a hash.
func (k Kinds) Behind(kind, name string) []Workload {
	found := []Workload{{Kind: kind, Name: name}}
	switch kind {
	case "Job":
		if cronJob, _, ok := CutRun(name); ok {
			found = append(found, Workload{Kind: "CronJob", Name: cronJob})
		}
	case "ReplicaSet":
		at := strings.LastIndexByte(name, '-')
		if at <= 0 {
			return found
		}
		for _, one := range k {
			if one.HashLabel != "" {
				found = append(found, Workload{Kind: one.Kind, Name: name[:at]})
			}
		}
	}
	return found
}
