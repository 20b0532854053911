//go:build linux

package realnode

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/loadline-dev/loadline/e2e/binaries"
	"github.com/loadline-dev/loadline/e2e/harness"
	"github.com/loadline-dev/loadline/e2e/process"
)

const (
	// Name of the node. Its label is type=real.
	Name = "node-real"
	// AllocatableMiB is the memory for which pods find the node, in MiB. When they use more, the kubelet evicts one of them. Pods that use
	// marginMiB more than that before it looks, every ten seconds, are killed instead.
	AllocatableMiB = 1600
	marginMiB      = 400
	// readyTimeout bounds the wait for each part.
	readyTimeout = time.Minute
)

var (
	//go:embed containerd.toml
	containerdConfig string
	//go:embed kubelet.yaml
	kubeletConfig string
)

// network makes containerd believe that there is one. Pods have to use the machine's: they say hostNetwork.
const network = `{"cniVersion": "1.0.0", "name": "none", "plugins": [{"type": "none"}]}`

// Missing returns why no real node can run here, or nil.
func Missing() error {
	if os.Geteuid() != 0 {
		return errors.New("a real node needs root")
	}
	if _, err := exec.LookPath("nsenter"); err != nil {
		return fmt.Errorf("a real node needs nsenter, of Debian's package util-linux: %w", err)
	}
	probe := cgroup{name: fmt.Sprintf("loadline-probe-%d", os.Getpid())}
	if err := errors.Join(probe.create(), probe.remove()); err != nil {
		return fmt.Errorf("a real node needs cgroups that can be written: %w", err)
	}
	cmd := exec.Command("mount", "-t", "tmpfs", "tmpfs", os.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Unshareflags: syscall.CLONE_NEWNS}
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("a real node needs the right to mount: %w: %s", err, output)
	}
	return nil
}

const namespaces = syscall.CLONE_NEWNS | syscall.CLONE_NEWPID

// Node is a running node.
type Node struct {
	cluster *harness.Cluster
	clients kubernetes.Interface
	// ctx is Start's: the processes live as long.
	ctx      context.Context //nolint:containedctx // see above
	programs binaries.Node
	dir      string
	group    cgroup
	// processes in the order in which they were started.
	processes []*process.Process
}

// Start adds the node to the cluster and returns when it is Ready. Prometheus scrapes it from then on. The caller has to Stop
// it, before the cluster.
func Start(ctx context.Context, cluster *harness.Cluster) (*Node, error) {
	n := &Node{cluster: cluster, ctx: ctx, dir: filepath.Join(cluster.Dir, "realnode"), group: cgroup{name: filepath.Base(cluster.Dir)}}
	if err := n.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start a real node: %w", err), n.Stop())
	}
	return n, nil
}

func (n *Node) start(ctx context.Context) (err error) {
	if n.programs, err = binaries.RealNode(ctx, binaries.Options{Progress: os.Stderr}); err != nil {
		return err
	}
	if n.clients, err = kubernetes.NewForConfig(n.cluster.AdminConfig); err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	for _, dir := range []string{"memory", "cni"} {
		if err := os.MkdirAll(filepath.Join(n.dir, dir), 0o700); err != nil {
			return fmt.Errorf("make the folder of the node: %w", err)
		}
	}
	if err := n.group.create(); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{n.startBox, n.startContainerd, n.importImage, n.startKubelet} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends the node and everything that runs on it, as if its power were cut.
func (n *Node) Stop() error {
	var errs []error
	for len(n.processes) > 0 {
		last := len(n.processes) - 1
		errs = append(errs, n.processes[last].Stop())
		n.processes = n.processes[:last]
	}
	return errors.Join(append(errs, n.group.remove())...)
}

// Logs returns what the containers of a pod wrote, as the container runtime keeps it.
func (n *Node) Logs(pod *corev1.Pod) (string, error) {
	box := fmt.Sprintf("/proc/%d/root", n.processes[0].PID())
	files, err := filepath.Glob(filepath.Join(box, "var", "log", "pods", pod.Namespace+"_"+pod.Name+"_"+string(pod.UID), "*", "*.log"))
	if err != nil {
		return "", fmt.Errorf("find the logs of %s: %w", pod.Name, err)
	}
	var all strings.Builder
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("read a log of %s: %w", pod.Name, err)
		}
		all.Write(content)
	}
	return all.String(), nil
}

// PIDs returns the ids of all processes on the node, as the machine numbers them.
func (n *Node) PIDs() ([]int, error) {
	own, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", n.processes[0].PID()))
	if err != nil {
		return nil, fmt.Errorf("find the namespace of the node: %w", err)
	}
	links, err := filepath.Glob("/proc/[0-9]*/ns/pid")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int
	for _, link := range links {
		if namespace, err := os.Readlink(link); err != nil || namespace != own {
			continue // or it has just ended
		}
		pid, err := strconv.Atoi(strings.Split(link, "/")[2])
		if err != nil {
			return nil, err
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// startBox starts the process whose namespaces all others enter.
func (n *Node) startBox(ctx context.Context) error {
	program, err := build(ctx, "box", n.dir)
	if err != nil {
		return err
	}
	cmd := exec.Command(program, filepath.Join(n.dir, "memory"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces}
	var box *process.Process
	return n.run(ctx, "box", cmd, &box, func(context.Context) error {
		if !strings.Contains(box.LogTail(1), "ready") {
			return errors.New("the namespaces are not furnished yet")
		}
		return nil
	})
}

// run starts a process and waits until it is ready.
func (n *Node) run(ctx context.Context, name string, cmd *exec.Cmd, started **process.Process, ready func(context.Context) error) error {
	p, err := n.cluster.Run(n.ctx, name, cmd)
	if err != nil {
		return err
	}
	n.processes = append(n.processes, p)
	if started != nil {
		*started = p
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return p.WaitReady(ctx, ready)
}

// inside is a command in the namespaces of the node.
func (n *Node) inside(program string, args ...string) []string {
	return append([]string{"nsenter", "--target", fmt.Sprint(n.processes[0].PID()), "--mount", "--pid", "--", program}, args...)
}

func (n *Node) ctr(ctx context.Context, args ...string) error {
	argv := n.inside(filepath.Join(n.programs.Runtime, "ctr"), append([]string{"--namespace", "k8s.io"}, args...)...)
	if output, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("ctr %s: %w: %s", args[0], err, output)
	}
	return nil
}

func (n *Node) startContainerd(ctx context.Context) error {
	if err := os.WriteFile(filepath.Join(n.dir, "cni", "none.conflist"), []byte(network), 0o600); err != nil {
		return fmt.Errorf("write the configuration of the network: %w", err)
	}
	config := filepath.Join(n.dir, "containerd.toml")
	if err := os.WriteFile(config, fmt.Appendf(nil, containerdConfig, n.dir, n.programs.Runtime, Image), 0o600); err != nil {
		return fmt.Errorf("write the configuration of containerd: %w", err)
	}
	argv := n.inside(filepath.Join(n.programs.Runtime, "containerd"), "--config", config)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "PATH="+n.programs.Runtime+":"+os.Getenv("PATH")) // for the shim
	return n.run(ctx, "containerd", cmd, nil, func(ctx context.Context) error { return n.ctr(ctx, "version") })
}

func (n *Node) importImage(ctx context.Context) error {
	i, err := appetite(ctx, n.dir)
	if err != nil {
		return err
	}
	return n.Import(ctx, i)
}

func (n *Node) startKubelet(ctx context.Context) error {
	port, err := harness.FreePort()
	if err != nil {
		return err
	}
	serving, err := n.cluster.ServingCert(Name)
	if err != nil {
		return err
	}
	certs := filepath.Dir(serving.CertFile)
	if err := os.WriteFile(filepath.Join(certs, "ca.crt"), serving.CAPEM, 0o600); err != nil {
		return fmt.Errorf("write the kubelet's authority: %w", err)
	}
	reserved, err := reservedMiB()
	if err != nil {
		return err
	}
	config := filepath.Join(n.dir, "kubelet.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, kubeletConfig, port, certs, n.group.name, reserved, marginMiB), 0o600); err != nil {
		return fmt.Errorf("write the configuration of the kubelet: %w", err)
	}
	kubeconfig, err := n.cluster.UserKubeconfig("system:node:"+Name, "system:nodes")
	if err != nil {
		return err
	}
	argv := n.inside(n.programs.Kubelet, "--config", config, "--kubeconfig", kubeconfig, "--hostname-override", Name,
		"--node-labels", "type=real", "--housekeeping-interval", "1s")
	if err := n.run(ctx, "kubelet", exec.Command(argv[0], argv[1:]...), nil, n.ready); err != nil {
		return err
	}
	return n.cluster.ScrapeKubelet(Name, port)
}

// reservedMiB is how much of the machine's memory is not for pods.
func reservedMiB() (int, error) {
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return 0, fmt.Errorf("read the machine's memory: %w", err)
	}
	has := int(info.Totalram * uint64(info.Unit) >> 20) //nolint:gosec // no machine has so much
	if has < AllocatableMiB+marginMiB {
		return 0, fmt.Errorf("the machine has %d MiB of memory, and the node needs %d", has, AllocatableMiB+marginMiB)
	}
	return has - AllocatableMiB - marginMiB, nil
}

// ready asks whether pods can be scheduled to the node.
func (n *Node) ready(ctx context.Context) error {
	node, err := n.clients.CoreV1().Nodes().Get(ctx, Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue && len(node.Spec.Taints) == 0 {
			return nil
		}
	}
	return fmt.Errorf("the node is not Ready: %v", node.Status.Conditions)
}
