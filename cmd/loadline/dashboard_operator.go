package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

	"k8s.io/client-go/rest"
	certutil "k8s.io/client-go/util/cert"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/dashboard"
	"github.com/loadline-dev/loadline/webhook/certs"
)

// serveDashboard adds the pages to a manager, for those whom the API server allows to get them; nothing where no address is
// configured. Every replica serves them, also one that does not lead.
func serveDashboard(ctx context.Context, mgr ctrl.Manager, cfg config.Config) error {
	if cfg.Dashboard.Address == "0" {
		return nil
	}
	options := dashboardOptions(cfg)
	priced, err := (&reportOptions{prices: cfg.Dashboard.PricesFile}).input()
	if err != nil {
		return fmt.Errorf("dashboard.pricesFile: %w", err)
	}
	options.Prices, options.Histories = priced.Prices, newDashboardHistories(cfg)
	options.Source = &dashboard.Cluster{
		Cached: mgr.GetClient(), Live: mgr.GetAPIReader(), Hidden: []string{cfg.Updater.ProbeNamespace}, StopReasons: installed{config: cfg}.halts,
	}
	pages, err := dashboard.New(options)
	if err != nil {
		return err
	}
	// A client of its own: strangers who send tokens must not use up what the recommender may ask of the API server.
	reviewer, err := client.New(rest.CopyConfig(mgr.GetConfig()), client.Options{Scheme: mgr.GetScheme()})
	if err != nil {
		return fmt.Errorf("prepare to ask who may see the dashboard: %w", err)
	}
	log := mgr.GetLogger().WithName("dashboard")
	handler := dashboard.Guard(pages, reviewer, log)
	settings := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	if dir := cfg.Dashboard.CertDir; dir != "" {
		settings.GetCertificate = certs.Serve(dir, func(err error) { log.Error(err, "read the dashboard's certificate") }).Certificate
	} else if settings.Certificates, err = selfSigned(); err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Dashboard.Address)
	if err != nil {
		return fmt.Errorf("serve the dashboard: %w", err)
	}
	return mgr.Add(&manager.Server{
		Name: "dashboard", Server: newServer(handler), Listener: tls.NewListener(listener, settings), ShutdownTimeout: new(shutdownTimeout),
	})
}

// selfSigned makes a certificate that nobody vouches for: it keeps what is sent from being read along.
func selfSigned() ([]tls.Certificate, error) {
	cert, key, err := certutil.GenerateSelfSignedCertKey("localhost", []net.IP{net.IPv4(127, 0, 0, 1)}, []string{"loadline-dashboard"})
	if err != nil {
		return nil, fmt.Errorf("make a certificate for the dashboard: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for the dashboard: %w", err)
	}
	return []tls.Certificate{pair}, nil
}
