package v1alpha1

import "strings"

// Keys of the annotations that people write on a namespace, or on a workload to narrow what the namespace grants.
const (
	AnnotationMode              = Group + "/mode"
	AnnotationPolicy            = Group + "/policy"
	AnnotationContext           = Group + "/context"
	AnnotationPriority          = Group + "/priority"
	AnnotationApproval          = Group + "/approval"
	AnnotationReplicas          = Group + "/replicas"
	AnnotationUpdater           = Group + "/updater"
	AnnotationExcludeContainers = Group + "/exclude-containers"

	// AnnotationEventPrefix starts the key of a typed event; the rest of the key is the event's name.
	AnnotationEventPrefix = Group + "/event."
)

// Keys that Loadline itself writes.
const (
	// LabelAdmission marks a namespace whose pods the API server sends to the webhook. Its value is "enabled".
	LabelAdmission = Group + "/admission"
	// LabelAdmissionEnabled is the value of LabelAdmission.
	LabelAdmissionEnabled = "enabled"

	// AnnotationOriginal keeps, on a pod, the resources that it had before Loadline changed them, as JSON.
	AnnotationOriginal = Group + "/original"
	// AnnotationChanged says, on a pod, what admission changed, for people. It is cut to 1 KiB.
	AnnotationChanged = Group + "/changed"
	// AnnotationWhy says, on a pod, why it has these sizes, for people. It is cut to 512 bytes.
	AnnotationWhy = Group + "/why"
	// AnnotationRevision names, on a pod or workload, the revision that was injected.
	AnnotationRevision = Group + "/revision"
	// AnnotationResized tells, on a pod, when it was last resized to which revision and how it was then, as JSON.
	AnnotationResized = Group + "/resized"
	// AnnotationOriginalReplicas keeps, on a workload, the replicas that were asked for.
	AnnotationOriginalReplicas = Group + "/original-replicas"
	// AnnotationRaisedMinimum keeps, on a HorizontalPodAutoscaler, the minReplicas that Loadline puts back, and the one that it
	// wrote: "2 raised to 6".
	AnnotationRaisedMinimum = Group + "/raised-min-replicas"
	// AnnotationScaled notes, on a workload, who decided on its number of pods and when: "2026-11-20T12:00:00Z by kubectl-edit".
	AnnotationScaled = Group + "/scaled"
)

// OwnAnnotations returns the annotations under Loadline's name; nil if there are none.
func OwnAnnotations(all map[string]string) map[string]string {
	var own map[string]string
	for key, value := range all {
		if strings.HasPrefix(key, Group+"/") {
			if own == nil {
				own = map[string]string{}
			}
			own[key] = value
		}
	}
	return own
}
