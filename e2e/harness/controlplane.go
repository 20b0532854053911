package harness

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/e2e/process"
)

// frontProxyClient is the name under which the API server calls aggregated APIs.
const frontProxyClient = "front-proxy-client"

// startControlPlane starts etcd and the API server one after the other, then the
// controller manager and the scheduler together.
func (c *Cluster) startControlPlane(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := c.startEtcd(ctx); err != nil {
		return err
	}
	if err := c.startAPIServer(ctx); err != nil {
		return err
	}
	manager, err := c.startControllerManager()
	if err != nil {
		return err
	}
	scheduler, err := c.startScheduler()
	if err != nil {
		return err
	}
	anyCert := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // both sign their own
	}}
	if err := manager.WaitReady(ctx, getOK(anyCert, fmt.Sprintf("https://127.0.0.1:%d/healthz", c.ports.controllerManager))); err != nil {
		return err
	}
	if err := scheduler.WaitReady(ctx, getOK(anyCert, fmt.Sprintf("https://127.0.0.1:%d/healthz", c.ports.scheduler))); err != nil {
		return err
	}
	// Until then pods are refused.
	return manager.WaitReady(ctx, func(ctx context.Context) error {
		_, err := c.clients.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

func (c *Cluster) startEtcd(ctx context.Context) error {
	clientURL := fmt.Sprintf("http://127.0.0.1:%d", c.ports.etcd)
	peerURL := fmt.Sprintf("http://127.0.0.1:%d", c.ports.etcdPeer)
	etcd, err := c.startProcess("etcd", exec.Command(c.programs.Etcd,
		"--data-dir", filepath.Join(c.Dir, "etcd"),
		"--unsafe-no-fsync", // thrown away in any case
		"--listen-client-urls", clientURL, "--advertise-client-urls", clientURL,
		"--listen-peer-urls", peerURL, "--initial-advertise-peer-urls", peerURL,
		"--initial-cluster", "default="+peerURL,
		"--log-level", "warn",
		"--quota-backend-bytes", "4294967296",
	))
	if err != nil {
		return err
	}
	return etcd.WaitReady(ctx, getOK(http.DefaultClient, clientURL+"/health"))
}

func (c *Cluster) startAPIServer(ctx context.Context) error {
	server, err := c.startProcess("kube-apiserver", exec.Command(c.programs.KubeAPIServer, c.apiServerFlags()...))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(c.CACertPEM)
	trusting := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	if err := server.WaitReady(ctx, getOK(trusting, c.AdminConfig.Host+"/readyz")); err != nil {
		return err
	}
	if c.clients != nil {
		return nil // started again: they find it at the same address
	}
	if c.clients, err = kubernetes.NewForConfig(c.AdminConfig); err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	if c.admin, err = client.New(c.AdminConfig, client.Options{Log: logr.FromSlogHandler(slog.DiscardHandler)}); err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	return nil
}

// apiServerFlags leaves aggregator routing off, so that webhooks and aggregated
// APIs may be Services of type ExternalName that lead to processes on this
// machine: endpoints on the loopback interface are not legal.
func (c *Cluster) apiServerFlags() []string {
	flags := []string{
		fmt.Sprintf("--etcd-servers=http://127.0.0.1:%d", c.ports.etcd),
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", c.ports.api),
		"--tls-cert-file=" + c.pkiFile("apiserver.crt"),
		"--tls-private-key-file=" + c.pkiFile("apiserver.key"),
		"--client-ca-file=" + c.pkiFile("ca.crt"),
		"--kubelet-client-certificate=" + c.pkiFile("apiserver-kubelet-client.crt"),
		"--kubelet-client-key=" + c.pkiFile("apiserver-kubelet-client.key"),
		"--kubelet-certificate-authority=" + c.pkiFile("ca.crt"),
		"--kubelet-preferred-address-types=InternalIP",
		"--requestheader-client-ca-file=" + c.pkiFile("front-proxy-ca.crt"),
		"--requestheader-allowed-names=" + frontProxyClient,
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-username-headers=X-Remote-User",
		"--proxy-client-cert-file=" + c.pkiFile("front-proxy-client.crt"),
		"--proxy-client-key-file=" + c.pkiFile("front-proxy-client.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + c.pkiFile("sa.crt"),
		"--service-account-signing-key-file=" + c.pkiFile("sa.key"),
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--service-cluster-ip-range=10.96.0.0/16",
		"--allow-privileged=true",
		"--endpoint-reconciler-type=none", // its endpoint would be on the loopback interface
		"--profiling=false",
		"--event-ttl=2h",
	}
	if c.opts.AuditPolicy != "" {
		flags = append(flags, "--audit-policy-file="+c.auditPolicyFile(), "--audit-log-path="+c.AuditLog)
	}
	return flags
}

func (c *Cluster) auditPolicyFile() string { return filepath.Join(c.Dir, "audit-policy.yaml") }

// RestartAPIServer kills the API server as a crash does, starts it again at the same address and waits until it is ready.
func (c *Cluster) RestartAPIServer(ctx context.Context) error {
	server := c.Process("kube-apiserver")
	if server == nil {
		return errors.New("the API server does not run")
	}
	server.Kill()
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	err := c.startAPIServer(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	// Stop goes from the last to the first: what asks the API server has to come after it.
	i := slices.IndexFunc(c.processes, func(p *process.Process) bool { return p.Name() == server.Name() && !ended(p) })
	if etcd := slices.IndexFunc(c.processes, func(p *process.Process) bool { return p.Name() == "etcd" }); i > etcd+1 {
		restarted := c.processes[i]
		c.processes = slices.Insert(slices.Delete(c.processes, i, i+1), etcd+1, restarted)
	}
	return err
}

func (c *Cluster) startControllerManager() (*process.Process, error) {
	kubeconfig := c.kubeconfigFile("controller-manager")
	return c.startProcess("kube-controller-manager", exec.Command(c.programs.KubeControllerManager,
		"--kubeconfig="+kubeconfig,
		"--authentication-kubeconfig="+kubeconfig,
		"--authorization-kubeconfig="+kubeconfig,
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", c.ports.controllerManager),
		"--leader-elect=false",
		"--use-service-account-credentials=true",
		"--service-account-private-key-file="+c.pkiFile("sa.key"),
		"--root-ca-file="+c.pkiFile("ca.crt"),
		"--cluster-signing-cert-file="+c.pkiFile("ca.crt"),
		"--cluster-signing-key-file="+c.pkiFile("ca.key"),
		"--horizontal-pod-autoscaler-sync-period=5s",
		"--flex-volume-plugin-dir="+filepath.Join(c.Dir, "volume-plugins"), // It makes the folder, by default in /usr/libexec.
		"--kube-api-qps=500", "--kube-api-burst=1000",                      // the default 20 delays the first ServiceAccount by seconds
	))
}

func (c *Cluster) startScheduler() (*process.Process, error) {
	kubeconfig := c.kubeconfigFile("scheduler")
	return c.startProcess("kube-scheduler", exec.Command(c.programs.KubeScheduler,
		"--kubeconfig="+kubeconfig,
		"--authentication-kubeconfig="+kubeconfig,
		"--authorization-kubeconfig="+kubeconfig,
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", c.ports.scheduler),
		"--leader-elect=false",
		"--kube-api-qps=500", "--kube-api-burst=1000",
	))
}

// startProcess starts a process that Stop will stop. Its log is
// Dir/logs/NAME.log.
func (c *Cluster) startProcess(name string, cmd *exec.Cmd) (*process.Process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping {
		return nil, fmt.Errorf("start %s: the cluster is stopping", name)
	}
	cmd.Dir = cmp.Or(cmd.Dir, c.Dir)
	p, err := process.Start(name, cmd, filepath.Join(c.Dir, "logs", name+".log"))
	if err != nil {
		return nil, err
	}
	c.processes = slices.DeleteFunc(c.processes, ended)
	c.processes = append(c.processes, p)
	return p, nil
}

// Process returns a running process by its name, such as etcd or kube-apiserver,
// or nil.
func (c *Cluster) Process(name string) *process.Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.processes, func(p *process.Process) bool { return p.Name() == name && !ended(p) })
	if i < 0 {
		return nil
	}
	return c.processes[i]
}

func ended(p *process.Process) bool {
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

// Run starts an extra process, a part of Loadline for example, in its own
// process group with its output appended to Dir/logs/NAME.log. The process is
// stopped when ctx ends and by Stop, before everything that it depends on.
func (c *Cluster) Run(ctx context.Context, name string, cmd *exec.Cmd) (*process.Process, error) {
	p, err := c.startProcess(name, cmd)
	if err != nil {
		return nil, err
	}
	go func() {
		select {
		case <-ctx.Done():
			_ = p.Stop()
		case <-p.Done():
		}
	}()
	return p, nil
}

// getOK returns a check that the URL answers 200.
func getOK(client *http.Client, url string) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<12))
		if err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answered %s: %s", url, resp.Status, body)
		}
		return nil
	}
}
