// Package certmanager runs the controllers of cert-manager itself against a cluster of package harness, and has it keep the
// certificate of Loadline's webhook. It is a module of its own, so that nothing of cert-manager moves the versions that the
// other scenarios are built with. It consists of tests only:
//
//	go test -tags full -v .
//
// Of cert-manager everything runs that makes, renews and injects certificates. Its webhook does not: it validates what people
// write, and nobody makes mistakes here.
package certmanager
