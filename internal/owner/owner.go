// Package owner finds the workload that a pod belongs to without asking the API server.
package owner

import (
	"regexp"
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

// cronJobSuffix is what the CronJob controller appends to the name of a Job: the scheduled time in minutes since 1970.
var cronJobSuffix = regexp.MustCompile(`-\d{7,11}$`)

// Of returns the workload that the pod belongs to, or false for a bare pod.
//
//	ReplicaSet  → the Deployment named like it without "-" + pod-template-hash; without that label, the ReplicaSet itself
//	Job         → the CronJob named like it without its numeric suffix, else the Job itself; a caller accepts a CronJob
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
		if suffix := cronJobSuffix.FindString(ref.Name); suffix != "" && suffix != ref.Name {
			return Workload{Kind: "CronJob", Name: strings.TrimSuffix(ref.Name, suffix)}, true
		}
	}
	return Workload{Kind: ref.Kind, Name: ref.Name}, true
}
