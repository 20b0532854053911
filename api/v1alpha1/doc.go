// Package v1alpha1 is Loadline's public API: the Recommendation and SizingPolicy kinds, the annotations that people write on
// namespaces and workloads, and the condition types and reasons that Loadline writes.
//
// The version changes only by addition.
//
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +groupName=loadline.dev
package v1alpha1
