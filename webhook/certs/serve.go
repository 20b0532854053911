package certs

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	corev1 "k8s.io/api/core/v1"
)

// Served is the certificate that lies in a directory as tls.crt and tls.key. Both files are read at every handshake, of which
// there are few because the API server keeps its connections: whatever the file system, a new certificate is served at once,
// and no notification can get lost.
type Served struct {
	dir    string
	report func(error)

	mu        sync.Mutex
	cert, key []byte // Content that current was made of.
	current   *tls.Certificate
	reported  string
}

// Serve returns the certificate in a directory. It tells report, once each, why a later certificate is not used.
func Serve(dir string, report func(error)) *Served {
	return &Served{dir: dir, report: report}
}

// Certificate is a tls.Config.GetCertificate. Files that cannot be read, or that do not belong together because only one of
// them is replaced yet, leave the last certificate in use; it is an error only if there was none before.
func (s *Served) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.load()
	if s.current == nil {
		return nil, err
	}
	if err != nil && err.Error() != s.reported {
		s.reported = err.Error()
		s.report(err)
	}
	return s.current, nil
}

func (s *Served) load() error {
	cert, err := os.ReadFile(filepath.Join(s.dir, corev1.TLSCertKey))
	if err != nil {
		return fmt.Errorf("read the certificate: %w", err)
	}
	key, err := os.ReadFile(filepath.Join(s.dir, corev1.TLSPrivateKeyKey))
	if err != nil {
		return fmt.Errorf("read the key of the certificate: %w", err)
	}
	if s.current != nil && bytes.Equal(cert, s.cert) && bytes.Equal(key, s.key) {
		return nil
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("use the certificate in %s: %w", s.dir, err)
	}
	s.cert, s.key, s.current, s.reported = cert, key, &pair, ""
	return nil
}
