// Package metricsapi is Loadline's own stand-in for metrics-server in tests: it
// serves metrics.k8s.io from what the annotations of simulated pods say they
// use, so that a real HorizontalPodAutoscaler has something to scale by.
package metricsapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/e2e/harness"
)

const (
	serviceNamespace = "kube-system"
	serviceName      = "loadline-e2e-metrics"
	apiServiceName   = "v1beta1." + metricsv1beta1.GroupName
	// availableTimeout bounds the wait for the API server to believe us.
	availableTimeout = time.Minute
)

// Server is the running API service.
type Server struct {
	http  *http.Server
	admin client.Client
	done  chan error
}

// Start serves the API from this process, registers it with the cluster and
// waits until it is Available. Only the API server may call it: a client has to
// show the certificate of the cluster's front proxy.
func Start(ctx context.Context, c *harness.Cluster) (*Server, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, apiregistrationv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("build the scheme: %w", err)
		}
	}
	admin, err := client.New(c.AdminConfig, client.Options{Scheme: scheme, Log: logr.FromSlogHandler(slog.DiscardHandler)})
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	clients, err := kubernetes.NewForConfig(c.AdminConfig)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	cert, err := c.ServingCert(serviceName + "." + serviceNamespace + ".svc")
	if err != nil {
		return nil, err
	}
	listener, err := listen(cert, c.FrontProxyCAPEM)
	if err != nil {
		return nil, err
	}
	s := &Server{
		http:  &http.Server{Handler: newHandler(clients), ReadHeaderTimeout: 10 * time.Second},
		admin: admin,
		done:  make(chan error, 1),
	}
	go func() { s.done <- s.http.Serve(listener) }()
	port := listener.Addr().(*net.TCPAddr).Port
	if err := s.register(ctx, int32(port), cert.CAPEM); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// listen accepts only clients with a certificate of the front proxy's authority.
func listen(cert harness.ServingCert, clientCA []byte) (net.Listener, error) {
	pair, err := tls.LoadX509KeyPair(cert.CertFile, cert.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("load the serving certificate: %w", err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(clientCA)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{pair},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    clients,
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
	})
	if err != nil {
		return nil, fmt.Errorf("listen for the metrics API: %w", err)
	}
	return listener, nil
}

// register leads the API server here by a Service of type ExternalName, since
// endpoints on the loopback interface are not legal.
func (s *Server) register(ctx context.Context, port int32, caBundle []byte) error {
	ctx, cancel := context.WithTimeout(ctx, availableTimeout)
	defer cancel()
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: serviceNamespace, Name: serviceName},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"},
	}
	if err := s.admin.Create(ctx, service); err != nil {
		return fmt.Errorf("create the service of the metrics API: %w", err)
	}
	api := &apiregistrationv1.APIService{
		ObjectMeta: metav1.ObjectMeta{Name: apiServiceName},
		Spec: apiregistrationv1.APIServiceSpec{
			Group: metricsv1beta1.GroupName, Version: "v1beta1",
			Service:              &apiregistrationv1.ServiceReference{Namespace: serviceNamespace, Name: serviceName, Port: new(port)},
			CABundle:             caBundle,
			GroupPriorityMinimum: 100, VersionPriority: 100,
		},
	}
	if err := s.admin.Create(ctx, api); err != nil {
		return fmt.Errorf("register the metrics API: %w", err)
	}
	for {
		why, err := s.unavailable(ctx, api)
		if err == nil && why == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the metrics API is not available: %w: %s: %w", context.Cause(ctx), why, err)
		case err := <-s.done:
			return fmt.Errorf("serve the metrics API: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// unavailable returns what the API server has against us, nothing if we are
// Available.
func (s *Server) unavailable(ctx context.Context, api *apiregistrationv1.APIService) (string, error) {
	if err := s.admin.Get(ctx, client.ObjectKeyFromObject(api), api); err != nil {
		return "", fmt.Errorf("read the registration of the metrics API: %w", err)
	}
	for _, cond := range api.Status.Conditions {
		if cond.Type == apiregistrationv1.Available && cond.Status == apiregistrationv1.ConditionTrue {
			return "", nil
		}
		if cond.Type == apiregistrationv1.Available {
			return cond.Message, nil
		}
	}
	return "no condition yet", nil
}

// Stop takes the registration back and stops serving. A cluster that is gone
// already is fine.
func (s *Server) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = s.admin.Delete(ctx, &apiregistrationv1.APIService{ObjectMeta: metav1.ObjectMeta{Name: apiServiceName}})
	_ = s.admin.Delete(ctx, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: serviceNamespace, Name: serviceName}})
	if err := s.http.Close(); err != nil {
		return fmt.Errorf("stop the metrics API: %w", err)
	}
	return nil
}
