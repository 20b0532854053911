package replay

import "time"

// policy decides on one workload as time goes on. It may look at the samples before step i and at nothing else.
type policy interface {
	// want returns what the pod should request from step i on; what it requests now means that nothing is to change.
	want(i int, p pod) Amounts
	// killed tells that the container ran out of memory in step i, while it requested so many bytes.
	killed(i int, requestBytes int64)
}

// pod is what a policy may know about the pod that it sizes.
type pod struct {
	have Amounts
	// changed is the step of the last change; a pod that is replaced is new from then on.
	changed int
	// pendingSince is the step in which a raise was refused that is still wanted, if it is one of CPU; else -1.
	pendingSince int
}

// factory makes a policy for one workload.
type factory func(t *trace, from int) policy

// variant is one row of the result: a policy with its settings.
type variant struct {
	policy  string
	label   string
	setting Setting
	// inPlace tells that raises can be refused.
	inPlace bool
	// noChart saves the memory of a chart that nobody looks at.
	noChart bool
	make    factory
}

func seconds(d time.Duration) int { return int(d / time.Second) }
