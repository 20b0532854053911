// Package failopen breaks Loadline's webhook in every way that we know, under a real API server, while pods are created: by a
// panic, a frozen process, a cache that hears nothing, a start that does not get ready, an expired certificate, a foreign
// authority, a swap of certificate and authority, a lack of memory, and a hundred requests at a time on one core. Each time all
// pods are created within the webhook's timeout, injected or as they were written, and afterwards all is as before. It consists
// of tests only:
//
//	go test -tags full -v ./failopen
package failopen
