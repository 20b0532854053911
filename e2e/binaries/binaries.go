// Package binaries builds the programs of the e2e cluster from Go modules, once,
// into a cache outside the checkout.
package binaries

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// kubernetesVersion is the version of k8s.io/kubernetes that go.mod requires.
// The module proxy's copy has no version of its own stamped in.
const kubernetesVersion = "v1.37.1"

// Options says where the cache is and who wants to know.
type Options struct {
	// CacheDir is the cache. Empty means $LOADLINE_CACHE, or .cache/loadline in
	// the home directory.
	CacheDir string
	// Progress gets one line per program built, one every ten seconds of a long
	// build, and one if everything is there already. Nil means silence.
	Progress io.Writer
}

// Paths are the programs of the control plane and of the simulated nodes.
type Paths struct {
	// Dir is the folder that holds all of them.
	Dir                   string
	Etcd                  string
	KubeAPIServer         string
	KubeControllerManager string
	KubeScheduler         string
	Kubectl               string
	Kwok                  string
}

// target is one program to build.
type target struct {
	name    string
	pkg     string
	ldflags string
}

const strip = "-s -w"

func controlPlane() []target {
	ldflags := kubernetesLdflags(kubernetesVersion)
	targets := []target{}
	for _, name := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"} {
		targets = append(targets, target{name: name, pkg: "k8s.io/kubernetes/cmd/" + name, ldflags: ldflags})
	}
	return append(targets,
		target{name: "etcd", pkg: "go.etcd.io/etcd/server/v3", ldflags: strip},
		target{name: "kwok", pkg: "sigs.k8s.io/kwok/cmd/kwok", ldflags: strip},
	)
}

// kubernetesLdflags stamps the version, without which every component reports
// the placeholder that a git export would fill in.
func kubernetesLdflags(version string) string {
	parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
	flags := []string{strip}
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for _, v := range []string{
			"gitVersion=" + version, "gitMajor=" + parts[0], "gitMinor=" + parts[1], "gitTreeState=clean",
			"gitCommit=" + strings.Repeat("0", 40), "buildDate=2026-01-01T00:00:00Z",
		} {
			flags = append(flags, "-X "+pkg+"."+v)
		}
	}
	return strings.Join(flags, " ")
}

// Ensure returns the programs of the control plane, building them if the cache
// does not hold them for the current pins, flags and Go version. Two callers at
// once build once. It has to run inside the e2e module.
func Ensure(ctx context.Context, opts Options) (Paths, error) {
	dir, err := ensure(ctx, opts, set{name: "control plane", module: ".", shared: true, targets: controlPlane()})
	if err != nil {
		return Paths{}, err
	}
	return Paths{
		Dir:                   dir,
		Etcd:                  filepath.Join(dir, "etcd"),
		KubeAPIServer:         filepath.Join(dir, "kube-apiserver"),
		KubeControllerManager: filepath.Join(dir, "kube-controller-manager"),
		KubeScheduler:         filepath.Join(dir, "kube-scheduler"),
		Kubectl:               filepath.Join(dir, "kubectl"),
		Kwok:                  filepath.Join(dir, "kwok"),
	}, nil
}

// HistoryWriter returns the program that history.Write runs.
func HistoryWriter(ctx context.Context, opts Options) (string, error) {
	return ensureOne(ctx, opts, set{
		name: "history writer", module: "prometheus", sources: []string{"writehistory"},
		targets: []target{{name: "writehistory", pkg: "./writehistory", ldflags: strip}},
	})
}

// Prometheus returns the installed Prometheus, or builds one: the real server
// without the service discoveries of two dozen clouds, which are most of what
// there is to compile. Discovery by file and by HTTP is left.
func Prometheus(ctx context.Context, opts Options) (string, error) {
	if path, err := exec.LookPath("prometheus"); err == nil {
		opts.printf("Prometheus: the installed one, %s\n", path)
		return filepath.Abs(path)
	}
	return ensureOne(ctx, opts, set{
		name: "Prometheus", module: "prometheus",
		omit:    &omission{module: "github.com/prometheus/prometheus", file: "plugins/plugins.go"},
		targets: []target{{name: "prometheus", pkg: "github.com/prometheus/prometheus/cmd/prometheus", ldflags: strip}},
	})
}

// Helm returns the command that installs charts.
func Helm(ctx context.Context, opts Options) (string, error) {
	return ensureOne(ctx, opts, set{
		name: "Helm", module: ".", shared: true,
		targets: []target{{name: "helm", pkg: "helm.sh/helm/v4/cmd/helm", ldflags: strip}},
	})
}

// ollamaVersion is the version of github.com/ollama/ollama that ollama/go.mod
// requires. The module proxy's copy has no version of its own stamped in.
const ollamaVersion = "v0.17.4"

// Ollama returns the model server, which is C++ for the most part and takes
// longer to build than all the others: only what needs it asks for it.
func Ollama(ctx context.Context, opts Options) (string, error) {
	return ensureOne(ctx, opts, set{
		name: "Ollama", module: "ollama",
		cgo: &cgo{
			flags:     "-O1 -g0", // A debug build of a model of kilobytes needs neither.
			module:    "github.com/gen2brain/malgo",
			header:    "miniaudio/miniaudio.h",
			installed: "nlohmann/json.hpp stb/stb_image.h",
			packages:  "nlohmann-json3-dev libstb-dev",
		},
		targets: []target{{
			name: "ollama", pkg: "github.com/ollama/ollama",
			ldflags: strip + " -X github.com/ollama/ollama/version.Version=" + strings.TrimPrefix(ollamaVersion, "v"),
		}},
	})
}

// Node are the programs of a real node.
type Node struct {
	Kubelet string
	// Runtime is the folder with containerd, its shim and ctr, and runc.
	Runtime string
}

// RealNode returns the programs of a real node, which runs on Linux as root.
func RealNode(ctx context.Context, opts Options) (Node, error) {
	kubelet, err := ensureOne(ctx, opts, set{
		name: "kubelet", module: ".", shared: true,
		targets: []target{{name: "kubelet", pkg: "k8s.io/kubernetes/cmd/kubelet", ldflags: kubernetesLdflags(kubernetesVersion)}},
	})
	if err != nil {
		return Node{}, err
	}
	runtime := set{
		name: "container runtime", module: "containerd",
		tags:    "no_btrfs no_devmapper no_zfs seccomp", // The only snapshots taken are those of overlayfs.
		headers: "seccomp.h", packages: "libseccomp-dev pkg-config",
		targets: []target{{name: "runc", pkg: "github.com/opencontainers/runc", ldflags: strip}},
	}
	for _, name := range []string{"containerd", "containerd-shim-runc-v2", "ctr"} {
		runtime.targets = append(runtime.targets, target{name: name, pkg: "github.com/containerd/containerd/v2/cmd/" + name, ldflags: strip})
	}
	dir, err := ensure(ctx, opts, runtime)
	return Node{Kubelet: kubelet, Runtime: dir}, err
}

func ensureOne(ctx context.Context, opts Options, s set) (string, error) {
	dir, err := ensure(ctx, opts, s)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, s.targets[0].name), nil
}

func (o Options) printf(format string, args ...any) {
	if o.Progress != nil {
		_, _ = fmt.Fprintf(o.Progress, format, args...)
	}
}

// cacheDir is the folder with one folder of programs per key.
func (o Options) cacheDir() (string, error) {
	base := o.CacheDir
	if base == "" {
		base = os.Getenv("LOADLINE_CACHE")
	}
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("no place for the cache of built programs, set LOADLINE_CACHE: %w", err)
		}
		base = filepath.Join(home, ".cache", "loadline")
	}
	abs, err := filepath.Abs(filepath.Join(base, "bin"))
	if err != nil {
		return "", fmt.Errorf("locate the cache of built programs: %w", err)
	}
	return abs, os.MkdirAll(abs, 0o755)
}
