// Package webhook is Loadline's admission: it puts recommended sizes into new pods and workloads, keeps the label that sends
// a namespace's pods here, and refuses what people mistype.
//
// Every handler has the same shape: decode the few fields it needs, look things up in caches, and return an answer with the
// patch, the warnings, and the name of what happened. Nothing on that way calls the API server, Prometheus or a model, and
// whatever goes wrong — a panic included — admits the request unchanged and is counted.
//
//	serve.go       what all handlers share: outcomes, panics, metrics
//	lookup.go      the caches, and what is kept in them
//	gate.go        whether Loadline may touch something, and with which sizes
//	pods.go        requests and limits of new pods;  sizer.go  what one pod should carry
//	decision.go    what is written on a pod, and told of it;  herald.go  tells it as Events, beside the requests
//	workloads.go   replicas, and the annotations of workloads
//	namespaces.go  the admission label, and the annotations of namespaces
//	objects.go     Recommendations;  policies.go  SizingPolicies
//	advise.go      warnings about what is legal and unwise;  facts.go  what they need to know
//	patch.go       differences as JSON patches
//	setup.go       puts them on a server
package webhook
