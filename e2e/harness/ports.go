package harness

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
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

func choosePorts() (p ports, err error) {
	for _, port := range []*int{&p.etcd, &p.etcdPeer, &p.api, &p.controllerManager, &p.scheduler, &p.kwok, &p.prometheus} {
		if *port, err = FreePort(); err != nil {
			return ports{}, err
		}
	}
	return p, nil
}

// FreePort returns a TCP port of 127.0.0.1 that nobody listens on. As long as this process runs, no call returns it again, also
// none of another process.
func FreePort() (int, error) {
	var errs []error
	for range 50 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if err := reserve(port); err != nil {
			errs = append(errs, err)
			continue
		}
		return port, nil
	}
	return 0, fmt.Errorf("no free port on 127.0.0.1: %w", errors.Join(errs...))
}

// reservations are the UDP ports with the numbers of the TCP ports that this process was given. Nothing that runs here uses UDP.
var reservations struct {
	sync.Mutex
	held []net.PacketConn
}

func reserve(port int) error {
	address := fmt.Sprintf("127.0.0.1:%d", port)
	reservation, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		return errors.Join(err, reservation.Close())
	}
	reservations.Lock()
	defer reservations.Unlock()
	reservations.held = append(reservations.held, reservation)
	return nil
}
