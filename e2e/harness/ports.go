package harness

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports are drawn from below the range that the kernel uses for outgoing
// connections, so that nothing takes a port between the choice and its use.
const (
	firstPort = 20000
	lastPort  = 32000
)

type ports struct {
	etcd, etcdPeer, api, controllerManager, scheduler, kwok, prometheus int
}

func choosePorts() (ports, error) {
	var p ports
	taken := map[int]bool{}
	for _, port := range []*int{&p.etcd, &p.etcdPeer, &p.api, &p.controllerManager, &p.scheduler, &p.kwok, &p.prometheus} {
		for {
			free, err := FreePort()
			if err != nil {
				return ports{}, err
			}
			if !taken[free] {
				*port, taken[free] = free, true
				break
			}
		}
	}
	return p, nil
}

// FreePort returns a TCP port of 127.0.0.1 that nobody listens on.
func FreePort() (int, error) {
	var errs []error
	for range 50 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		return port, l.Close()
	}
	return 0, fmt.Errorf("no free port on 127.0.0.1: %w", errors.Join(errs...))
}
