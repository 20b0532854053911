package guard

import "github.com/loadline-dev/loadline/apply"

// bestEffort leaves a pod alone that asks for nothing at all, unless the policy sizes such pods: with requests it would
// leave the class BestEffort. A container without requests in a pod that has others is sized.
func bestEffort(d *draft) {
	if d.in.Policy.SizeBestEffort || apply.QOSClass(d.template) != "BestEffort" {
		return
	}
	d.each(func(_ *size, a *amount) {
		d.forget(a, "best-effort", "the pod is BestEffort and the policy does not size such pods (sizeBestEffort)")
	})
}
