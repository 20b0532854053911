// Package apply says what a pod or a workload should carry according to a Recommendation, and whether one has drifted.
//
// It is the reason why webhook and updater agree: both ask the same functions, which round in the same way. The package is
// pure: objects in, values out.
package apply

// Amounts is CPU in millicores and memory in bytes. Zero means none.
type Amounts struct {
	CPUMillis   int64
	MemoryBytes int64
}

// Resources is requests and limits of a container. Zero means none.
type Resources struct {
	Requests Amounts
	Limits   Amounts
}

// Values is one complete set of sizes as integers: the Recommendation's candidate or applicable.
type Values struct {
	// Containers in the order of their names.
	Containers []Container
	// Replicas is nil where there is no opinion.
	Replicas *int32
	// AutoscalerMin is what the minReplicas of the workload's HorizontalPodAutoscaler is raised to; nil leaves it as its
	// owner wrote it.
	AutoscalerMin *int32
}

// Container holds the sizes of one container. An amount of zero leaves that resource as the pod has it.
type Container struct {
	Name string
	// Target is the request of new pods, InPlace that of running pods.
	Target, InPlace Amounts
	// Band is the closed interval of requests inside which a pod has not drifted; it contains Target and InPlace.
	CPUBand, MemoryBand Interval
	CPULimit            Limit
	MemoryLimit         Limit
}

// Interval is closed. The zero Interval means that the resource is not sized.
type Interval struct{ Min, Max int64 }

// Contains reports whether v lies inside.
func (i Interval) Contains(v int64) bool { return i.Min <= v && v <= i.Max }

// Limit is a limit policy (a v1alpha1.LimitPolicy) and its result. Under Keep, a Value is the most that the limit may be;
// under None it is 0. The zero Limit is Keep.
type Limit struct {
	Policy string
	Value  int64
}
