package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// files copies the certificate and its key from the Secret into a directory.
type files struct {
	cache cache.Cache
	dir   string
	log   func(err error)
	// stored is called when a certificate is in dir.
	stored func()
}

// addFiles adds the copying to a manager and returns a channel that is closed once a certificate is in the directory.
func addFiles(mgr manager.Manager, secret types.NamespacedName, dir string) (<-chan struct{}, error) {
	c, err := cache.New(mgr.GetConfig(), cache.Options{
		Scheme:            mgr.GetScheme(),
		Mapper:            mgr.GetRESTMapper(),
		DefaultNamespaces: map[string]cache.Config{secret.Namespace: {}},
	})
	if err != nil {
		return nil, fmt.Errorf("set up certificate files: %w", err)
	}
	log := mgr.GetLogger().WithName("certificates").WithValues("secret", secret.String())
	ready := make(chan struct{})
	f := &files{
		cache: c, dir: dir,
		log:    func(err error) { log.Error(err, "cannot take over the certificate") },
		stored: sync.OnceFunc(func() { close(ready) }),
	}
	if err := mgr.Add(f); err != nil {
		return nil, fmt.Errorf("set up certificate files: %w", err)
	}
	return ready, nil
}

// NeedLeaderElection says that every replica keeps its own files.
func (*files) NeedLeaderElection() bool { return false }

// Start copies until the context ends.
func (f *files) Start(ctx context.Context) error {
	informer, err := f.cache.GetInformer(ctx, &corev1.Secret{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watch the certificate: %w", err)
	}
	copyOut := func(obj any) {
		secret, ok := obj.(*corev1.Secret)
		if !ok {
			return
		}
		switch stored, err := write(f.dir, secret.Data); {
		case err != nil:
			f.log(err)
		case stored:
			f.stored()
		}
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    copyOut,
		UpdateFunc: func(_, obj any) { copyOut(obj) },
	})
	if err != nil {
		return fmt.Errorf("watch the certificate: %w", err)
	}
	return f.cache.Start(ctx)
}

// write stores tls.key and tls.crt, the certificate last: whoever waits for that file finds both. It reports whether they are
// there. A Secret that is still empty changes nothing, and neither does a certificate that its key does not belong to: what is
// served goes on being served.
func write(dir string, data map[string][]byte) (stored bool, err error) {
	certificate, key := data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey]
	if len(certificate) == 0 || len(key) == 0 {
		return false, nil
	}
	if _, err := tls.X509KeyPair(certificate, key); err != nil {
		return false, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false, err
	}
	if err := replace(filepath.Join(dir, corev1.TLSPrivateKeyKey), key); err != nil {
		return false, err
	}
	return true, replace(filepath.Join(dir, corev1.TLSCertKey), certificate)
}

// replace writes a file in one step, so that no reader sees half of it.
func replace(path string, content []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
		return nil
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), ".new-*") // Mode 0600.
	if err != nil {
		return err
	}
	_, writeErr := temporary.Write(content)
	if err := errors.Join(writeErr, temporary.Close()); err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return os.Rename(temporary.Name(), path)
}
