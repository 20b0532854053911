package certs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// files copies the certificate and its key from the Secret into a directory.
type files struct {
	cache cache.Cache
	dir   string
	log   func(err error)
}

func addFiles(mgr manager.Manager, o Options) error {
	c, err := cache.New(mgr.GetConfig(), cache.Options{
		Scheme:            mgr.GetScheme(),
		Mapper:            mgr.GetRESTMapper(),
		DefaultNamespaces: map[string]cache.Config{o.Secret.Namespace: {}},
	})
	if err != nil {
		return err
	}
	log := mgr.GetLogger().WithName("certificates")
	return mgr.Add(&files{cache: c, dir: o.Dir, log: func(err error) { log.Error(err, "cannot write the certificate") }})
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
		if err := write(f.dir, secret.Data); err != nil {
			f.log(err)
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

// write stores tls.key and tls.crt, the certificate last: whoever waits for that file finds both. A Secret that is still empty
// changes nothing, and neither does one that is stored already.
func write(dir string, data map[string][]byte) error {
	names := []string{corev1.TLSPrivateKeyKey, corev1.TLSCertKey}
	for _, name := range names {
		if len(data[name]) == 0 {
			return nil
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, name := range names {
		if err := replace(filepath.Join(dir, name), data[name]); err != nil {
			return err
		}
	}
	return nil
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
